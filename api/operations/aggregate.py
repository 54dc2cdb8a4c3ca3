"""One aggregate over many datastreams of a property: window statistics at rest, and what is not folded yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.names import property_name
from api.operations.columns import number
from api.operations.fleet import QUERIES
from api.statistics import mean_kind
from api.windows import expected_count, windows_between
from devices.environment.noise import laeq_of_energy
from devices.environment.wind import direction_of
from devices.keeping import kept
from devices.observed_properties import load_observed_properties
from devices.reductions.rows import Rows
from devices.reductions.sketch import Sketch, fold_sketch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.database import Database
    from api.operations.schemas import TownStatistics, TownStatisticsWindow

LENGTH_S: Final = {"PT15M": 900, "PT1H": 3600, "P1D": 86_400}
_RECENT: Final = timedelta(days=2)
"""Observations that are not folded yet are that young, unless the aggregator was away for long."""
_QUANTILES: Final = (0.5, 0.9, 0.95)
HOW: Final = (
    "partials of every datastream merged window by window: sums over sums of counts, extremes of extremes, quantiles of"
    " merged sketches; each observation weighs the same. Observations that are not in windows yet are counted, too."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which datastreams and windows; what it is kept by."""

    property_id: str
    towns: tuple[str, ...]
    town: str | None
    domain: str | None
    ward: str | None
    box: tuple[float, float, float, float] | None
    resolution: str  # PT15M, PT1H or P1D
    first: datetime  # start of the first window
    last: datetime  # end of the last window


@dataclass(frozen=True, slots=True)
class Due:
    """Datastreams that are due alike."""

    interval_s: int
    first: datetime  # commissioned, or the start of the span
    last: datetime  # retired, or the end of the span
    datastreams: int


async def read_aggregate(database: Database, asked: Asked) -> TownStatistics:
    """Every window of the span, those without observations included; `next` is left to the view."""
    now = datetime.now(UTC)
    west, south, east, north = asked.box or (None, None, None, None)
    parameters = {
        "property": asked.property_id,
        "towns": list(asked.towns),
        "domain": asked.domain,
        "ward": asked.ward,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "length_s": LENGTH_S[asked.resolution],
        "first": asked.first,
        "last": asked.last,
        "recent": max(asked.first, min(asked.last, now - _RECENT)),
        "mean": mean_kind(asked.property_id),
    }
    names = ["operations_aggregate_streams", "operations_aggregate"]
    if "sketch" in kept(asked.property_id):
        names.append("operations_aggregate_sketch")
    # Of one moment: what is folded meanwhile would be in the one and not in the other.
    streams, rows, *sketches = await database.rows_at_once([(QUERIES[name], parameters) for name in names])
    row_by_start = {row["start"]: row for row in rows}
    quantiles = {
        row["start"]: _quantiles(row, row_by_start[row["start"]]["count"]) for found in sketches for row in found
    }
    due = [Due(row["interval_s"], row["first"], row["last"], row["datastreams"]) for row in streams]
    known = load_observed_properties().get(asked.property_id)
    return {
        "property": asked.property_id,
        "name": property_name(asked.property_id),
        "unit": streams[0]["unit"] if streams else known.unit if known else "1",
        "town": asked.town,
        "ward": asked.ward,
        "resolution": asked.resolution,  # type: ignore[typeddict-item]
        "mean": mean_kind(asked.property_id),
        "obtained": "window-statistics",
        "how": HOW,
        "datastreams": sum(stream["datastreams"] for stream in streams),
        "generated_time": now,
        "items": [
            _window(asked, start, end, row_by_start.get(start), quantiles.get(start), due, now)
            for start, end in windows_between(asked.first, asked.last, asked.resolution)  # type: ignore[arg-type]
        ],
        "next": None,
    }


def _quantiles(row: Mapping[str, Any], count: int) -> tuple[float | None, ...]:
    """Of all observations; none where a window of before the sketch was kept is among them."""
    bins, counts = np.array(row["bins"], np.int32), np.array(row["counts"], np.int64)
    fresh = np.array(row["fresh"], np.float64)
    nowhere = np.zeros(len(fresh), np.int64)
    sketch = Sketch(np.zeros(len(bins), np.intp), bins, counts, 1).merged(
        fold_sketch(Rows(nowhere.astype(np.intp), nowhere, fresh, 1))
    )
    if sketch.count.sum() != count:
        return (None,) * len(_QUANTILES)
    return tuple(number(value) for value in sketch.quantiles(_QUANTILES)[0])


def _window(
    asked: Asked,
    start: datetime,
    end: datetime,
    row: Mapping[str, Any] | None,
    quantiles: tuple[float | None, ...] | None,
    due: list[Due],
    now: datetime,
) -> TownStatisticsWindow:
    count = row["count"] if row else 0
    expected = sum(
        some.datastreams * expected_count(max(start, some.first), min(end, some.last), now, some.interval_s)
        for some in due
    )
    p50, p90, p95 = quantiles if quantiles is not None and count else (None, None, None)
    there = row if count else None
    return {
        "start": start,
        "end": end,
        "datastreams": row["datastreams"] if row else 0,
        "count": count,
        "expected": expected,
        "coverage": min(1.0, count / expected) if expected else None,
        "mean": _mean(asked.property_id, there) if there else None,
        "min": there["min"] if there else None,
        "max": there["max"] if there else None,
        "sum": there["sum"] if there else None,
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "flagged": row["flagged"] if row else 0,
    }


def _mean(property_id: str, row: Mapping[str, Any]) -> float | None:
    count, kind = np.array(float(row["count"])), mean_kind(property_id)
    if kind == "energetic":
        return number(laeq_of_energy(np.array(row["energy"] or 0.0), count))
    if kind == "circular":
        return number(direction_of(np.array(row["east"] or 0.0), np.array(row["north"] or 0.0), count))
    return float(row["sum"] / row["count"])
