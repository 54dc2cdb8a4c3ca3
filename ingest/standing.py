"""Quality flags of values against those before them, as columns: spikes, and numbers that stand still. Pure.

A series holds values of many datastreams: sorted by group, then by time, none NaN. What was stored before comes first
in its group; it is looked at and not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEFORE: Final = 7
"""How many values before it a value is held against."""
LEAST_BEFORE: Final = 3
"""With fewer before it nothing can be said."""
LEAST_RUN: Final = 12
"""A number that stands still was read so often at least: two readings hours apart prove nothing."""
_SIGMAS: Final = 6.0
_SIGMA_OF_MAD: Final = 1.4826
"""The median absolute deviation of normal noise times this is its standard deviation (Hampel, 1974)."""


def spikes(group: NDArray[np.intp], value: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Values far both from the value before them and from the median of those before.

    A Hampel test that looks back only, so that the answer stands when the value is written. The step of a world that
    has changed is marked once, at most: the next value is near the one before it.

    Args:
        group: of each value, ascending, shape (n,).
        value: shape (n,).
        least: the least departure of each value that may be a spike, shape (n,); NaN or infinity: none is.
    """
    marked = np.zeros(len(value), dtype=np.bool_)
    if len(value) < 2:  # noqa: PLR2004  # nothing stands before anything
        return marked
    near = np.empty(len(value), dtype=np.bool_)
    near[0] = True
    np.less_equal(np.abs(np.diff(value)), least[1:], out=near[1:])
    near[1:] |= (group[1:] != group[:-1]) | np.isnan(least[1:])
    at = np.flatnonzero(~near)
    if not len(at):
        return marked
    place = at[:, None] - np.arange(1, BEFORE + 1)
    known = place >= 0
    known &= group[np.maximum(place, 0)] == group[at][:, None]
    enough = known.sum(axis=1) >= LEAST_BEFORE
    at, place, known = at[enough], place[enough], known[enough]
    if not len(at):
        return marked
    before = np.where(known, value[np.maximum(place, 0)], np.nan)
    count = known.sum(axis=1)
    middle = _medians(before, count)
    noise = _medians(np.abs(before - middle[:, None]), count) * (_SIGMAS * _SIGMA_OF_MAD)
    marked[at] = np.abs(value[at] - middle) > np.maximum(noise, least[at])
    return marked


def _medians(values: NDArray[np.float64], count: NDArray[np.intp]) -> NDArray[np.float64]:
    """Median of each row, of which `count` are numbers; numpy's own takes a millisecond a call for rows with NaN."""
    ordered = np.sort(values, axis=1)  # NaN last
    row = np.arange(len(values))
    return (ordered[row, (count - 1) // 2] + ordered[row, count // 2]) / 2


@dataclass(frozen=True, slots=True)
class Runs:
    """How long each value of a series has stood, itself included."""

    since_us: NDArray[np.int64]  # time of the first value of its run, shape (n,)
    count: NDArray[np.int64]  # values of the run up to this one


def runs(
    group: NDArray[np.intp], value: NDArray[np.float64], since_us: NDArray[np.int64], count: NDArray[np.int64]
) -> Runs:
    """Runs of equal values.

    Args:
        group: of each value, ascending, shape (n,).
        value: shape (n,).
        since_us: of each value its time; of one stored before, the time since which it stands, shape (n,).
        count: of each value 1; of one stored before, how often it was read since, shape (n,).
    """
    if not len(value):
        return Runs(since_us, count)
    new = np.r_[True, (group[1:] != group[:-1]) | (value[1:] != value[:-1])]
    starts = np.flatnonzero(new)
    run = np.cumsum(new) - 1
    first = starts[run]
    return Runs(since_us=since_us[first], count=count[first] + np.arange(len(value)) - first)
