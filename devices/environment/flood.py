"""River levels against alarm levels: which is reached, how far the next is, how fast the water rises."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
from pydantic import Field, model_validator

from devices.models import Bilingual
from devices.tables import DatedEntry, Entry, in_force, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from typing import Self

    from numpy.typing import NDArray

FORMULA: Final = "environment.flood-alarm/1"
RATE_FORMULA: Final = "environment.rise/1"
TOLERANCE_S: Final = 900
"""How far from the wanted time the older level of a rate may lie, seconds."""
_CENTIMETRE: Final = 0.01
_EDGE: Final = 1e-9  # 2.0 - 0.05 is not 1.95 in binary


class Station(DatedEntry):
    """Alarm levels of a station, m above its datum."""

    id: str
    name: str
    river: str
    levels: tuple[float, float, float]
    source: str
    grade: Literal["V", "V2", "U"]
    sites: list[str]

    @model_validator(mode="after")
    def _grow(self) -> Self:
        if list(self.levels) != sorted(set(self.levels)):
            raise ValueError("levels must grow")
        return self


class Hysteresis(DatedEntry):
    """How far the water must fall below an alarm level before that is left."""

    metres: Annotated[float, Field(ge=0, le=1)]
    source: str
    grade: Literal["V", "V2", "U", "own"]


class FloodTable(Entry):
    """All stations, and how far the water must fall before an alarm level is left."""

    hysteresis: list[Hysteresis]
    stations: list[Station]


@cache
def load_flood_table() -> FloodTable:
    """The table, read once."""
    return read_table("environment", "flood_stations.yaml", FloodTable)


def hysteresis_on(day: date) -> float:
    """How far below an alarm level the water must be on a local day before that is left, m.

    Raises:
        LookupError: nothing is said of that day.
    """
    return in_force(load_flood_table().hysteresis, day, "hysteresis of alarm levels").metres


def station_of(site_id: str, day: date) -> Station | None:
    """The station whose levels hold for a gauge's site on a local day; None: none is set for it."""
    return next((s for s in load_flood_table().stations if site_id in s.sites and s.holds_on(day)), None)


def alarm_levels(level_m: NDArray[np.float64], thresholds_m: Sequence[float], hysteresis_m: float) -> NDArray[np.intp]:
    """The alarm level after each of a series of water levels.

    A level is reached at its threshold and left when the water stands more than `hysteresis_m` below it.

    Args:
        level_m: water levels in order of time, NaN: none (keeps what stood); shape (t,).
        thresholds_m: of levels I, II, III, growing.
        hysteresis_m: >= 0.

    Returns:
        0 (below level I) to 3; shape (t,).
    """
    limits = np.asarray(thresholds_m, np.float64)
    reached = np.searchsorted(limits - _EDGE, level_m, side="right")
    held = np.searchsorted(limits - hysteresis_m - _EDGE, level_m, side="right")
    reached, held = np.where(np.isnan(level_m), 0, reached), np.where(np.isnan(level_m), len(limits), held)
    standing = 0
    result = np.zeros(len(level_m), np.intp)
    for at, (up, down) in enumerate(zip(reached.tolist(), held.tolist(), strict=True)):
        standing = max(up, min(standing, down))
        result[at] = standing
    return result


def rise_m_per_h(time_s: NDArray[np.float64], level_m: NDArray[np.float64], span_s: int) -> float | None:
    """How fast the water rose over a span that ends with the newest level; falling is below 0.

    Args:
        time_s: growing; shape (t,).
        level_m: NaN: none; shape (t,).
        span_s: over which, s.

    Returns:
        m/h; None where no level lies within `TOLERANCE_S` of the span's start.
    """
    there = ~np.isnan(level_m)
    times, levels = time_s[there], level_m[there]
    if len(times) < 2:  # noqa: PLR2004 a rate takes two
        return None
    wanted = times[-1] - span_s
    nearest = int(np.abs(times - wanted).argmin())
    if abs(times[nearest] - wanted) > min(TOLERANCE_S, span_s / 2):
        return None
    return float((levels[-1] - levels[nearest]) / (times[-1] - times[nearest]) * 3600)


@dataclass(frozen=True, slots=True)
class Outlook:
    """How far the next alarm level is."""

    next_level: int | None  # 1..3; None: level III is reached
    distance_m: float | None  # to it, > 0
    hours: float | None  # until it at the present rate; None: the water does not rise, or there is no next level


def outlook(level_m: float, alarm: int, thresholds_m: Sequence[float], rate_m_per_h: float | None) -> Outlook:
    """What comes next.

    Args:
        level_m: the water level now.
        alarm: the alarm level that stands, 0..3.
        thresholds_m: of levels I, II, III.
        rate_m_per_h: None: not known.
    """
    if alarm >= len(thresholds_m):
        return Outlook(None, None, None)
    distance = thresholds_m[alarm] - level_m
    hours = distance / rate_m_per_h if rate_m_per_h is not None and rate_m_per_h > 0 else None
    return Outlook(alarm + 1, distance, hours)


def bulletin(level_m: float, thresholds_m: Sequence[float]) -> Bilingual:
    """The level against the nearest alarm level, as bulletins word it: "trên BĐ2: 0,09 m", "dưới BĐ3: 0,10 m".

    Of two alarm levels equally near the lower one is named. Figures are in centimetres, halves upwards.
    """
    number = min(range(len(thresholds_m)), key=lambda at: round(abs(level_m - thresholds_m[at]), 6)) + 1
    centimetres = int(np.floor(abs(level_m - thresholds_m[number - 1]) / _CENTIMETRE + 0.5 + _EDGE))
    if centimetres == 0:
        return Bilingual(f"ngang BĐ{number}", f"at alarm level {'I' * number}")
    above = level_m > thresholds_m[number - 1]
    figure = f"{centimetres // 100}.{centimetres % 100:02}"
    return Bilingual(
        f"{'trên' if above else 'dưới'} BĐ{number}: {figure.replace('.', ',')} m",
        f"{figure} m {'above' if above else 'below'} alarm level {'I' * number}",
    )
