"""Local accounts and what they were granted."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from psycopg.rows import DictRow

from api.access import PersonDep, Role, need
from api.changes import Change
from api.dependencies import NoParameters, ServicesDep
from api.errors import Problem, bad_parameter, not_found
from api.grants import EVERY_TOWN, Grants, Person, grant_words, only_town, read_grants
from api.invalid import InvalidCode, invalid_words
from api.openapi import refusals
from api.people_queries import NewUser, PageQuery, UserChange, UserPath, roles_of
from api.people_schemas import User, Users
from api.responses import JsonResponse, from_cursor, to_cursor
from api.services import Services
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["people"], dependencies=[need(Role.ADMINISTRATOR)])
_QUERIES = load_queries("api_people")
_Name = Annotated[str, msgspec.Meta(max_length=63)]


@router.get("/users", response_model=Users, responses=refusals(400, 401, 403, 503), summary="Accounts")
async def list_users(query: Annotated[PageQuery, Query()], person: PersonDep, services: ServicesDep) -> JsonResponse:
    """Accounts by name that were granted anything in the towns one administers; of their grants those towns' alone."""
    (after,) = from_cursor(query.cursor, tuple[_Name]) if query.cursor else ("",)
    parameters = _search(person, name=None, after=after, limit=query.limit + 1)
    rows = await services.changes.rows(_QUERIES["accounts"], parameters)
    page = rows[: query.limit]
    answer: Users = {
        "items": [_user(row, person) for row in page],
        "next": to_cursor(page[-1]["name"]) if len(rows) > query.limit else None,
    }
    return JsonResponse(answer)


@router.get("/users/{user}", response_model=User, responses=refusals(400, 401, 403, 404, 503), summary="One account")
async def read_user(
    user: UserPath, _query: Annotated[NoParameters, Query()], person: PersonDep, services: ServicesDep
) -> JsonResponse:
    """An account as `GET /v1/users` shows it."""
    rows = await services.changes.rows(_QUERIES["accounts"], _search(person, name=user, after="", limit=1))
    if not rows:
        raise not_found("user", user)
    return JsonResponse(_user(rows[0], person))


@router.post(
    "/users", status_code=201, response_model=User, responses=refusals(400, 401, 403, 404, 409, 413, 429, 503),
    summary="Make an account",
)  # fmt: skip
async def create_user(
    wish: NewUser, _query: Annotated[NoParameters, Query()], person: PersonDep, services: ServicesDep
) -> JsonResponse:
    """Make an account with grants in towns that one administers."""
    grants = roles_of(wish.grants)
    check_grantable(person, grants)
    password_hash = await services.logins.passwords.hash(wish.password)
    async with services.changes.transaction(person) as change:
        await check_towns(change, grants)
        row = await change.row(
            _QUERIES["add_account"],
            {"name": wish.name, "display_name": wish.display_name, "password_hash": password_hash},
        )
        if row is None:
            raise Problem(HTTPStatus.CONFLICT, invalid_words(InvalidCode.NAME_TAKEN), name="name", where="body")
        await _grant(change, row["account_id"], grants)
        await change.audit(
            "user.create",
            subject=wish.name,
            town=only_town(grants),
            after={"display_name": wish.display_name, "grants": grant_words(grants)},
        )
    return JsonResponse(await _read(services, wish.name, person), 201)


@router.patch(
    "/users/{user}", response_model=User, responses=refusals(400, 401, 403, 404, 413, 429, 503),
    summary="Change an account",
)  # fmt: skip
async def change_user(
    user: UserPath, wish: UserChange, _query: Annotated[NoParameters, Query()], person: PersonDep, services: ServicesDep
) -> JsonResponse:
    """Change name, password, grants, or whether it may log in.

    Grants are those of the towns one administers; others stay. The rest takes an administrator of every town in which
    the account was granted anything. A new password, other grants and disabling hold at once, in open sessions too.
    """
    password_hash = await services.logins.passwords.hash(wish.password) if wish.password is not None else None
    async with services.changes.transaction(person) as change:
        await change.row(_QUERIES["lock_account"], {"name": user})
        rows = await change.rows(_QUERIES["accounts"], _search(person, name=user, after="", limit=1))
        if not rows:
            raise not_found("user", user)
        row = rows[0]
        had = read_grants(row["grants"])
        if wish.model_fields_set - {"grants"}:
            check_grantable(person, had)
        has = had if wish.grants is None else await _regrant(change, row["account_id"], had, wish, person)
        await change.execute(
            _QUERIES["change_account"],
            {
                "account_id": row["account_id"],
                "display_name": wish.display_name,
                "password_hash": password_hash,
                "disabled": wish.disabled,
            },
        )
        if password_hash is not None or wish.disabled:
            await change.execute(_QUERIES["drop_sessions"], {"account_id": row["account_id"]})
        await change.audit(
            "user.change",
            subject=user,
            town=only_town(had | has),
            before={
                "display_name": row["display_name"],
                "grants": grant_words(had),
                "disabled": row["disabled_time"] is not None,
            },
            after=wish.model_dump(exclude_unset=True, exclude={"password"})
            | {"grants": grant_words(has)}
            | ({"password": "changed"} if password_hash is not None else {}),
        )
    services.principals.forget()
    return JsonResponse(await _read(services, user, person))


def check_grantable(person: Person, grants: Grants) -> None:
    """See that somebody administers every town of some grants.

    Raises:
        Problem: 404 or 403, not this one.
    """
    for town in sorted(grants):
        person.check(Role.ADMINISTRATOR, None if town == EVERY_TOWN else town)


async def check_towns(change: Change, grants: Grants) -> None:
    """See that the towns of some grants exist.

    Raises:
        Problem: 400, one does not.
    """
    towns = [town for town in grants if town != EVERY_TOWN]
    unknown = await change.rows(_QUERIES["unknown_towns"], {"towns": towns})
    if unknown:
        missing = invalid_words(InvalidCode.NO_SUCH_TOWN, town=unknown[0]["id"])
        raise bad_parameter("grants", missing, where="body")


def columns(grants: Grants) -> dict[str, list[Any]]:
    """Grants as the statements want them."""
    return {
        "towns": [None if town == EVERY_TOWN else town for town in grants],
        "roles": [role.word for role in grants.values()],
    }


async def _regrant(change: Change, account_id: Any, had: Grants, wish: UserChange, person: Person) -> Grants:
    """Put the grants asked for in the place of those the person may take away; answers what stands then."""
    asked = roles_of(wish.grants or {})
    check_grantable(person, asked)
    await check_towns(change, asked)
    kept = {
        town: role
        for town, role in had.items()
        if not person.may(Role.ADMINISTRATOR, None if town == EVERY_TOWN else town)
    }
    has = kept | asked
    await change.execute(_QUERIES["drop_grants"], {"account_id": account_id})
    await _grant(change, account_id, has)
    return has


async def _grant(change: Change, account_id: Any, grants: Grants) -> None:
    await change.execute(_QUERIES["add_grants"], {"account_id": account_id, **columns(grants)})


async def _read(services: Services, name: str, person: Person) -> User:
    everything = {"name": name, "after": "", "towns": None, "limit": 1}
    (row,) = await services.changes.rows(_QUERIES["accounts"], everything)
    return _user(row, person)


def _search(person: Person, *, name: str | None, after: str, limit: int) -> dict[str, Any]:
    towns = person.towns(Role.ADMINISTRATOR)
    return {"name": name, "after": after, "towns": None if towns is None else sorted(towns), "limit": limit}


def shown_grants(words: dict[str, str], person: Person) -> dict[str, Any]:
    """Those of some grants that an administrator may see."""
    return {
        town: role
        for town, role in sorted(words.items())
        if person.may(Role.ADMINISTRATOR, None if town == EVERY_TOWN else town)
    }


def _user(row: DictRow, person: Person) -> User:
    return {
        "name": row["name"],
        "display_name": row["display_name"],
        "grants": shown_grants(row["grants"], person),
        "created_time": row["created_time"],
        "password_time": row["password_time"],
        "last_login_time": row["last_login_time"],
        "disabled_time": row["disabled_time"],
    }
