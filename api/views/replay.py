"""Refused messages go the way again, by a worker. See docs/decisions/0004-replay.md."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from psycopg import errors

from api.access import PersonDep, Role, need
from api.account_queries import ReplayPath, ReplayWish
from api.account_schemas import Replay
from api.dependencies import NoParameters, ServicesDep
from api.errors import Problem, not_found
from api.grants import Person
from api.openapi import refusals
from api.responses import JsonResponse
from api.services import Services
from api.views.devices import find_device
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["account"], dependencies=[need(Role.VIEWER)])
_QUERIES = load_queries("api_ledger")
_CHANGES = load_queries("api_replay")


@router.post(
    "/rejections/replay",
    status_code=202,
    response_model=Replay,
    responses=refusals(400, 401, 403, 413, 429, 503),
    dependencies=[need(Role.OPERATOR)],
    summary="Send refused messages the way again",
)
async def ask_for_replay(
    wish: ReplayWish, _query: Annotated[NoParameters, Query()], person: PersonDep, services: ServicesDep
) -> JsonResponse:
    """Ask for a replay after the cause of the refusals was mended; a worker begins within some seconds.

    Each reading is moved once, however often it is asked; what is still wrong stays refused. Without a town or a device
    it takes an operator of all towns.
    """
    parameters = wish.parameters()
    if wish.device is not None and wish.town is None:
        parameters["town"] = await _town_of(services, wish.device, person)
    person.check(Role.OPERATOR, parameters["town"])
    try:
        async with services.changes.transaction(person) as change:
            row = await change.row(_CHANGES["request_replay"], parameters)
            assert row is not None  # noqa: S101 the function gives one row
            await change.audit(
                "replay.request",
                town=parameters["town"],
                subject=str(row["replay_id"]),
                after=wish.model_dump(mode="json", by_alias=True, exclude_none=True),
            )
    except errors.ConfigurationLimitExceeded:
        detail = "twenty replays are waiting already; see whether a worker runs"
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "60"}) from None
    answer = await _replay(services, row["replay_id"])
    return JsonResponse(answer, 202)


@router.get(
    "/rejections/replay/{replay}",
    response_model=Replay,
    responses=refusals(400, 401, 404, 503),
    summary="How far a replay is",
)
async def read_replay(
    replay: ReplayPath, _query: Annotated[NoParameters, Query()], services: ServicesDep
) -> JsonResponse:
    """State and counts so far, in messages and readings."""
    return JsonResponse(await _replay(services, replay))


async def _town_of(services: Services, device: str, person: Person) -> str | None:
    """The town to which a wish about one device is bound; who may replay in all towns is bound to none."""
    if person.may(Role.OPERATOR, None):
        return None
    return (await find_device(services, device))["town_id"]  # type: ignore[no-any-return]


async def _replay(services: Services, replay: Any) -> Replay:
    row = await services.database.row(_QUERIES["replay"], {"replay": replay})
    if row is None:
        raise not_found("replay", str(replay))
    answer = {name: row[name] for name in _SAME}
    answer |= {"id": row["replay_id"], "device": row["device_id"], "town": row["town_id"]}
    return answer  # type: ignore[return-value]  # the names are those of the type; a test holds them together


_SAME = tuple(Replay.__annotations__.keys() - {"id", "device", "town"})
