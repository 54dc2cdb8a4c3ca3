"""Instruments of the domain environment."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.instruments.station import TIP_MM, Station, ValuesByName, rain_in_period, whole_seconds
from simulators.signals import DAY_S, LOCAL_OFFSET_S, FloatArray, Parameter, local_day, ramp
from simulators.signals.exact import power
from simulators.signals.noise import derive, gaussian

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.signals.air import Air
    from simulators.signals.sound import Soundscape
    from simulators.signals.water import Reach


@dataclass(frozen=True, slots=True)
class AirStation(Station):
    """Profile `air-station`."""

    air: Air

    PERIOD_S: ClassVar[float] = 300.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "pm25": 1, "pm10": 1, "no2": 1, "so2": 1, "co": 2, "o3": 1, "temperature": 1, "humidity": 0,
            "enclosure-temperature": 1,
        }
    )  # fmt: skip

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
class AirSensor(Station):
    """Profile `air-sensor`: cheap cells, each with a bias of its own, dust that swells in damp air."""

    air: Air

    PERIOD_S: ClassVar[float] = 600.0
    # ug/m3 a ppb at 25 Cel and 760 mm[Hg].
    NO2_PPB: ClassVar[float] = 1.88
    O3_PPB: ClassVar[float] = 1.96
    CO_PPM: ClassVar[float] = 1_145.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "pm1": 1, "pm25": 1, "pm10": 1, "no2": 1, "o3": 1, "co": 3, "temperature": 1, "humidity": 3,
            "battery-voltage": 0, "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Means of the ten minutes that end at these times, in the units of the cells."""
        middle = times_s - self.PERIOD_S / 2.0
        humidity = self.sky.humidity(middle)
        bias = 0.85 + 0.3 * self._trait("bias", times_s)
        dust = bias * (1.0 + 0.25 * ramp(humidity, 80.0, 98.0))
        pm25 = self.air.pm25(middle) * dust
        return {
            "pm1": 0.72 * pm25,
            "pm25": pm25,
            "pm10": self.air.pm10(middle) * dust,
            "no2": self.air.no2(middle) * bias / self.NO2_PPB,
            "o3": self.air.o3(middle) * (2.0 - bias) / self.O3_PPB,
            "co": self.air.co(middle) / self.CO_PPM,
            "temperature": self.sky.temperature(middle) + 0.8,
            "humidity": humidity / 100.0,
            "battery-voltage": self.cell_voltage(times_s) * 1_000.0,
            "signal": self.signal(times_s),
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
        turbulence = 1.0 + 0.15 * gaussian(derive(self.key, "turbulence"), whole_seconds(times_s))
        wind = np.maximum(self.sky.wind_speed(middle) * turbulence, 0.0)
        swing = 8.0 * self._wander("vane", middle, 300.0)
        return {
            "temperature": self.sky.temperature(times_s) + 0.15 * self._wander("temperature", times_s, 600.0),
            "humidity": np.clip(self.sky.humidity(times_s) + self._wander("humidity", times_s, 900.0), 0.0, 100.0),
            "pressure": self.sky.pressure(times_s),
            "wind-speed": wind,
            "wind-direction": np.mod(np.rint(self.sky.wind_direction(middle) + swing), 360.0),
            "wind-gust": np.maximum(self.sky.gust_speed(middle), wind * 1.15),
            "rain": rain_in_period(self.sky, derive(self.key, "rain"), times_s, self.PERIOD_S),
            "solar": self.sky.irradiance(times_s) - 2.0,  # a thermopile reads a little below zero by night
            "battery-voltage": self.battery_voltage(times_s),
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class UvStation(Station):
    """Profile `uv-station`."""

    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "uv-index": 1, "solar": 0, "illuminance": 2, "sunshine": 2, "temperature": 1, "battery-voltage": 1,
            "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Light at these times; sunshine of the minute before, in minutes; temperature in degrees Fahrenheit."""
        solar = self.sky.irradiance(times_s)
        return {
            "uv-index": 13.0 * power(solar / 1_080.0, 1.3),
            "solar": solar,
            "illuminance": 0.118 * solar,
            "sunshine": ramp(solar, 110.0, 260.0) * (1.0 - self.sky.cloud(times_s)),
            "temperature": self.sky.temperature(times_s) * 1.8 + 32.0,
            "battery-voltage": self.battery_voltage(times_s),
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class RainGauge(Station):
    """Profile `rain-gauge`: tips of five minutes, and their sum since the watchdog restarted it at midnight."""

    PERIOD_S: ClassVar[float] = 300.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"rain": 1, "rain-total": 1, "battery-voltage": 1, "temperature": 0, "signal": 0}
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Rain of the five minutes that end at these times, and of the local day so far."""
        key = derive(self.key, "rain")
        total = np.zeros(times_s.shape)
        midnight = local_day(times_s) * DAY_S - LOCAL_OFFSET_S
        for back in range(int(DAY_S / self.PERIOD_S)):
            end_s = times_s - back * self.PERIOD_S
            today = end_s > midnight
            if not today.any():
                break
            total += np.where(today, rain_in_period(self.sky, key, end_s, self.PERIOD_S), 0.0)
        return {
            "rain": rain_in_period(self.sky, key, times_s, self.PERIOD_S),
            "rain-total": np.rint(total / TIP_MM) * TIP_MM,
            "battery-voltage": self.battery_voltage(times_s),
            "temperature": self.box_temperature(times_s),
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class RiverGauge(Station):
    """Profile `river-gauge`: a radar above the water."""

    reach: Reach

    PERIOD_S: ClassVar[float] = 300.0
    MOUNTED_ABOVE_FLOOD_M: ClassVar[float] = 3.0
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"water-level": 2, "rain": 1, "temperature": 0, "battery-voltage": 1, "signal": 0, "distance": 2}
    )

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Water level at these times and rain of the five minutes before."""
        # What a radar that averages over half a minute leaves of the waves; more would hide how slowly a river moves.
        waves = 0.003 * gaussian(derive(self.key, "waves"), whole_seconds(times_s))
        level = np.round(self.reach.level(times_s) + waves, 2)
        return {
            "water-level": level,
            "rain": rain_in_period(self.sky, derive(self.key, "rain"), times_s, self.PERIOD_S),
            "temperature": self.box_temperature(times_s),
            "battery-voltage": self.battery_voltage(times_s),
            "signal": self.signal(times_s),
            "distance": self.reach.flood_peak + self.MOUNTED_ABOVE_FLOOD_M - level,
        }


@dataclass(frozen=True, slots=True)
class FloodSensor(Station):
    """Profile `flood-sensor`: a probe in the kerb of a street."""

    reach: Reach
    road_level: Parameter  # m, on the datum of the river's gauge
    ponding: Parameter  # m of water that an hour of 50 mm leaves in the street

    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"depth": 1, "water": 0, "battery-voltage": 1, "temperature": 0, "signal": 0}
    )
    _RAIN_LAGS_S: ClassVar[tuple[float, ...]] = (0.0, 900.0, 1_800.0, 2_700.0)

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Depth of water on the road at these times, cm: the river's, or rain that the drains do not take."""
        rain = np.zeros(times_s.shape)
        for lag_s in self._RAIN_LAGS_S:
            rain += self.sky.rain_mm_h(times_s - lag_s) / len(self._RAIN_LAGS_S)
        pond = self.ponding * ramp(rain, 12.0, 50.0)
        depth = np.maximum(np.maximum(self.reach.level(times_s) - self.road_level, 0.0), pond)
        depth_cm = np.round(100.0 * depth, 1)
        return {
            "depth": depth_cm,
            "water": np.where(depth_cm >= 1.0, 1.0, 0.0),
            "battery-voltage": self.battery_voltage(times_s),
            "temperature": self.box_temperature(times_s),
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
        heard = self.sound.minutes(times_s)
        return {
            "laeq": heard.laeq,
            "lamax": heard.lamax,
            "la10": heard.la10,
            "la50": heard.la50,
            "la90": heard.la90,
            "battery": np.clip(50.0 + 60.0 * (self.battery_voltage(times_s) - 12.1) / 2.1, 0.0, 100.0),
            "signal": self.signal(times_s),
        }
