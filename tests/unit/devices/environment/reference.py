"""Slow plain forms of the environment's formulas, a number at a time, to hold the vectorised ones against."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.environment.vn_aqi import VnAqiTable

Maybe = float | None


def nowcast(hours: Sequence[Maybe]) -> Maybe:
    """Twelve hours, newest first."""
    if sum(hour is not None for hour in hours[:3]) < 2:
        return None
    known = [hour for hour in hours if hour is not None]
    w = max(min(known) / max(known), 0.5) if max(known) > 0 else 1.0
    above = sum(w**i * hour for i, hour in enumerate(hours) if hour is not None)
    return above / sum(w**i for i, hour in enumerate(hours) if hour is not None)


def sub_index(table: VnAqiTable, column: str, concentration: Maybe) -> Maybe:
    if concentration is None or concentration < 0:
        return None
    points = table.breakpoints[column]
    for i in range(len(points) - 1):
        if points[i] <= concentration <= points[i + 1]:
            low, high = table.index[i], table.index[i + 1]
            return (high - low) / (points[i + 1] - points[i]) * (concentration - points[i]) + low
    return None if column == "o3-8h" else 500.0


def half_up(index: float) -> int:
    return math.floor(index + 0.5)


def hourly(table: VnAqiTable, hours: dict[str, Sequence[Maybe]]) -> int | None:
    made = {name: sub_index(table, name, nowcast(hours[name])) for name in ("pm25", "pm10")}
    if all(value is None for value in made.values()):
        return None
    made |= {name: sub_index(table, name, hours[name][0]) for name in ("no2", "so2", "co", "o3")}
    return half_up(max(value for value in made.values() if value is not None))


def mean(values: Sequence[Maybe], least: int) -> Maybe:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) >= least else None


def daily(table: VnAqiTable, hours: dict[str, Sequence[Maybe]]) -> int | None:
    made = {name: sub_index(table, name, mean(hours[name][7:], 18)) for name in ("pm25", "pm10")}
    if all(value is None for value in made.values()):
        return None
    for name in ("no2", "so2", "co", "o3"):
        known = [value for value in hours[name][7:] if value is not None]
        made[name] = sub_index(table, name, max(known)) if known else None
    eights = [mean(hours["o3"][at : at + 8], 6) for at in range(24)]
    highest = max((value for value in eights if value is not None), default=None)
    made["o3-8h"] = None if highest is not None and highest > 400 else sub_index(table, "o3-8h", highest)
    return half_up(max(value for value in made.values() if value is not None))


def laeq(levels: Sequence[Maybe]) -> Maybe:
    known = [level for level in levels if level is not None]
    return 10 * math.log10(math.fsum(10 ** (level / 10) for level in known) / len(known)) if known else None


def level_exceeded(levels: Sequence[Maybe], percent: int) -> Maybe:
    """The lowest level that at most `percent` of the levels are above."""
    known = sorted(level for level in levels if level is not None)
    for level in known:
        if 100 * sum(other > level for other in known) <= percent * len(known):
            return level
    return None


def alarm_levels(levels: Sequence[Maybe], thresholds: Sequence[float], hysteresis: float) -> list[int]:
    standing, result = 0, []
    for level in levels:
        if level is not None:
            while standing < len(thresholds) and level >= thresholds[standing] - 1e-9:
                standing += 1
            while standing > 0 and level < thresholds[standing - 1] - hysteresis - 1e-9:
                standing -= 1
        result.append(standing)
    return result


def rain_sum(heights: Sequence[Maybe], steps: int) -> Maybe:
    known = [height for height in heights[-steps:] if height is not None]
    return math.fsum(known) if known else None


def mean_direction(degrees: Sequence[Maybe]) -> Maybe:
    known = [math.radians(degree) for degree in degrees if degree is not None]
    if not known:
        return None
    east, north = math.fsum(map(math.sin, known)), math.fsum(map(math.cos, known))
    if math.hypot(east, north) <= 1e-9 * len(known):
        return None
    return math.degrees(math.atan2(east, north)) % 360


def resultant_length(degrees: Sequence[float]) -> Maybe:
    if not degrees:
        return None
    east, north = (math.fsum(f(math.radians(degree)) for degree in degrees) for f in (math.sin, math.cos))
    return math.hypot(east, north) / len(degrees)


def year_mean(days: Sequence[Maybe], least: int) -> Maybe:
    known = [mean for mean in days if mean is not None]
    return math.fsum(known) / len(known) if len(known) >= least else None
