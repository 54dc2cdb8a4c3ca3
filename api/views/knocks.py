"""Devices that send and that nobody registered: the list, taking one in, turning one away."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query

from api.access import PersonDep, Role, need
from api.dependencies import NoParameters, ServicesDep
from api.keeping import check_site, keep
from api.openapi import refusals
from api.registry_requests import AcceptedKnock, KnockPath, KnocksQuery, KnockTown
from api.registry_schemas import KeptDevice, Knock, Knocks, RefusedKnock
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from api.views.devices import check_town
from api.views.keeping import kept_device
from devices.changes import NewDevice
from devices.knocks import accept_knock, guess_profiles, refuse_knock, sent_names
from devices.models import IDENTIFIER_PATTERN
from devices.profiles import load_catalogue
from sql import load_queries

router = APIRouter(prefix="/v1/knocks", tags=["registry"])
_QUERIES = load_queries("api_registry")
Id = Annotated[str, msgspec.Meta(pattern=f"^{IDENTIFIER_PATTERN}$")]
_DECISION = refusals(400, 401, 403, 404, 409, 413, 503)


@router.get(
    "",
    response_model=Knocks,
    responses=refusals(400, 401, 403, 503),
    dependencies=[need(Role.OPERATOR)],
    summary="Devices that knock",
)
async def list_knocks(query: Annotated[KnocksQuery, Query()], services: ServicesDep) -> JsonResponse:
    """Devices that send and that nobody registered in the town of their topic, newest first, with what they may be.

    The list is bounded to 10,000 of all towns; how much was refused in all is in the ledger.
    """
    await check_town(services, query.town)
    before, device, town = None, "", ""
    if query.cursor:
        micros, device, town = from_cursor(query.cursor, tuple[int, Id, Id])
        before = from_micros(micros)
    rows = await services.database.rows(
        _QUERIES["knock_page"],
        {
            "town": query.town,
            "refused": query.refused,
            "search": query.search,
            "before": before,
            "device": device,
            "last_town": town,
            "limit": query.limit + 1,
        },
    )
    page = rows[: query.limit]
    following = None
    if len(rows) > query.limit:
        last = page[-1]
        following = to_cursor(to_micros(last["last_time"]), last["device_id"], last["town_id"])
    answer: Knocks = {"items": [_knock(row) for row in page], "next": following}
    return JsonResponse(answer)


@router.post(
    "/{device}/accept",
    status_code=201,
    response_model=KeptDevice,
    responses=_DECISION,
    dependencies=[need(Role.ENGINEER)],
    summary="Take a device in that knocked",
)
async def accept(
    device: KnockPath,
    wish: AcceptedKnock,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Register a device that knocked; what is kept of what it sent is replayed once, some seconds later."""
    person.check(Role.ENGINEER, wish.town)
    await check_site(services, person, wish.site)
    new = NewDevice(
        device_id=device,
        site_id=wish.site,
        profile_id=wish.profile,
        name=wish.name,
        gateway_id=wish.gateway,
        labels=tuple(wish.labels),
        commissioned_time=wish.commissioned,
        rated_power_w=wish.rated_power_w,
        fed_by_id=wish.fed_by,
    )
    change = await keep(services, person, accept_knock(wish.town, new, load_catalogue()))
    return JsonResponse(kept_device(change), 201, etag=change.after["version"])


@router.post(
    "/{device}/refuse",
    response_model=RefusedKnock,
    responses=_DECISION,
    dependencies=[need(Role.ENGINEER)],
    summary="Turn a device away that knocked",
)
async def refuse(
    device: KnockPath,
    where: KnockTown,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Hide it from the list for as long as it goes on; what it sends stays refused, as before."""
    return await _decide(services, person, device, where.town, refused=True)


@router.post(
    "/{device}/forgive",
    response_model=RefusedKnock,
    responses=_DECISION,
    dependencies=[need(Role.ENGINEER)],
    summary="Hear again of a device that was turned away",
)
async def forgive(
    device: KnockPath,
    where: KnockTown,
    _query: Annotated[NoParameters, Query()],
    services: ServicesDep,
    person: PersonDep,
) -> JsonResponse:
    """Put it back on the list."""
    return await _decide(services, person, device, where.town, refused=False)


async def _decide(services: Any, person: Any, device: str, town: str, *, refused: bool) -> JsonResponse:
    person.check(Role.ENGINEER, town)
    await keep(services, person, refuse_knock(device, town, person.name, refused=refused))
    answer: RefusedKnock = {"device": device, "town": town, "refused": refused}
    return JsonResponse(answer)


def _knock(row: dict[str, Any]) -> Knock:
    names = sent_names(row["sample"], row["device_id"])
    return {
        "device": row["device_id"],
        "town": row["town_id"],
        "reason": row["reason"],
        "gateway": row["gateway_id"],
        "first_time": row["first_time"],
        "last_time": row["last_time"],
        "messages": row["messages"],
        "readings": row["readings"],
        "kept": row["kept"],
        "topic": row["topic"],
        "sample_text": _text(row["sample"]),
        "guesses": [
            {"profile": guess.profile_id, "matching": list(guess.matching), "unknown": list(guess.unknown)}
            for guess in guess_profiles(names, load_catalogue())
        ],
        "refused_time": row["refused_time"],
        "refused_by": row["refused_by"],
    }


def _text(sample: bytes | None) -> str | None:
    try:
        return bytes(sample).decode() if sample else None
    except UnicodeDecodeError:
        return None
