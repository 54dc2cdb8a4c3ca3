"""Keeping devices: registering, changing, moving, retiring."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.access import PersonDep, Role, need
from api.dependencies import DevicePath, NoParameters, ServicesDep
from api.keeping import check_device, check_site, keep
from api.openapi import refusals
from api.registry_requests import DeviceChanges, Move, NewRegisteredDevice, VersionDep
from api.registry_schemas import KeptDevice, MovedDevice
from api.responses import JsonResponse
from devices.change import Change
from devices.changes import NewDevice, change_device, create_device, move_device, retire_device
from devices.profiles import load_catalogue

router = APIRouter(prefix="/v1", tags=["registry"], dependencies=[need(Role.ENGINEER)])
_CHANGE = refusals(400, 401, 403, 404, 409, 412, 413, 428, 503)


@router.post(
    "/devices",
    status_code=201,
    response_model=KeptDevice,
    responses=refusals(400, 401, 403, 404, 409, 413, 503),
    summary="Register a device",
)
async def add_device(
    device: NewRegisteredDevice, _query: Annotated[NoParameters, Query()], services: ServicesDep, person: PersonDep
) -> JsonResponse:
    """Register a device on a site, with the datastreams of its profile; workers know it within two seconds."""
    await check_site(services, person, device.site)
    new = NewDevice(
        device_id=device.id,
        site_id=device.site,
        profile_id=device.profile,
        name=device.name,
        gateway_id=device.gateway,
        labels=tuple(device.labels),
        commissioned_time=device.commissioned,
        rated_power_w=device.rated_power_w,
        fed_by_id=device.fed_by,
    )
    change = await keep(services, person, create_device(new, load_catalogue()))
    return JsonResponse(kept_device(change), 201, etag=change.after["version"])


@router.patch("/devices/{device}", response_model=KeptDevice, responses=_CHANGE, summary="Change a device")
async def patch_device(
    device: DevicePath,
    changes: DeviceChanges,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Change what is named: name, labels, gateway, commissioning, rated power, cabinet.

    No gateway may stand behind itself; none but a cabinet of its town may feed it.
    """
    await check_device(services, person, device)
    change = await keep(services, person, change_device(device, changes.changes(), version, load_catalogue()))
    return JsonResponse(kept_device(change), etag=change.after["version"])


@router.post("/devices/{device}/move", response_model=MovedDevice, responses=_CHANGE, summary="Move a device")
async def move(
    device: DevicePath,
    where: Move,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Put a device on another site; where that is in another town, it takes the role in both.

    It keeps id, datastreams and history; who sees which part follows the town at that time. Topics of the town it left
    are taken for `grace_hours` more, and what was refused as `wrong-town` before the move is replayed.
    """
    await check_device(services, person, device)
    await check_site(services, person, where.site)
    steps = move_device(device, where.site, where.gateway, version, grace_s=where.grace_hours * 3600)
    change = await keep(services, person, steps)
    until = change.after.get("former_topics_until")
    answer: MovedDevice = {
        **kept_device(change),
        "former_topics_until": datetime.fromisoformat(until) if until else None,
    }
    return JsonResponse(answer, etag=change.after["version"])


@router.post(
    "/devices/{device}/retire", response_model=KeptDevice, responses=_CHANGE, summary="Take a device out of service"
)
async def retire(
    device: DevicePath,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """End a device's service: its credentials are revoked and the broker lets it go; history and id stay its own."""
    await check_device(services, person, device)
    change = await keep(services, person, retire_device(device, version, by=person.name, retired=True))
    return JsonResponse(kept_device(change), etag=change.after["version"])


@router.post(
    "/devices/{device}/reinstate", response_model=KeptDevice, responses=_CHANGE, summary="Bring a retired device back"
)
async def reinstate(
    device: DevicePath,
    version: VersionDep,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Take a retirement back that was a mistake; the device needs a new credential."""
    await check_device(services, person, device)
    change = await keep(services, person, retire_device(device, version, by=person.name, retired=False))
    return JsonResponse(kept_device(change), etag=change.after["version"])


def kept_device(change: Change) -> KeptDevice:
    """The record after a change in the contract's shape."""
    record: Any = change.after

    def time(name: str) -> Any:
        return datetime.fromisoformat(record[name]) if record[name] else None

    return {
        "id": record["device_id"],
        "town": record["town_id"],
        "site": record["site_id"],
        "domain": record["domain"],
        "profile": record["profile"],
        "name": record["name"],
        "gateway": record["gateway_id"],
        "labels": record["labels"],
        "commissioned_time": time("commissioned_time"),
        "rated_power_w": record["rated_power_w"],
        "fed_by": record["fed_by_id"],
        "retired_time": time("retired_time"),
        "version": record["version"],
    }
