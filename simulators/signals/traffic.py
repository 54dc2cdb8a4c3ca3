"""Traffic of one road: flows by class with the day's rushes, slowed by its own density and rain, banned by hours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.signals import DAY_S, FloatArray, local_day, local_hour, ramp
from simulators.signals.noise import key_of, poisson, smooth

if TYPE_CHECKING:
    from simulators.signals.weather import Sky

VEHICLE_CLASSES: Final = ("motorcycle", "car", "bus", "truck", "bicycle")

SHARE_BY_CLASS: Final = {"motorcycle": 0.80, "car": 0.12, "bus": 0.01, "truck": 0.04, "bicycle": 0.03}
"""Share of each class in the vehicles of an ordinary road."""

PCU_BY_CLASS: Final = {"motorcycle": 0.3, "car": 1.0, "bus": 2.0, "truck": 2.3, "bicycle": 0.2}
"""Passenger-car units a vehicle, TCVN 4054:2005 table 2 (trucks: between two and three axles)."""

_SATURDAY: Final = 5.0

BAN_HOURS: Final = ((9.0, 11.0), (18.0, 21.5))
"""Local hours without motor vehicles in the old town of Hoi An."""

_KNOT_H: Final = np.array(
    [0, 2, 4, 5, 6, 7, 8, 9, 10.5, 11.5, 13, 14, 16, 17, 18, 19, 20.5, 22, 23, 24], dtype=np.float64
)
_WORKDAY: Final = np.array(
    [
        0.06,
        0.03,
        0.06,
        0.28,
        0.72,
        1.00,
        0.78,
        0.58,
        0.60,
        0.78,
        0.50,
        0.58,
        0.80,
        1.00,
        0.90,
        0.70,
        0.52,
        0.28,
        0.14,
        0.06,
    ]
)
_WEEKEND: Final = np.array(
    [
        0.10,
        0.04,
        0.05,
        0.18,
        0.42,
        0.58,
        0.66,
        0.70,
        0.72,
        0.70,
        0.52,
        0.58,
        0.76,
        0.88,
        0.92,
        0.86,
        0.70,
        0.40,
        0.22,
        0.10,
    ]
)


class RoadKind(StrEnum):
    """What a road is for; decides classes and shape of the day."""

    STREET = "street"
    ARTERIAL = "arterial"
    OLD_TOWN = "old-town"


@dataclass(frozen=True, slots=True)
class Road:
    """One direction of one road at one place."""

    seed: int
    name: str  # names the road's own randomness
    kind: RoadKind
    peak_flow: float  # vehicles an hour of all classes in the highest rush of a dry workday
    free_speed: float  # km/h
    sky: Sky

    def activity(self, times_s: FloatArray) -> FloatArray:
        """Flow as a share of the workday peak, without ban, 0..1.3."""
        hour = local_hour(times_s)
        weekday = np.mod(local_day(times_s) + 3.0, 7.0)  # 1970-01-01 was a Thursday; 0 is Monday
        shape = np.where(weekday >= _SATURDAY, np.interp(hour, _KNOT_H, _WEEKEND), np.interp(hour, _KNOT_H, _WORKDAY))
        wander = 0.08 * smooth(key_of(self.seed, self.name, "activity"), times_s, 1_800.0)
        activity: FloatArray = np.clip(shape * (1.0 + wander), 0.0, 1.3)
        return activity

    def allowed_share(self, start_s: FloatArray, end_s: FloatArray) -> FloatArray:
        """Share of each period in which motor vehicles may pass, 0..1; always 1 outside the old town."""
        if self.kind is not RoadKind.OLD_TOWN:
            return np.ones(start_s.shape)
        banned = np.zeros(start_s.shape)
        first = local_hour(start_s) * 3_600.0
        last = first + (end_s - start_s)
        for begin_h, end_h in BAN_HOURS:
            for day in (0.0, DAY_S):  # a period may run over midnight into the next day's hours
                overlap = np.minimum(last, end_h * 3_600.0 + day) - np.maximum(first, begin_h * 3_600.0 + day)
                banned += np.maximum(overlap, 0.0)
        return 1.0 - banned / (end_s - start_s)

    def flow_by_class(self, times_s: FloatArray) -> dict[str, FloatArray]:
        """Expected vehicles an hour by class, without ban."""
        rain = ramp(self.sky.rain_mm_h(times_s), 1.0, 25.0)
        total = self.peak_flow * self.activity(times_s)
        hour = local_hour(times_s)
        flows = {name: total * share for name, share in SHARE_BY_CLASS.items()}
        flows["motorcycle"] = flows["motorcycle"] * (1.0 - 0.35 * rain)
        flows["bicycle"] = flows["bicycle"] * (1.0 - 0.6 * rain)
        if self.kind is RoadKind.ARTERIAL:
            # Lorries keep the national road busy by night.
            flows["truck"] = flows["truck"] * 2.0 + self.peak_flow * 0.012 * (
                1.0 - ramp(np.abs(hour - 14.0), 6.0, 9.0) * -1.0
            )
            flows["bus"] = flows["bus"] * 1.5
        if self.kind is RoadKind.OLD_TOWN:
            flows["truck"] = flows["truck"] * 0.2
            flows["bicycle"] = flows["bicycle"] * 3.0
        return flows

    def counts(self, name: str, end_s: FloatArray, period_s: float) -> FloatArray:
        """Vehicles of one class that passed in the periods that end at `end_s`, whole numbers."""
        middle = end_s - period_s / 2.0
        mean = self.flow_by_class(middle)[name] * period_s / 3_600.0
        if name != "bicycle":
            mean = mean * self.allowed_share(end_s - period_s, end_s)
        return poisson(key_of(self.seed, self.name, name), np.floor(end_s).astype(np.int64), mean)

    def motor_flow(self, times_s: FloatArray, period_s: float) -> FloatArray:
        """Passenger-car units an hour on the road, the ban applied."""
        flows = self.flow_by_class(times_s)
        allowed = self.allowed_share(times_s - period_s / 2.0, times_s + period_s / 2.0)
        total = PCU_BY_CLASS["bicycle"] * flows["bicycle"]
        for name in VEHICLE_CLASSES:
            if name != "bicycle":
                total = total + PCU_BY_CLASS[name] * flows[name] * allowed
        return total

    def speed(self, end_s: FloatArray, period_s: float) -> FloatArray:
        """Mean speed of the vehicles of the periods, km/h, falling with density and rain."""
        middle = end_s - period_s / 2.0
        load = self.motor_flow(middle, period_s) / (0.52 * self.peak_flow)  # near 1 in the highest rush
        rain = ramp(self.sky.rain_mm_h(middle), 1.0, 25.0)
        spread = smooth(key_of(self.seed, self.name, "speed"), middle, 600.0)
        speed = (
            self.free_speed * (1.0 - 0.42 * np.clip(load, 0.0, 1.3) ** 2) * (1.0 - 0.15 * rain) * (1.0 + 0.05 * spread)
        )
        return np.maximum(speed, 5.0)
