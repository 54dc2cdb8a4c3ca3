"""Reductions over what lies between readings: they need them in order, and merge adjacent spans by their ends.

Each folds rows on their own (`fold_*`) and merges two spans of which the right one does not start before the left one
ends (`merge_*`); what lies between the two is found from the last value of the left and the first of the right, so both
must hold the columns of `first` and `last`. A reading that comes late makes the caller fold its window anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from devices.reductions.rows import NEVER_FIRST, NEVER_LAST, STATES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from devices.reductions.rows import Options, Partials, Rows


def _gaps(left: Partials, right: Partials, options: Options) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Where both spans hold something, and how long the left one's last value held there; 0 elsewhere."""
    both = (left["last_time"] != NEVER_LAST) & (right["first_time"] != NEVER_FIRST)
    gap = np.where(both, right["first_time"], 0) - np.where(both, left["last_time"], 0)
    if (gap < 0).any():
        raise ValueError("the right span starts before the left one ends; fold the window anew")
    return both, np.minimum(gap, options.hold_us)


def _held_us(rows: Rows) -> NDArray[np.int64]:
    """How long the reading before each of `rows.follows` held, microseconds."""
    at = rows.follows
    held: NDArray[np.int64] = np.minimum(rows.time_us[at] - rows.time_us[at - 1], rows.options.hold_of(rows.group[at]))
    return held


def _sum_at(group: NDArray[np.intp], weights: NDArray[Any], groups: int) -> NDArray[np.float64]:
    # Without rows bincount answers integers, weights or not.
    total: NDArray[np.float64] = np.bincount(group, weights, minlength=groups).astype(np.float64, copy=False)
    return total


def fold_time_weighted(rows: Rows) -> Partials:
    """Value times seconds held, and seconds; a value holds until the next one, at most `hold_us`."""
    at, held = rows.follows, _held_us(rows) * 1e-6
    group = rows.group[at]
    return {
        "held_value_s": _sum_at(group, rows.value[at - 1] * held, rows.groups),
        "held_s": _sum_at(group, held, rows.groups),
    }


def merge_time_weighted(left: Partials, right: Partials, options: Options) -> Partials:
    """Adds what the left span's last value held until the right one began."""
    both, gap = _gaps(left, right, options)
    gap_s = gap * 1e-6
    return {
        "held_value_s": left["held_value_s"] + right["held_value_s"] + np.where(both, left["last"], 0.0) * gap_s,
        "held_s": left["held_s"] + right["held_s"] + gap_s,
    }


def finish_time_weighted(state: Partials) -> Partials:
    """The mean over time; the plain value where nothing was held, NaN where there is no reading."""
    held = state["held_s"] > 0
    mean = np.divide(state["held_value_s"], state["held_s"], out=np.full(len(held), np.nan), where=held)
    return {"time_weighted_mean": np.where(held | (state["count"] == 0), mean, state["last"])}


def fold_increase(rows: Rows) -> Partials:
    """How far a counter went up; where it falls it began anew at zero."""
    at = rows.follows
    step, reset = _steps(rows.value[at - 1], rows.value[at])
    group = rows.group[at]
    return {
        "increase": _sum_at(group, step, rows.groups),
        "resets": np.bincount(group[reset], minlength=rows.groups),
    }


def _steps(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    reset = after < before
    return np.where(reset, after, after - before), reset


def merge_increase(left: Partials, right: Partials, options: Options) -> Partials:
    """Adds the step from the left span's last value to the right one's first."""
    both, _ = _gaps(left, right, options)
    step, reset = _steps(np.where(both, left["last"], 0.0), np.where(both, right["first"], 0.0))
    return {
        "increase": left["increase"] + right["increase"] + step,
        "resets": left["resets"] + right["resets"] + reset,
    }


def _state_of(value: NDArray[np.float64]) -> NDArray[np.intp]:
    known = (value >= 0) & (value < STATES - 1) & (value == np.floor(value))
    return np.where(known, value, STATES - 1).astype(np.intp)


def fold_states(rows: Rows) -> Partials:
    """Seconds in each state, a state held at most `hold_us`; how often the value changed."""
    at, held = rows.follows, _held_us(rows) * 1e-6
    group, before = rows.group[at], rows.value[at - 1]
    return {
        "state_s": _sum_at(group * STATES + _state_of(before), held, rows.groups * STATES).reshape(-1, STATES),
        "transitions": np.bincount(group[before != rows.value[at]], minlength=rows.groups),
    }


def merge_states(left: Partials, right: Partials, options: Options) -> Partials:
    """Adds the state in which the left span ended, until the right one began."""
    both, gap = _gaps(left, right, options)
    state_s = left["state_s"] + right["state_s"]
    last, first = np.where(both, left["last"], 0.0), np.where(both, right["first"], 0.0)
    state_s[np.arange(len(gap)), _state_of(last)] += gap * 1e-6
    return {"state_s": state_s, "transitions": left["transitions"] + right["transitions"] + (last != first)}


def fold_exceedance(rows: Rows) -> Partials:
    """Readings above the limit, and the longest run of them; also the runs at both ends, of which more may come."""
    none = np.zeros(rows.groups, dtype=np.int64)
    result = {"above": none, "longest_run": none.copy(), "run_at_start": none.copy(), "run_at_end": none.copy()}
    if not len(rows):
        return result
    group, above = rows.group, rows.value > rows.options.limit_of(rows.group)
    result["above"] = np.bincount(group[above], minlength=rows.groups)
    new_group = np.r_[True, group[1:] != group[:-1]]
    starts = np.flatnonzero(new_group | np.r_[True, above[1:] != above[:-1]])
    ends = np.r_[starts[1:], len(group)]
    length, exceeds = ends - starts, above[starts]
    np.maximum.at(result["longest_run"], group[starts[exceeds]], length[exceeds])
    at_start = exceeds & new_group[starts]
    result["run_at_start"][group[starts[at_start]]] = length[at_start]
    at_end = exceeds & np.r_[new_group[starts[1:]], True]
    result["run_at_end"][group[starts[at_end]]] = length[at_end]
    return result


def merge_exceedance(left: Partials, right: Partials, options: Options) -> Partials:
    """Joins the run at the left span's end with that at the right one's start."""
    _gaps(left, right, options)
    across = left["run_at_end"] + right["run_at_start"]
    return {
        "above": left["above"] + right["above"],
        "longest_run": np.maximum(np.maximum(left["longest_run"], right["longest_run"]), across),
        "run_at_start": np.where(left["run_at_start"] == left["count"], across, left["run_at_start"]),
        "run_at_end": np.where(right["run_at_end"] == right["count"], across, right["run_at_end"]),
    }
