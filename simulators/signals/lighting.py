"""Street lighting of one cabinet: a dimming programme from sunset to sunrise, its lamps, a meter that adds them up.

All meters are exact: what the cabinet counts is what its lamps count, the stated losses of the cable and its own
electronics. Between two corners of a programme every power is constant, so every energy is a straight line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from simulators.signals import DAY_S, FAR_S, LOCAL_OFFSET_S, FloatArray, Parameter, local_day, local_hour
from simulators.signals.exact import bell
from simulators.signals.noise import Key, derive, smooth
from simulators.signals.sun import sunrise_and_sunset

if TYPE_CHECKING:
    from simulators.signals.happenings import Span
    from simulators.signals.weather import Sky

METERING_START_DAY: Final = 19_723.0
"""Local day since which every meter counts: 2024-01-01."""
METERING_START_S: Final = METERING_START_DAY * DAY_S - LOCAL_OFFSET_S
_METERED_DAYS: Final = 5_500

STANDBY_W: Final = 0.4
"""What a controller draws while its lamp is dark."""
CABINET_OWN_W: Final = 12.0
"""What the cabinet's own electronics draw, on phase 1."""
CABLE_LOSS: Final = 0.015
"""Share of what the lamps draw that is lost on the way to them, metered at the cabinet."""
DRIVER_SHARE: Final = 0.04
"""Share of a lamp's full power that its driver draws however dim the light is."""
FEAST_LEVEL: Final = 30.0
"""Light level of the old town's street lamps during a feast of lanterns, percent."""
PHASES: Final = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Programme:
    """Light level by local clock time, percent: `levels[i]` holds from `hours[i]`; only between sunset and sunrise."""

    hours: tuple[float, ...]  # rising, the first is 0
    levels: tuple[float, ...]


PROGRAMMES: Final = {
    "street": Programme(hours=(0.0, 5.0, 12.0, 22.0), levels=(50.0, 80.0, 100.0, 70.0)),
    "arterial": Programme(hours=(0.0, 4.5, 12.0, 23.0), levels=(60.0, 100.0, 100.0, 80.0)),
    "old-town": Programme(hours=(0.0, 5.0, 12.0, 23.0), levels=(40.0, 60.0, 100.0, 70.0)),
    # What passers-by make of a luminaire that is dim without them, in the mean.
    "motion": Programme(hours=(0.0, 4.5, 12.0, 20.0, 22.0), levels=(33.0, 55.0, 85.0, 60.0, 40.0)),
}
SCHEDULES: Final = tuple(PROGRAMMES)
"""Names of the programmes; a circuit bears the position of its own."""


class Burning(NamedTuple):
    """What a schedule has made of a lamp, each shape (n,)."""

    level: FloatArray  # percent, 0..100
    lit_h: FloatArray  # hours lit since metering started
    full_h: FloatArray  # hours weighted by level since metering started


class _Table(NamedTuple):
    corners: FloatArray  # Unix seconds
    level: FloatArray  # percent, from each corner to the next
    lit_h: FloatArray  # up to each corner
    full_h: FloatArray


@dataclass(frozen=True, slots=True)
class Calendar:
    """The astronomical clock of a town's lighting, and its feasts."""

    latitude: float
    longitude: float
    feasts: tuple[Span, ...] = ()

    def burning(self, schedule: Parameter, times_s: FloatArray) -> Burning:
        """Level and hours of lamps on a schedule (position in SCHEDULES) at these times."""
        if np.ndim(schedule) == 0:
            return self._one(int(schedule), times_s)
        out = Burning(*(np.empty(times_s.shape) for _ in range(3)))
        for number in np.unique(schedule).tolist():
            mine = schedule == number
            for whole, part in zip(out, self._one(int(number), times_s[mine]), strict=True):
                whole[mine] = part
        return out

    def _one(self, schedule: int, times_s: FloatArray) -> Burning:
        table = _table(self, SCHEDULES[schedule])
        index = np.clip(np.searchsorted(table.corners, times_s, side="right") - 1, 0, table.level.size - 1)
        hours = (np.clip(times_s, table.corners[0], table.corners[-1]) - table.corners[index]) / 3_600.0
        level = table.level[index]
        return Burning(level, table.lit_h[index] + hours * (level > 0.0), table.full_h[index] + hours * level / 100.0)


@lru_cache(maxsize=64)
def _table(calendar: Calendar, name: str) -> _Table:
    programme = PROGRAMMES[name]
    days = METERING_START_DAY + np.arange(_METERED_DAYS, dtype=np.float64)
    rise, fall = sunrise_and_sunset(days, calendar.latitude, calendar.longitude)
    # Clocks of cabinets switch on full seconds.
    rise, fall = np.rint(rise), np.rint(fall)
    midnight = days * DAY_S - LOCAL_OFFSET_S
    feasts = calendar.feasts if name == "old-town" else ()
    edges = [np.array([span.from_s, span.until_s]) for span in feasts]
    switching = [midnight + hour * 3_600.0 for hour in programme.hours]
    corners = np.unique(np.concatenate([rise, fall, *switching, *edges, [midnight[0] + _METERED_DAYS * DAY_S]]))
    corners = corners[corners >= METERING_START_S]
    middles = (corners[1:] + corners[:-1]) / 2.0
    day = np.clip((local_day(middles) - METERING_START_DAY).astype(np.int64), 0, _METERED_DAYS - 1)
    slot = np.searchsorted(programme.hours, local_hour(middles), side="right") - 1
    dark = (middles < rise[day]) | (middles >= fall[day])
    level = np.where(dark, np.asarray(programme.levels)[slot], 0.0)
    for span in feasts:
        level = np.where((middles > span.from_s) & (middles < span.until_s), np.minimum(level, FEAST_LEVEL), level)
    step_h = np.diff(corners) / 3_600.0
    lit_h = np.concatenate([[0.0], np.cumsum(step_h * (level > 0.0))])
    full_h = np.concatenate([[0.0], np.cumsum(step_h * level / 100.0)])
    return _Table(corners, level, lit_h[:-1], full_h[:-1])


@dataclass(frozen=True, slots=True)
class Lamp:
    """One lamp of a circuit."""

    key: Key
    full_w: Parameter  # power of this very lamp at full light
    phase: Parameter  # 1..3
    position: Parameter  # along the cable, from 0
    failed: Parameter  # 1: its light source fails when the circuit's lamps fail, else 0


@dataclass(frozen=True, slots=True)
class Supply:
    """When a circuit has no power, and when those of its lamps that fail do so; times in Unix seconds."""

    failed_from_s: Parameter = FAR_S
    dark_from_s: Parameter = FAR_S  # the cabinet is fed, its contactor is open
    dark_until_s: Parameter = FAR_S
    cut_from_s: Parameter = FAR_S  # the whole neighbourhood has no power
    cut_until_s: Parameter = FAR_S


@dataclass(frozen=True, slots=True)
class Loads:
    """What hangs on one phase of a circuit."""

    full_w: Parameter  # of all lamps at full light
    lamps: Parameter  # how many
    failed_w: Parameter  # of those that fail
    failed: Parameter  # how many of them


@dataclass(frozen=True, slots=True)
class Circuit:
    """What one cabinet feeds."""

    key: Key
    schedule: Parameter  # position in SCHEDULES
    calendar: Calendar
    sky: Sky
    supply: Supply
    l1: Loads
    l2: Loads
    l3: Loads

    def fed(self, times_s: FloatArray) -> FloatArray:
        """1 while the lamps have power, else 0."""
        supply = self.supply
        dark = (times_s >= supply.dark_from_s) & (times_s < supply.dark_until_s)
        cut = (times_s >= supply.cut_from_s) & (times_s < supply.cut_until_s)
        return np.where(dark | cut, 0.0, 1.0)

    def commanded(self, times_s: FloatArray) -> FloatArray:
        """Commanded light level, percent, 0..100."""
        return self.calendar.burning(self.schedule, times_s).level

    def _hours(self, times_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Hours under power, lit, and lit weighted by level, since metering started."""
        total = (times_s - METERING_START_S) / 3_600.0
        _, lit, full = self.calendar.burning(self.schedule, times_s)
        supply = self.supply
        outages = ((supply.dark_from_s, supply.dark_until_s), (supply.cut_from_s, supply.cut_until_s))
        for from_s, until_s in outages:
            if (np.asarray(from_s) >= FAR_S).all():
                continue
            start = np.minimum(times_s, from_s)
            end = np.minimum(times_s, until_s)
            _, lit_before, full_before = self.calendar.burning(self.schedule, start)
            _, lit_after, full_after = self.calendar.burning(self.schedule, end)
            total = total - (end - start) / 3_600.0
            lit = lit - (lit_after - lit_before)
            full = full - (full_after - full_before)
        return total, lit, full

    def lamp_hours(self, lamp: Lamp, times_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """As `_hours`, for one lamp: a failed one is not lit any more."""
        total, lit, full = self._hours(times_s)
        if np.any(lamp.failed):
            _, lit_then, full_then = self._hours(np.minimum(times_s, self.supply.failed_from_s))
            lit = np.where(np.asarray(lamp.failed) > 0.0, lit_then, lit)
            full = np.where(np.asarray(lamp.failed) > 0.0, full_then, full)
        return total, lit, full

    def _broken(self, times_s: FloatArray) -> FloatArray:
        return np.where(times_s >= self.supply.failed_from_s, 1.0, 0.0)

    def lamp_broken(self, lamp: Lamp, times_s: FloatArray) -> FloatArray:
        """1 when the light source of a lamp has failed, else 0."""
        return self._broken(times_s) * lamp.failed

    def lamp_level(self, lamp: Lamp, times_s: FloatArray) -> FloatArray:
        """Actual light level, percent."""
        return self.commanded(times_s) * self.fed(times_s) * (1.0 - self.lamp_broken(lamp, times_s))

    def lamp_power_w(self, lamp: Lamp, times_s: FloatArray) -> FloatArray:
        """Power of one lamp, W: the driver's own draw, then in proportion to the light."""
        level = self.lamp_level(lamp, times_s) / 100.0
        burning = lamp.full_w * (DRIVER_SHARE + (1.0 - DRIVER_SHARE) * level)
        return np.where(level > 0.0, burning, STANDBY_W * self.fed(times_s))

    def lamp_energy_kwh(self, lamp: Lamp, times_s: FloatArray) -> FloatArray:
        """Meter of one lamp, kWh since metering started: the integral of its power; never falls."""
        total, lit, full = self.lamp_hours(lamp, times_s)
        burned_wh = lamp.full_w * (DRIVER_SHARE * lit + (1.0 - DRIVER_SHARE) * full) + STANDBY_W * (total - lit)
        return burned_wh / 1_000.0

    def _loads(self, phase: int) -> Loads:
        return (self.l1, self.l2, self.l3)[phase - 1]

    def phase_power_w(self, phase: int, times_s: FloatArray) -> FloatArray:
        """Power of a phase at the cabinet's meter, W: its lamps, the cable's losses, and on phase 1 the cabinet."""
        loads = self._loads(phase)
        level = self.commanded(times_s) / 100.0
        broken = self._broken(times_s)
        burning = (loads.full_w - broken * loads.failed_w) * (DRIVER_SHARE + (1.0 - DRIVER_SHARE) * level)
        lit = burning + STANDBY_W * broken * loads.failed
        lamps = np.where(level > 0.0, lit, STANDBY_W * loads.lamps) * self.fed(times_s)
        return lamps * (1.0 + CABLE_LOSS) + (CABINET_OWN_W if phase == 1 else 0.0) * self._mains(times_s)

    def _mains(self, times_s: FloatArray) -> FloatArray:
        return np.where((times_s >= self.supply.cut_from_s) & (times_s < self.supply.cut_until_s), 0.0, 1.0)

    def energy_kwh(self, times_s: FloatArray) -> FloatArray:
        """The cabinet's meter, kWh since metering started: the integral of its power; never falls."""
        total, lit, full = self._hours(times_s)
        _, lit_then, full_then = self._hours(np.minimum(times_s, self.supply.failed_from_s))
        burned_wh = np.zeros(times_s.shape)
        for phase in PHASES:
            loads = self._loads(phase)
            sound_w = loads.full_w - loads.failed_w
            burned_wh += sound_w * (DRIVER_SHARE * lit + (1.0 - DRIVER_SHARE) * full)
            burned_wh += loads.failed_w * (DRIVER_SHARE * lit_then + (1.0 - DRIVER_SHARE) * full_then)
            burned_wh += STANDBY_W * ((loads.lamps - loads.failed) * (total - lit) + loads.failed * (total - lit_then))
        own_h = (times_s - METERING_START_S) / 3_600.0
        cut_from, cut_until = self.supply.cut_from_s, self.supply.cut_until_s
        own_h = own_h - (np.minimum(times_s, cut_until) - np.minimum(times_s, cut_from)) / 3_600.0
        return (burned_wh * (1.0 + CABLE_LOSS) + CABINET_OWN_W * own_h) / 1_000.0

    def phase_voltage(self, phase: Parameter, times_s: FloatArray) -> FloatArray:
        """Voltage of a phase at the cabinet, V, about 224..237: sags in the evening when the town cooks and cools."""
        evening = bell((local_hour(times_s) - 19.0) / 2.5)
        wander = np.zeros(times_s.shape)
        for number in PHASES:
            if np.any(np.asarray(phase) == number):
                mine = 1.6 * smooth(derive(self.key, f"voltage-{number}"), times_s, 1_500.0)
                wander = np.where(np.asarray(phase) == number, mine, wander)
        return 231.5 - 4.0 * evening + wander

    def lamp_voltage(self, lamp: Lamp, times_s: FloatArray) -> FloatArray:
        """Voltage at one lamp, V: the cable takes its share while the circuit burns; 0 without power."""
        sag = np.minimum(0.12 * (lamp.position + 1.0), 6.0) * self.commanded(times_s) / 100.0
        return (self.phase_voltage(lamp.phase, times_s) - sag) * self.fed(times_s)

    def power_factor(self, level: FloatArray) -> FloatArray:
        """Power factor of a driver at a light level (percent): 0.45 in standby, 0.88..0.97 burning."""
        return np.where(level > 0.0, 0.80 + 0.17 * np.sqrt(level / 100.0), 0.45)
