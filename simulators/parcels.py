"""Cuts a stretch of time into the messages a connection sends for it, oldest first, none longer than allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from simulators.messages import Message, Report, gateway, reports_of, telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simulators.fleet import SimulatedDevice
    from simulators.signals import FloatArray

Item = TypeVar("Item")
MadeReport: TypeAlias = "tuple[float, Report, tuple[str, ...]]"
"""When a report is made, Unix seconds; what it says; the faults that struck it."""
Observe: TypeAlias = "Callable[[SimulatedDevice, FloatArray], list[MadeReport]]"
"""What a device reports at these times, oldest first; may leave some out."""


def observe_faultless(device: SimulatedDevice, times_s: FloatArray) -> list[MadeReport]:
    """What a device reports that nothing is wrong with."""
    return [(time_s, report, ()) for time_s, report in zip(times_s.tolist(), reports_of(device, times_s), strict=True)]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message and what is said once it is acknowledged."""

    message: Message
    reports: int
    time_s: float  # when its oldest report was made
    complete_until_s: float  # every report of the connection up to here is in this parcel or one before it
    faults: tuple[str, ...] = ()  # of the device that sends
    device_faults: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of the devices it speaks for
    last_own_report: Report | None = None  # the newest of the device that sends


@dataclass(frozen=True, slots=True)
class _Entry:
    time_s: float
    device: SimulatedDevice
    report: Report
    faults: tuple[str, ...]


def cut(
    device: SimulatedDevice,
    carried: Sequence[SimulatedDevice],
    after_s: float,
    until_s: float,
    readings_per_message: int,
    observe: Observe = observe_faultless,
) -> list[Parcel]:
    """Messages for all reports in (after, until] of a device and of those it carries.

    A message holds at least one report, however many readings that has.
    """
    own = _entries(device, after_s, until_s, observe)
    groups = [
        (group, telemetry(device, [entry.report for entry in group])) for group in _groups(own, readings_per_message)
    ]
    if carried:
        others = [entry for other in carried for entry in _entries(other, after_s, until_s, observe)]
        others.sort(key=lambda entry: entry.time_s)
        groups += [(group, _gateway_message(device, group)) for group in _groups(others, readings_per_message)]
        groups.sort(key=lambda pair: pair[0][0].time_s)
    if not groups:
        return []
    # All is sent up to just before the oldest report that still waits; times are whole seconds.
    waiting_from = [*(group[0].time_s for group, _ in groups[1:]), until_s + 1.0]
    return [
        _parcel(device, group, message, oldest - 1.0)
        for (group, message), oldest in zip(groups, waiting_from, strict=True)
    ]


def _parcel(device: SimulatedDevice, group: Sequence[_Entry], message: Message, complete_until_s: float) -> Parcel:
    faults: dict[str, dict[str, None]] = {}
    for entry in group:
        faults.setdefault(entry.device.device_id, {}).update(dict.fromkeys(entry.faults))
    own = faults.pop(device.device_id, {})
    last = group[-1]
    return Parcel(
        message=message,
        reports=len(group),
        time_s=group[0].time_s,
        complete_until_s=complete_until_s,
        faults=tuple(own),
        device_faults={device_id: tuple(names) for device_id, names in faults.items() if names},
        last_own_report=last.report if last.device is device else None,
    )


def _entries(device: SimulatedDevice, after_s: float, until_s: float, observe: Observe) -> list[_Entry]:
    times = device.report_times(after_s, until_s)
    if not times.size:
        return []
    return [_Entry(time_s, device, report, faults) for time_s, report, faults in observe(device, times)]


def _groups(entries: Sequence[_Entry], readings_per_message: int) -> Iterator[list[_Entry]]:
    group: list[_Entry] = []
    readings = 0
    for entry in entries:
        size = len(entry.report["values"])
        if group and readings + size > readings_per_message:
            yield group
            group, readings = [], 0
        group.append(entry)
        readings += size
    if group:
        yield group


def _gateway_message(carrier: SimulatedDevice, group: Sequence[_Entry]) -> Message:
    reports_by_device: dict[str, list[Report]] = {}
    for entry in group:
        reports_by_device.setdefault(entry.device.device_id, []).append(entry.report)
    return gateway(carrier, reports_by_device)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last one maybe shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
