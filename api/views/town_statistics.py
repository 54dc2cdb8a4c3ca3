"""One aggregate over many datastreams: of a town, a ward, a box, an observed property."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Role, need
from api.dependencies import ServicesDep
from api.errors import bad_parameter
from api.invalid import InvalidCode, invalid_words
from api.openapi import refusals
from api.operations.aggregate import Asked
from api.operations.queries import TownStatisticsQuery
from api.operations.schemas import TownStatistics
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from api.schemas import ChosenResolution
from api.services import Services
from api.views.devices import check_town
from api.windows import windows_between
from devices.observed_properties import load_observed_properties
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["operations"], dependencies=[need(Role.VIEWER)])
_QUERIES = load_queries("api_operations")
DEFAULT_SPAN = timedelta(days=1)
SPAN_MAX = timedelta(days=400)
HOURS_UP_TO = timedelta(days=4)
"""Up to this span `auto` takes hours, beyond it days."""


@router.get(
    "/statistics",
    response_model=TownStatistics,
    responses=refusals(400, 401, 503),
    summary="One aggregate over many datastreams",
)
async def read_town_statistics(query: Annotated[TownStatisticsQuery, Query()], services: ServicesDep) -> JsonResponse:
    """Windows of all datastreams of an observed property that match, oldest first; those without observations too.

    Out of partials that merge: the mean is that of all observations, not of the devices' means, and percentiles are of
    all observations. A reading is in it within two seconds of its commit, whether it is folded into windows or not.
    """
    if query.property not in load_observed_properties():
        allowed = ", ".join(load_observed_properties())
        raise bad_parameter(
            "property", invalid_words(InvalidCode.UNKNOWN_PROPERTY, property=query.property, allowed=allowed)
        )
    await check_town(services, query.town)
    await _check_ward(services, query)
    now = datetime.now(UTC)
    last = min(query.last or now, now)
    if query.first is not None and query.first > now:
        raise bad_parameter("from", invalid_words(InvalidCode.NOT_YET, now=now.isoformat(timespec="seconds")))
    first = query.first or (query.last or now) - DEFAULT_SPAN
    if query.first is not None and query.last is not None and query.first >= query.last:
        raise bad_parameter("to", invalid_words(InvalidCode.SPAN_ORDER))
    if (query.last or now) - first > SPAN_MAX:
        raise bad_parameter("from", invalid_words(InvalidCode.SPAN_LENGTH, days=SPAN_MAX.days))
    resolution: ChosenResolution = "PT1H" if (query.last or now) - first <= HOURS_UP_TO else "P1D"
    if query.resolution != "auto":
        resolution = query.resolution
    if query.cursor:
        # The resolution chosen for the first page holds for all.
        micros, resolution = from_cursor(query.cursor, tuple[int, ChosenResolution])
        first = max(first, from_micros(micros))
    windows = list(islice(windows_between(first, last, resolution), query.limit + 1))
    following = windows[query.limit][0] if len(windows) > query.limit else None
    windows = windows[: query.limit]
    start, end = (windows[0][0], windows[-1][1]) if windows else (first, first)
    towns, _ = await services.registry.towns()
    answer = await services.operations.aggregate(
        Asked(
            query.property,
            tuple(town["id"] for town in towns if query.town in (None, town["id"])),
            query.town,
            query.domain,
            query.ward,
            query.box(),
            resolution,
            start,
            end,
        )
    )
    return JsonResponse({**answer, "next": to_cursor(to_micros(following), resolution) if following else None})


async def _check_ward(services: Services, query: TownStatisticsQuery) -> None:
    """Refuse a ward that does not exist.

    Raises:
        Problem: 400, with the wards there are.
    """
    if query.ward is None:
        return
    towns, _ = await services.registry.towns()
    wards = []
    for town in towns:
        if query.town in (None, town["id"]):
            rows = await services.database.rows(_QUERIES["operations_wards"], {"town": town["id"]})
            wards += [row["ward_id"] for row in rows]
    if query.ward not in wards:
        raise bad_parameter("ward", invalid_words(InvalidCode.UNKNOWN_WARD, ward=query.ward, allowed=", ".join(wards)))
