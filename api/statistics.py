"""Window statistics of one datastream: those at rest, and the observations that are not folded yet."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from api.windows import CALENDAR_UNIT, DAY_S, FIXED_LENGTH_S, TYPICAL_LENGTH_S, expected_count, windows_between
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from api.database import Database
    from api.schemas import ChosenResolution, MeanKind, WindowStatistics

_QUERIES = load_queries("api_statistics")

PAGE_OBSERVATIONS: Final = 1_000_000
"""A page holds so many windows that about this many observations are read for it: a second of work."""

MEAN_BY_PROPERTY: Final[Mapping[str, MeanKind]] = {
    "sound-level-equivalent": "energetic",  # levels add as energies
    "wind-direction": "circular",  # 359 and 1 make 0, not 180
}
"""Observed properties whose mean is not the arithmetic one."""


def mean_kind(property_id: str) -> MeanKind:
    """How values of an observed property are averaged."""
    return MEAN_BY_PROPERTY.get(property_id, "arithmetic")


def shift_s(datastream: Mapping[str, Any]) -> int:
    """By how much a phenomenon time lies after the time that places its value, seconds: the start of its period."""
    return datastream["period_s"] if datastream["period_s"] and datastream["stamp"] == "end" else 0


def windows_on_page(limit: int, resolution: ChosenResolution, interval_s: int) -> int:
    """How many windows a page holds: at most `limit`, and no more than `PAGE_OBSERVATIONS` allow; at least one."""
    due = max(1, TYPICAL_LENGTH_S[resolution] // interval_s)
    return max(1, min(limit, PAGE_OBSERVATIONS // due))


async def read_windows(
    database: Database,
    datastream: Mapping[str, Any],
    *,
    first: datetime,
    last: datetime,
    resolution: ChosenResolution,
    limit: int,
    now: datetime,
) -> tuple[list[WindowStatistics], datetime | None]:
    """One page of the windows that touch [first, last), those without observations included.

    Args:
        database: to read from.
        datastream: a row of the query `datastream`.
        first: inclusive.
        last: exclusive.
        resolution: length of a window.
        limit: most windows wanted.
        now: up to which observations were due.

    Returns:
        The windows, and where the next page starts; None when there is none.
    """
    on_page = windows_on_page(limit, resolution, datastream["interval_s"])
    windows = list(islice(windows_between(first, last, resolution), on_page + 1))
    following = windows[on_page][0] if len(windows) > on_page else None
    windows = windows[:on_page]
    if not windows:
        return [], None
    parameters = {
        "device_key": datastream["device_key"],
        "slot": datastream["slot"],
        "mean": mean_kind(datastream["property"]),
        "shift_s": shift_s(datastream),
        "first": windows[0][0],
        "last": windows[-1][1],
        "length_s": FIXED_LENGTH_S.get(resolution, DAY_S),  # months are summed up from days
        "unit": CALENDAR_UNIT.get(resolution),
    }
    rows = await database.rows(_QUERIES["windows"], parameters)
    row_by_start = {row["start"]: row for row in rows}
    return [
        _statistics(start, end, row_by_start.get(start), expected_count(start, end, now, datastream["interval_s"]))
        for start, end in windows
    ], following


def _statistics(start: datetime, end: datetime, row: Mapping[str, Any] | None, expected: int) -> WindowStatistics:
    count = row["count"] if row else 0
    return {
        "start": start,
        "end": end,
        "count": count,
        "expected": expected,
        "coverage": min(1.0, count / expected) if expected else None,
        "mean": row["mean"] if row else None,
        "min": row["min"] if row else None,
        "max": row["max"] if row else None,
        "sum": row["sum"] if row else None,
        "first_phenomenon_time": row["first_phenomenon_time"] if row else None,
        "last_phenomenon_time": row["last_phenomenon_time"] if row else None,
        "flagged": row["flagged"] if row else 0,
    }
