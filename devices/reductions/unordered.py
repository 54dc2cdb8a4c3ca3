"""Reductions that do not care in which order readings come: each adds rows to partials and merges two partials.

`accumulate` changes its state in place, over dense arrays of all groups; that is what makes it fast. Merging never
changes its arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from devices.reductions.rows import NEVER_FIRST, NEVER_LAST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from devices.reductions.rows import Options, Partials, Rows

_CIRCLE = 360.0
_LEAST_RESULTANT = 1e-9
"""Below this resultant length the mean direction is an accident of rounding."""


def add_count(state: Partials, rows: Rows) -> None:
    """How many readings."""
    if rows.is_sparse:
        np.add.at(state["count"], rows.group, 1)
    else:
        state["count"] += rows.count


def add_sum(state: Partials, rows: Rows) -> None:
    """Their sum."""
    rows.add_to(state["sum"], rows.value)


def add_sum_of_squares(state: Partials, rows: Rows) -> None:
    """The sum of their squares, as SQL and dataframes know it; for a variance take `second_moment`."""
    rows.add_to(state["sum_of_squares"], rows.value * rows.value)


def add_minimum(state: Partials, rows: Rows) -> None:
    """The least value."""
    np.minimum.at(state["min"], rows.group, rows.value)


def add_maximum(state: Partials, rows: Rows) -> None:
    """The greatest value."""
    np.maximum.at(state["max"], rows.group, rows.value)


def add_minimum_with_time(state: Partials, rows: Rows) -> None:
    """The least value and the first time it was seen."""
    _add_extreme(state["min"], state["min_time"], np.minimum, rows)


def add_maximum_with_time(state: Partials, rows: Rows) -> None:
    """The greatest value and the first time it was seen."""
    _add_extreme(state["max"], state["max_time"], np.maximum, rows)


def _add_extreme(value: NDArray[np.float64], time_us: NDArray[np.int64], better: np.ufunc, rows: Rows) -> None:
    before = value.copy()
    better.at(value, rows.group, rows.value)
    time_us[value != before] = NEVER_FIRST
    hit = np.flatnonzero(value[rows.group] == rows.value)
    np.minimum.at(time_us, rows.group[hit], rows.time_us[hit])


def add_first(state: Partials, rows: Rows) -> None:
    """The first time and its value; of equal times the one that came first."""
    time_us, group = state["first_time"], rows.group
    before = time_us.copy()
    np.minimum.at(time_us, group, rows.time_us)
    hit = np.flatnonzero(time_us[group] == rows.time_us)
    at = group[hit]
    hit = hit[time_us[at] != before[at]][::-1]  # backwards: the one written last stays
    state["first"][group[hit]] = rows.value[hit]


def add_last(state: Partials, rows: Rows) -> None:
    """The last time and its value; of equal times the one that came last."""
    time_us, group = state["last_time"], rows.group
    np.maximum.at(time_us, group, rows.time_us)
    hit = np.flatnonzero(time_us[group] == rows.time_us)
    state["last"][group[hit]] = rows.value[hit]


def add_second_moment(state: Partials, rows: Rows) -> None:
    """The sum of squared differences from the mean, in two passes, so that a great mean takes nothing from it."""
    count, mean = rows.count, state["mean_of_moment"]
    known = count > 0
    # Around some value of the group, not around zero: the mean of great values would be rounded too coarsely.
    pivot = np.zeros(rows.groups)
    pivot[rows.group] = rows.value
    offset = np.zeros(rows.groups)
    np.divide(rows.total(rows.value - pivot[rows.group]), count, out=offset, where=known)
    deviation = (rows.value - pivot[rows.group]) - offset[rows.group]
    new = {
        "count_of_moment": count,
        "mean_of_moment": pivot + offset,
        "second_moment": rows.total(deviation * deviation),
    }
    merged = merge_second_moment(state, new, rows.options)
    mean[:] = merged["mean_of_moment"]
    state["count_of_moment"][:] = merged["count_of_moment"]
    state["second_moment"][:] = merged["second_moment"]


def merge_second_moment(left: Partials, right: Partials, _: Options) -> Partials:
    """Chan, Golub and LeVeque, 1979: the moments about either mean, and what lies between the means."""
    n_left, n_right = left["count_of_moment"], right["count_of_moment"]
    n = n_left + n_right
    share = np.zeros(len(n))
    np.divide(n_right, n, out=share, where=n > 0)
    apart = np.where((n_left > 0) & (n_right > 0), right["mean_of_moment"] - left["mean_of_moment"], 0.0)
    mean = np.where(n_left > 0, left["mean_of_moment"] + apart * share, right["mean_of_moment"])
    moment = left["second_moment"] + right["second_moment"] + apart * apart * n_left * share
    return {"count_of_moment": n, "mean_of_moment": mean, "second_moment": moment}


def add_energy(state: Partials, rows: Rows) -> None:
    """The sum of the energies of levels in decibels, relative to that of 0 dB; good up to 3000 dB."""
    state["energy"] += rows.total(np.power(10.0, rows.value / 10.0))


def add_direction(state: Partials, rows: Rows) -> None:
    """The sum of unit vectors of directions in degrees."""
    angle = np.deg2rad(rows.value)
    state["east"] += rows.total(np.sin(angle))
    state["north"] += rows.total(np.cos(angle))


def add_harmonic(state: Partials, rows: Rows) -> None:
    """Weights and weights by value; readings of no weight or not above zero tell nothing about a mean speed."""
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    counts = (weight > 0) & (rows.value > 0)
    weight = np.where(counts, weight, 0.0)
    state["weight"] += rows.total(weight)
    with np.errstate(over="ignore"):  # next to no speed: the mean is then 0
        by_value = np.divide(weight, rows.value, out=np.zeros(len(rows)), where=counts)
    state["weight_by_value"] += rows.total(by_value)


def added(*names: str) -> Any:
    """A merge that adds these columns."""

    def merge(left: Partials, right: Partials, _: Options) -> Partials:
        return {name: left[name] + right[name] for name in names}

    return merge


def merge_minimum(left: Partials, right: Partials, _: Options) -> Partials:
    """The lesser."""
    return {"min": np.minimum(left["min"], right["min"])}


def merge_maximum(left: Partials, right: Partials, _: Options) -> Partials:
    """The greater."""
    return {"max": np.maximum(left["max"], right["max"])}


def merge_minimum_with_time(left: Partials, right: Partials, _: Options) -> Partials:
    """The lesser, or of equal ones the earlier."""
    return _merge_extreme(left, right, "min", right["min"] < left["min"])


def merge_maximum_with_time(left: Partials, right: Partials, _: Options) -> Partials:
    """The greater, or of equal ones the earlier."""
    return _merge_extreme(left, right, "max", right["max"] > left["max"])


def _merge_extreme(left: Partials, right: Partials, name: str, right_better: NDArray[np.bool_]) -> Partials:
    time = f"{name}_time"
    earlier = (right[name] == left[name]) & (right[time] < left[time])
    take = right_better | earlier
    return {name: np.where(take, right[name], left[name]), time: np.where(take, right[time], left[time])}


def merge_first(left: Partials, right: Partials, _: Options) -> Partials:
    """The earlier; of equal times the left one, which came first."""
    take = right["first_time"] < left["first_time"]
    return {
        "first_time": np.where(take, right["first_time"], left["first_time"]),
        "first": np.where(take, right["first"], left["first"]),
    }


def merge_last(left: Partials, right: Partials, _: Options) -> Partials:
    """The later; of equal times the right one, which came later."""
    take = (right["last_time"] >= left["last_time"]) & (right["last_time"] != NEVER_LAST)
    return {
        "last_time": np.where(take, right["last_time"], left["last_time"]),
        "last": np.where(take, right["last"], left["last"]),
    }


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """Quotient, NaN where the divisor is 0."""
    ratio = np.full(len(below), np.nan)
    np.divide(above, below, out=ratio, where=below != 0)
    return ratio


def finish_mean(state: Partials) -> Partials:
    """The arithmetic mean; NaN where there is no reading."""
    return {"mean": _ratio(state["sum"], state["count"])}


def finish_second_moment(state: Partials) -> Partials:
    """The variance of the readings as a population, and of the sample they may be (NaN below two)."""
    n = state["count_of_moment"]
    return {
        "variance": _ratio(state["second_moment"], n),
        "sample_variance": _ratio(state["second_moment"], np.maximum(n - 1, 0)),
    }


def finish_energy(state: Partials) -> Partials:
    """The equivalent level in decibels; NaN where there is no reading."""
    mean = _ratio(state["energy"], state["count"])
    with np.errstate(divide="ignore"):
        return {"energetic_mean": 10.0 * np.log10(mean)}


def finish_direction(state: Partials) -> Partials:
    """The mean direction, degrees in [0, 360), NaN where directions cancel; the resultant length, 0 to 1."""
    length = _ratio(np.hypot(state["east"], state["north"]), state["count"])
    direction = np.rad2deg(np.arctan2(state["east"], state["north"])) % _CIRCLE
    direction = np.where(direction >= _CIRCLE, 0.0, direction)  # -tiny % 360 rounds to 360
    defined = length > _LEAST_RESULTANT
    return {
        "circular_mean": np.where(defined, direction, np.nan),
        "resultant_length": np.where(np.isnan(length), np.nan, np.minimum(length, 1.0)),
    }


def finish_harmonic(state: Partials) -> Partials:
    """The weighted harmonic mean; NaN where nothing weighs."""
    return {"harmonic_mean": _ratio(state["weight"], state["weight_by_value"])}
