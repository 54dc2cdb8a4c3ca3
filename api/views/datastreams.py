"""The raw history of a datastream."""

from datetime import datetime, timedelta
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from psycopg.rows import DictRow

from api.access import Role, need
from api.dependencies import DatastreamPath, ObservationsQuery, ServicesDep
from api.errors import not_found
from api.history_schemas import Observation, Observations
from api.names import flags_shape
from api.openapi import refusals
from api.registry import datastream_shape
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from api.services import Services
from devices.sent import as_sent
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["datastreams"], dependencies=[need(Role.VIEWER)])
_QUERIES = load_queries("api_observations")
_MICROSECOND = timedelta(microseconds=1)
LATE_INTERVALS = 3


@router.get(
    "/datastreams/{datastream}/observations",
    response_model=Observations,
    responses=refusals(400, 401, 404, 503),
    summary="Raw history of a datastream",
)
async def list_observations(
    datastream: DatastreamPath, query: Annotated[ObservationsQuery, Query()], services: ServicesDep
) -> JsonResponse:
    """Every accepted observation in a span of phenomenon time, flagged ones too; all of them where no span is given."""
    first, last = query.span()
    found = await find_datastream(services, datastream)
    ascending = query.order == "asc"
    if query.cursor:
        # A page goes on beyond the last time handed out; no two rows of a device share a time.
        (micros,) = from_cursor(query.cursor, tuple[int])
        reached = from_micros(micros)
        first, last = (max(first, reached + _MICROSECOND), last) if ascending else (first, min(last, reached))
    rows = await services.database.rows(
        _QUERIES["observations"],
        {
            "device_key": found["device_key"],
            "slot": found["slot"],
            "first": first,
            "last": last,
            "ascending": ascending,
            "limit": query.limit + 1,
        },
    )
    page = rows[: query.limit]
    answer: Observations = {
        "datastream": datastream_shape(found, found["profile"]),
        "items": [
            _observation(row, found, value_sent)
            for row, value_sent in zip(page, await _values_sent(services, page, found), strict=True)
        ],
        "next": to_cursor(to_micros(page[-1]["phenomenon_time"])) if len(rows) > query.limit else None,
    }
    return JsonResponse(answer)


async def find_datastream(services: Services, datastream: str) -> DictRow:
    """The row of a datastream.

    Raises:
        Problem: 404, there is no such datastream.
    """
    row = await services.database.row(_QUERIES["datastream"], {"datastream": datastream})
    if row is None:
        raise not_found("datastream", datastream)
    return row


async def _values_sent(services: Services, page: list[DictRow], datastream: DictRow) -> list[float]:
    """The values of a page as the device sent them: had back from the conversion, or kept where it cannot give them."""
    if not page or (datastream["factor"], datastream["addend"]) == (1, 0):
        return [row["value"] for row in page]
    times = [row["phenomenon_time"] for row in page]
    kept = await services.database.rows(
        _QUERIES["values_as_sent"],
        {
            "device_key": datastream["device_key"],
            "slot": datastream["slot"],
            "first": min(times),
            "last": max(times),
        },
    )
    value_at = {row["phenomenon_time"]: row["value"] for row in kept}
    had_back = as_sent(np.array([row["value"] for row in page]), datastream["factor"], datastream["addend"]).tolist()
    return [value_at.get(time, value) for time, value in zip(times, had_back, strict=True)]


def _observation(row: DictRow, datastream: DictRow, value_sent: float) -> Observation:
    time: datetime = row["phenomenon_time"]
    start, end = _period(time, datastream)
    known = end or time
    late_s = (row["received_time"] - known).total_seconds()
    return {
        "phenomenon_time": time,
        "period_start": start,
        "period_end": end,
        "received_time": row["received_time"],
        "value": row["value"],
        "value_sent": value_sent,
        "quality": row["quality"],
        "flags": flags_shape(row["quality"]),
        "late": late_s > LATE_INTERVALS * datastream["interval_s"],
    }


def _period(time: datetime, datastream: DictRow) -> tuple[datetime | None, datetime | None]:
    if datastream["period_s"] is None:
        return None, None
    period = timedelta(seconds=datastream["period_s"])
    return (time - period, time) if datastream["stamp"] == "end" else (time, time + period)
