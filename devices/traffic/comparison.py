"""Now against the same weekday and hour of the past weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from devices.figures import Figures, FloatArray, Missing, figures, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL_FORMULA: Final = "traffic.usual/1"
DIFFERENCE_FORMULA: Final = "traffic.same-hour-difference/1"
WEEKS: Final = 4


def same_hours(start: datetime, weeks: int = WEEKS) -> tuple[datetime, ...]:
    """Starts of the same span of the past weeks, newest first; local clock and weekday agree, there is no summer time.

    Args:
        start: aware.
        weeks: how many, >= 1.

    Raises:
        ValueError: `start` is naive.
    """
    if start.tzinfo is None:
        raise ValueError("start must be aware")
    return tuple(start.astimezone(UTC) - timedelta(weeks=week) for week in range(1, weeks + 1))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was usual, and how far from it we are."""

    usual: Figures  # mean of the past weeks that have a value, in the unit given
    difference: Figures  # percent of the usual; above 0 now is more
    weeks: NDArray[np.intp]  # how many of the past weeks have a value


def compare(now: FloatArray, past: FloatArray, unit: str) -> Comparison:
    """Compare a figure with that of the same weekday and hour of the past weeks.

    Args:
        now: NaN: none; shape (...).
        past: of each week, NaN: none; shape (weeks, ...).
        unit: UCUM code of both.
    """
    there = ~np.isnan(past)
    weeks = there.sum(axis=0)
    usual = ratio(np.where(there, past, 0.0).sum(axis=0), weeks)
    difference = ratio((now - usual) * 100.0, usual)
    return Comparison(
        usual=figures(USUAL_FORMULA, unit, usual, (Missing.NO_HISTORY, weeks == 0)),
        difference=figures(
            DIFFERENCE_FORMULA, "%", difference, (Missing.NO_READING, np.isnan(now)), (Missing.NO_HISTORY, ~(usual > 0))
        ),
        weeks=weeks,
    )
