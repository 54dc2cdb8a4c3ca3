"""Plays devices to a broker as real ones do: a connection each, last will, history first, then the present."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final

from simulators.faults.delivery import Delivery, Dispatch
from simulators.faults.plan import NONE, DeviceFaults
from simulators.link import LostError
from simulators.messages import status
from simulators.parcels import batched, cut
from simulators.signals.noise import key_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from simulators.fleet import SimulatedDevice
    from simulators.journal import Journal
    from simulators.link import Client, Link
    from simulators.messages import Message
    from simulators.pace import Pace
    from simulators.parcels import Observe

logger = logging.getLogger(__name__)

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 60.0
SEND_SPREAD_S = 10.0
"""Devices that stamp the same full minute send within this long after it, each at its own moment."""
GOODBYE_TIMEOUT_S = 3.0
FAST_NAP_S = 0.2
WINDOW_MESSAGES = 8
"""Messages a connection has in flight at once while it catches up."""
MAX_NAP_S = 5.0
_REFUSED: Final = 0x80


class _LinkDownError(Exception):
    """The device is cut off, or shaken off, by its scenario."""


@dataclass(slots=True)
class Tally:
    """What became of what was sent, over all connections."""

    sent: int = 0  # messages handed to the broker
    acknowledged: int = 0  # messages that the broker took: PUBACK or PUBCOMP, at QoS 0 when they are written
    refused: int = 0  # messages that the broker acknowledged with an error
    lost: int = 0  # messages that a fault ate
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


@dataclass(frozen=True, slots=True)
class Stage:
    """What all connections of a run play on."""

    link: Link
    client: Callable[[Link, str, Message | None], Client]  # link, device id, last will -> a connection to be made
    pace: Pace
    limits: Limits
    tally: Tally
    observe: Observe
    on_reports: Callable[[int], None]  # told how many reports of history were acknowledged
    journal: Journal | None = None


class Connection:
    """One MQTT connection: a device, and the devices it carries as their gateway."""

    def __init__(
        self,
        device: SimulatedDevice,
        carried: Sequence[SimulatedDevice],
        stage: Stage,
        faults: DeviceFaults = NONE,
    ) -> None:
        """Bind a device to a run.

        Args:
            device: the device whose connection this is.
            carried: devices that speak through it.
            stage: what all connections share.
            faults: what is wrong with the device.
        """
        self.device = device
        self.carried = tuple(carried)
        self.position_s = stage.pace.start_s  # everything up to here is acknowledged
        self.caught_up = asyncio.Event()
        self._stage = stage
        self._delivery = Delivery(device, faults)
        # Cut off by a fault, or without power: then nothing is measured either.
        self._down = [(fault.from_s, fault.until_s) for fault in faults.named("offline")]
        self._down += [(span.from_s, span.until_s) for span in device.unpowered]
        self._storms = faults.named("reconnect-storm")
        self._next_storm_s = self._storm_after(self.position_s)
        self._shaken = False
        self._jitter = random.Random(key_of(0, device.device_id, "back-off"))  # noqa: S311 - not for secrets
        self._delay_s = self._jitter.random() * min(SEND_SPREAD_S, device.interval_s / 6)

    async def run(self, stop: asyncio.Event) -> None:
        """Connect and report until `stop`; a lost connection is made again after a jittered, growing pause."""
        backoff_s = FIRST_BACKOFF_S
        tally = self._stage.tally
        while not stop.is_set():
            position_before = self.position_s
            try:
                await self._until_up(stop)
                if stop.is_set():
                    return
                async with self._connected() as client:
                    await self._report(client, stop)
                    await self._goodbye(client)
            except _LinkDownError:
                continue
            except LostError as error:
                tally.failures += 1
                tally.last_failure = str(error)
                if self.position_s > position_before:
                    backoff_s = FIRST_BACKOFF_S
                await _sleep(backoff_s * self._jitter.uniform(0.5, 1.5), stop)
                backoff_s = min(backoff_s * 2.0, MAX_BACKOFF_S)

    def _cut_from_s(self) -> float:
        """Since when the device is cut off now, Unix seconds; inf: it is not."""
        now_s = self._stage.pace.now()
        return min((from_s for from_s, until_s in self._down if from_s <= now_s < until_s), default=inf)

    def _is_down(self) -> bool:
        # What came before the cut it may still send: a run that begins within one shows what was before.
        return self.position_s >= self._cut_from_s()

    async def _until_up(self, stop: asyncio.Event) -> None:
        while self._is_down() and not stop.is_set():
            if not self._stage.pace.is_fast():
                self.caught_up.set()
            await _sleep(FAST_NAP_S if self._stage.pace.is_fast() else MAX_NAP_S, stop)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Client]:
        stage = self._stage
        # A further connection of a device says nothing of online and offline: the first one does.
        will = None if stage.link.beside else status(self.device, "offline")
        client = stage.client(stage.link, self.device.device_id, will)
        async with stage.limits.connecting:
            await client.connect()
        try:
            stage.tally.connects += 1
            stage.tally.connected += 1
            stage.pace.moved(self.device.device_id, self.position_s)
            if not stage.link.beside:
                await self._publish(client, Dispatch(status(self.device, "online")))
            yield client
        except _LinkDownError:
            client.abort()  # without a word: the broker tells the others
            raise
        finally:
            stage.tally.connected -= 1
            stage.pace.left(self.device.device_id)
            await client.disconnect()

    async def _goodbye(self, client: Client) -> None:
        """A device that is switched off says so; only one that is cut off leaves it to its last will."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                for dispatch in self._delivery.rest():
                    await self._publish(client, dispatch)
                if not self._stage.link.beside:
                    await self._publish(client, Dispatch(status(self.device, "offline")))

    async def _report(self, client: Client, stop: asyncio.Event) -> None:
        pace = self._stage.pace
        while True:
            until_s = min(await pace.until(self.position_s), self._cut_from_s(), self._next_storm_s)
            if stop.is_set():
                return
            if self._is_down():
                raise _LinkDownError
            if self.position_s >= self._next_storm_s:
                self._next_storm_s = self._storm_after(self.position_s)
                self._shaken = True
                raise _LinkDownError
            last_s = self._last_report_s(until_s)
            if last_s > self.position_s:
                await self._send_until(client, last_s, stop)
                pace.moved(self.device.device_id, self.position_s)
            elif until_s >= pace.now() - 1.0 and not (pace.has_ended() and self.position_s < until_s):
                await self._wait_for_next(client, stop)
            else:  # the slice, or all time, ends between two reports of its own, maybe not of those it carries
                await self._send_until(client, until_s, stop)
                pace.moved(self.device.device_id, self.position_s)

    def _last_report_s(self, until_s: float) -> float:
        """The last beat of the device up to a time, whether it has power then or not."""
        device = self.device
        return (until_s - device.phase_s) // device.interval_s * device.interval_s + device.phase_s

    async def _wait_for_next(self, client: Client, stop: asyncio.Event) -> None:
        pace = self._stage.pace
        if not pace.is_fast():
            self.caught_up.set()
        now_s = pace.now()
        for dispatch in self._delivery.due(now_s):
            await self._publish(client, dispatch)
        wait_s = self._last_report_s(now_s) + self.device.interval_s + self._delay_s - now_s
        # Under a fast clock short naps keep the device in step with it; whoever may be cut off looks up now and then.
        nap_s = FAST_NAP_S if pace.is_fast() else MAX_NAP_S if self._down else wait_s
        await _sleep(min(wait_s, nap_s), stop, client.lost)
        if client.lost.done():
            raise LostError(client.lost.result())

    async def _send_until(self, client: Client, until_s: float, stop: asyncio.Event) -> None:
        """Send all after the position up to `until_s`, in order; the position moves with what is acknowledged."""
        stage = self._stage
        parcels = cut(
            self.device, self.carried, self.position_s, until_s, stage.limits.readings_per_message, stage.observe
        )
        for window in batched(parcels, WINDOW_MESSAGES):
            # Started in order on one TCP connection, so the broker has them in order.
            dispatches = [dispatch for parcel in window for dispatch in self._delivery.carry(parcel)]
            if self._shaken and dispatches:
                dispatches[0] = _labelled(dispatches[0], "reconnect-storm")
                self._shaken = False
            for part in batched(dispatches, WINDOW_MESSAGES):
                await asyncio.gather(*(self._publish(client, dispatch) for dispatch in part))
            self.position_s = window[-1].complete_until_s
            reports = sum(parcel.reports for parcel in window)
            stage.tally.reports += reports
            stage.on_reports(reports)
            if stop.is_set():
                return
        self.position_s = until_s

    def _storm_after(self, position_s: float) -> float:
        """The next moment at which the connection is shaken off, Unix seconds; inf: none."""
        moments = [inf]
        for fault in self._storms:
            beat_s = fault.rule.minutes * 60.0
            moment = (max(position_s, fault.from_s - 1.0) // beat_s + 1.0) * beat_s
            if fault.holds(moment):
                moments.append(moment)
        return min(moments)

    async def _publish(self, client: Client, dispatch: Dispatch) -> None:
        stage, message = self._stage, dispatch.message
        number = 0
        async with stage.limits.in_flight:
            if stage.journal is not None:
                number = stage.journal.sent(
                    message.topic,
                    message.payload,
                    qos=stage.link.qos,
                    retain=message.retain,
                    device=self.device.device_id,
                    faults=dispatch.faults,
                    device_faults=dispatch.device_faults,
                    lost=dispatch.lost,
                )
            if dispatch.lost:
                stage.tally.lost += 1
                return
            stage.tally.sent += 1
            reason = await client.publish(message, stage.link.qos)
            if stage.journal is not None and stage.link.qos:
                stage.journal.acknowledged(number, reason=reason)
            if reason >= _REFUSED:
                stage.tally.refused += 1
                return
            stage.tally.acknowledged += 1
            stage.tally.readings += message.readings


def _labelled(dispatch: Dispatch, name: str) -> Dispatch:
    return Dispatch(dispatch.message, (*dispatch.faults, name), dispatch.device_faults, dispatch.lost)


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
