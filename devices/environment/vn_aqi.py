"""VN_AQI, the air quality index of Vietnam, of hours and of days.

Decision 1459/QD-TCMT of 2019-11-12; its tables stand in `vn_aqi.yaml`. Concentrations are in ug/m3 at 25 Cel and
760 mm[Hg], CO too. Where the decision's formula for w = 1/2 and its rule for missing hours disagree (it does not divide
by the weights that are left), the normalised form is taken here: with all twelve hours both agree within 0.03 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from pydantic import Field, model_validator

from devices.observed_properties import BilingualEntry  # noqa: TC001 pydantic reads it
from devices.tables import DatedEntry, Entry, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

HOUR_FORMULA: Final = "environment.vn-aqi-hour/1"
DAY_FORMULA: Final = "environment.vn-aqi-day/1"
PARTICLES: Final = ("pm25", "pm10")
GASES: Final = ("no2", "so2", "co")
POLLUTANTS: Final = (*PARTICLES, *GASES, "o3")
"""Observed properties an hourly index is made of, in the order in which equal ones are dominant."""
NOWCAST_HOURS: Final = 12
O3_8H_MAX: Final = 400.0
"""Above this highest 8-h mean of a day, ug/m3, the decision leaves the 8-h part of O3 out."""
_RECENT_MIN: Final = 2  # of the newest three hours


class Category(Entry):
    """A category of table 1, with effects (table 4) and advice (table 5)."""

    id: str
    to: int  # highest index, inclusive
    colour: str = Field(pattern=r"^#[0-9A-F]{6}$")
    name: BilingualEntry
    effect: BilingualEntry
    advice: BilingualEntry
    advice_sensitive: BilingualEntry


class Policy(Entry):
    """How full an hour, eight hours and a day have to be: ours, the decision does not say."""

    hour_coverage_min: Annotated[float, Field(gt=0, le=1)]
    hours_of_day_min: Annotated[int, Field(ge=1, le=24)]
    hours_of_eight_min: Annotated[int, Field(ge=1, le=8)]


class VnAqiTable(DatedEntry):
    """The decision's tables."""

    source: str
    index: list[float]
    breakpoints: dict[str, list[float]]
    policy: Policy
    categories: list[Category]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if set(self.breakpoints) != {*POLLUTANTS, "o3-8h"}:
            raise ValueError(f"breakpoints are needed of {', '.join([*POLLUTANTS, 'o3-8h'])}")
        for name, row in self.breakpoints.items():
            if len(row) > len(self.index) or row != sorted(row):
                raise ValueError(f"breakpoints of {name} must grow and be no more than the indices")
        return self


@cache
def load_vn_aqi() -> VnAqiTable:
    """The decision's tables, read once."""
    return read_table("environment", "vn_aqi.yaml", VnAqiTable)


@dataclass(frozen=True, slots=True)
class Aqi:
    """Indices of some stations; n is how many."""

    index: NDArray[np.float64]  # whole numbers 0..500, NaN: no VN_AQI; shape (n,)
    dominant: NDArray[np.intp]  # position in `names` of the pollutant that makes the index, -1: none; shape (n,)
    names: tuple[str, ...]  # of the columns of `sub_index`
    sub_index: NDArray[np.float64]  # not rounded, NaN: no data; shape (n, names)
    concentration: NDArray[np.float64]  # what each was made of, ug/m3; shape (n, names)


def nowcast(hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted mean of the last twelve hours.

    Args:
        hours: means of an hour, ug/m3, >= 0, newest first, NaN where there is none; shape (..., 12).

    Returns:
        Shape (...,); NaN where fewer than two of the newest three hours are there.
    """
    there = ~np.isnan(hours)
    low = np.min(np.where(there, hours, np.inf), axis=-1, initial=np.inf)
    high = np.max(np.where(there, hours, -np.inf), axis=-1, initial=-np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(high > 0, low / high, 1.0)
    weight = np.maximum(ratio, 0.5)
    weights = np.where(there, weight[..., None] ** np.arange(hours.shape[-1]), 0.0)
    total = weights.sum(axis=-1)
    mean = (weights * np.where(there, hours, 0.0)).sum(axis=-1) / np.where(total > 0, total, 1.0)
    return np.where(there[..., :3].sum(axis=-1) >= _RECENT_MIN, mean, np.nan)


def sub_index(column: str, concentration: NDArray[np.float64]) -> NDArray[np.float64]:
    """Index of one pollutant, formula (1), not rounded.

    Args:
        column: a pollutant, or `o3-8h`.
        concentration: ug/m3, any shape; NaN: no data.

    Returns:
        0..500; 500 above the last breakpoint (of `o3-8h`: NaN above 400 ug/m3); NaN for no data and below 0.
    """
    table = load_vn_aqi()
    breakpoints = table.breakpoints[column]
    beyond = np.nan if len(breakpoints) < len(table.index) else table.index[-1]
    index = np.interp(concentration, breakpoints, table.index[: len(breakpoints)], left=np.nan, right=beyond)
    return np.where(np.isnan(concentration), np.nan, index)


def round_half_up(index: NDArray[np.float64]) -> NDArray[np.float64]:
    """To whole numbers, halves upwards, as the decision's examples do."""
    rounded: NDArray[np.float64] = np.floor(index + 0.5)
    return rounded


def _together(columns: Mapping[str, tuple[str, NDArray[np.float64]]]) -> Aqi:
    """The highest index of several; None without a particle."""
    names = tuple(columns)
    concentration = np.stack([values for _, values in columns.values()], axis=-1)
    subs = np.stack([sub_index(column, values) for column, values in columns.values()], axis=-1)
    particle = ~np.isnan(subs[:, [names.index(name) for name in PARTICLES]]).all(axis=-1)
    filled = np.where(np.isnan(subs), -1.0, subs)
    dominant = np.where(particle, filled.argmax(axis=-1), -1)
    index = np.where(particle, round_half_up(filled.max(axis=-1)), np.nan)
    return Aqi(index, dominant, names, subs, concentration)


def hourly(hours: Mapping[str, NDArray[np.float64]]) -> Aqi:
    """VN_AQI of one hour.

    Args:
        hours: of each of `POLLUTANTS`: means of an hour, ug/m3, newest first, NaN: none; shape (n, 12). Of gases only
            the newest hour counts.

    Returns:
        Indices of n stations; none where neither PM2.5 nor PM10 has data.
    """
    columns = {name: (name, nowcast(hours[name])) for name in PARTICLES}
    columns |= {name: (name, hours[name][:, 0]) for name in (*GASES, "o3")}
    return _together(columns)


def daily(hours: Mapping[str, NDArray[np.float64]]) -> Aqi:
    """VN_AQI of a day.

    Args:
        hours: of each of `POLLUTANTS`: means of an hour, ug/m3, oldest first, NaN: none; shape (n, 31): the last seven
            hours of the day before, which the 8-h means of O3 need, and the 24 of the day, that end at 01:00 to 00:00.

    Returns:
        Indices of n stations, columns of `POLLUTANTS` and `o3-8h`.
    """
    policy = load_vn_aqi().policy
    day = {name: values[:, 7:] for name, values in hours.items()}
    columns = {name: (name, mean_of(day[name], policy.hours_of_day_min)) for name in PARTICLES}
    columns |= {name: (name, _highest(day[name])) for name in (*GASES, "o3")}
    eights = eight_hour_means(hours["o3"])
    columns["o3-8h"] = ("o3-8h", _highest(eights))
    return _together(columns)


def eight_hour_means(hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of eight hours each, by the hour they end with.

    Args:
        hours: means of an hour, oldest first, NaN: none; shape (n, h), h >= 8.

    Returns:
        Shape (n, h - 7); NaN where too few of the eight are there.
    """
    windows = np.lib.stride_tricks.sliding_window_view(hours, 8, axis=-1)
    return mean_of(windows, load_vn_aqi().policy.hours_of_eight_min)


def mean_of(hours: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    """Mean over the last axis of what is there; NaN where fewer than `least` are."""
    there = ~np.isnan(hours)
    count = there.sum(axis=-1)
    mean = np.where(there, hours, 0.0).sum(axis=-1) / np.maximum(count, 1)
    return np.where(count >= max(1, least), mean, np.nan)


def _highest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    highest = np.max(np.where(np.isnan(values), -np.inf, values), axis=-1, initial=-np.inf)
    return np.where(np.isneginf(highest), np.nan, highest)


def category_of(index: float) -> Category:
    """The category of a rounded index 0..500."""
    table = load_vn_aqi()
    return next(category for category in table.categories if index <= category.to)
