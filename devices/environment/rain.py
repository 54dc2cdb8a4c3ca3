"""Rain: sums over the last hours, and the classes the met service speaks of."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from devices.observed_properties import BilingualEntry  # noqa: TC001 pydantic reads it
from devices.tables import DatedEntry, Entry, in_force, read_table

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

SUM_FORMULA: Final = "environment.rain-sum/1"
CLASS_FORMULA: Final = "environment.rain-class/1"
SPANS_H: Final = (1, 3, 6, 12, 24)


class RainClass(Entry):
    """A class: above the one before it, up to `below` (exclusive) or `to` (inclusive), mm; neither: the last."""

    id: str
    below: float | None = None
    to: float | None = None
    name: BilingualEntry

    def holds(self, mm: float) -> bool:
        """Whether a height lies not above the class."""
        if self.below is not None:
            return mm < self.below
        return self.to is None or mm <= self.to


class RainTable(DatedEntry):
    """The classes of both periods."""

    source: str
    grade: Literal["V", "V2", "U", "own"]
    warning_3h_mm: float
    classes_12h: list[RainClass]
    classes_24h: list[RainClass]


@cache
def load_rain_tables() -> tuple[RainTable, ...]:
    """All rows, read once."""
    return tuple(read_table("environment", "rain_classes.yaml", list[RainTable]))


def rain_table(day: date) -> RainTable:
    """The classes that hold on a local day.

    Raises:
        LookupError: there are none.
    """
    return in_force(load_rain_tables(), day, "classes of rain")


def rain_sums(
    height_mm: NDArray[np.float64], coverage: NDArray[np.float64], step_s: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rain of the last 1, 3, 6, 12 and 24 hours.

    Args:
        height_mm: rain of equal steps, oldest first, the last one ends now; NaN: none observed; shape (..., t).
        coverage: observed share of each step, 0..1; shape (..., t).
        step_s: length of a step; divides an hour.

    Returns:
        Sums, mm, and the observed share of each span, both of shape (..., 5). A sum is of what was observed: with a
        coverage below 1 it rained at least so much. NaN where nothing was.
    """
    sums, shares = [], []
    for span_h in SPANS_H:
        steps = span_h * 3600 // step_s
        part, covered = height_mm[..., -steps:], coverage[..., -steps:]
        there = ~np.isnan(part)
        sums.append(np.where(there.any(axis=-1), np.where(there, part, 0.0).sum(axis=-1), np.nan))
        shares.append(np.where(there, covered, 0.0).sum(axis=-1) / steps)
    return np.stack(sums, axis=-1), np.stack(shares, axis=-1)


def rain_class(mm: float, span_h: Literal[12, 24], table: RainTable) -> RainClass | None:
    """The class of a height of rain, >= 0 mm, over 12 or 24 hours; None for NaN; there is none for an hour."""
    if math.isnan(mm):
        return None
    classes = table.classes_12h if span_h == 12 else table.classes_24h  # noqa: PLR2004 hours
    return next(entry for entry in classes if entry.holds(mm))
