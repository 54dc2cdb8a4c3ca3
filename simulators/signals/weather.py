"""Weather of the coast of Quang Nam: one sky over the three towns, whose fronts and rain cells cross them in turn."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from simulators.signals import FloatArray, Parameter, day_of_year, local_hour, ramp
from simulators.signals.exact import bell, cos_turns, power
from simulators.signals.happenings import Happenings
from simulators.signals.noise import key_of, numbered, smooth
from simulators.signals.sun import sine_of_elevation

_YEAR_D: Final = 365.2425
DRIFT_KM_H: Final = 20.0
"""How fast fronts and rain cells come, from the north-west."""
CELL_KM: Final = 8.0
"""How far apart the tracks of rain cells lie; one cell is about as wide."""
_MEAN_OF_CELLS: Final = 0.31
"""Mean of max(cells + 0.25, 0)^1.7."""
_CALM: Final = Happenings()


@dataclass(frozen=True, slots=True)
class Sky:
    """The weather over one place, or over many."""

    seed: int
    latitude: Parameter
    longitude: Parameter
    happenings: Happenings = _CALM

    def _south_east_km(self) -> Parameter:
        """How far a place lies down the wind of a point in the north-west of Dien Ban."""
        return ((15.90 - self.latitude) * 111.0 + (self.longitude - 108.25) * 107.0) / sqrt(2.0)

    def _north_east_km(self) -> Parameter:
        return ((self.latitude - 15.90) * 111.0 + (self.longitude - 108.25) * 107.0) / sqrt(2.0)

    def _delayed(self, times_s: FloatArray) -> FloatArray:
        """Time as the weather sees it: what comes from the north-west is at a place down the wind later."""
        return times_s - self._south_east_km() / DRIFT_KM_H * 3_600.0

    def wetness(self, times_s: FloatArray) -> FloatArray:
        """How far the rainy season has come, 0 (dry, March to July) .. 1 (mid-October to November)."""
        day = day_of_year(times_s)
        return ramp(day, 225.0, 285.0) * (1.0 - ramp(day, 325.0, 362.0)) + 0.15 * (1.0 - ramp(day, 10.0, 60.0))

    def cloud(self, times_s: FloatArray) -> FloatArray:
        """Share of the sky that is covered, 0..1."""
        t = self._delayed(times_s)
        slow = smooth(key_of(self.seed, "cloud-slow"), t, 2.5 * 86_400.0)
        quick = smooth(key_of(self.seed, "cloud-quick"), t, 3.0 * 3_600.0)
        burst = 0.6 * ramp(self.happenings.rain_mm_h(times_s), 0.0, 6.0)
        return np.clip(0.35 + 0.35 * self.wetness(times_s) + 0.28 * slow + 0.15 * quick + burst, 0.0, 1.0)

    def _cells(self, drifted_s: FloatArray) -> FloatArray:
        """The rain cells that drift over the place: on tracks `CELL_KM` apart, some twenty minutes long each."""
        across = self._north_east_km() / CELL_KM
        track: Parameter = np.floor(across)
        part = across - track
        weight = part * part * (3.0 - 2.0 * part)
        key = key_of(self.seed, "rain-cells")
        if isinstance(across, float):
            track = float(track)
        left = smooth(numbered(key, track), drifted_s, 40.0 * 60.0)
        right = smooth(numbered(key, track + 1.0), drifted_s, 40.0 * 60.0)
        return left + (right - left) * weight

    def _half_days(self, drifted_s: FloatArray, times_s: FloatArray) -> FloatArray:
        """How rainy a half-day is, 0..1."""
        spell = smooth(key_of(self.seed, "rain-days"), drifted_s, 14.0 * 3_600.0)
        return ramp(spell + 0.45 * self.wetness(times_s), 0.75, 2.2)

    def wet_spell_mm_h(self, times_s: FloatArray) -> FloatArray:
        """Rain as a catchment feels it, mm/h: the mean of a rainy half-day, without its cells."""
        half_days = self._half_days(self._delayed(times_s), times_s)
        return 32.0 * _MEAN_OF_CELLS * power(half_days, 1.7) + self.happenings.rain_mm_h(times_s)

    def rain_mm_h(self, times_s: FloatArray) -> FloatArray:
        """Rain intensity, mm/h, 0..150: cells that cross the towns within rainy half-days."""
        t = self._delayed(times_s)
        cells = self._cells(t)
        strength = self._half_days(t, times_s) * np.maximum(cells + 0.25, 0.0)
        burst = self.happenings.rain_mm_h(times_s) * np.clip(1.0 + 0.8 * cells, 0.2, 3.0)
        return np.clip(32.0 * power(strength, 1.7) + burst, 0.0, 150.0)

    def temperature(self, times_s: FloatArray) -> FloatArray:
        """Air temperature, Cel: about 19 on winter nights, 35 on summer afternoons."""
        annual = 25.8 - 4.0 * cos_turns((day_of_year(times_s) - 15.0) / _YEAR_D)
        swing = 4.2 * (1.0 - 0.55 * self.cloud(times_s))
        daily = swing * cos_turns((local_hour(times_s) - 13.7) / 24.0)
        fronts = 1.3 * smooth(key_of(self.seed, "fronts"), self._delayed(times_s), 3.0 * 86_400.0)
        return annual + daily + fronts - 2.2 * ramp(self.rain_mm_h(times_s), 0.0, 12.0)

    def humidity(self, times_s: FloatArray) -> FloatArray:
        """Relative humidity, %, 35..100: high by night, lowest in the afternoon, near saturation in rain."""
        daily = -11.0 * cos_turns((local_hour(times_s) - 13.7) / 24.0) * (1.0 - 0.5 * self.cloud(times_s))
        summer = 6.0 * cos_turns((day_of_year(times_s) - 15.0) / _YEAR_D)
        wander = 4.0 * smooth(key_of(self.seed, "humidity"), self._delayed(times_s), 12.0 * 3_600.0)
        rain = 14.0 * ramp(self.rain_mm_h(times_s), 0.0, 4.0)
        return np.clip(79.0 + daily + summer + wander + rain + 4.0 * self.wetness(times_s), 35.0, 100.0)

    def pressure(self, times_s: FloatArray) -> FloatArray:
        """Air pressure, hPa: winter high, summer low, and the tropical half-daily wave, highest near 10 and 22 h."""
        annual = 1010.0 + 5.5 * cos_turns((day_of_year(times_s) - 10.0) / _YEAR_D)
        wave = 1.5 * cos_turns((local_hour(times_s) - 10.0) / 12.0)
        return annual + wave + 2.5 * smooth(key_of(self.seed, "pressure"), self._delayed(times_s), 4.0 * 86_400.0)

    def wind_speed(self, times_s: FloatArray) -> FloatArray:
        """Mean wind speed, m/s, 0.2..15: a sea breeze in the afternoon, more in showers and in the winter monsoon."""
        breeze = 1.7 * bell((local_hour(times_s) - 14.5) / 3.2)
        monsoon = 0.6 * cos_turns((day_of_year(times_s) - 355.0) / _YEAR_D)
        wander = 0.9 * smooth(key_of(self.seed, "wind"), self._delayed(times_s), 5.0 * 3_600.0)
        showers = 2.0 * ramp(self.rain_mm_h(times_s), 2.0, 30.0)
        return np.clip(1.9 + breeze + monsoon + wander + showers, 0.2, 15.0)

    def gust_speed(self, times_s: FloatArray) -> FloatArray:
        """Highest wind speed of the last minutes, m/s, 1.2 to 2.2 times the mean."""
        factor = 1.7 + 0.2 * smooth(key_of(self.seed, "gust"), self._delayed(times_s), 420.0)
        return self.wind_speed(times_s) * np.clip(factor, 1.2, 2.2)

    def wind_direction(self, times_s: FloatArray) -> FloatArray:
        """Direction the wind comes from, degrees, 0 <= d < 360: north-east in winter, south-east in summer."""
        season = 85.0 - 45.0 * cos_turns((day_of_year(times_s) - 10.0) / _YEAR_D)
        night = 60.0 * ramp(np.abs(local_hour(times_s) - 14.0), 6.0, 10.0)
        wander = 28.0 * smooth(key_of(self.seed, "wind-direction"), self._delayed(times_s), 4.0 * 3_600.0)
        return np.mod(season + night + wander, 360.0)

    def irradiance(self, times_s: FloatArray) -> FloatArray:
        """Global horizontal irradiance, W/m2, 0..1100: clear-sky by the height of the sun, dimmed by cloud."""
        sine = np.maximum(sine_of_elevation(times_s, self.latitude, self.longitude), 0.0)
        return 1_080.0 * power(sine, 1.2) * (1.0 - 0.75 * power(self.cloud(times_s), 1.5))
