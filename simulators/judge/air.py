"""VN_AQI a second time, number by number: decision 1459/QD-TCMT of 2019-11-12, tables 1 and 2, formula (1), NowCast.

Concentrations in ug/m3, CO too; a missing mean is None. How full an hour, eight hours and a day have to be the decision
does not say: three quarters, as the platform documents it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Mean = float | None

PARTICLES: Final = ("pm25", "pm10")
POLLUTANTS: Final = (*PARTICLES, "no2", "so2", "co", "o3")
HOUR_FULL: Final = 0.75
HOURS_OF_DAY: Final = 18
HOURS_OF_EIGHT: Final = 6
HOURS_BEFORE: Final = 7
"""Of the day before, that the first 8-h means of a day need."""
_INDEX: Final = (0.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0)
_BREAKPOINTS: Final = {
    "o3": (0.0, 160.0, 200.0, 300.0, 400.0, 800.0, 1_000.0, 1_200.0),
    "o3-8h": (0.0, 100.0, 120.0, 170.0, 210.0, 400.0),
    "co": (0.0, 10_000.0, 30_000.0, 45_000.0, 60_000.0, 90_000.0, 120_000.0, 150_000.0),
    "so2": (0.0, 125.0, 350.0, 550.0, 800.0, 1_600.0, 2_100.0, 2_630.0),
    "no2": (0.0, 100.0, 200.0, 700.0, 1_200.0, 2_350.0, 3_100.0, 3_850.0),
    "pm10": (0.0, 50.0, 150.0, 250.0, 350.0, 420.0, 500.0, 600.0),
    "pm25": (0.0, 25.0, 50.0, 80.0, 150.0, 250.0, 350.0, 500.0),
}


def sub_index(column: str, concentration: float) -> float | None:
    """Formula (1), not rounded; 500 from the last breakpoint on, of O3 over 8 h nothing above 400 ug/m3."""
    points = _BREAKPOINTS[column]
    if concentration < 0.0:
        return None
    if concentration > points[-1]:
        return None if column == "o3-8h" else _INDEX[-1]
    at = next(at for at in range(1, len(points)) if concentration <= points[at])
    share = (concentration - points[at - 1]) / (points[at] - points[at - 1])
    return _INDEX[at - 1] + share * (_INDEX[at] - _INDEX[at - 1])


def nowcast(newest_first: Sequence[Mean]) -> Mean:
    """Weighted mean of twelve hours, normalised; None unless two of the newest three are there."""
    there = [(at, value) for at, value in enumerate(newest_first[:12]) if value is not None]
    if sum(at < 3 for at, _ in there) < 2:  # noqa: PLR2004 - the decision's rule
        return None
    values = [value for _, value in there]
    ratio = min(values) / max(values) if max(values) > 0.0 else 1.0
    weight = max(ratio, 0.5)
    return math.fsum(weight**at * value for at, value in there) / math.fsum(weight**at for at, _ in there)


def of_hour(newest_first: Mapping[str, Sequence[Mean]]) -> int | None:
    """VN_AQI of an hour out of the hourly means of each pollutant, that hour first; None without a particle."""
    amounts: dict[str, Mean] = {name: nowcast(newest_first[name]) for name in PARTICLES}
    amounts |= {name: newest_first[name][0] for name in POLLUTANTS if name not in PARTICLES}
    return _highest(amounts)


def of_day(oldest_first: Mapping[str, Sequence[Mean]]) -> int | None:
    """VN_AQI of a day out of 31 hourly means of each pollutant: the last seven of the day before, and the day's."""
    amounts: dict[str, Mean] = {}
    for name in POLLUTANTS:
        day = [value for value in oldest_first[name][HOURS_BEFORE:] if value is not None]
        if name in PARTICLES:
            amounts[name] = _mean(oldest_first[name][HOURS_BEFORE:], HOURS_OF_DAY)
        else:
            amounts[name] = max(day, default=None)
    eights = [_mean(oldest_first["o3"][at : at + 8], HOURS_OF_EIGHT) for at in range(24)]
    amounts["o3-8h"] = max((value for value in eights if value is not None), default=None)
    return _highest(amounts)


def _mean(hours: Sequence[Mean], least: int) -> Mean:
    there = [value for value in hours if value is not None]
    return math.fsum(there) / len(there) if len(there) >= least else None


def _highest(amounts: Mapping[str, Mean]) -> int | None:
    if all(amounts[name] is None for name in PARTICLES):
        return None
    found = [sub_index(name, amount) for name, amount in amounts.items() if amount is not None]
    highest = max((index for index in found if index is not None), default=None)
    return None if highest is None else math.floor(highest + 0.5)
