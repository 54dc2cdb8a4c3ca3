"""Windows in the contract's shape: which figures each reduction answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from devices.quality import FLAG_NAMES, flag_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from api.history_schemas import WindowStatistics
    from api.parts import Windows
    from api.schemas import MeanKind

    Column = list[Any]

_BASIC: Final = ("min", "min_time", "max", "max_time", "sum", "first", "last", "standard_deviation")
_KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "energetic-mean": ("energetic_mean",),
    "circular-mean": ("circular_mean", "resultant_length"),
    "harmonic-mean": ("harmonic_mean",),
    "time-weighted-mean": ("time_weighted_mean",),
    "increase": ("increase", "resets"),
    "exceedance": ("above", "longest_run"),
    "states": ("transitions",),
    "sketch": ("p50", "p90", "p95", "p99", "l10", "l50", "l90"),
}
"""Reduction -> its figures, by the same names in the answer."""
_WHOLE: Final = frozenset({"resets", "above", "longest_run", "transitions"})
_MEAN: Final[Mapping[MeanKind, str]] = {
    "arithmetic": "mean",
    "energetic": "energetic_mean",
    "circular": "circular_mean",
}


def window_items(
    windows: Windows,
    spans: Sequence[tuple[datetime, datetime]],
    expected: Sequence[int],
    *,
    keeps: Sequence[str],
    mean: MeanKind,
    words: Mapping[int, str],
    time_of: Callable[[int], datetime],
) -> list[WindowStatistics]:
    """Every window asked for, those without observations included.

    Args:
        windows: those that hold something.
        spans: start and end of every window.
        expected: how many observations were due in each.
        keeps: reductions the datastream keeps.
        mean: how `mean` is made.
        words: what a state's number means, where it has words.
        time_of: Unix microseconds -> time.
    """
    figures = dict(windows.figures)
    figures["standard_deviation"] = np.sqrt(figures["variance"])
    seen = figures["count"] > 0
    names = {"mean": _MEAN[mean], **{name: name for name in _BASIC}}
    names |= {name: name for reduction in keeps for name in _KEPT[reduction]}
    columns: dict[str, Column] = {}
    for name, source in names.items():
        column = figures.get(source)
        if column is None:
            columns[name] = [None] * len(seen)
        elif source.endswith("_time"):
            columns[name] = [time_of(us) if there else None for us, there in zip(column.tolist(), seen, strict=True)]
        else:
            columns[name] = _or_null(column, seen, whole=name in _WHOLE)
    for name in ("first", "last"):
        times = zip(figures[f"{name}_time"].tolist(), seen, strict=True)
        columns[f"{name}_phenomenon_time"] = [time_of(us) if there else None for us, there in times]
    if "states" in keeps:
        columns["state_s"] = _states(figures["state_s"], seen, words)
    names_of_columns = tuple(columns)
    rows = list(zip(*columns.values(), strict=True)) if len(seen) else []
    counts, flagged = figures["count"].tolist(), windows.flagged.tolist()
    flags = _flags(windows.flags)
    at_of = dict(zip(windows.place.tolist(), range(len(seen)), strict=True))
    nothing = dict.fromkeys(names_of_columns)
    items = []
    for number, ((start, end), due) in enumerate(zip(spans, expected, strict=True)):
        at = at_of.get(number)
        count = 0 if at is None else int(counts[at])
        item: dict[str, Any] = {
            "start": start,
            "end": end,
            "count": count,
            "expected": due,
            "coverage": min(1.0, count / due) if due else None,
            "flagged": 0 if at is None else flagged[at],
            "flags": {} if at is None else flags[at],
            **(nothing if at is None else dict(zip(names_of_columns, rows[at], strict=True))),
        }
        items.append(item)
    return cast("list[WindowStatistics]", items)


def _or_null(column: Any, seen: Any, *, whole: bool) -> Column:
    values = np.asarray(column, dtype=np.float64)
    there = seen & np.isfinite(values)
    if whole:
        return [int(value) if known else None for value, known in zip(values.tolist(), there.tolist(), strict=True)]
    return [value if known else None for value, known in zip(values.tolist(), there.tolist(), strict=True)]


def _states(seconds: Any, seen: Any, words: Mapping[int, str]) -> Column:
    """Seconds by the state's word, or its number; states 7 and beyond together as `other`."""
    names = [words.get(number, str(number)) for number in range(seconds.shape[1] - 1)] + ["other"]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value > 0} if known else None
        for row, known in zip(seconds.tolist(), seen.tolist(), strict=True)
    ]


def _flags(flags: Any) -> list[dict[str, int]]:
    ids = [flag_id(flag) for flag in FLAG_NAMES]
    return [
        {name: count for name, count in zip(ids, row, strict=True) if count} if any(row) else {}
        for row in flags.tolist()
    ]
