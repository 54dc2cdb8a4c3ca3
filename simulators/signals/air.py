"""Air at a station: what traffic and cooking give off, mixed by wind, washed by rain, cooked by the sun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.signals import FloatArray, day_of_year, local_hour, ramp
from simulators.signals.exact import bell, cos_turns
from simulators.signals.noise import Key, derive, key_of, smooth

if TYPE_CHECKING:
    from simulators.signals.traffic import Road
    from simulators.signals.weather import Sky


@dataclass(frozen=True, slots=True)
class Air:
    """The air at one station beside one road. Concentrations are ug/m3 at 25 Cel and 760 mm[Hg]."""

    seed: int
    key: Key
    sky: Sky
    road: Road

    def _wander(self, what: str, times_s: FloatArray, period_s: float) -> FloatArray:
        return smooth(derive(self.key, what), times_s, period_s)

    def _exhaust(self, times_s: FloatArray) -> FloatArray:
        """Traffic beside the station, 1 in the rush of a middling road."""
        return self.road.activity(times_s) * self.road.peak_flow / 1_600.0

    def _stagnation(self, times_s: FloatArray) -> FloatArray:
        """How badly the air mixes: 0.5 on windy afternoons, near 2 on calm nights."""
        night = 0.35 * cos_turns((local_hour(times_s) - 3.0) / 24.0)
        return np.clip((1.0 + night) * (2.4 / (1.2 + self.sky.wind_speed(times_s))), 0.4, 2.4)

    def pm25(self, times_s: FloatArray) -> FloatArray:
        """PM2.5, 2..180: winter smoke from the north, the two rushes, supper fires; rain takes it out."""
        season = 13.0 + 9.0 * cos_turns((day_of_year(times_s) - 15.0) / 365.2425)
        regional = season * (1.0 + 0.45 * smooth(key_of(self.seed, "regional-haze"), times_s, 2.0 * 86_400.0))
        supper = 5.0 * bell((local_hour(times_s) - 18.8) / 1.3)
        local = (10.0 * self._exhaust(times_s) + supper) * self._stagnation(times_s)
        washed = 1.0 - 0.6 * ramp(self.sky.rain_mm_h(times_s), 0.5, 12.0)
        return np.clip((regional + local) * washed * (1.0 + 0.10 * self._wander("pm25", times_s, 1_500.0)), 2.0, 180.0)

    def pm10(self, times_s: FloatArray) -> FloatArray:
        """PM10, always above PM2.5: road dust, less of it on wet roads."""
        dust = (0.45 + 0.35 * self._exhaust(times_s)) * (1.0 - 0.7 * ramp(self.sky.rain_mm_h(times_s), 0.2, 4.0))
        return self.pm25(times_s) * (1.12 + dust * (1.0 + 0.2 * self._wander("pm10", times_s, 2_400.0)))

    def no2(self, times_s: FloatArray) -> FloatArray:
        """NO2, 3..150: the exhausts of the road, least in the afternoon wind and sun."""
        local = 24.0 * self._exhaust(times_s) * self._stagnation(times_s)
        return np.clip((7.0 + local) * (1.0 + 0.12 * self._wander("no2", times_s, 1_800.0)), 3.0, 150.0)

    def so2(self, times_s: FloatArray) -> FloatArray:
        """SO2, 1..30: little here."""
        return np.clip(5.0 + 2.0 * self._exhaust(times_s) + 1.5 * self._wander("so2", times_s, 9_000.0), 1.0, 30.0)

    def co(self, times_s: FloatArray) -> FloatArray:
        """CO, 200..5,000: engines and cooking."""
        local = 650.0 * self._exhaust(times_s) * self._stagnation(times_s)
        return np.clip((320.0 + local) * (1.0 + 0.08 * self._wander("co", times_s, 1_800.0)), 200.0, 5_000.0)

    def o3(self, times_s: FloatArray) -> FloatArray:
        """O3, 2..180: made by sunlight through the day, eaten by the exhausts of the road."""
        # Ozone follows the light of the hours before, not of the moment.
        light = np.zeros(times_s.shape)
        for lag_h in (0.0, 1.0, 2.0, 3.0):
            light += self.sky.irradiance(times_s - lag_h * 3_600.0)
        made = 24.0 + 95.0 * light / 4_000.0
        return np.clip(
            (made - 0.35 * self.no2(times_s)) * (1.0 + 0.07 * self._wander("o3", times_s, 2_700.0)), 2.0, 180.0
        )
