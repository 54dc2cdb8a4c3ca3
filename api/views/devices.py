"""Devices: the list, one, and what it said last."""

from typing import Annotated, cast

import msgspec
from fastapi import APIRouter, Query
from psycopg.rows import DictRow

from api.access import Role, need
from api.dependencies import DevicePath, DevicesQuery, NoParameters, ServicesDep
from api.errors import bad_parameter, not_found
from api.invalid import InvalidCode, invalid_words
from api.openapi import refusals
from api.registry import datastream_shape, device_core
from api.responses import JsonResponse, from_cursor, to_cursor
from api.schemas import Device, DeviceDetail, DeviceLatest, Devices
from api.services import Services
from devices.models import IDENTIFIER_PATTERN
from devices.profiles import load_catalogue
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["devices"], dependencies=[need(Role.VIEWER)])
_QUERIES = load_queries("api_devices")
DeviceKey = Annotated[str, msgspec.Meta(pattern=f"^{IDENTIFIER_PATTERN}$")]


@router.get("/devices", response_model=Devices, responses=refusals(400, 401, 503), summary="Devices")
async def list_devices(query: Annotated[DevicesQuery, Query()], services: ServicesDep) -> JsonResponse:
    """Devices by id, filtered by what they are, where they stand and how; `include=latest`: with values."""
    await check_town(services, query.town)
    west, south, east, north = query.box()
    (after,) = from_cursor(query.cursor, tuple[DeviceKey]) if query.cursor else ("",)
    rows = await services.database.rows(
        _QUERIES["device_page"],
        {
            "after": after,
            "town": query.town,
            "domain": query.domain,
            "state": query.state,
            "profile": query.profile,
            "site": query.site,
            "gateway": query.gateway,
            "fed_by": query.fed_by,
            "ward": query.ward,
            "label": query.label,
            "search": (query.search or "").strip(),
            "west": west,
            "south": south,
            "east": east,
            "north": north,
            "limit": query.limit + 1,
        },
    )
    page = rows[: query.limit]
    reports = await services.registry.reports([row["device_key"] for row in page])
    items = [cast("Device", device_core(row, reports)) for row in page]
    if query.include == "latest":
        latest = await services.registry.latest({row["device_key"]: row["profile"] for row in page})
        for item, row in zip(items, page, strict=True):
            item["latest"] = latest.get(row["device_key"], [])
    answer: Devices = {"items": items, "next": to_cursor(page[-1]["device_id"]) if len(rows) > query.limit else None}
    return JsonResponse(answer)


@router.get(
    "/devices/{device}", response_model=DeviceDetail, responses=refusals(400, 401, 404, 503), summary="One device"
)
async def read_device(
    device: DevicePath, _query: Annotated[NoParameters, Query()], services: ServicesDep
) -> JsonResponse:
    """A device with its datastreams, in the order of its profile."""
    row = await find_device(services, device)
    datastreams = await services.database.rows(_QUERIES["device_datastreams"], {"device_key": row["device_key"]})
    key = row["device_key"]
    profile = load_catalogue().get(row["profile"])
    placements = await services.database.rows(_QUERIES["device_placements"], {"device_key": key})
    answer: DeviceDetail = {
        **device_core(row, await services.registry.reports([key])),
        "commissioned_time": row["commissioned_time"],
        "rated_power_w": row["rated_power_w"],
        "fed_by": row["fed_by_id"],
        "feeds": row["feeds"] if profile is not None and profile.is_cabinet else None,
        "retired_time": row["retired_time"],
        "placements": [
            {
                "town": placement["town_id"],
                "site": placement["site_id"],
                "site_name": placement["site_name"],
                "from_time": placement["from_time"],
                "until_time": placement["until_time"],
                "topics_until": placement["accepted_until"],
            }
            for placement in placements
        ],
        "datastreams": [datastream_shape(datastream, row["profile"]) for datastream in datastreams],
    }
    return JsonResponse(answer, etag=row["version"])


@router.get(
    "/devices/{device}/latest",
    response_model=DeviceLatest,
    responses=refusals(400, 401, 404, 503),
    summary="What a device said last",
)
async def read_device_latest(
    device: DevicePath, _query: Annotated[NoParameters, Query()], services: ServicesDep
) -> JsonResponse:
    """Current values, each with its age; datastreams that never had an observation are left out."""
    row = await find_device(services, device)
    latest = await services.registry.latest({row["device_key"]: row["profile"]})
    answer: DeviceLatest = {
        "device": row["device_id"],
        "state": row["state"],
        "items": latest.get(row["device_key"], []),
    }
    return JsonResponse(answer)


async def find_device(services: Services, device: str) -> DictRow:
    """The row of a device.

    Raises:
        Problem: 404, there is no such device.
    """
    row = await services.database.row(_QUERIES["device_detail"], {"device": device})
    if row is None:
        raise not_found("device", device)
    return row


async def check_town(services: Services, town: str | None) -> None:
    """Refuse a filter by a town that does not exist.

    Raises:
        Problem: 400, with the towns there are.
    """
    if town is None:
        return
    towns, _ = await services.registry.towns(retired=True)
    if town not in {known["id"] for known in towns}:
        raise bad_parameter(
            "town",
            invalid_words(InvalidCode.UNKNOWN_TOWN, town=town, allowed=", ".join(known["id"] for known in towns)),
        )
