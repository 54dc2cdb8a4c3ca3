"""The table of reductions: what each keeps, how it takes rows, merges, and answers."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.reductions import ordered, sketch, unordered
from devices.reductions.rows import NEVER_FIRST, NEVER_LAST, STATES, Rows
from devices.reductions.sketch import Sketch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from devices.reductions.rows import Options, Partials


@dataclass(frozen=True, slots=True)
class Column:
    """A partial column: one element a group."""

    name: str
    dtype: type[np.generic]
    fill: float  # of a group without readings
    width: int = 1  # elements a group


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """One way to sum up readings.

    Either `add` changes partials in place by rows in any order, or `fold` makes partials of rows in order, which are
    then merged behind those that stand.
    """

    name: str
    applies_to: str  # for people: kinds of datastreams it is meant for
    columns: tuple[Column, ...]
    merge: Callable[[Partials, Partials, Options], Partials]
    finalise: Callable[[Partials], Partials]
    add: Callable[[Partials, Rows], None] | None = None
    fold: Callable[[Rows], Partials] | None = None
    needs: tuple[str, ...] = ()  # reductions whose columns it reads, too

    @property
    def is_ordered(self) -> bool:
        """Whether it looks at what lies between readings."""
        return self.fold is not None


def _as_it_is(*names: str) -> Callable[[Partials], Partials]:
    return lambda state: {name: state[name] for name in names}


def _where_seen(*names: str) -> Callable[[Partials], Partials]:
    """Values of groups with readings, NaN elsewhere, and times as they are."""

    def finalise(state: Partials) -> Partials:
        seen = state["count"] > 0
        return {name: state[name] if name.endswith("_time") else np.where(seen, state[name], np.nan) for name in names}

    return finalise


_COUNT: Final = Column("count", np.int64, 0)
_ALL: Final = "any number"
_LEVEL: Final = "a quantity read at instants"

REDUCTIONS: Final[Mapping[str, Reduction]] = MappingProxyType(
    {
        reduction.name: reduction
        for reduction in (
            Reduction(
                name="count",
                applies_to=_ALL,
                columns=(_COUNT,),
                add=unordered.add_count,
                merge=unordered.added("count"),
                finalise=_as_it_is("count"),
            ),
            Reduction(
                name="sum",
                applies_to=_ALL,
                columns=(Column("sum", np.float64, 0),),
                add=unordered.add_sum,
                merge=unordered.added("sum"),
                finalise=_where_seen("sum"),
                needs=("count",),
            ),
            Reduction(
                name="mean",
                applies_to=_ALL,
                columns=(),
                add=lambda _state, _rows: None,
                merge=unordered.added(),
                finalise=unordered.finish_mean,
                needs=("count", "sum"),
            ),
            Reduction(
                name="sum-of-squares",
                applies_to=_ALL,
                columns=(Column("sum_of_squares", np.float64, 0),),
                add=unordered.add_sum_of_squares,
                merge=unordered.added("sum_of_squares"),
                finalise=_where_seen("sum_of_squares"),
                needs=("count",),
            ),
            Reduction(
                name="min",
                applies_to=_ALL,
                columns=(Column("min", np.float64, np.inf),),
                add=unordered.add_minimum,
                merge=unordered.merge_minimum,
                finalise=_where_seen("min"),
                needs=("count",),
            ),
            Reduction(
                name="max",
                applies_to=_ALL,
                columns=(Column("max", np.float64, -np.inf),),
                add=unordered.add_maximum,
                merge=unordered.merge_maximum,
                finalise=_where_seen("max"),
                needs=("count",),
            ),
            Reduction(
                name="min-with-time",
                applies_to=_ALL,
                columns=(Column("min", np.float64, np.inf), Column("min_time", np.int64, NEVER_FIRST)),
                add=unordered.add_minimum_with_time,
                merge=unordered.merge_minimum_with_time,
                finalise=_where_seen("min", "min_time"),
                needs=("count",),
            ),
            Reduction(
                name="max-with-time",
                applies_to=_ALL,
                columns=(Column("max", np.float64, -np.inf), Column("max_time", np.int64, NEVER_FIRST)),
                add=unordered.add_maximum_with_time,
                merge=unordered.merge_maximum_with_time,
                finalise=_where_seen("max", "max_time"),
                needs=("count",),
            ),
            Reduction(
                name="first",
                applies_to=_ALL,
                columns=(Column("first_time", np.int64, NEVER_FIRST), Column("first", np.float64, np.nan)),
                add=unordered.add_first,
                merge=unordered.merge_first,
                finalise=_as_it_is("first", "first_time"),
            ),
            Reduction(
                name="last",
                applies_to=_ALL,
                columns=(Column("last_time", np.int64, NEVER_LAST), Column("last", np.float64, np.nan)),
                add=unordered.add_last,
                merge=unordered.merge_last,
                finalise=_as_it_is("last", "last_time"),
            ),
            Reduction(
                name="variance",
                applies_to=_ALL,
                columns=(
                    Column("count_of_moment", np.int64, 0),
                    Column("mean_of_moment", np.float64, 0),
                    Column("second_moment", np.float64, 0),
                ),
                add=unordered.add_second_moment,
                merge=unordered.merge_second_moment,
                finalise=unordered.finish_second_moment,
            ),
            Reduction(
                name="sketch",
                applies_to=_ALL,
                columns=(),
                add=sketch.add_sketch,
                merge=sketch.merge_sketch,
                finalise=sketch.finish_sketch,
            ),
            Reduction(
                name="energetic-mean",
                applies_to="levels in decibels",
                columns=(Column("energy", np.float64, 0),),
                add=unordered.add_energy,
                merge=unordered.added("energy"),
                finalise=unordered.finish_energy,
                needs=("count",),
            ),
            Reduction(
                name="circular-mean",
                applies_to="directions in degrees",
                columns=(Column("east", np.float64, 0), Column("north", np.float64, 0)),
                add=unordered.add_direction,
                merge=unordered.added("east", "north"),
                finalise=unordered.finish_direction,
                needs=("count",),
            ),
            Reduction(
                name="harmonic-mean",
                applies_to="mean speeds, each weighing as many vehicles as it is the mean of",
                columns=(Column("weight", np.float64, 0), Column("weight_by_value", np.float64, 0)),
                add=unordered.add_harmonic,
                merge=unordered.added("weight", "weight_by_value"),
                finalise=unordered.finish_harmonic,
            ),
            Reduction(
                name="time-weighted-mean",
                applies_to=_LEVEL,
                columns=(Column("held_value_s", np.float64, 0), Column("held_s", np.float64, 0)),
                fold=ordered.fold_time_weighted,
                merge=ordered.merge_time_weighted,
                finalise=ordered.finish_time_weighted,
                needs=("count", "first", "last"),
            ),
            Reduction(
                name="increase",
                applies_to="counters that only grow until they begin anew",
                columns=(Column("increase", np.float64, 0), Column("resets", np.int64, 0)),
                fold=ordered.fold_increase,
                merge=ordered.merge_increase,
                finalise=_as_it_is("increase", "resets"),
                needs=("first", "last"),
            ),
            Reduction(
                name="states",
                applies_to="enumerations",
                columns=(Column("state_s", np.float64, 0, STATES), Column("transitions", np.int64, 0)),
                fold=ordered.fold_states,
                merge=ordered.merge_states,
                finalise=_as_it_is("state_s", "transitions"),
                needs=("first", "last"),
            ),
            Reduction(
                name="exceedance",
                applies_to="quantities with a limit",
                columns=tuple(
                    Column(name, np.int64, 0) for name in ("above", "longest_run", "run_at_start", "run_at_end")
                ),
                fold=ordered.fold_exceedance,
                merge=ordered.merge_exceedance,
                finalise=_as_it_is("above", "longest_run"),
                needs=("count", "first", "last"),
            ),
        )
    }
)

_WITH_TIME: Final = {"min": "min-with-time", "max": "max-with-time"}


class Aggregation:
    """A choice of reductions, with all that they need; the functions of the table applied together."""

    def __init__(self, names: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(names))
        for name in wanted:  # grows while it is walked
            wanted += [needed for needed in REDUCTIONS[name].needs if needed not in wanted]
        plain = [name for name in wanted if _WITH_TIME.get(name) not in wanted]
        # Those in order first: they look at the ends of what stands before these move.
        self.reductions: tuple[Reduction, ...] = tuple(
            sorted((REDUCTIONS[name] for name in plain), key=lambda reduction: not reduction.is_ordered)
        )
        self.has_sketch = "sketch" in wanted
        self.columns: tuple[Column, ...] = tuple(column for each in self.reductions for column in each.columns)

    def empty(self, groups: int) -> Partials:
        """Partials of no readings."""
        state: Partials = {}
        for column in self.columns:
            shape: Sequence[int] = (groups,) if column.width == 1 else (groups, column.width)
            state[column.name] = np.full(shape, column.fill, dtype=column.dtype)
        if self.has_sketch:
            state["sketch"] = Sketch.empty(groups)
        return state

    def add(self, state: Partials, rows: Rows) -> None:
        """Add readings to partials, in place.

        Raises:
            ValueError: a reduction over what lies between readings met some that are older than what stands.
        """
        if any(reduction.is_ordered for reduction in self.reductions):
            self._add_in_order(state, rows)
        for reduction in self.reductions:
            if reduction.add is not None and (reduction.name != "sketch" or "sketch" in state):
                reduction.add(state, rows)

    def _add_in_order(self, state: Partials, rows: Rows) -> None:
        ends = Aggregation(("count", "first", "last"))
        span = ends.empty(rows.groups)
        ends.add(span, rows)
        in_order = rows.in_order
        for reduction in self.reductions:
            if reduction.fold is not None:
                merged = reduction.merge(state, {**span, **reduction.fold(in_order)}, rows.options)
                for column in reduction.columns:
                    state[column.name][...] = merged[column.name]

    def merge(self, left: Partials, right: Partials, options: Options) -> Partials:
        """Partials of the readings of both, the right ones not before the left ones where order counts."""
        merged: Partials = {}
        for reduction in self.reductions:
            merged.update(reduction.merge(left, right, options))
        return merged

    def finalise(self, state: Partials) -> Mapping[str, Any]:
        """The figures people ask for, each of shape (groups,)."""
        figures: dict[str, Any] = {}
        for reduction in self.reductions:
            figures.update(reduction.finalise(state))
        return figures


BASIC: Final = ("count", "sum", "min", "max", "first", "last", "sum-of-squares")
"""The set that other systems offer and benchmarks compare."""

_CHUNK: Final = 50_000
"""Rows at a time: what belongs to them stays in the processor's cache."""


def add_by_windows(
    aggregation: Aggregation,
    state: Partials,
    *,
    datastream: NDArray[np.integer],
    time_us: NDArray[np.int64],
    value: NDArray[np.float64],
    datastreams: int,
    origin_us: int,
    window_us: int,
) -> None:
    """Add readings of many datastreams to windows of one length, all at once, in any order that the reductions allow.

    Args:
        aggregation: the reductions.
        state: partials of windows x datastreams groups, window by window; changed in place.
        datastream: numbers 0..datastreams-1, shape (n,).
        time_us: phenomenon times, shape (n,), none before `origin_us` or after the last window.
        value: shape (n,), none NaN.
        datastreams: how many there are.
        origin_us: start of the first window.
        window_us: length of a window.
    """
    for start in range(0, len(value), _CHUNK):
        part = slice(start, start + _CHUNK)
        times = time_us[part]
        window = (times - origin_us) // window_us
        low = int(window.min()) * datastreams
        high = (int(window.max()) + 1) * datastreams
        group = window * datastreams
        group += datastream[part]
        group -= low
        rows = Rows(group, times, value[part], high - low)
        views = {name: column[low:high] for name, column in state.items() if name != "sketch"}
        aggregation.add(views, rows)
    if aggregation.has_sketch:
        # All at once: many small sketches would cost more to merge than one great one to count.
        window = (time_us - origin_us) // window_us
        window *= datastreams
        window += datastream
        groups = state["sketch"].groups
        state["sketch"] = state["sketch"].merged(sketch.fold_sketch(Rows(window, time_us, value, groups)))
