"""Keeping towns: by who was granted all of them."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.access import PersonDep, Role, need
from api.dependencies import NoParameters, ServicesDep, TownPath
from api.errors import not_found
from api.grants import Person
from api.keeping import keep
from api.openapi import refusals
from api.registry_requests import NewTown, TownChanges, VersionDep
from api.registry_schemas import KeptTown
from api.responses import JsonResponse
from devices.towns import change_town, create_town, retire_town
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["registry"])
_QUERIES = load_queries("api_registry")
_CHANGE = refusals(400, 401, 403, 404, 409, 412, 413, 428, 503)


@router.get(
    "/towns/{town}",
    response_model=KeptTown,
    responses=refusals(400, 401, 404, 503),
    dependencies=[need(Role.VIEWER)],
    summary="One town as people keep it",
)
async def read_town(town: TownPath, _query: Annotated[NoParameters, Query()], services: ServicesDep) -> JsonResponse:
    """A town, in use or retired, with its version and what is in use there."""
    row = await services.database.row(_QUERIES["kept_town"], {"town": town})
    if row is None:
        raise not_found("town", town)
    return JsonResponse(_town(row), etag=row["version"])


@router.post(
    "/towns",
    status_code=201,
    response_model=KeptTown,
    responses=refusals(400, 401, 403, 409, 413, 503),
    dependencies=[need(Role.ADMINISTRATOR)],
    summary="Create a town",
)
async def add_town(
    town: NewTown, _query: Annotated[NoParameters, Query()], services: ServicesDep, person: PersonDep
) -> JsonResponse:
    """Create a town; its id stands in topics and is never given again. Takes the role in all towns."""
    _check(person)
    said = {"position": None, **town.values()}
    change = await keep(services, person, create_town(town.id, said))
    return JsonResponse(_town(change.after), 201, etag=change.after["version"])


@router.patch(
    "/towns/{town}",
    response_model=KeptTown,
    responses=_CHANGE,
    dependencies=[need(Role.ADMINISTRATOR)],
    summary="Change a town",
)
async def patch_town(
    town: TownPath,
    changes: TownChanges,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Change what is named: names, centre, box, place on the page. Takes the role in all towns."""
    _check(person)
    change = await keep(services, person, change_town(town, changes.values(), version))
    return JsonResponse(_town(change.after), etag=change.after["version"])


@router.post(
    "/towns/{town}/retire",
    response_model=KeptTown,
    responses=_CHANGE,
    dependencies=[need(Role.ADMINISTRATOR)],
    summary="Take a town out of use",
)
async def retire(
    town: TownPath,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Take a town out of use, once its sites are. It keeps its id and its history. Takes the role in all towns."""
    _check(person)
    change = await keep(services, person, retire_town(town, version, retired=True))
    return JsonResponse(_town(change.after), etag=change.after["version"])


@router.post(
    "/towns/{town}/reinstate",
    response_model=KeptTown,
    responses=_CHANGE,
    dependencies=[need(Role.ADMINISTRATOR)],
    summary="Bring a town back",
)
async def reinstate(
    town: TownPath,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Bring a retired town back into use. Takes the role in all towns."""
    _check(person)
    change = await keep(services, person, retire_town(town, version, retired=False))
    return JsonResponse(_town(change.after), etag=change.after["version"])


def _check(person: Person) -> None:
    """Before anything is looked up, so that the answer tells nobody which towns there are."""
    person.check(Role.ADMINISTRATOR, None)


def _town(record: Mapping[str, Any]) -> KeptTown:
    return {
        "id": record["town_id"],
        "name": {"vi": record["name_vi"], "en": record["name_en"]},
        "latitude": record["latitude"],
        "longitude": record["longitude"],
        "bbox": (record["west"], record["south"], record["east"], record["north"]),
        "position": record["position"],
        "sites_in_use": record["sites"],
        "devices_in_service": record["devices"],
        "version": record["version"],
        "retired_time": record["retired_time"],
    }
