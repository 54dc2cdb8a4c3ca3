"""Sound levels: energetic means, levels exceeded, the bands of day and night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from devices.environment.averaging import NoiseBands

LAEQ_FORMULA: Final = "environment.laeq/1"
EXCEEDED_FORMULA: Final = "environment.level-exceeded/1"


def laeq(level_db: NDArray[np.float64], weight: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Equivalent level: 10 log10 of the mean of 10^(L/10), never the mean of decibels.

    Args:
        level_db: levels of equal periods, dB, NaN: none; shape (..., t).
        weight: how much each counts (its length), >= 0; shape (..., t); None: all the same.

    Returns:
        Shape (...,); NaN where there is no level.
    """
    weights = np.where(np.isnan(level_db), 0.0, 1.0 if weight is None else weight)
    energy = np.where(np.isnan(level_db), 0.0, 10.0 ** (level_db / 10.0))
    return laeq_of_energy((weights * energy).sum(axis=-1), weights.sum(axis=-1))


def laeq_of_energy(energy: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equivalent level out of window statistics: the sum of 10^(L/10) and how many levels made it; NaN for none."""
    mean = energy / np.where(count > 0, count, 1.0)
    return np.where((count > 0) & (mean > 0), 10.0 * np.log10(np.where(mean > 0, mean, 1.0)), np.nan)


def level_exceeded(level_db: NDArray[np.float64], percent: float) -> NDArray[np.float64]:
    """The level exceeded that share of the time: L10 is the 90th percentile of the levels.

    Args:
        level_db: levels of equal periods, dB, NaN: none; shape (..., t).
        percent: 0 < percent < 100.

    Returns:
        One of the levels (reading number ceil((1 - percent/100) n) of n sorted ones); NaN where there is none.
    """
    if level_db.shape[-1] == 0:
        return np.full(level_db.shape[:-1], np.nan)
    ordered = np.sort(level_db, axis=-1)  # NaN last
    count = (~np.isnan(level_db)).sum(axis=-1)
    # In whole hundredths of a percent: 0.9 times 10 is not 9 in binary.
    rank = -(-(10_000 - round(percent * 100)) * count // 10_000)
    chosen = np.take_along_axis(ordered, np.maximum(rank - 1, 0)[..., None], axis=-1)[..., 0]
    return np.where(count > 0, chosen, np.nan)


def is_day(local_hour: NDArray[np.integer], bands: NoiseBands) -> NDArray[np.bool_]:
    """Whether an hour of the local day, 0..23, belongs to the day band; else to the night."""
    first, last = bands.day
    day: NDArray[np.bool_] = (local_hour >= first) & (local_hour < last)
    return day
