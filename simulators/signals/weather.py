"""Weather of the coast of Quang Nam: one sky over the three towns, each a little apart in time and temper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.signals import FloatArray, day_of_year, local_hour, ramp
from simulators.signals.noise import key_of, smooth
from simulators.signals.sun import elevation_deg


@dataclass(frozen=True, slots=True)
class Sky:
    """The weather over one place."""

    seed: int
    latitude: float
    longitude: float

    def _delayed(self, times_s: FloatArray) -> FloatArray:
        """Time as the weather sees it: fronts come from the north-west at 20 km/h, so the south has them later."""
        kilometres = (15.90 - self.latitude) * 111.0 + (self.longitude - 108.25) * 107.0
        return times_s - kilometres / 20.0 * 3_600.0

    def wetness(self, times_s: FloatArray) -> FloatArray:
        """How far the rainy season has come, 0 (dry, March to July) .. 1 (mid-October to November)."""
        day = day_of_year(times_s)
        return ramp(day, 225.0, 285.0) * (1.0 - ramp(day, 325.0, 362.0)) + 0.15 * (1.0 - ramp(day, 10.0, 60.0))

    def cloud(self, times_s: FloatArray) -> FloatArray:
        """Share of the sky that is covered, 0..1."""
        t = self._delayed(times_s)
        slow = smooth(key_of(self.seed, "cloud-slow"), t, 2.5 * 86_400.0)
        quick = smooth(key_of(self.seed, "cloud-quick"), t, 3.0 * 3_600.0)
        return np.clip(0.35 + 0.35 * self.wetness(times_s) + 0.28 * slow + 0.15 * quick, 0.0, 1.0)

    def rain_mm_h(self, times_s: FloatArray) -> FloatArray:
        """Rain intensity, mm/h, 0..120: cells of some twenty minutes within rainy half-days."""
        t = self._delayed(times_s)
        half_days = smooth(key_of(self.seed, "rain-days"), t, 14.0 * 3_600.0) + 0.45 * self.wetness(times_s)
        cells = smooth(key_of(self.seed, "rain-cells"), t, 40.0 * 60.0)
        strength = ramp(half_days, 0.75, 2.2) * np.maximum(cells + 0.25, 0.0)
        return np.clip(32.0 * strength**1.7, 0.0, 120.0)

    def temperature(self, times_s: FloatArray) -> FloatArray:
        """Air temperature, Cel: about 19 on winter nights, 35 on summer afternoons."""
        annual = 25.8 - 4.0 * np.cos(2.0 * np.pi * (day_of_year(times_s) - 15.0) / 365.2425)
        swing = 4.2 * (1.0 - 0.55 * self.cloud(times_s))
        daily = swing * np.cos(2.0 * np.pi * (local_hour(times_s) - 13.7) / 24.0)
        fronts = 1.3 * smooth(key_of(self.seed, "fronts"), self._delayed(times_s), 3.0 * 86_400.0)
        return annual + daily + fronts - 2.2 * ramp(self.rain_mm_h(times_s), 0.0, 12.0)

    def humidity(self, times_s: FloatArray) -> FloatArray:
        """Relative humidity, %, 35..100: high by night, lowest in the afternoon, near saturation in rain."""
        daily = -11.0 * np.cos(2.0 * np.pi * (local_hour(times_s) - 13.7) / 24.0) * (1.0 - 0.5 * self.cloud(times_s))
        summer = 6.0 * np.cos(2.0 * np.pi * (day_of_year(times_s) - 15.0) / 365.2425)
        wander = 4.0 * smooth(key_of(self.seed, "humidity"), self._delayed(times_s), 12.0 * 3_600.0)
        rain = 14.0 * ramp(self.rain_mm_h(times_s), 0.0, 4.0)
        return np.clip(79.0 + daily + summer + wander + rain + 4.0 * self.wetness(times_s), 35.0, 100.0)

    def pressure(self, times_s: FloatArray) -> FloatArray:
        """Air pressure, hPa: winter high, summer low, and the tropical half-daily wave, highest near 10 and 22 h."""
        annual = 1010.0 + 5.5 * np.cos(2.0 * np.pi * (day_of_year(times_s) - 10.0) / 365.2425)
        wave = 1.5 * np.cos(2.0 * np.pi * (local_hour(times_s) - 10.0) / 12.0)
        return annual + wave + 2.5 * smooth(key_of(self.seed, "pressure"), self._delayed(times_s), 4.0 * 86_400.0)

    def wind_speed(self, times_s: FloatArray) -> FloatArray:
        """Mean wind speed, m/s, 0.2..15: a sea breeze in the afternoon, more in showers and in the winter monsoon."""
        breeze = 1.7 * np.exp(-(((local_hour(times_s) - 14.5) / 3.2) ** 2))
        monsoon = 0.6 * np.cos(2.0 * np.pi * (day_of_year(times_s) - 355.0) / 365.2425)
        wander = 0.9 * smooth(key_of(self.seed, "wind"), self._delayed(times_s), 5.0 * 3_600.0)
        showers = 2.0 * ramp(self.rain_mm_h(times_s), 2.0, 30.0)
        return np.clip(1.9 + breeze + monsoon + wander + showers, 0.2, 15.0)

    def gust_speed(self, times_s: FloatArray) -> FloatArray:
        """Highest wind speed of the last minutes, m/s, 1.2 to 2.2 times the mean."""
        factor = 1.7 + 0.2 * smooth(key_of(self.seed, "gust"), self._delayed(times_s), 420.0)
        return self.wind_speed(times_s) * np.clip(factor, 1.2, 2.2)

    def wind_direction(self, times_s: FloatArray) -> FloatArray:
        """Direction the wind comes from, degrees, 0 <= d < 360: north-east in winter, south-east in summer."""
        season = 85.0 + 45.0 * -np.cos(2.0 * np.pi * (day_of_year(times_s) - 10.0) / 365.2425)
        night = 60.0 * ramp(np.abs(local_hour(times_s) - 14.0), 6.0, 10.0)
        wander = 28.0 * smooth(key_of(self.seed, "wind-direction"), self._delayed(times_s), 4.0 * 3_600.0)
        return np.mod(season + night + wander, 360.0)

    def irradiance(self, times_s: FloatArray) -> FloatArray:
        """Global horizontal irradiance, W/m2, 0..1100: clear-sky by the height of the sun, dimmed by cloud."""
        sine = np.maximum(np.sin(np.radians(elevation_deg(times_s, self.latitude, self.longitude))), 0.0)
        return 1_080.0 * sine**1.2 * (1.0 - 0.75 * self.cloud(times_s) ** 1.5)
