"""A site in full: its figures, its devices, its last 24 hours."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Role, need
from api.dependencies import ServicesDep
from api.errors import not_found
from api.openapi import refusals
from api.operations.figures import severity_of, worst_first
from api.operations.queries import CountedQuery, SitePath, check_pcu_set, local_today
from api.operations.schemas import SiteView
from api.operations.site import read_site
from api.responses import JsonResponse
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["operations"], dependencies=[need(Role.VIEWER)])
_QUERIES = load_queries("api_operations")


@router.get("/sites/{site}", response_model=SiteView, responses=refusals(400, 401, 404, 503), summary="A site in full")
async def read_site_view(
    site: SitePath, query: Annotated[CountedQuery, Query()], services: ServicesDep
) -> JsonResponse:
    """Figures of every domain that has devices there, current values, and 24 hours by the quarter of an hour."""
    row = await services.database.row(_QUERIES["operations_site"], {"site": site})
    if row is None:
        raise not_found("site", site)
    chosen = check_pcu_set(query.pcu_set, local_today(), traffic="traffic" in row["domains"])
    boards = [
        await services.operations.board(row["town_id"], domain, chosen if domain == "traffic" else None)
        for domain in row["domains"]
    ]
    found = [board.sites[board.fleet.site_by_id[site]] for board in boards if site in board.fleet.site_by_id]
    figures = worst_first([line for state in found for line in state["figures"]])
    devices, series, start, end = await read_site(services, site, boards)
    answer: SiteView = {
        "site": {
            "id": row["site_id"],
            "name": row["name"],
            "kind": row["kind"],
            "latitude": row["latitude"],
            "longitude": row["longitude"],
        },
        "town": row["town_id"],
        "generated_time": min((board.generated_time for board in boards), default=end),
        "severity": severity_of(figures),
        "figures": figures,
        "devices": devices,
        "start": start,
        "end": end,
        "series": series,
    }
    return JsonResponse(answer)
