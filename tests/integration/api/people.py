"""Accounts, sessions and keys for the tests, written as the database's owner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher

from api.principals import KEY_PREFIX, digest
from api.security import csrf_token, new_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

    from tests.integration.api.seed import Seed

NEW_USER = {"name": "new", "display_name": "New", "password": "a long password", "grants": {"hoi-an": "viewer"}}
PASSWORD = "đường Trần Phú 1999"
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def add_account(seed: Seed, name: str, grants: Mapping[str, str], *, password: str = PASSWORD) -> None:
    """An account; `*` stands for every town."""
    seed.execute(
        "insert into account (name, display_name, password_hash) values (%s, %s, %s)",
        [name, name, _CHEAP.hash(password)],
    )
    for town, role in grants.items():
        seed.execute(
            "insert into account_grant select account_id, nullif(%s, '*'), %s from account where name = %s",
            [town, role, name],
        )


def open_session(seed: Seed, name: str, *, life_s: float = 3600.0) -> str:
    """A session of an account; answers its cookie."""
    cookie = new_secret()
    seed.execute(
        "insert into page_session (session_hash, account_id, name, expires_time, address)"
        " select %s, account_id, name, %s, '127.0.0.1' from account where name = %s",
        [digest(cookie), datetime.now(UTC) + timedelta(seconds=life_s), name],
    )
    return cookie


def page_headers(cookie: str) -> dict[str, str]:
    """What the page sends with a change."""
    return {"Cookie": f"thubon_session={cookie}", "X-CSRF-Token": csrf_token(cookie)}


def add_key(seed: Seed, name: str, grants: Mapping[str, str], *, life_s: float = 3600.0) -> str:
    """A key of a program; answers it."""
    key = KEY_PREFIX + new_secret()
    seed.execute(
        "insert into api_key (name, key_hash, beginning, created_by, expires_time) values (%s, %s, %s, 'test', %s)",
        [name, digest(key), key[:13], datetime.now(UTC) + timedelta(seconds=life_s)],
    )
    for town, role in grants.items():
        seed.execute(
            "insert into api_key_grant select key_id, nullif(%s, '*'), %s from api_key where name = %s",
            [town, role, name],
        )
    return key


def bearer(token: str) -> dict[str, str]:
    """What a program sends."""
    return {"Authorization": f"Bearer {token}"}


async def refusals(app: FastAPI, seed: Seed) -> list[tuple[Any, ...]]:
    """Actor, action, detail and attempts of what was refused."""
    await app.state.services.audit.write()
    return seed.connection.execute(
        "select actor, action, detail, attempts from audit where outcome = 'refused' order by audit_key"
    ).fetchall()
