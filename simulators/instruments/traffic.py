"""Instruments of the domain traffic."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from simulators.instruments.station import Station, ValuesByName, whole_seconds
from simulators.signals import FloatArray, Parameter, local_hour, ramp
from simulators.signals.exact import bell
from simulators.signals.noise import derive, gaussian, poisson, uniform
from simulators.signals.traffic import VEHICLE_CLASSES, Passage, Road

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS_A_VEHICLE: Final = 0.12  # relative spread of single vehicles' speeds
# Metres a vehicle fills as the detector sees it. Motorcycles ride two or three abreast and share one occupation.
_EFFECTIVE_LENGTH_M: Final = MappingProxyType(
    {"motorcycle": 1.6, "car": 6.5, "bus": 13.0, "truck": 10.5, "bicycle": 1.5}
)


def _measured_speed(station: Station, passage: Passage, total: FloatArray, times_s: FloatArray) -> FloatArray:
    """Mean speed of the vehicles that passed, km/h: the fewer they are the less it says of the road."""
    few = gaussian(derive(station.key, "speed"), whole_seconds(times_s)) / np.sqrt(np.maximum(total, 1.0))
    return np.clip(passage.speed * (1.0 + _SECONDS_A_VEHICLE * few), 3.0, 120.0)


def _occupancy(counts: Mapping[str, FloatArray], speed: FloatArray, period_s: float, lanes: Parameter) -> FloatArray:
    """Share of the period in which the detector is covered, 0..1."""
    filled_m = np.zeros(speed.shape)
    for name, length_m in _EFFECTIVE_LENGTH_M.items():
        filled_m += counts[name] * length_m
    return np.minimum(filled_m / (speed / 3.6) / period_s / lanes, 1.0)


@dataclass(frozen=True, slots=True)
class TrafficCounter(Station):
    """Profile `traffic-counter`."""

    road: Road
    lanes: Parameter

    PERIOD_S: ClassVar[float] = 60.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {f"flow-{name}": 0 for name in VEHICLE_CLASSES}
        | {"speed": 1, "occupancy": 3, "temperature": 0, "battery-voltage": 1, "signal": 0}
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Counts, mean speed and occupancy of the minutes that end at these times."""
        passage = self.road.passage(times_s, self.PERIOD_S)
        total = sum(passage.counts.values(), np.zeros(times_s.shape))
        speed = _measured_speed(self, passage, total, times_s)
        return {
            **{f"flow-{name}": count for name, count in passage.counts.items()},
            "speed": np.where(total > 0.0, speed, np.nan),
            "occupancy": _occupancy(passage.counts, speed, self.PERIOD_S, self.lanes),
            "temperature": self.box_temperature(times_s),
            "battery-voltage": self.battery_voltage(times_s),
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class CameraCounter(Station):
    """Profile `camera-counter`: finer classes, periods of five minutes."""

    road: Road
    lanes: Parameter

    PERIOD_S: ClassVar[float] = 300.0
    # Class of the camera -> its share of a class of the road; the last of each takes what is left.
    _SPLIT: ClassVar[Mapping[str, tuple[tuple[str, float], ...]]] = MappingProxyType(
        {
            "motorcycle": (("tricycle", 0.004), ("motorcycle", 1.0)),
            "car": (("suv", 0.20), ("pickup", 0.12), ("van", 0.09), ("car", 1.0)),
            "bus": (("bus", 1.0),),
            "truck": (("light-truck", 0.6), ("truck", 1.0)),
            "bicycle": (("bicycle", 1.0),),
        }
    )
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {f"flow-{name}": 0 for parts in _SPLIT.values() for name, _ in parts}
        | {"speed": 1, "occupancy": 1, "headway": 1, "queue-length": 0, "temperature": 0, "signal": 0}
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Counts, speed, occupancy, headway and queue of the five minutes that end at these times."""
        passage = self.road.passage(times_s, self.PERIOD_S)
        total = sum(passage.counts.values(), np.zeros(times_s.shape))
        speed = _measured_speed(self, passage, total, times_s)
        load = passage.motor_flow / (0.52 * self.road.peak_flow)
        queue = 120.0 * ramp(load, 0.75, 1.25) * (1.0 + 0.3 * self._wander("queue", times_s, 900.0))
        headway = self.PERIOD_S * self.lanes / np.maximum(total, 1.0)
        return {
            **self._split(passage.counts, times_s),
            "speed": np.where(total > 0.0, speed, np.nan),
            "occupancy": 100.0 * _occupancy(passage.counts, speed, self.PERIOD_S, self.lanes),
            "headway": np.where(total > 0.0, headway, np.nan),
            "queue-length": np.maximum(queue, 0.0),
            "temperature": self.box_temperature(times_s),
            "signal": self.signal(times_s),
        }

    def _split(self, counts: Mapping[str, FloatArray], times_s: FloatArray) -> ValuesByName:
        flows: ValuesByName = {}
        for road_class, parts in self._SPLIT.items():
            left = counts[road_class]
            for name, share in parts:
                drawn = poisson(derive(self.key, name), whole_seconds(times_s), counts[road_class] * share)
                part = left if name == parts[-1][0] else np.minimum(drawn, left)
                flows[f"flow-{name}"] = part
                left = left - part
        return flows


@dataclass(frozen=True, slots=True)
class SignalController(Station):
    """Profile `signal-controller`: fixed plans by day, flashing by night."""

    road: Road

    PERIOD_S: ClassVar[float] = 60.0
    FIXED_TIME: ClassVar[float] = 1.0
    MANUAL: ClassVar[float] = 4.0
    FLASHING: ClassVar[float] = 5.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "mode": 0, "plan": 0, "cycle-time": 0, "green-g1": 0, "green-g2": 0, "green-g3": 0, "green-g4": 0,
            "failed-lamps": 0, "pedestrian-calls": 0, "voltage": 1, "door": 0, "battery-voltage": 1, "temperature": 0,
            "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """The running plan and the cabinet at these times; calls of the minute before."""
        hour = local_hour(times_s)
        flashing = (hour < 5.0) | (hour >= 22.5)  # noqa: PLR2004 - hours
        rush = ((hour >= 6.5) & (hour < 8.0)) | ((hour >= 16.5) & (hour < 18.5))  # noqa: PLR2004 - hours
        door = self.door_open(times_s)
        cycle = np.where(rush, 90.0, 70.0)
        share = 0.30 + 0.06 * np.rint(4.0 * self._trait("split", times_s)) / 4.0
        green_1 = np.rint(cycle * share)
        green_2 = np.rint(cycle * (0.62 - share))
        none = np.zeros(times_s.shape)
        walking = 2.2 * bell((hour - 12.5) / 5.5)
        calls = poisson(derive(self.key, "calls"), whole_seconds(times_s), walking)
        lamp_days = uniform(derive(self.key, "lamp"), np.floor((times_s + 25_200.0) / 864_000.0).astype(np.int64))
        return {
            "mode": np.select([door > 0.0, flashing], [self.MANUAL, self.FLASHING], default=self.FIXED_TIME),
            "plan": np.select([flashing, rush], [0.0, 2.0], default=1.0),
            "cycle-time": np.where(flashing, 0.0, cycle),
            "green-g1": np.where(flashing, none, green_1),
            "green-g2": np.where(flashing, none, green_2),
            "green-g3": np.where(flashing, none, green_1 - 4.0),
            "green-g4": np.where(flashing, none, green_2 - 4.0),
            "failed-lamps": np.where(lamp_days > 0.97, 1.0, 0.0),  # noqa: PLR2004 - a lamp lasts years
            "pedestrian-calls": np.where(flashing, none, calls),
            "voltage": self.mains_voltage(times_s),
            "door": door,
            "battery-voltage": 13.6 + 0.05 * self._wander("battery", times_s, 5_400.0),
            "temperature": self.box_temperature(times_s) + 4.0,
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class ParkingSensor(Station):
    """Profile `parking-sensor`: a magnetometer under one place."""

    STAY_S: ClassVar[float] = 2_400.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"occupied": 0, "battery": 2, "battery-voltage": 0, "temperature": 0, "signal": 0}
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Whether a vehicle stands there: mostly by day, in stays of some forty minutes."""
        hour = local_hour(times_s)
        wanted = 0.12 + 0.75 * np.maximum(bell((hour - 10.0) / 2.6), bell((hour - 18.5) / 3.0))
        stay = np.floor(times_s / self.STAY_S + self._trait("stay", times_s)).astype(np.int64)
        voltage = self.cell_voltage(times_s)
        return {
            "occupied": np.where(uniform(derive(self.key, "vehicle"), stay) < wanted, 1.0, 0.0),
            "battery": np.clip((voltage - 3.2) / 0.45, 0.0, 1.0),
            "battery-voltage": voltage * 1_000.0,
            "temperature": self.sky.temperature(times_s) + 9.0 * self.sky.irradiance(times_s) / 1_000.0,
            "signal": self.signal(times_s) - 10.0,
        }
