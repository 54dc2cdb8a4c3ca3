"""Plays devices to a broker as real ones do: a connection each, last will, QoS 1, history first, then the present."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulators.client import DeviceClient, LostError
from simulators.messages import Message, status
from simulators.parcels import batched, cut
from simulators.signals.noise import key_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Callable, Sequence

    from simulators.fleet import SimulatedDevice
    from simulators.pace import Pace
    from simulators.settings import Broker

logger = logging.getLogger(__name__)

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 60.0
SEND_SPREAD_S = 10.0
"""Devices that stamp the same full minute send within this long after it, each at its own moment."""
GOODBYE_TIMEOUT_S = 3.0
FAST_NAP_S = 0.2
WINDOW_MESSAGES = 8
"""Messages a connection has in flight at once while it catches up."""


@dataclass(slots=True)
class Tally:
    """What became of what was sent, over all connections."""

    sent: int = 0  # messages handed to the broker
    acknowledged: int = 0  # messages with a PUBACK
    readings: int = 0  # in acknowledged messages, null included
    reports: int = 0  # in acknowledged messages
    connected: int = 0  # connections that stand now
    connects: int = 0
    failures: int = 0  # connections refused or lost
    last_failure: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that all connections share."""

    readings_per_message: int
    in_flight: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(64))
    connecting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(8))


class Connection:
    """One MQTT connection: a device, and the devices it carries as their gateway."""

    def __init__(
        self,
        device: SimulatedDevice,
        carried: Sequence[SimulatedDevice],
        broker: Broker,
        tls: ssl.SSLContext | None,
        pace: Pace,
        limits: Limits,
        tally: Tally,
        on_reports: Callable[[int], None],
    ) -> None:
        """Bind a device to a run.

        Args:
            device: the device whose connection this is.
            carried: devices that speak through it.
            broker: where to connect.
            tls: for mqtts, else None.
            pace: clock of the run.
            limits: bounds shared by all connections.
            tally: counts shared by all connections.
            on_reports: told how many reports of history were acknowledged.
        """
        self.device = device
        self.carried = tuple(carried)
        self.position_s = pace.start_s  # everything up to here is acknowledged
        self.caught_up = asyncio.Event()
        self._broker = broker
        self._tls = tls
        self._pace = pace
        self._limits = limits
        self._tally = tally
        self._on_reports = on_reports
        self._jitter = random.Random(key_of(0, device.device_id, "back-off"))  # noqa: S311 - not for secrets
        self._delay_s = self._jitter.random() * min(SEND_SPREAD_S, device.interval_s / 6)

    async def run(self, stop: asyncio.Event) -> None:
        """Connect and report until `stop`; a lost connection is made again after a jittered, growing pause."""
        backoff_s = FIRST_BACKOFF_S
        while not stop.is_set():
            position_before = self.position_s
            try:
                async with self._connected() as client:
                    await self._report(client, stop)
                    await self._goodbye(client)
            except LostError as error:
                self._tally.failures += 1
                self._tally.last_failure = str(error)
                if self.position_s > position_before:
                    backoff_s = FIRST_BACKOFF_S
                await _sleep(backoff_s * self._jitter.uniform(0.5, 1.5), stop)
                backoff_s = min(backoff_s * 2.0, MAX_BACKOFF_S)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncGenerator[DeviceClient]:
        will = status(self.device, "offline")
        client = DeviceClient(self._broker, self._tls, self.device.device_id, will)
        async with self._limits.connecting:
            await client.connect()
        try:
            self._tally.connects += 1
            self._tally.connected += 1
            self._pace.moved(self.device.device_id, self.position_s)
            await self._publish(client, status(self.device, "online"))
            yield client
        finally:
            self._tally.connected -= 1
            self._pace.left(self.device.device_id)
            await client.disconnect()

    async def _goodbye(self, client: DeviceClient) -> None:
        """A device that is switched off says so; only one that is cut off leaves it to its last will."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                await self._publish(client, status(self.device, "offline"))

    async def _report(self, client: DeviceClient, stop: asyncio.Event) -> None:
        while True:
            until_s = await self._pace.until(self.position_s)
            if stop.is_set():
                return
            last_s = self._last_report_s(until_s)
            if last_s > self.position_s:
                await self._send_until(client, last_s, stop)
                self._pace.moved(self.device.device_id, self.position_s)
            elif until_s >= self._pace.now() - 1.0:
                await self._wait_for_next(client, stop)
            else:  # the slice ends between two reports of its own, maybe not of those it carries
                await self._send_until(client, until_s, stop)
                self._pace.moved(self.device.device_id, self.position_s)

    def _last_report_s(self, until_s: float) -> float:
        times = self.device.report_times(until_s - self.device.interval_s, until_s)
        return float(times[-1])

    async def _wait_for_next(self, client: DeviceClient, stop: asyncio.Event) -> None:
        if not self._pace.is_fast():
            self.caught_up.set()
        now_s = self._pace.now()
        wait_s = self._last_report_s(now_s) + self.device.interval_s + self._delay_s - now_s
        # Under a fast clock short naps keep the device in step with it.
        await _sleep(min(wait_s, FAST_NAP_S) if self._pace.is_fast() else wait_s, stop, client.lost)
        if client.lost.done():
            raise LostError(client.lost.result())

    async def _send_until(self, client: DeviceClient, until_s: float, stop: asyncio.Event) -> None:
        """Send all after the position up to `until_s`, in order; the position moves with what is acknowledged."""
        parcels = cut(self.device, self.carried, self.position_s, until_s, self._limits.readings_per_message)
        for window in batched(parcels, WINDOW_MESSAGES):
            # Started in order on one TCP connection, so the broker has them in order.
            await asyncio.gather(*(self._publish(client, parcel.message) for parcel in window))
            self.position_s = window[-1].complete_until_s
            reports = sum(parcel.reports for parcel in window)
            self._tally.reports += reports
            self._on_reports(reports)
            if stop.is_set():
                return
        self.position_s = until_s

    async def _publish(self, client: DeviceClient, message: Message) -> None:
        async with self._limits.in_flight:
            self._tally.sent += 1
            await client.publish(message)
            self._tally.acknowledged += 1
            self._tally.readings += message.readings


def connections_of(fleet: Sequence[SimulatedDevice]) -> list[tuple[SimulatedDevice, list[SimulatedDevice]]]:
    """The devices that hold a connection, each with those it carries."""
    carried_by: dict[str, list[SimulatedDevice]] = {}
    for device in fleet:
        if device.gateway_id is not None:
            carried_by.setdefault(device.gateway_id, []).append(device)
    return [(device, carried_by.get(device.device_id, [])) for device in fleet if device.gateway_id is None]


async def _sleep(seconds: float, stop: asyncio.Event, lost: asyncio.Future[str] | None = None) -> None:
    """Sleep, but wake at once when the run is to stop or the connection is lost."""
    waking: set[asyncio.Future[Any]] = {asyncio.ensure_future(stop.wait())}
    stopped = next(iter(waking))
    if lost is not None:
        waking.add(lost)
    await asyncio.wait(waking, timeout=max(seconds, 0.0), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
