"""From the rules of a scenario to the faults of each device."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf
from typing import TYPE_CHECKING

from simulators.signals.noise import draw, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from simulators.faults.rules import FaultName, FaultRule
    from simulators.fleet import SimulatedDevice


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one device."""

    rule: FaultRule
    key: int  # where its decisions come from
    from_s: float  # Unix seconds, inclusive; -inf: always has been
    until_s: float  # exclusive; inf: for ever

    def holds(self, time_s: float) -> bool:
        """Whether it may strike at a time."""
        return self.from_s <= time_s < self.until_s

    def strikes(self, time_s: float, what: str = "") -> bool:
        """Whether it strikes at a time, by its chance."""
        return self.holds(time_s) and self.draw(int(time_s), what) < self.rule.chance

    def draw(self, index: int, what: str = "") -> float:
        """A draw, 0 <= u < 1, that belongs to this fault and a number."""
        return draw(key_of(self.key, what) if what else self.key, index)


@dataclass(frozen=True, slots=True)
class DeviceFaults:
    """All faults of one device, in the order of the scenario."""

    faults: tuple[Fault, ...] = ()

    def named(self, *names: FaultName) -> tuple[Fault, ...]:
        """Those with one of these names."""
        return tuple(fault for fault in self.faults if fault.rule.fault in names)


NONE = DeviceFaults()


def plan_faults(
    fleet: Sequence[SimulatedDevice], rules: Sequence[FaultRule], seed: int, today: date
) -> dict[str, DeviceFaults]:
    """The faults of every device that has some, by device id.

    Args:
        fleet: all devices.
        rules: of the scenario.
        seed: of the scenario.
        today: the day that the spans of the rules count from.
    """
    found: dict[str, list[Fault]] = {}
    for number, rule in enumerate(rules):
        from_s, until_s = -inf, inf
        if rule.during:
            span = rule.during.span(today)
            from_s, until_s = span.from_s, span.until_s
        for device in _chosen(fleet, rule, seed, number):
            key = key_of(seed, "fault", str(number), rule.fault, device.device_id)
            found.setdefault(device.device_id, []).append(Fault(rule, key, from_s, until_s))
    return {device_id: DeviceFaults(tuple(faults)) for device_id, faults in found.items()}


def _chosen(fleet: Sequence[SimulatedDevice], rule: FaultRule, seed: int, number: int) -> Iterator[SimulatedDevice]:
    matching = [device for device in fleet if _matches(device, rule)]
    lots = {device.device_id: draw(key_of(seed, "chosen", str(number), device.device_id)) for device in matching}
    if rule.count is not None:
        first = sorted(lots, key=lots.__getitem__)[: rule.count]
        yield from (device for device in matching if device.device_id in set(first))
    else:
        yield from (device for device in matching if lots[device.device_id] < rule.share)


def _matches(device: SimulatedDevice, rule: FaultRule) -> bool:
    return (
        (not rule.towns or device.town_id in rule.towns)
        and (not rule.profiles or device.profile.profile_id in rule.profiles)
        and (not rule.devices or any(fnmatchcase(device.device_id, pattern) for pattern in rule.devices))
    )
