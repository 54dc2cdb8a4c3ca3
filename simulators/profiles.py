"""From the physics of a place to what a device of a profile sends: the names, units and rounding of its hardware.

One class a device profile of the catalogue. `observe` gives unrounded values; `DECIMALS` the digits the hardware sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias

import numpy as np

from simulators.signals import FloatArray, local_day, local_hour, ramp
from simulators.signals.lighting import CABINET_OWN_W
from simulators.signals.noise import gaussian, key_of, smooth, uniform
from simulators.signals.traffic import VEHICLE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.signals.air import Air
    from simulators.signals.lighting import Circuit, Lamp
    from simulators.signals.sound import Soundscape
    from simulators.signals.traffic import Road
    from simulators.signals.water import Reach
    from simulators.signals.weather import Sky

ValuesByName: TypeAlias = "dict[str, FloatArray]"
"""Datastream name -> values in the unit the device sends, shape (n,); NaN: no reading; words by their number."""

_PHASES: Final = (1, 2, 3)
_DARK: Final = 0.05  # share of full sun below which a panel does not charge
_FULL_LIGHT: Final = 90.0  # percent; below it a lamp calls itself dimmed
_FITTER_DAYS: Final = 0.02  # share of days with a fitter at a cabinet


class Instrument(Protocol):
    """What a simulated device measures with."""

    DECIMALS: ClassVar[Mapping[str, int]]
    """Digits after the point the hardware sends, by datastream name; every name of the profile stands here."""

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Values at these times (Unix seconds, shape (n,)), or of the periods that end at them."""
        ...


@dataclass(frozen=True, slots=True)
class Station:
    """What all mains-free stations share: a box in the sun, a battery, a radio."""

    seed: int
    device_id: str
    sky: Sky

    def _wander(self, what: str, times_s: FloatArray, period_s: float) -> FloatArray:
        return smooth(key_of(self.seed, self.device_id, what), times_s, period_s)

    def box_temperature(self, times_s: FloatArray) -> FloatArray:
        """Inside a closed box, Cel: warmer than the air, much so in the sun."""
        return self.sky.temperature(times_s) + 3.0 + 11.0 * self.sky.irradiance(times_s) / 1_000.0

    def battery_voltage(self, times_s: FloatArray) -> FloatArray:
        """Lead battery with a solar panel, V, 12.1..14.2: falls through the night, charges by day."""
        drained = ramp(np.mod(local_hour(times_s) - 17.5, 24.0), 0.0, 13.0)
        charging = self.sky.irradiance(times_s) / 1_000.0
        return (
            12.65
            - 0.35 * drained * (charging < _DARK)
            + 1.3 * ramp(charging, 0.02, 0.5)
            + 0.04 * self._wander("battery", times_s, 5_400.0)
        )

    def signal(self, times_s: FloatArray) -> FloatArray:
        """Radio signal strength, dB{mW}, about -70 near a mast to -97 behind walls; a little worse in rain."""
        at_home = -82.0 + 20.0 * (
            float(uniform(key_of(self.seed, self.device_id, "mast"), np.zeros(1, dtype=np.int64))[0]) - 0.5
        )
        return (
            at_home + 2.5 * self._wander("signal", times_s, 900.0) - 2.0 * ramp(self.sky.rain_mm_h(times_s), 1.0, 40.0)
        )


def _rain_in_period(sky: Sky, key: int, end_s: FloatArray, period_s: float) -> FloatArray:
    """Rain of the periods that end at `end_s`, mm, in tips of 0.2; a part of a tip falls by chance, so sums hold."""
    tips = sky.rain_mm_h(end_s - period_s / 2.0) * period_s / 3_600.0 / 0.2
    return np.floor(tips + uniform(key, np.floor(end_s).astype(np.int64))) * 0.2


@dataclass(frozen=True, slots=True)
class TrafficCounter(Station):
    """Profile `traffic-counter`."""

    road: Road
    lanes: int

    PERIOD_S: ClassVar[float] = 60.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {f"flow-{name}": 0 for name in VEHICLE_CLASSES}
        | {"speed": 1, "occupancy": 3, "temperature": 0, "battery-voltage": 1, "signal": 0}
    )
    # Metres a vehicle fills as the loop sees it. Motorcycles ride two or three abreast and share one occupation.
    _EFFECTIVE_LENGTH_M: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"motorcycle": 1.6, "car": 6.5, "bus": 13.0, "truck": 10.5, "bicycle": 1.5}
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Counts, mean speed and occupancy of the minutes that end at these times."""
        counts = {name: self.road.counts(name, times_s, self.PERIOD_S) for name in VEHICLE_CLASSES}
        total = sum(counts.values(), np.zeros(times_s.shape))
        few = gaussian(key_of(self.seed, self.device_id, "speed"), np.floor(times_s).astype(np.int64)) / np.sqrt(
            np.maximum(total, 1.0)
        )
        speed = np.clip(self.road.speed(times_s, self.PERIOD_S) * (1.0 + 0.12 * few), 3.0, 120.0)
        filled_m = sum(
            (counts[name] * length for name, length in self._EFFECTIVE_LENGTH_M.items()), np.zeros(times_s.shape)
        )
        occupancy = filled_m / (speed / 3.6) / self.PERIOD_S / self.lanes
        return {
            **{f"flow-{name}": count for name, count in counts.items()},
            "speed": np.where(total > 0.0, speed, np.nan),
            "occupancy": np.minimum(occupancy, 1.0),
            "temperature": self.box_temperature(times_s),
            "battery-voltage": self.battery_voltage(times_s),
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class LampController(Station):
    """Profile `lamp-controller`."""

    circuit: Circuit
    lamp: Lamp

    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "level-commanded": 0, "level": 0, "power": 1, "energy": 0, "voltage": 1, "current": 0, "power-factor": 2,
            "state": 0, "lamp-failure": 0, "operating-time": 1, "temperature": 0, "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """State of one lamp at these times."""
        level = self.circuit.level(times_s)
        power_w = self.circuit.lamp_power_w(self.lamp, times_s)
        voltage = self.circuit.lamp_voltage(self.lamp, times_s)
        power_factor = self.circuit.power_factor(times_s)
        lit_h, _ = self.circuit.lit_and_full_load_h(times_s)
        return {
            "level-commanded": level,
            "level": level,
            "power": power_w,
            "energy": self.circuit.lamp_energy_kwh(self.lamp, times_s) * 1_000.0,
            "voltage": voltage,
            "current": power_w / (voltage * power_factor) * 1_000.0,
            "power-factor": power_factor,
            "state": np.select([level <= 0.0, level < _FULL_LIGHT], [0.0, 2.0], default=1.0),
            "lamp-failure": np.zeros(times_s.shape),
            "operating-time": lit_h,
            "temperature": self.box_temperature(times_s) + 14.0 * level / 100.0,
            "signal": self.signal(times_s) - 8.0,
        }


@dataclass(frozen=True, slots=True)
class LightingCabinet(Station):
    """Profile `lighting-cabinet`."""

    circuit: Circuit

    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {f"voltage-l{phase}": 1 for phase in _PHASES}
        | {f"current-l{phase}": 3 for phase in _PHASES}
        | {f"power-l{phase}": 4 for phase in _PHASES}
        | {
            "power": 4, "energy": 2, "power-factor": 2, "frequency": 2, "leakage": 1,
            "circuit": 0, "mode": 0, "door": 0, "temperature": 0, "signal": 0,
        }
    )  # fmt: skip

    def _door_open(self, times_s: FloatArray) -> FloatArray:
        """1 while a fitter is at work: forty minutes on one day in fifty, in working hours."""
        draw = uniform(key_of(self.seed, self.device_id, "fitter"), local_day(times_s).astype(np.int64))
        start_h = 8.0 + draw / _FITTER_DAYS * 8.0
        hour = local_hour(times_s)
        return np.where((draw < _FITTER_DAYS) & (hour >= start_h) & (hour < start_h + 40.0 / 60.0), 1.0, 0.0)

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """What the three-phase meter and the contacts of the cabinet say at these times."""
        power_w = {phase: self.circuit.phase_power_w(phase, times_s) for phase in _PHASES}
        voltage = {phase: self.circuit.phase_voltage(phase, times_s) for phase in _PHASES}
        power_factor = self.circuit.power_factor(times_s)
        total_w = sum(power_w.values(), np.zeros(times_s.shape))
        rain = ramp(self.sky.rain_mm_h(times_s), 1.0, 30.0)
        grid = smooth(key_of(self.seed, "grid-frequency"), times_s, 180.0)  # one grid for all towns
        return {
            **{f"voltage-l{phase}": voltage[phase] for phase in _PHASES},
            **{f"current-l{phase}": power_w[phase] / (voltage[phase] * power_factor) for phase in _PHASES},
            **{f"power-l{phase}": power_w[phase] / 1_000.0 for phase in _PHASES},
            "power": total_w / 1_000.0,
            "energy": self.circuit.energy_kwh(times_s),
            "power-factor": power_factor,
            "frequency": 50.0 + 0.03 * grid,
            "leakage": np.maximum(4.0 + 12.0 * rain + 1.5 * self._wander("leakage", times_s, 3_600.0), 0.0),
            "circuit": np.ones(times_s.shape),  # lamps stay fed by day: their controllers switch them
            "mode": np.where(self._door_open(times_s) > 0.0, 3.0, 0.0),
            "door": self._door_open(times_s),
            "temperature": self.box_temperature(times_s) + 0.02 * (total_w - CABINET_OWN_W) / len(self.circuit.lamps),
            "signal": self.signal(times_s) + 6.0,
        }


@dataclass(frozen=True, slots=True)
class AirStation(Station):
    """Profile `air-station`."""

    air: Air

    PERIOD_S: ClassVar[float] = 300.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "pm25": 1,
            "pm10": 1,
            "no2": 1,
            "so2": 1,
            "co": 2,
            "o3": 1,
            "temperature": 1,
            "humidity": 0,
            "enclosure-temperature": 1,
        }
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Means of the five minutes that end at these times, taken at their middle; CO in mg/m3."""
        middle = times_s - self.PERIOD_S / 2.0
        return {
            "pm25": self.air.pm25(middle),
            "pm10": self.air.pm10(middle),
            "no2": self.air.no2(middle),
            "so2": self.air.so2(middle),
            "co": self.air.co(middle) / 1_000.0,
            "o3": self.air.o3(middle),
            "temperature": self.sky.temperature(middle),
            "humidity": self.sky.humidity(middle),
            "enclosure-temperature": 26.0 + 0.12 * (self.box_temperature(times_s) - 30.0),  # the cabin is cooled
        }


@dataclass(frozen=True, slots=True)
class WeatherStation(Station):
    """Profile `weather-station`."""

    PERIOD_S: ClassVar[float] = 60.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "temperature": 1, "humidity": 0, "pressure": 1, "wind-speed": 1, "wind-direction": 0, "wind-gust": 1,
            "rain": 1, "solar": 0, "battery-voltage": 1, "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Weather of the minutes that end at these times."""
        middle = times_s - self.PERIOD_S / 2.0
        turbulence = 1.0 + 0.15 * gaussian(
            key_of(self.seed, self.device_id, "turbulence"), np.floor(times_s).astype(np.int64)
        )
        wind = np.maximum(self.sky.wind_speed(middle) * turbulence, 0.0)
        swing = 8.0 * self._wander("vane", middle, 300.0)
        return {
            "temperature": self.sky.temperature(times_s) + 0.15 * self._wander("temperature", times_s, 600.0),
            "humidity": np.clip(self.sky.humidity(times_s) + self._wander("humidity", times_s, 900.0), 0.0, 100.0),
            "pressure": self.sky.pressure(times_s),
            "wind-speed": wind,
            "wind-direction": np.mod(self.sky.wind_direction(middle) + swing, 360.0),
            "wind-gust": np.maximum(self.sky.gust_speed(middle), wind * 1.15),
            "rain": _rain_in_period(self.sky, key_of(self.seed, self.device_id, "rain"), times_s, self.PERIOD_S),
            "solar": self.sky.irradiance(times_s) - 2.0,  # a thermopile reads a little below zero by night
            "battery-voltage": self.battery_voltage(times_s),
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class RiverGauge(Station):
    """Profile `river-gauge`."""

    reach: Reach

    PERIOD_S: ClassVar[float] = 300.0
    REFERENCE_M: ClassVar[float] = 18.0  # height of the radar above the gauge datum, above every flood
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"water-level": 2, "rain": 1, "temperature": 0, "battery-voltage": 1, "signal": 0, "distance": 3}
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Water level at these times and rain of the five minutes before."""
        waves = 0.008 * gaussian(key_of(self.seed, self.device_id, "waves"), np.floor(times_s).astype(np.int64))
        level = self.reach.level(times_s) + waves
        return {
            "water-level": level,
            "distance": self.REFERENCE_M - level,
            "rain": _rain_in_period(self.sky, key_of(self.seed, self.device_id, "rain"), times_s, self.PERIOD_S),
            "temperature": self.box_temperature(times_s),
            "battery-voltage": self.battery_voltage(times_s),
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class NoiseMeter(Station):
    """Profile `noise-meter`."""

    sound: Soundscape

    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"laeq": 1, "lamax": 1, "la10": 1, "la50": 1, "la90": 1, "battery": 0, "signal": 0}
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Sound of the minutes that end at these times."""
        return {
            "laeq": self.sound.laeq(times_s),
            "lamax": self.sound.lamax(times_s),
            "la10": self.sound.exceeded(10, times_s),
            "la50": self.sound.exceeded(50, times_s),
            "la90": self.sound.exceeded(90, times_s),
            "battery": np.clip(50.0 + 60.0 * (self.battery_voltage(times_s) - 12.1) / 2.1, 0.0, 100.0),
            "signal": self.signal(times_s),
        }


def observe_rounded(instrument: Instrument, times_s: FloatArray) -> ValuesByName:
    """Values as the hardware sends them, rounded to its digits; NaN stays: no reading."""
    # Adding zero turns -0.0, which no device sends, into 0.0.
    return {
        name: np.round(values, instrument.DECIMALS[name]) + 0.0 for name, values in instrument.observe(times_s).items()
    }
