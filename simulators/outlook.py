"""What devices report: one at a time through history, all of a kind at once in the present."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simulators.faults.readings import disturb
from simulators.messages import report_of, reports_of
from simulators.stack import Bunch, bunches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.faults.plan import DeviceFaults
    from simulators.fleet import SimulatedDevice
    from simulators.parcels import MadeReport
    from simulators.signals import FloatArray

KEPT_BEATS = 2
"""Reporting intervals of a bunch that are kept: devices of one bunch are never further apart than that."""


@dataclass(slots=True)
class _Member:
    bunch: Bunch
    phases_s: FloatArray  # of all devices of the bunch
    column: int
    beats: dict[int, FloatArray] = field(default_factory=dict)  # number of the interval -> values; shared by the bunch


class Outlook:
    """Answers what a device reports at some times, with the faults of its readings.

    For a single time it observes the whole bunch of the device in that reporting interval at once and keeps the
    others' values until they are asked for, which is some hundred times less work than observing each alone.
    """

    def __init__(self, fleet: Sequence[SimulatedDevice], faults: Mapping[str, DeviceFaults]) -> None:
        """Take the fleet and what is wrong with it."""
        self._faults = faults
        self._members: dict[str, _Member] = {}
        for devices, bunch in bunches(fleet):
            phases = np.array([float(device.phase_s) for device in devices])
            beats: dict[int, FloatArray] = {}
            for column, device in enumerate(devices):
                self._members[device.device_id] = _Member(bunch, phases, column, beats)

    def reports(self, device: SimulatedDevice, times_s: FloatArray) -> list[MadeReport]:
        """What a device reports at these times (see `simulators.parcels.Observe`)."""
        times = times_s.tolist()
        reports = [self._single(device, times[0])] if len(times) == 1 else reports_of(device, times_s)
        faults = self._faults.get(device.device_id)
        if faults is None:
            return [(time_s, report, ()) for time_s, report in zip(times, reports, strict=True)]
        return disturb(device, faults, times, reports)

    def _single(self, device: SimulatedDevice, time_s: float) -> dict[str, object]:
        member = self._members[device.device_id]
        beat = round((time_s - device.phase_s) / device.interval_s)
        values = member.beats.get(beat)
        if values is None:
            values = member.bunch.observe(member.phases_s + float(beat * device.interval_s))
            while len(member.beats) >= KEPT_BEATS:
                member.beats.pop(min(member.beats))
            member.beats[beat] = values
        return report_of(device, time_s, values[:, member.column])
