"""Faults on the way from a device to the broker: what becomes of one message after another."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from simulators.messages import Message, telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.faults.plan import DeviceFaults, Fault
    from simulators.fleet import SimulatedDevice
    from simulators.messages import Report
    from simulators.parcels import Parcel

_FLOOD_STEP_MS: Final = 17
"""Between the stamps of a flooding device's messages."""
MAX_HELD: Final = 1_000
"""Messages a connection holds back at once; beyond it the oldest go out."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A message that goes out, or is lost, and what was done to it."""

    message: Message
    faults: tuple[str, ...] = ()
    device_faults: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lost: bool = False


class Delivery:
    """The way of one connection's messages; keeps those that are held back."""

    def __init__(self, device: SimulatedDevice, faults: DeviceFaults) -> None:
        """Take the faults of the device that holds the connection."""
        self._device = device
        self._faults = faults.named(
            "lost", "duplicated", "late", "out-of-order", "garbage", "retained-replay", "flooding"
        )
        self._held: list[tuple[float, int, Dispatch]] = []  # release time, Unix seconds; order; message
        self._count = 0

    def carry(self, parcel: Parcel) -> Iterator[Dispatch]:
        """What goes out when a parcel is due, in its order."""
        time_s = parcel.time_s
        struck = [fault for fault in self._faults if fault.strikes(time_s)]
        names = tuple(fault.rule.fault for fault in struck)
        message = parcel.message
        if "garbage" in names:
            mangling = next(fault for fault in struck if fault.rule.fault == "garbage")
            message = replace(message, payload=_mangled(message.payload, mangling, time_s))
        first = Dispatch(message, (*parcel.faults, *names), parcel.device_faults, lost="lost" in names)
        release_s = max((_release_s(fault, time_s) for fault in struck), default=-inf)
        if first.lost:
            yield first
        elif release_s > time_s:
            for dispatch in (first, *self._copies(first, parcel, struck)):
                self._hold(release_s, dispatch)
        else:
            yield first
            yield from self._copies(first, parcel, struck)
        yield from self.due(time_s - 0.001)

    def _copies(self, first: Dispatch, parcel: Parcel, struck: Sequence[Fault]) -> Iterator[Dispatch]:
        """What follows a message that is sent more than once."""
        for fault in struck:
            if fault.rule.fault == "duplicated":
                yield first
            elif fault.rule.fault == "retained-replay":
                yield replace(first, message=replace(first.message, retain=True))
            elif fault.rule.fault == "flooding":
                yield from self._flood(parcel, fault)

    def due(self, time_s: float) -> Iterator[Dispatch]:
        """What was held back until before a time."""
        while self._held and (self._held[0][0] <= time_s or len(self._held) > MAX_HELD):
            yield heapq.heappop(self._held)[2]

    def rest(self) -> Iterator[Dispatch]:
        """Everything that is still held back; the run is at its end."""
        while self._held:
            yield heapq.heappop(self._held)[2]

    def _hold(self, release_s: float, dispatch: Dispatch) -> None:
        self._count += 1
        heapq.heappush(self._held, (release_s, self._count, dispatch))

    def _flood(self, parcel: Parcel, fault: Fault) -> Iterator[Dispatch]:
        """The last report again and again, each a moment later."""
        report: Report | None = parcel.last_own_report
        if report is None:
            return
        for number in range(1, fault.rule.messages + 1):
            again = {"ts": report["ts"] + number * _FLOOD_STEP_MS, "values": report["values"]}
            yield Dispatch(telemetry(self._device, [again]), ("flooding",))


def _release_s(fault: Fault, time_s: float) -> float:
    """Until when a fault holds a message back, Unix seconds; -inf: it does not."""
    if fault.rule.fault == "late":
        return time_s + (0.1 + 0.9 * fault.draw(int(time_s), "late")) * fault.rule.minutes * 60.0
    if fault.rule.fault == "out-of-order":
        return time_s + 0.5  # just after the next one
    return -inf


def _mangled(payload: bytes, fault: Fault, time_s: float) -> bytes:
    """Bytes that are no report any more, in one of four ways."""
    way = int(fault.draw(int(time_s), "garbage") * 4.0)
    if way == 0:  # cut off by a buffer that was too small
        return payload[: len(payload) // 2]
    if way == 1:  # a byte lost on a serial line
        return payload[:8] + b"\xff\xfe" + payload[10:]
    if way == 2:  # another format  # noqa: PLR2004 - the third of four
        return msgspec.json.encode({"data": payload.decode(errors="replace")[:40]})
    return b"\x00" * 16
