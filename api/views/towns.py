"""The towns, and one at a glance."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Role, need
from api.dependencies import NoParameters, ServicesDep, TownPath
from api.errors import not_found
from api.openapi import refusals
from api.registry_requests import TownsQuery
from api.responses import JsonResponse
from api.schemas import Overview, Towns

router = APIRouter(prefix="/v1", tags=["towns"], dependencies=[need(Role.VIEWER)])


@router.get("/towns", response_model=Towns, responses=refusals(400, 401, 503), summary="The towns")
async def list_towns(query: Annotated[TownsQuery, Query()], services: ServicesDep) -> JsonResponse:
    """All towns in the order of the page, each with its devices by state; at most a second old."""
    towns, _ = await services.registry.towns(retired=query.retired)
    answer: Towns = {"items": towns, "next": None}
    return JsonResponse(answer)


@router.get(
    "/towns/{town}/overview",
    response_model=Overview,
    responses=refusals(400, 401, 404, 503),
    summary="A town at a glance",
)
async def read_overview(
    town: TownPath, _query: Annotated[NoParameters, Query()], services: ServicesDep
) -> JsonResponse:
    """Devices by state, a few figures for each domain and what needs a look; at most a second old.

    Only current observations make a figure: of good quality, at most three intervals old, from a device that is online.
    Where there is none the figure is null, with the reason; it is never 0 instead.
    """
    overview = await services.overviews.of_town(town)
    if overview is None:
        raise not_found("town", town)
    return JsonResponse(overview)
