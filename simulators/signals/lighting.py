"""Street lighting of one cabinet: a dimming programme from sunset to sunrise, its lamps, a meter that adds them up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.signals import DAY_S, LOCAL_OFFSET_S, FloatArray, local_day, local_hour
from simulators.signals.noise import key_of, smooth, uniform
from simulators.signals.sun import sunrise_and_sunset

if TYPE_CHECKING:
    from simulators.signals.weather import Sky

METERING_START_DAY: Final = 19_723.0
"""Local day since which every meter counts: 2024-01-01."""
_METERED_DAYS: Final = 5_500

STANDBY_W: Final = 0.4
"""What a controller draws while its lamp is dark."""
CABINET_OWN_W: Final = 12.0
"""What the cabinet's own electronics draw, on phase 1."""


@dataclass(frozen=True, slots=True)
class Programme:
    """Light level by local clock time, percent: `levels[i]` holds from `hours[i]`; only between sunset and sunrise."""

    hours: tuple[float, ...]  # rising, the first is 0
    levels: tuple[float, ...]


PROGRAMMES: Final = {
    "street": Programme(hours=(0.0, 5.0, 12.0, 22.0), levels=(50.0, 80.0, 100.0, 70.0)),
    "arterial": Programme(hours=(0.0, 4.5, 12.0, 23.0), levels=(60.0, 100.0, 100.0, 80.0)),
    "old-town": Programme(hours=(0.0, 5.0, 12.0, 23.0), levels=(40.0, 60.0, 100.0, 70.0)),
}


@lru_cache(maxsize=4_096)
def _burned(programme: Programme, latitude: float, longitude: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Corner points of what a circuit has burned since metering started: times, lit hours, full-load hours.

    Between two corners the level is constant, so both sums are straight lines and interpolation is exact.
    """
    days = METERING_START_DAY + np.arange(_METERED_DAYS, dtype=np.float64)
    rise, fall = sunrise_and_sunset(days, latitude, longitude)
    midnight = days * DAY_S - LOCAL_OFFSET_S
    corners = np.sort(np.concatenate([rise, fall, *(midnight + hour * 3_600.0 for hour in programme.hours)]))
    middles = (corners[1:] + corners[:-1]) / 2.0
    level = _level(programme, latitude, longitude, middles) / 100.0
    step_h = np.diff(corners) / 3_600.0
    lit_h = np.concatenate([[0.0], np.cumsum(step_h * (level > 0.0))])
    full_h = np.concatenate([[0.0], np.cumsum(step_h * level)])
    return corners, lit_h, full_h


def _level(programme: Programme, latitude: float, longitude: float, times_s: FloatArray) -> FloatArray:
    rise, fall = sunrise_and_sunset(local_day(times_s), latitude, longitude)
    slot = np.searchsorted(programme.hours, local_hour(times_s), side="right") - 1
    dark = (times_s < rise) | (times_s >= fall)
    return np.where(dark, np.asarray(programme.levels)[slot], 0.0)


@dataclass(frozen=True, slots=True)
class Lamp:
    """One lamp of a circuit."""

    name: str
    rated_w: float
    phase: int  # 1..3
    position: int  # along the cable, from 0


@dataclass(frozen=True, slots=True)
class Circuit:
    """What one cabinet feeds."""

    seed: int
    name: str
    programme: Programme
    sky: Sky
    lamps: tuple[Lamp, ...]

    def level(self, times_s: FloatArray) -> FloatArray:
        """Commanded light level, percent, 0..100."""
        return _level(self.programme, self.sky.latitude, self.sky.longitude, times_s)

    def lit_and_full_load_h(self, times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Hours lit, and hours weighted by level, since metering started."""
        corners, lit_h, full_h = _burned(self.programme, self.sky.latitude, self.sky.longitude)
        return np.interp(times_s, corners, lit_h), np.interp(times_s, corners, full_h)

    def _gain(self, lamp: Lamp) -> float:
        """Power of this very lamp against its rating, 0.97..1.03."""
        return 0.97 + 0.06 * float(uniform(key_of(self.seed, lamp.name, "gain"), np.zeros(1, dtype=np.int64))[0])

    def lamp_power_w(self, lamp: Lamp, times_s: FloatArray) -> FloatArray:
        """Power of one lamp, W: the driver's own draw, then in proportion to the light."""
        level = self.level(times_s) / 100.0
        flicker = 1.0 + 0.004 * smooth(key_of(self.seed, lamp.name, "power"), times_s, 1_200.0)
        burning = lamp.rated_w * self._gain(lamp) * (0.04 + 0.96 * level) * flicker
        return np.where(level > 0.0, burning, STANDBY_W)

    def lamp_energy_kwh(self, lamp: Lamp, times_s: FloatArray) -> FloatArray:
        """Meter of one lamp, kWh since metering started; never falls."""
        lit_h, full_h = self.lit_and_full_load_h(times_s)
        total_h = (times_s - (METERING_START_DAY * DAY_S - LOCAL_OFFSET_S)) / 3_600.0
        burned_wh = lamp.rated_w * self._gain(lamp) * (0.04 * lit_h + 0.96 * full_h) + STANDBY_W * (total_h - lit_h)
        return burned_wh / 1_000.0

    def phase_voltage(self, phase: int, times_s: FloatArray) -> FloatArray:
        """Voltage of a phase at the cabinet, V, about 224..237: sags in the evening when the town cooks and cools."""
        evening = np.exp(-(((local_hour(times_s) - 19.0) / 2.5) ** 2))
        wander = 1.6 * smooth(key_of(self.seed, self.name, f"voltage-{phase}"), times_s, 1_500.0)
        return 231.5 - 4.0 * evening + wander

    def lamp_voltage(self, lamp: Lamp, times_s: FloatArray) -> FloatArray:
        """Voltage at one lamp, V: the cable takes its share while the circuit burns."""
        return self.phase_voltage(lamp.phase, times_s) - 0.12 * (lamp.position + 1) * self.level(times_s) / 100.0

    def power_factor(self, times_s: FloatArray) -> FloatArray:
        """Power factor of a driver, 0.45 in standby, 0.88..0.97 burning."""
        level = self.level(times_s) / 100.0
        return np.where(level > 0.0, 0.80 + 0.17 * np.sqrt(level), 0.45)

    def phase_power_w(self, phase: int, times_s: FloatArray) -> FloatArray:
        """Power of a phase at the cabinet's meter, W: its lamps, and on phase 1 the cabinet itself."""
        total = np.full(times_s.shape, CABINET_OWN_W if phase == 1 else 0.0)
        for lamp in self.lamps:
            if lamp.phase == phase:
                total += self.lamp_power_w(lamp, times_s)
        return total

    def energy_kwh(self, times_s: FloatArray) -> FloatArray:
        """The cabinet's meter, kWh since metering started: its lamps' and its own."""
        total = CABINET_OWN_W / 1_000.0 * (times_s - (METERING_START_DAY * DAY_S - LOCAL_OFFSET_S)) / 3_600.0
        for lamp in self.lamps:
            total = total + self.lamp_energy_kwh(lamp, times_s)
        return total
