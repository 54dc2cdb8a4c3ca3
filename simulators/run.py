"""A run of the simulators from start to end: all connections, the progress of the history, the final count."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

from simulators.pace import Pace
from simulators.publisher import Connection, Limits, Tally, connections_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulators.fleet import SimulatedDevice
    from simulators.settings import Broker

logger = logging.getLogger(__name__)

WATCH_INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run does."""

    backfill_s: float  # how far back the history starts, >= 0
    duration_s: float | None  # how long to go on once the history is sent; None: until told to stop
    rate: float | None  # history at this many times real time; None: as fast as it is acknowledged
    readings_per_message: int


async def run(fleet: Sequence[SimulatedDevice], broker: Broker, plan: RunPlan) -> Tally:
    """Play a fleet until the plan ends or SIGTERM or SIGINT comes; then every device says goodbye and disconnects.

    Returns:
        The counts of the run; `sent == acknowledged` when nothing is open.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    now_s = time.time()
    pace = Pace(start_s=now_s - plan.backfill_s, rate=plan.rate)
    tally = Tally()
    limits = Limits(plan.readings_per_message)
    tls = ssl.create_default_context() if broker.tls else None
    total = sum(device.report_times(pace.start_s, now_s).size for device in fleet)
    with tqdm(
        total=total,
        desc="history",
        unit=" reports",
        file=sys.stderr,
        mininterval=0.5,
        disable=plan.backfill_s <= 0.0,
    ) as bar:
        connections = [
            Connection(device, carried, broker, tls, pace, limits, tally, _progress(bar))
            for device, carried in connections_of(fleet)
        ]
        async with asyncio.TaskGroup() as group:
            for connection in connections:
                group.create_task(connection.run(stop), name=f"device {connection.device.device_id}")
            watch = group.create_task(_watch(tally, len(connections)), name="watch")
            end = group.create_task(_end(connections, plan, bar, stop), name="end of the plan")
            await stop.wait()
            watch.cancel()
            end.cancel()
    return tally


def _progress(bar: tqdm[NoReturn]) -> Callable[[int], None]:
    def advance(reports: int) -> None:
        # What became due while the history was sent is not part of the total.
        left = int(bar.total or 0) - int(bar.n)
        if left > 0:
            bar.update(min(reports, left))

    return advance


async def _end(connections: Sequence[Connection], plan: RunPlan, bar: tqdm[NoReturn], stop: asyncio.Event) -> None:
    """Say when the history is sent; end the run when its time is over."""
    for connection in connections:
        await connection.caught_up.wait()
    bar.close()
    logger.info("all %d connections are at the present", len(connections))
    if plan.duration_s is not None:
        await asyncio.sleep(plan.duration_s)
        stop.set()


async def _watch(tally: Tally, expected: int) -> None:
    """Tell when connections fail, once for all of them and not for each."""
    failures = 0
    while True:
        await asyncio.sleep(WATCH_INTERVAL_S)
        if tally.failures > failures:
            logger.warning(
                "%d of %d connections stand; %d failed in the last %g s, the last with: %s",
                tally.connected,
                expected,
                tally.failures - failures,
                WATCH_INTERVAL_S,
                tally.last_failure,
            )
        failures = tally.failures
