"""The operations views of a domain: now, on the map, ranked, and its day."""

import asyncio
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Header, Query
from numpy.typing import NDArray
from starlette.responses import Response

from api.access import Role, need
from api.dependencies import ServicesDep, TownPath
from api.errors import bad_parameter, not_found
from api.invalid import InvalidCode, invalid_words
from api.openapi import refusals
from api.operations.board import WORST_SHOWN, Board
from api.operations.domains import INDICES
from api.operations.queries import (
    CountedQuery,
    DomainPath,
    MapQuery,
    RankingQuery,
    SummaryQuery,
    check_pcu_set,
    local_today,
)
from api.operations.schemas import DomainMap, DomainSummary, DomainView, Ranking
from api.operations.summary import day_span
from api.responses import JsonResponse, from_cursor, to_cursor
from api.services import Services
from devices.models import Domain
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["operations"], dependencies=[need(Role.VIEWER)])
_QUERIES = load_queries("api_operations")
_JSON: Final = "application/json"
_HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}


@router.get(
    "/towns/{town}/{domain}",
    response_model=DomainView,
    responses=refusals(400, 401, 404, 503),
    summary="A domain of a town now",
)
async def read_domain(
    town: TownPath, domain: DomainPath, query: Annotated[CountedQuery, Query()], services: ServicesDep
) -> JsonResponse:
    """Devices by state, sites by severity, the town's figures and the sites that need a look first.

    Every figure says how it was obtained: `observed`, out of `window-statistics`, or an `index` with its formula. Where
    input is missing it is null with the reason, never 0. Some seconds old at most: `generated_time`.
    """
    board = await find_board(services, town, domain, query.pcu_set)
    worst = [ranked["site"]["id"] for ranked in board.ranked(None)[:WORST_SHOWN]]
    answer: DomainView = {
        "town": town,
        "domain": domain,
        "generated_time": board.generated_time,
        "devices": board.devices,
        "severities": board.severities,
        "figures": board.figures,
        "worst": [board.sites[board.fleet.site_by_id[site]] for site in worst],
    }
    return JsonResponse(answer)


@router.get(
    "/towns/{town}/{domain}/map",
    response_model=DomainMap,
    responses=refusals(400, 401, 404, 503),
    summary="The map layer of a domain",
)
async def read_map(
    town: TownPath,
    domain: DomainPath,
    query: Annotated[MapQuery, Query()],
    services: ServicesDep,
    accept_encoding: Annotated[str, Header(description="`gzip`: compressed", include_in_schema=False)] = "",
) -> Response:
    """A GeoJSON feature for each site, with the worst of its figures."""
    board = await find_board(services, town, domain, query.pcu_set)
    if query.ward is None and query.bbox is None:
        plain, compressed = await asyncio.to_thread(lambda: board.layer)
        if "gzip" in accept_encoding:
            return Response(compressed, media_type=_JSON, headers={**_HEADERS, "Content-Encoding": "gzip"})
        return Response(plain, media_type=_JSON, headers=_HEADERS)
    chosen = await choose_sites(services, board, query.ward, query.box())
    here = chosen.tolist()
    return JsonResponse(board.map_of(feature for feature, is_here in zip(board.features, here, strict=True) if is_here))


@router.get(
    "/towns/{town}/{domain}/ranking",
    response_model=Ranking,
    responses=refusals(400, 401, 404, 503),
    summary="Sites of a domain, worst first",
)
async def read_ranking(
    town: TownPath, domain: DomainPath, query: Annotated[RankingQuery, Query()], services: ServicesDep
) -> JsonResponse:
    """By the severity of each site's worst figure, or by one figure, those that have it; without a value last."""
    allowed = INDICES[domain].ranked_by
    if query.by is not None and query.by not in allowed:
        raise bad_parameter(
            "by", invalid_words(InvalidCode.UNKNOWN_FIGURE, figure=query.by, domain=domain, allowed=", ".join(allowed))
        )
    (after,) = from_cursor(query.cursor, tuple[int]) if query.cursor else (0,)
    if after < 0:
        raise bad_parameter("cursor", invalid_words(InvalidCode.CURSOR))
    board = await find_board(services, town, domain, query.pcu_set)
    chosen = await choose_sites(services, board, query.ward, query.box())
    here = {state["site"]["id"] for state, is_here in zip(board.sites, chosen.tolist(), strict=True) if is_here}
    ranked = [line for line in board.ranked(query.by) if line["site"]["id"] in here]
    page = ranked[after : after + query.limit]
    answer: Ranking = {
        "town": town,
        "domain": domain,
        "by": query.by or "severity",
        "generated_time": board.generated_time,
        "items": [{**line, "rank": after + at} for at, line in enumerate(page, start=1)],
        "next": to_cursor(after + query.limit) if len(ranked) > after + query.limit else None,
    }
    return JsonResponse(answer)


@router.get(
    "/towns/{town}/{domain}/summary",
    response_model=DomainSummary,
    responses=refusals(400, 401, 404, 503),
    summary="A domain's day",
)
async def read_summary(
    town: TownPath, domain: DomainPath, query: Annotated[SummaryQuery, Query()], services: ServicesDep
) -> JsonResponse:
    """Figures of a local day out of window statistics; of the present day, of what has passed of it."""
    board = await find_board(services, town, domain)
    day = query.day or local_today()
    pcu_set = check_pcu_set(query.pcu_set, day, traffic=domain == "traffic")
    summary = await services.operations.summary(town, domain, day, pcu_set)
    sites = summary.sites
    if query.ward is not None or query.bbox is not None:
        chosen = await choose_sites(services, board, query.ward, query.box())
        here = {state["site"]["id"] for state, is_here in zip(board.sites, chosen.tolist(), strict=True) if is_here}
        sites = tuple(entry for entry in sites if entry[0] in here)
    start, end = day_span(day)
    answer = {
        "town": town,
        "domain": domain,
        "date": day,
        "start": start,
        "end": end,
        "complete": end <= summary.generated_time,
        "generated_time": summary.generated_time,
        "figures": summary.figures,
        "sites": [encoded for _, encoded in sites[: query.limit]],
        "site_count": len(sites),
    }
    return JsonResponse(answer)


async def find_board(services: Services, town: str, domain: Domain, pcu_set: str | None = None) -> Board:
    """A domain of a town.

    Raises:
        Problem: 400, there is no such set of coefficients today; 404, there is no such town.
    """
    chosen = check_pcu_set(pcu_set, local_today(), traffic=domain == "traffic")
    if await services.registry.town(town) is None:
        raise not_found("town", town)
    return await services.operations.board(town, domain, chosen)


async def choose_sites(
    services: Services, board: Board, ward: str | None, box: tuple[float, float, float, float] | None
) -> NDArray[np.bool_]:
    """Which sites of a board stand in a ward and a box; shape (sites,).

    Raises:
        Problem: 400, the town has no such ward; with those it has.
    """
    chosen = np.ones(len(board.fleet.sites), np.bool_)
    if ward is not None:
        wards = [
            row["ward_id"] for row in await services.database.rows(_QUERIES["operations_wards"], {"town": board.town})
        ]
        if ward not in wards:
            raise bad_parameter(
                "ward", invalid_words(InvalidCode.WARD_OF_TOWN, town=board.town, ward=ward, allowed=", ".join(wards))
            )
        rows = await services.database.rows(_QUERIES["operations_ward_sites"], {"ward": ward})
        chosen &= np.isin([site.site_key for site in board.fleet.sites], [row["site_key"] for row in rows])
    if box is not None:
        west, south, east, north = box
        longitude = np.array([site.longitude for site in board.fleet.sites])
        latitude = np.array([site.latitude for site in board.fleet.sites])
        chosen &= (west <= longitude) & (longitude <= east) & (south <= latitude) & (latitude <= north)
    return chosen
