"""Limits of the national regulations (QCVN), by observed property, averaging period and date: rows of `limits.yaml`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from devices.tables import DatedEntry, read_table

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

FORMULA: Final = "environment.limit-share/1"
YEAR_FORMULA: Final = "environment.year-mean/1"
Period = Literal["PT1H", "PT8H", "P1D", "P1Y", "day", "night"]
Area = Literal["special", "ordinary"]


class Limit(DatedEntry):
    """A limit and the time it is in force."""

    property: str  # observed property
    period: Period  # over which the mean is taken; day and night: the bands of noise
    area: Area | None = None  # of noise
    limit: float
    unit: str
    regulation: str
    grade: Literal["V", "V2", "U"]  # U: unverified


@cache
def load_limits() -> tuple[Limit, ...]:
    """All rows, read once."""
    return tuple(read_table("environment", "limits.yaml", list[Limit]))


def limit_for(property_id: str, period: Period, day: date, *, area: Area | None = None) -> Limit | None:
    """The limit in force on a local day; None: there is none, which is not the same as a limit that is kept."""
    rows = (row for row in load_limits() if (row.property, row.period, row.area) == (property_id, period, area))
    return next((row for row in rows if row.holds_on(day)), None)


def share_of_limit(mean: NDArray[np.float64], limit: Limit) -> NDArray[np.float64]:
    """A mean as percent of its limit: above 100 it is exceeded. Of concentrations alone: decibels have no shares."""
    share: NDArray[np.float64] = 100.0 * np.asarray(mean, np.float64) / limit.limit
    return share


def exceeds(mean: NDArray[np.float64], limit: Limit) -> NDArray[np.bool_]:
    """Whether each mean is above the limit; the limit itself is kept. NaN never exceeds: ask for data first."""
    above: NDArray[np.bool_] = np.asarray(mean, np.float64) > limit.limit
    return above


def year_mean(sum_of_days: NDArray[np.float64], days: NDArray[np.float64], days_min: int) -> NDArray[np.float64]:
    """Mean of a year: the arithmetic mean of the means of its days, each weighing the same.

    Args:
        sum_of_days: sum of the means of the days that are full enough; any shape.
        days: how many they are; of the same shape.
        days_min: how many there have to be, >= 1.

    Returns:
        NaN where there are fewer.
    """
    mean = np.asarray(sum_of_days, np.float64) / np.where(days > 0, days, 1)
    return np.where(days >= max(1, days_min), mean, np.nan)
