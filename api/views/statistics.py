"""Window statistics of a datastream."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Role, need
from api.dependencies import DatastreamPath, ServicesDep, StatisticsQuery
from api.errors import bad_parameter
from api.history_schemas import Statistics
from api.invalid import InvalidCode, invalid_words
from api.openapi import refusals
from api.registry import datastream_shape
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from api.schemas import ChosenResolution
from api.statistics import mean_kind, read_windows
from api.views.datastreams import find_datastream
from api.windows import choose_resolution
from devices.profiles import kept_by

router = APIRouter(prefix="/v1", tags=["datastreams"], dependencies=[need(Role.VIEWER)])
DEFAULT_SPAN = timedelta(days=1)
SPAN_MAX = timedelta(days=3660)


@router.get(
    "/datastreams/{datastream}/statistics",
    response_model=Statistics,
    responses=refusals(400, 401, 404, 503),
    summary="Window statistics of a datastream",
)
async def list_statistics(
    datastream: DatastreamPath, query: Annotated[StatisticsQuery, Query()], services: ServicesDep
) -> JsonResponse:
    """Windows that touch the span, each whole, oldest first, up to the present one; those without observations too.

    Days and months are those of Asia/Ho_Chi_Minh. A value that covers a period stands in the window that holds the
    period's start. Observations flagged as calibrating, fault, spike, stuck or flat at a bound are left out, counted as
    `flagged`; `flags` counts every flag. Which figures there are beside the basic ones, `keeps` says.
    """
    now = datetime.now(UTC)
    last = query.last or now
    first = query.first or last - DEFAULT_SPAN
    if first >= last:
        raise bad_parameter("to", invalid_words(InvalidCode.SPAN_ORDER))
    if last - first > SPAN_MAX:
        raise bad_parameter("from", invalid_words(InvalidCode.SPAN_LENGTH, days=SPAN_MAX.days))
    found = await find_datastream(services, datastream)
    resolution: ChosenResolution = (
        choose_resolution(first, last, found["interval_s"]) if query.resolution == "auto" else query.resolution
    )
    if query.cursor:
        # The resolution chosen for the first page holds for all.
        micros, resolution = from_cursor(query.cursor, tuple[int, ChosenResolution])
        first = max(first, from_micros(micros))
    items, following = await read_windows(
        services.database,
        found,
        first=first,
        last=min(last, now + timedelta(microseconds=1)),
        resolution=resolution,
        limit=query.limit,
        now=now,
    )
    keeps, exceeded = kept_by(found["profile"], found["name"], found["property"])
    answer: Statistics = {
        "datastream": datastream_shape(found, found["profile"]),
        "resolution": resolution,
        "mean": mean_kind(found["property"]),
        "keeps": list(keeps),
        "limit": exceeded.on(min(last, now) - timedelta(microseconds=1)) if exceeded else None,
        "items": items,
        "next": to_cursor(to_micros(following), resolution) if following else None,
    }
    return JsonResponse(answer)
