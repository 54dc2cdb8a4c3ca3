"""Window statistics of one datastream: those at rest, and the observations that are not folded yet."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.figures import window_items
from api.parts import Kept, windows_of
from api.responses import from_micros, to_micros
from api.windows import DAY_S, FIXED_LENGTH_S, TYPICAL_LENGTH_S, expected_count, windows_between
from devices.profiles import kept_by, load_catalogue
from devices.reductions.rows import HOLD_INTERVALS, Options
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from api.database import Database
    from api.history_schemas import WindowStatistics
    from api.schemas import ChosenResolution, MeanKind

_SECOND_US: Final = 1_000_000
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
    keeps, exceeded = kept_by(datastream["profile"], datastream["name"], datastream["property"])
    row = await database.row(
        _QUERIES["parts"],
        {
            "device_key": datastream["device_key"],
            "slot": datastream["slot"],
            "keeps": list(keeps),
            "shift_s": shift_s(datastream),
            "first": windows[0][0],
            "last": windows[-1][1],
            "length_s": FIXED_LENGTH_S.get(resolution, DAY_S),  # months are summed up from days
        },
    )
    kept = Kept(
        keeps=keeps,
        shift_us=shift_s(datastream) * _SECOND_US,
        options=Options(hold_us=HOLD_INTERVALS * datastream["interval_s"] * _SECOND_US),
        limit=exceeded,
    )
    starts_us = np.array([to_micros(start) for start, _ in windows], dtype=np.int64)
    found = windows_of(row or {}, kept, starts_us)
    return window_items(
        found,
        windows,
        [expected_count(start, end, now, datastream["interval_s"]) for start, end in windows],
        keeps=keeps,
        mean=mean_kind(datastream["property"]),
        words=state_words(datastream),
        time_of=from_micros,
    ), following


def state_words(datastream: Mapping[str, Any]) -> dict[int, str]:
    """What the numbers of a datastream's states mean; empty where it has no words."""
    profile = load_catalogue().get(datastream["profile"])
    stream = profile.datastream(datastream["name"]) if profile else None
    return {int(number): word for word, number in stream.words.items()} if stream else {}
