"""What windows are made of, out of the row of the query `parts`, and how it becomes windows. Pure.

The reductions are those that keep the windows at rest; so what is answered before a window is folded and after is the
same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.quality import LEFT_OUT, Quality
from devices.reductions.rows import Options, Rows
from devices.reductions.sketch import Sketch, finish_sketch
from devices.reductions.table import Aggregation
from sql.copy_stream import from_postgres

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from devices.dated_limit import DatedLimit
    from devices.reductions.rows import Partials

_BASIC: Final = ("count", "sum", "min-with-time", "max-with-time", "first", "last", "variance", "mean")
_QUARTER_US: Final = 900_000_000
_FLAGS: Final = len(Quality)
_FLAG_ARRAY: Final = np.dtype([("head", ">i4", (5,)), ("item", [("length", ">i4"), ("value", ">i4")], (_FLAGS,))])
_STATE_ARRAY: Final = np.dtype([("head", ">i4", (5,)), ("item", [("length", ">i4"), ("value", ">f8")], (8,))])
_BIN: Final = np.dtype([("length", ">i4"), ("value", ">i2")])
_COUNT: Final = np.dtype([("length", ">i4"), ("value", ">i4")])
_DERIVED: Final = ("count_of_moment", "mean_of_moment")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a datastream's statistics."""

    keeps: tuple[str, ...]
    shift_us: int  # from the time that places a value to its phenomenon time
    options: Options
    limit: DatedLimit | None = None  # of the exceedance, where that is kept


@dataclass(slots=True)
class Parts:
    """Spans of one datastream, each a group of the partials."""

    start_us: NDArray[np.int64]  # shape (n,)
    flagged: NDArray[np.int64]
    flags: NDArray[np.int64]  # shape (n, flags)
    partials: Partials


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows that hold something, ascending."""

    place: NDArray[np.intp]  # number of each among the windows asked for, shape (n,)
    flagged: NDArray[np.int64]
    flags: NDArray[np.int64]
    figures: Mapping[str, NDArray[Any]]  # NaN: not known


def windows_of(row: Mapping[str, Any], kept: Kept, starts_us: NDArray[np.int64]) -> Windows:
    """Put together the windows of one datastream.

    Args:
        row: of the query `parts`.
        kept: what the datastream keeps.
        starts_us: where the windows start, ascending, each ending where the next one starts.
    """
    dense = Aggregation((*_BASIC, *(name for name in kept.keeps if name != "sketch")))
    parts = _at_rest(row, dense)
    if row["o_time"]:
        parts = _joined(parts, _of_tail(row, kept, dense))
    # A window at rest may hold other datastreams of the device alone.
    parts = _taken(parts, np.flatnonzero((parts.partials["count"] > 0) | (parts.flagged > 0)))
    window = np.searchsorted(starts_us, parts.start_us, side="right") - 1
    order = np.lexsort((parts.start_us, window))
    window = window[order]
    first = np.flatnonzero(np.r_[True, window[1:] != window[:-1]]) if len(window) else np.zeros(0, dtype=np.intp)
    size = np.diff(np.r_[first, len(window)])
    result = _taken(parts, order[first])
    for rank in range(1, int(size.max(initial=0))):
        at = np.flatnonzero(size > rank)
        right = _taken(parts, order[first[at] + rank])
        left = _taken(result, at)
        for name, column in dense.merge(left.partials, right.partials, kept.options).items():
            result.partials[name][at] = column
        result.flagged[at] += right.flagged
        result.flags[at] += right.flags
    place = window[first]
    figures = dict(dense.finalise(result.partials))
    if "sketch" in kept.keeps:
        figures |= _percentiles(row, kept, starts_us, place, result.partials["count"])
    return Windows(place, result.flagged, result.flags, figures)


def _taken(parts: Parts, at: NDArray[np.intp]) -> Parts:
    if len(at) == len(parts.start_us) and (at == np.arange(len(at))).all():
        return parts  # of a year of hours copying costs as much as finding them
    partials = {name: column[at] for name, column in parts.partials.items()}
    return Parts(parts.start_us[at], parts.flagged[at], parts.flags[at], partials)


def _joined(left: Parts, right: Parts) -> Parts:
    return Parts(
        np.concatenate((left.start_us, right.start_us)),
        np.concatenate((left.flagged, right.flagged)),
        np.concatenate((left.flags, right.flags)),
        {name: np.concatenate((column, right.partials[name])) for name, column in left.partials.items()},
    )


def _numbers(row: Mapping[str, Any], name: str, dtype: str) -> NDArray[Any]:
    found = np.frombuffer(row[name] or b"", dtype=dtype)
    return found.astype(found.dtype.newbyteorder("="))


def _times(row: Mapping[str, Any], name: str) -> NDArray[np.int64]:
    return from_postgres(_numbers(row, name, ">i8"))


def _at_rest(row: Mapping[str, Any], aggregation: Aggregation) -> Parts:
    start_us = _times(row, "w_start")
    size = len(start_us)
    partials: Partials = {}
    for column in aggregation.columns:
        name = column.name
        if name in _DERIVED:
            continue
        if name == "state_s":
            partials[name] = np.frombuffer(row["w_state_s"] or b"", _STATE_ARRAY)["item"]["value"].astype(np.float64)
        elif name.endswith("_time"):
            partials[name] = _times(row, f"w_{name}")
        else:
            partials[name] = _numbers(row, f"w_{name}", ">i4" if name == "count" else ">f8")
    partials["count_of_moment"] = partials["count"].astype(np.int64)
    partials["mean_of_moment"] = np.divide(
        partials["sum"], partials["count"], out=np.zeros(size), where=partials["count"] > 0
    )
    flags = np.zeros((size, _FLAGS), dtype=np.int64)
    marked = np.frombuffer(row["f_flags"] or b"", _FLAG_ARRAY)["item"]["value"]
    order = np.argsort(start_us, kind="stable")
    # No two parts at rest start at one time: finer ones begin where coarser ones end.
    flags[order[np.searchsorted(start_us, _times(row, "f_start"), sorter=order)]] = marked
    return Parts(start_us, _numbers(row, "w_flagged", ">i4").astype(np.int64), flags, partials)


def _of_tail(row: Mapping[str, Any], kept: Kept, aggregation: Aggregation) -> Parts:
    """Quarter hours of the observations that are not folded yet."""
    time_us = _times(row, "o_time")
    quality = _numbers(row, "o_quality", ">i2")
    start_us, group = np.unique((time_us - kept.shift_us) // _QUARTER_US * _QUARTER_US, return_inverse=True)
    good = (quality & int(LEFT_OUT)) == 0
    weight = _numbers(row, "o_weight", ">f8")
    rows = Rows(
        group[good],
        time_us[good],
        _numbers(row, "o_value", ">f8")[good],
        len(start_us),
        weight[good] if len(weight) else None,
        kept.options if kept.limit is None else replace(kept.options, limit=kept.limit.at(start_us)),
    )
    partials = aggregation.empty(len(start_us))
    aggregation.add(partials, rows)
    flags = [np.bincount(group[(quality & flag) != 0], minlength=len(start_us)) for flag in Quality]
    return Parts(
        start_us,
        np.bincount(group[~good], minlength=len(start_us)),
        np.stack(flags, axis=1),
        partials,
    )


def _percentiles(
    row: Mapping[str, Any],
    kept: Kept,
    starts_us: NDArray[np.int64],
    place: NDArray[np.intp],
    count: NDArray[np.int64],
) -> Partials:
    """Of windows all of whose readings are in a sketch; NaN for others, kept since later."""
    sizes = _numbers(row, "s_size", ">i4")
    window = np.searchsorted(starts_us, _times(row, "s_start"), side="right") - 1
    time_us, quality = _times(row, "o_time"), _numbers(row, "o_quality", ">i2")
    good = (quality & int(LEFT_OUT)) == 0
    at = np.searchsorted(starts_us, time_us[good] - kept.shift_us, side="right") - 1
    groups = len(starts_us)
    rows = Rows(at, time_us[good], _numbers(row, "o_value", ">f8")[good], groups)
    state: Partials = {"sketch": Sketch.empty(groups)}
    Aggregation(("sketch",)).add(state, rows)
    stored = Sketch(
        np.arange(int(sizes.sum()), dtype=np.intp) * 0 + np.repeat(window, sizes),
        np.frombuffer(row["s_bins"] or b"", _BIN)["value"].astype(np.int32),
        np.frombuffer(row["s_counts"] or b"", _COUNT)["value"].astype(np.int64),
        groups,
    )
    whole = stored.moved(np.arange(groups), groups).merged(state["sketch"])
    figures = finish_sketch({"sketch": whole})
    complete = np.bincount(whole.group, whole.count, minlength=groups)[place] == count
    return {name: np.where(complete, column[place], np.nan) for name, column in figures.items()}
