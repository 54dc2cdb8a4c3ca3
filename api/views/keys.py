"""Keys of agencies' programs."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from psycopg.rows import DictRow

from api.access import PersonDep, Role, need
from api.dependencies import TIME_MAX, NoParameters, ServicesDep
from api.errors import not_found
from api.grants import Person, grant_words, only_town, read_grants
from api.openapi import refusals
from api.people_queries import NewKey, PageQuery, roles_of
from api.people_schemas import ApiKey, ApiKeys, NewApiKey
from api.principals import KEY_PREFIX, digest
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from api.security import new_secret
from api.views.users import check_grantable, check_towns, columns, shown_grants
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["people"], dependencies=[need(Role.ADMINISTRATOR)])
_QUERIES = load_queries("api_people")
_BEGINNING = len(KEY_PREFIX) + 6
_LAST_ID = UUID(int=2**128 - 1)
KeyPath = Annotated[UUID, Path(description="`id` of a key", examples=["0b9f4c1e-6d43-4c0e-9e5b-6f1c1b1f3a52"])]


@router.get("/api-keys", response_model=ApiKeys, responses=refusals(400, 401, 403, 503), summary="Keys")
async def list_keys(query: Annotated[PageQuery, Query()], person: PersonDep, services: ServicesDep) -> JsonResponse:
    """Keys that were granted anything in the towns one administers, newest first; ended ones too."""
    micros, last = from_cursor(query.cursor, tuple[int, UUID]) if query.cursor else (None, _LAST_ID)
    cursor_time = TIME_MAX if micros is None else from_micros(micros)
    parameters = {**_search(person), "cursor_time": cursor_time, "cursor_key": last, "limit": query.limit + 1}
    rows = await services.changes.rows(_QUERIES["keys"], parameters)
    page = rows[: query.limit]
    end = page[-1] if len(rows) > query.limit else None
    answer: ApiKeys = {
        "items": [_key(row, person) for row in page],
        "next": to_cursor(to_micros(end["created_time"]), str(end["key_id"])) if end else None,
    }
    return JsonResponse(answer)


@router.post(
    "/api-keys", status_code=201, response_model=NewApiKey, responses=refusals(400, 401, 403, 404, 413, 429, 503),
    summary="Make a key",
)  # fmt: skip
async def create_key(
    wish: NewKey, _query: Annotated[NoParameters, Query()], person: PersonDep, services: ServicesDep
) -> JsonResponse:
    """Make a key for a program, with roles in towns that one administers. The key is told this once."""
    grants, expires_time = roles_of(wish.grants), wish.end()
    check_grantable(person, grants)
    key = KEY_PREFIX + new_secret()
    async with services.changes.transaction(person) as change:
        await check_towns(change, grants)
        row = await change.row(
            _QUERIES["add_key"],
            {
                "name": wish.name,
                "key_hash": digest(key),
                "beginning": key[:_BEGINNING],
                "created_by": person.name,
                "expires_time": expires_time,
            },
        )
        assert row is not None  # noqa: S101 the statement gives one row
        await change.execute(_QUERIES["add_key_grants"], {"key_id": row["key_id"], **columns(grants)})
        await change.audit(
            "api-key.create",
            subject=str(row["key_id"]),
            town=only_town(grants),
            after={"name": wish.name, "grants": grant_words(grants), "expires_time": expires_time.isoformat()},
        )
    answer: NewApiKey = {**_key(row | {"grants": grant_words(grants)}, person), "key": key}
    return JsonResponse(answer, 201)


@router.delete(
    "/api-keys/{key}", response_model=ApiKey, responses=refusals(400, 401, 403, 404, 503), summary="Revoke a key"
)
async def revoke_key(
    key: KeyPath, _query: Annotated[NoParameters, Query()], person: PersonDep, services: ServicesDep
) -> JsonResponse:
    """End a key at once; it stays in the list. Takes an administrator of every town that it was granted."""
    async with services.changes.transaction(person) as change:
        parameters = {**_search(person), "key": key, "cursor_time": TIME_MAX, "cursor_key": _LAST_ID, "limit": 1}
        row = await change.row(_QUERIES["keys"], parameters)
        if row is None:
            raise not_found("key", str(key))
        grants = read_grants(row["grants"])
        check_grantable(person, grants)
        revoked = await change.row(_QUERIES["revoke_key"], {"key": key})
        assert revoked is not None  # noqa: S101 the row was read in this transaction and is never deleted
        await change.audit(
            "api-key.revoke",
            subject=str(key),
            town=only_town(grants),
            before={"name": row["name"], "revoked": row["revoked_time"] is not None},
            after={"name": row["name"], "revoked": True},
        )
    services.principals.forget()
    return JsonResponse(_key(row | revoked, person))


def _search(person: Person) -> dict[str, Any]:
    towns = person.towns(Role.ADMINISTRATOR)
    return {"key": None, "towns": None if towns is None else sorted(towns)}


def _key(row: DictRow, person: Person) -> ApiKey:
    used: datetime | None = row["last_used_time"]
    return {
        "id": row["key_id"],
        "name": row["name"],
        "beginning": row["beginning"],
        "grants": shown_grants(row["grants"], person),
        "created_by": row["created_by"],
        "created_time": row["created_time"],
        "expires_time": row["expires_time"],
        "revoked_time": row["revoked_time"],
        "last_used_time": used.astimezone(UTC).replace(second=0, microsecond=0) if used else None,
        "last_used_address": row["last_used_address"],
    }
