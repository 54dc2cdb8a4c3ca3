"""Sites and wards: the list, and keeping it."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query

from api.access import PersonDep, Role, need
from api.dependencies import NoParameters, ServicesDep
from api.keeping import check_site, keep
from api.openapi import refusals
from api.registry_requests import NewSite, SiteChanges, SitePath, SitesQuery, VersionDep, WardsQuery
from api.registry_schemas import ChangedSite, KeptSite, Sites, Wards
from api.responses import JsonResponse, from_cursor, to_cursor
from api.services import Services
from api.views.devices import check_town
from devices.change import Change
from devices.changes import change_site, create_site, retire_site
from devices.models import IDENTIFIER_PATTERN, Site
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["registry"])
_QUERIES = load_queries("api_registry")
SiteKey = Annotated[str, msgspec.Meta(pattern=f"^{IDENTIFIER_PATTERN}$")]
_CHANGE = refusals(400, 401, 403, 404, 409, 412, 413, 428, 503)


@router.get(
    "/sites",
    response_model=Sites,
    responses=refusals(400, 401, 503),
    dependencies=[need(Role.VIEWER)],
    summary="Sites",
)
async def list_sites(query: Annotated[SitesQuery, Query()], services: ServicesDep) -> JsonResponse:
    """Sites by id, filtered by town, ward, label, words and place, each with its wards of every version."""
    await check_town(services, query.town)
    (after,) = from_cursor(query.cursor, tuple[SiteKey]) if query.cursor else ("",)
    rows = await services.database.rows(_QUERIES["site_page"], _page(query, after))
    page = rows[: query.limit]
    answer: Sites = {
        "items": [_site(row) for row in page],
        "next": to_cursor(page[-1]["site_id"]) if len(rows) > query.limit else None,
    }
    return JsonResponse(answer)


@router.post(
    "/sites",
    status_code=201,
    response_model=ChangedSite,
    responses=refusals(400, 401, 403, 404, 409, 413, 503),
    dependencies=[need(Role.ENGINEER)],
    summary="Create a site",
)
async def add_site(
    site: NewSite, _query: Annotated[NoParameters, Query()], services: ServicesDep, person: PersonDep
) -> JsonResponse:
    """Create a site. Its id is unique over all towns; a place outside its town's box is a warning alone."""
    person.check(Role.ENGINEER, site.town)
    wanted = Site(
        site_id=site.id,
        town_id=site.town,
        name=site.name,
        kind=site.kind,
        latitude=site.latitude,
        longitude=site.longitude,
        labels=tuple(sorted(set(site.labels))),
        wards=tuple(sorted(set(site.wards))),
    )
    return await _answer(services, await keep(services, person, create_site(wanted)), 201)


@router.patch(
    "/sites/{site}",
    response_model=ChangedSite,
    responses=_CHANGE,
    dependencies=[need(Role.ENGINEER)],
    summary="Change a site",
)
async def patch_site(
    site: SitePath,
    changes: SiteChanges,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Change what is named: name, kind, place, labels, wards. Its town never changes: devices move, sites stay."""
    await check_site(services, person, site)
    return await _answer(services, await keep(services, person, change_site(site, changes.changes(), version)))


@router.post(
    "/sites/{site}/retire",
    response_model=ChangedSite,
    responses=_CHANGE,
    dependencies=[need(Role.ENGINEER)],
    summary="Take a site out of use",
)
async def retire(
    site: SitePath,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Take a site out of use, once no device in service stands there. It keeps its id and its history."""
    await check_site(services, person, site)
    return await _answer(services, await keep(services, person, retire_site(site, version, retired=True)))


@router.post(
    "/sites/{site}/reinstate",
    response_model=ChangedSite,
    responses=_CHANGE,
    dependencies=[need(Role.ENGINEER)],
    summary="Bring a site back",
)
async def reinstate(
    site: SitePath,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Bring a retired site back into use."""
    await check_site(services, person, site)
    return await _answer(services, await keep(services, person, retire_site(site, version, retired=False)))


@router.get(
    "/wards",
    response_model=Wards,
    responses=refusals(400, 401, 503),
    dependencies=[need(Role.VIEWER)],
    summary="Wards in their versions",
)
async def list_wards(query: Annotated[WardsQuery, Query()], services: ServicesDep) -> JsonResponse:
    """The wards and communes of 2019 and those in force since 2025-07-01, each saying how well it is known."""
    await check_town(services, query.town)
    rows = await services.database.rows(_QUERIES["ward_list"], {"town": query.town, "on": query.on})
    answer: Wards = {
        "items": [
            {
                "id": row["ward_id"],
                "town": row["town_id"],
                "name": row["name"],
                "kind": row["kind"],
                "valid_from": row["valid_from"],
                "valid_to": row["valid_to"],
                "grade": row["grade"],
                "source": row["source"],
                "successor": row["successor_id"],
                "sites": row["sites"],
            }
            for row in rows
        ],
        "next": None,
    }
    return JsonResponse(answer)


def _page(query: SitesQuery, after: str, site: str | None = None) -> dict[str, Any]:
    west, south, east, north = query.box()
    return {
        "after": after,
        "site": site,
        "town": query.town,
        "retired": query.retired,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "label": query.label,
        "ward": query.ward,
        "search": (query.search or "").strip(),
        "limit": query.limit + 1,
    }


async def _answer(services: Services, change: Change, status: int = 200) -> JsonResponse:
    rows = await services.database.rows(_QUERIES["site_page"], _page(SitesQuery(retired=True), "", change.subject))
    answer: ChangedSite = {
        **_site(rows[0]),
        "warnings": [warning.en for warning in change.warnings],
        "warning_texts": [{"vi": warning.vi, "en": warning.en} for warning in change.warnings],
    }
    return JsonResponse(answer, status, etag=answer["version"])


def _site(row: dict[str, Any]) -> KeptSite:
    return {
        "id": row["site_id"],
        "town": row["town_id"],
        "name": row["name"],
        "kind": row["kind"],
        "latitude": row["latitude"],
        "longitude": row["longitude"],
        "labels": row["labels"],
        "wards": row["wards"],
        "devices": row["devices"],
        "version": row["version"],
        "retired_time": row["retired_time"],
    }
