"""Traffic of one road: flows by class with the day's rushes, slowed by its own density and rain, banned by hours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.signals import DAY_S, FloatArray, Parameter, local_day, local_hour, ramp
from simulators.signals.exact import interpolate
from simulators.signals.noise import Key, derive, poisson, smooth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.signals.weather import Sky

VEHICLE_CLASSES: Final = ("motorcycle", "car", "bus", "truck", "bicycle")

SHARE_BY_CLASS: Final = {"motorcycle": 0.80, "car": 0.12, "bus": 0.01, "truck": 0.04, "bicycle": 0.03}
"""Share of each class in the vehicles of an ordinary road."""

PCU_BY_CLASS: Final = {"motorcycle": 0.3, "car": 1.0, "bus": 2.0, "truck": 2.3, "bicycle": 0.2}
"""Passenger-car units a vehicle, TCVN 4054:2005 table 2 (trucks: between two and three axles)."""

_SATURDAY: Final = 5.0

BAN_HOURS: Final = ((9.0, 11.0), (18.0, 21.5))
"""Local hours without motor vehicles in the old town of Hoi An."""
FLOOD_LAG_H: Final = 3.0
"""How long after Cau Lau a flood stands in the old town."""

_KNOT_H: Final = np.array(
    [0, 2, 4, 5, 6, 7, 8, 9, 10.5, 11.5, 13, 14, 16, 17, 18, 19, 20.5, 22, 23, 24], dtype=np.float64
)
# One share a knot, of the highest rush of a workday.
_WORKDAY: Final = np.array([
    0.06, 0.03, 0.06, 0.28, 0.72, 1.00, 0.78, 0.58, 0.60, 0.78,
    0.50, 0.58, 0.80, 1.00, 0.90, 0.70, 0.52, 0.28, 0.14, 0.06,
])  # fmt: skip
_WEEKEND: Final = np.array([
    0.10, 0.04, 0.05, 0.18, 0.42, 0.58, 0.66, 0.70, 0.72, 0.70,
    0.52, 0.58, 0.76, 0.88, 0.92, 0.86, 0.70, 0.40, 0.22, 0.10,
])  # fmt: skip


class RoadKind(StrEnum):
    """What a road is for; decides classes and shape of the day."""

    STREET = "street"
    ARTERIAL = "arterial"
    OLD_TOWN = "old-town"


@dataclass(frozen=True, slots=True)
class Passage:
    """What passed in periods, each shape (n,)."""

    counts: Mapping[str, FloatArray]  # vehicles by class
    speed: FloatArray  # mean of the vehicles, km/h
    motor_flow: FloatArray  # expected passenger-car units an hour, the ban applied


@dataclass(frozen=True, slots=True)
class Road:
    """One direction of one road at one place."""

    key: Key  # of the road's own randomness
    old_town: Parameter  # 1 in the streets that are closed by hours, else 0
    arterial: Parameter  # 1 on through roads, else 0
    peak_flow: Parameter  # vehicles an hour of all classes in the highest rush of a dry workday
    free_speed: Parameter  # km/h
    sky: Sky

    def activity(self, times_s: FloatArray) -> FloatArray:
        """Flow as a share of the workday peak, without ban, 0..1.5."""
        hour = local_hour(times_s)
        weekday = np.mod(local_day(times_s) + 3.0, 7.0)  # 1970-01-01 was a Thursday; 0 is Monday
        shape = np.where(
            weekday >= _SATURDAY, interpolate(hour, _KNOT_H, _WEEKEND), interpolate(hour, _KNOT_H, _WORKDAY)
        )
        wander = 0.08 * smooth(derive(self.key, "activity"), times_s, 1_800.0)
        visitors = 1.0 + 0.4 * self.sky.happenings.feast(times_s) * (1.0 - self.old_town)
        # Under water the streets at the river are empty.
        dry = 1.0 - self.old_town * ramp(self.sky.happenings.flood_share(times_s, FLOOD_LAG_H), 0.4, 0.65)
        activity: FloatArray = np.clip(shape * (1.0 + wander) * visitors, 0.0, 1.5) * dry
        return activity

    def allowed_share(self, start_s: FloatArray, end_s: FloatArray) -> FloatArray:
        """Share of each period in which motor vehicles may pass, 0..1; always 1 outside the old town."""
        banned = np.zeros(start_s.shape)
        first = local_hour(start_s) * 3_600.0
        last = first + (end_s - start_s)
        for begin_h, end_h in BAN_HOURS:
            for day in (0.0, DAY_S):  # a period may run over midnight into the next day's hours
                overlap = np.minimum(last, end_h * 3_600.0 + day) - np.maximum(first, begin_h * 3_600.0 + day)
                banned += np.maximum(overlap, 0.0)
        closed = np.maximum(banned / (end_s - start_s), self.sky.happenings.feast((start_s + end_s) / 2.0) > 0.0)
        return 1.0 - self.old_town * closed

    def flow_by_class(self, times_s: FloatArray) -> dict[str, FloatArray]:
        """Expected vehicles an hour by class, without ban."""
        rain = ramp(self.sky.rain_mm_h(times_s), 1.0, 25.0)
        total = self.peak_flow * self.activity(times_s)
        night = ramp(np.abs(local_hour(times_s) - 14.0), 6.0, 9.0)
        arterial, old_town = self.arterial, self.old_town
        flows = {name: total * share for name, share in SHARE_BY_CLASS.items()}
        flows["motorcycle"] = flows["motorcycle"] * (1.0 - 0.35 * rain)
        flows["bicycle"] = flows["bicycle"] * (1.0 - 0.6 * rain) * (1.0 + 2.0 * old_town)
        # Lorries keep the national road busy by night.
        flows["truck"] = flows["truck"] * (1.0 + arterial) * (1.0 - 0.8 * old_town) + (
            arterial * self.peak_flow * 0.012 * (1.0 + night)
        )
        flows["bus"] = flows["bus"] * (1.0 + 0.5 * arterial)
        return flows

    def _motor_flow(self, flows: Mapping[str, FloatArray], allowed: FloatArray) -> FloatArray:
        total = PCU_BY_CLASS["bicycle"] * flows["bicycle"]
        for name in VEHICLE_CLASSES:
            if name != "bicycle":
                total = total + PCU_BY_CLASS[name] * flows[name] * allowed
        return total

    def motor_flow(self, times_s: FloatArray, period_s: float) -> FloatArray:
        """Passenger-car units an hour on the road, the ban applied."""
        allowed = self.allowed_share(times_s - period_s / 2.0, times_s + period_s / 2.0)
        return self._motor_flow(self.flow_by_class(times_s), allowed)

    def passage(self, end_s: FloatArray, period_s: float) -> Passage:
        """What passes in the periods that end at `end_s`: whole vehicles by class, slower the fuller and wetter."""
        middle = end_s - period_s / 2.0
        flows = self.flow_by_class(middle)
        allowed = self.allowed_share(end_s - period_s, end_s)
        index = np.floor(end_s).astype(np.int64)
        counts = {}
        for name in VEHICLE_CLASSES:
            mean = flows[name] * period_s / 3_600.0
            counts[name] = poisson(derive(self.key, name), index, mean if name == "bicycle" else mean * allowed)
        motor_flow = self._motor_flow(flows, allowed)
        load = np.clip(motor_flow / (0.52 * self.peak_flow), 0.0, 1.3)  # near 1 in the highest rush
        rain = ramp(self.sky.rain_mm_h(middle), 1.0, 25.0)
        spread = smooth(derive(self.key, "speed"), middle, 600.0)
        speed = self.free_speed * (1.0 - 0.42 * load * load) * (1.0 - 0.15 * rain) * (1.0 + 0.05 * spread)
        return Passage(counts, np.maximum(speed, 5.0), motor_flow)
