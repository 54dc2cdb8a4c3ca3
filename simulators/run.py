"""A run of the simulators from start to end: all connections, the progress of the history, the final count."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from tqdm import tqdm

from simulators.client import DeviceClient
from simulators.faults.plan import NONE, DeviceFaults
from simulators.light import LightClient
from simulators.outlook import Outlook
from simulators.pace import Pace
from simulators.publisher import Connection, Limits, Stage, Tally, connections_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulators.fleet import SimulatedDevice
    from simulators.journal import Journal
    from simulators.link import Client, Link
    from simulators.messages import Message

logger = logging.getLogger(__name__)

WATCH_INTERVAL_S = 10.0
CLIENTS: Final[Mapping[str, Callable[[Link, str, Message | None], Client]]] = {
    "paho": DeviceClient,
    "light": LightClient,
}
"""What may hold a device's connection."""
_CONNECTING: Final = {"paho": 8, "light": 100}
"""How many connections are made at once."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run does."""

    start_s: float  # Unix seconds at which the history begins
    end_s: float | None  # Unix seconds at which the history ends and the run with it; None: it goes on into the present
    duration_s: float | None  # how long to go on once the history is sent; None: until told to stop
    rate: float | None  # history at this many times real time; None: as fast as it is acknowledged
    readings_per_message: int
    client: str = "paho"  # which of CLIENTS


async def run(
    fleet: Sequence[SimulatedDevice],
    link: Link,
    plan: RunPlan,
    faults: Mapping[str, DeviceFaults] | None = None,
    journal: Journal | None = None,
) -> Tally:
    """Play a fleet until the plan ends or SIGTERM or SIGINT comes; then every device says goodbye and disconnects.

    Args:
        fleet: all devices.
        link: how they reach the broker.
        plan: when and how fast.
        faults: what is wrong with which device.
        journal: where to write down what is sent and acknowledged.

    Returns:
        The counts of the run; `sent == acknowledged + refused` when nothing is open.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    now_s = plan.end_s or time.time()
    pace = Pace(start_s=plan.start_s, rate=plan.rate, end_s=plan.end_s or float("inf"))
    wrong = faults or {}
    total = sum(device.report_times(pace.start_s, now_s).size for device in fleet) if plan.start_s < now_s else 0
    with tqdm(
        total=total,
        desc="history",
        unit=" reports",
        file=sys.stderr,
        mininterval=0.5,
        disable=not total,
    ) as bar:
        stage = Stage(
            link=link,
            client=CLIENTS[plan.client],
            pace=pace,
            limits=Limits(plan.readings_per_message, connecting=asyncio.Semaphore(_CONNECTING[plan.client])),
            tally=Tally(),
            observe=Outlook(fleet, wrong).reports,
            on_reports=_progress(bar),
            journal=journal,
        )
        connections = [
            Connection(device, carried, stage, wrong.get(device.device_id, NONE))
            for device, carried in connections_of(fleet)
            if not wrong.get(device.device_id, NONE).named("absent")
        ]
        async with asyncio.TaskGroup() as group:
            for connection in connections:
                group.create_task(connection.run(stop), name=f"device {connection.device.device_id}")
            watch = group.create_task(_watch(stage.tally, len(connections)), name="watch")
            end = group.create_task(_end(connections, plan, bar, stop), name="end of the plan")
            await stop.wait()
            watch.cancel()
            end.cancel()
    return stage.tally


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
    duration_s = 0.0 if plan.end_s is not None else plan.duration_s
    if duration_s is not None:
        await asyncio.sleep(duration_s)
        stop.set()


async def _watch(tally: Tally, expected: int) -> None:
    """Tell when connections fail, once for all of them and not for each."""
    failures = connected = 0
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
        elif tally.connected > connected:
            logger.info("%d of %d connections stand", tally.connected, expected)
        failures, connected = tally.failures, tally.connected
