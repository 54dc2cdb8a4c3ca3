"""Faults in what a device measures and in the time it puts on it. The rest of the way carries it as it is."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulators.messages import reports_of
from simulators.signals import DAY_S, LOCAL_OFFSET_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.faults.plan import DeviceFaults, Fault
    from simulators.fleet import SimulatedDevice
    from simulators.messages import Report

_CLOCK_SPELL_S: Final = 3_600.0
_RESET_S: Final = 946_684_800.0
"""Where a clock without a battery begins: 2000-01-01."""


def disturb(
    device: SimulatedDevice, faults: DeviceFaults, times_s: Sequence[float], reports: list[Report]
) -> list[tuple[float, Report, tuple[str, ...]]]:
    """Let the faults of a device do their work on its reports.

    Args:
        device: who reports.
        faults: what is wrong with it.
        times_s: when each report is made, Unix seconds, rising.
        reports: one a time; changed in place.

    Returns:
        The reports that are left, each with its time and the names of the faults that struck it.
    """
    silent = faults.named("silent")
    wrong_values = faults.named("stuck", "drifting", "spiking")
    wrong_clocks = faults.named("wrong-clock")
    left: list[tuple[float, Report, tuple[str, ...]]] = []
    for time_s, report in zip(times_s, reports, strict=True):
        if any(fault.holds(time_s) for fault in silent):
            continue
        names = [fault.rule.fault for fault in wrong_values if _distort(device, fault, time_s, report["values"])]
        for fault in wrong_clocks:
            if fault.strikes(time_s // _CLOCK_SPELL_S * _CLOCK_SPELL_S):
                report["ts"] = _wrong_stamp(fault, report["ts"])
                names.append(fault.rule.fault)
        left.append((time_s, report, tuple(dict.fromkeys(names))))
    return left


def _names(device: SimulatedDevice, fault: Fault) -> Sequence[str]:
    present = [stream.name for stream in device.profile.datastreams]
    return [name for name in fault.rule.datastreams if name in present] or present[:1]


def _distort(device: SimulatedDevice, fault: Fault, time_s: float, values: dict[str, Any]) -> bool:
    """Spoil values of one report; answers whether the fault struck."""
    if not fault.holds(time_s):
        return False
    rule = fault.rule
    if rule.fault == "spiking":
        if not fault.strikes(time_s):
            return False
        for name in _names(device, fault):
            _scale(device, values, name, rule.size)
        return True
    spell_s = rule.minutes * 60.0
    spell = int(time_s // spell_s)
    if fault.draw(spell, "spell") >= rule.chance:
        return False
    if rule.fault == "stuck":
        first_s = ceil((spell * spell_s - device.phase_s) / device.interval_s) * device.interval_s + device.phase_s
        first = reports_of(device, np.array([float(first_s)]))[0]["values"]
        for name in _names(device, fault):
            values[name] = first[name]
    else:
        hours = (time_s - spell * spell_s) / 3_600.0
        for name in _names(device, fault):
            _scale(device, values, name, 1.0 + rule.size / 100.0 * hours)
    return True


def _scale(device: SimulatedDevice, values: dict[str, Any], name: str, factor: float) -> None:
    """Multiply a number; words and missing readings stay."""
    value = values[name]
    if isinstance(value, (int, float)):
        decimals = device.instrument.DECIMALS[name]
        scaled = float(np.round(value * factor, decimals))
        values[name] = scaled if decimals else int(scaled)


def _wrong_stamp(fault: Fault, stamp_ms: int) -> int:
    shift_ms = int(fault.rule.minutes * 60_000)
    clock = fault.rule.clock
    if clock == "ahead":
        return stamp_ms + shift_ms
    if clock == "behind":
        return stamp_ms - shift_ms
    if clock == "local-time":
        return stamp_ms + int(LOCAL_OFFSET_S) * 1_000
    if clock == "in-seconds":
        return stamp_ms // 1_000
    # reset: it counts from 2000 since it was last switched on, at midnight.
    return int(_RESET_S * 1_000 + (stamp_ms + LOCAL_OFFSET_S * 1_000) % (DAY_S * 1_000))
