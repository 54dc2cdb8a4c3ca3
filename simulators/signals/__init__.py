r"""The physics of the simulated towns: each signal a pure function of (seed, place, time), vectorised over time.

Times are float64 arrays of Unix seconds, shape (n,); results have the same shape. Nothing here reads a clock, a file or
a random generator with state, so the same seed gives the same values in any order, from any process, for any slice.
What describes a place is one number, or an array with one an element: then the elements are many places at once.

    happenings (floods, feasts, power cuts of a scenario)
        |
    sun -> weather -> traffic -> air, sound
      \-> lighting \-> water (rain of the days before)
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
"""One value a time, shape (n,)."""

Parameter: TypeAlias = float | FloatArray
"""One number for all times, or one for each."""

FAR_S = 4.0e9
"""A time after everything, Unix seconds; for what never happens."""

DAY_S = 86_400.0
LOCAL_OFFSET_S = 7 * 3_600.0
"""Asia/Ho_Chi_Minh is UTC+7 all year, without daylight saving."""


def local_hour(times_s: FloatArray) -> FloatArray:
    """Hour of the local day, 0 <= h < 24."""
    return np.mod(times_s + LOCAL_OFFSET_S, DAY_S) / 3_600.0


def local_day(times_s: FloatArray) -> FloatArray:
    """Whole local days since 1970-01-01."""
    return np.floor((times_s + LOCAL_OFFSET_S) / DAY_S)


def day_of_year(times_s: FloatArray) -> FloatArray:
    """Day of a mean year, 0 <= d < 365.2425, counted from 1 January; exact to a day, which is all a season needs."""
    return np.mod((times_s + LOCAL_OFFSET_S) / DAY_S, 365.2425)


def ramp(values: FloatArray, low: float, high: float) -> FloatArray:
    """Rise from 0 at `low` to 1 at `high` without a kink; 0 below, 1 above."""
    x: FloatArray = np.clip((values - low) / (high - low), 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)
