"""Local accounts: passwords and logins."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from psycopg import DatabaseError
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from api.errors import Problem
from api.grants import grant_words, only_town
from api.principals import digest, openid_actor
from api.security import new_secret
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.audit import Refusals
    from api.changes import Changes
    from api.metrics import Metrics
    from api.openid import Claims
    from api.throttle import Brake

_QUERIES = load_queries("api_access")

PASSWORD_MIN: Final = 12
PASSWORD_MAX: Final = 200
HASHER: Final = PasswordHasher()
"""Argon2id with the library's costs: RFC 9106, the second recommended choice (64 MiB, three passes, four lanes)."""
_AT_A_TIME: Final = 2
"""Passwords proved at a time: each takes 64 MiB."""
LOGINS_MAX: Final = 20
"""Logins under way, those that wait for their turn among them: some two seconds of work."""
EXPIRED_EVERY_S: Final = 3600.0
_TRY_AGAIN_S: Final = 60.0
RESERVED_NAMES: Final = frozenset({"service-token", "open", "openid", "key", "cli", "system", "ingest", "identity"})
"""Names of accounts that the audit would not tell from those of programs."""
_log = logging.getLogger("api")


class Passwords:
    """Hashes and proves passwords, a few at a time, off the event loop."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_AT_A_TIME)
        self._logins = 0
        self._nobodys = _hash_of_nobody()

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        async with self._places:
            return await asyncio.to_thread(HASHER.hash, password)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """One login's turn to prove its password; False at once where too many wait already."""
        if self._logins >= LOGINS_MAX:
            yield False
            return
        self._logins += 1
        try:
            async with self._places:
                yield True
        finally:
            self._logins -= 1

    async def prove(self, password_hash: str | None, password: str) -> bool:
        """Whether this is the password, asked in one's `turn`; without a hash the same work is done, for nothing.

        Args:
            password_hash: what is kept; None: there is no such account, or it may not log in.
            password: as somebody typed it.
        """
        right = await asyncio.to_thread(_verify, password_hash or self._nobodys, password)
        return right and password_hash is not None


@cache
def _hash_of_nobody() -> str:
    """A hash of the cost of everybody's, of a password that nobody knows."""
    return HASHER.hash(new_secret())


def _verify(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


class Logins:
    """Opens and ends sessions of the page.

    Args:
        changes: where accounts and sessions are kept.
        passwords: proves passwords.
        audit: told of refused logins.
        metrics: counts.
        by_address: slows down guessing from one address.
        by_account: slows down guessing of one account's password.
        life_s: life of a session, seconds.
    """

    def __init__(
        self,
        changes: Changes,
        passwords: Passwords,
        audit: Refusals,
        metrics: Metrics,
        *,
        by_address: Brake,
        by_account: Brake,
        life_s: int,
    ) -> None:
        self._changes = changes
        self.passwords = passwords
        self._audit = audit
        self._metrics = metrics
        self._by_address = by_address
        self._by_account = by_account
        self.life_s = life_s

    async def log_in(self, name: str, password: str, address: str) -> str:
        """Open a session for an account; answers the cookie's value.

        Raises:
            Problem: 401, there is no such account, or its password is another, or it is disabled: the audit says
                which; 429, too many tries; 503, there is no database of accounts.
        """
        name = name.lower()
        self._refuse_hasty(name, address)
        async with self.passwords.turn() as ours:
            if not ours:
                self._refuse(name, address, "too many logins at once")
                detail = "too many people log in at this moment; try again"
                raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "2"})
            row = await self._changes.row(_QUERIES["account_to_prove"], {"name": name})
            # Others may have failed while this one waited. It counts as failed until it is proved: tries that come
            # at once would otherwise all be let through.
            self._refuse_hasty(name, address, only_town(row["towns"]) if row else None)
            self._by_address.failed(address)
            self._by_account.failed(name)
            reason = "there is no such account" if row is None else None
            if row is not None and row["disabled_time"] is not None:
                reason = "the account is disabled"
            password_hash = None if row is None or reason else row["password_hash"]
            proved = await self.passwords.prove(password_hash, password)
        if not proved or row is None:
            self._metrics.login_failures.inc()
            self._refuse(name, address, reason or "the password is wrong", only_town(row["towns"]) if row else None)
            raise Problem(HTTPStatus.UNAUTHORIZED, "name or password is wrong", headers={"WWW-Authenticate": "Bearer"})
        self._by_address.give_back(address)
        self._by_account.forget(name)
        stale = HASHER.check_needs_rehash(row["password_hash"])
        fresh = await self.passwords.hash(password) if stale else None
        await self._changes.execute(
            _QUERIES["account_logged_in"], {"account_id": row["account_id"], "password_hash": fresh}
        )
        return await self._open(row["account_id"], None, row["name"], None, self.life_s, address)

    async def let_in(self, claims: Claims, address: str) -> tuple[str, int]:
        """Open a session for whom the provider named; answers the cookie's value and the session's life in seconds.

        Raises:
            Problem: 403, the provider names no group that was granted anything.
        """
        if not claims.grants:
            self._audit.refused(
                openid_actor(claims.subject, claims.name),
                address,
                "session.open",
                claims.name,
                "no group grants anything",
            )
            raise Problem(HTTPStatus.FORBIDDEN, "nothing was granted to you here; ask the administrator")
        cookie = await self._open(
            None, claims.subject, claims.name, Jsonb(grant_words(claims.grants)), self.life_s, address
        )
        return cookie, self.life_s

    async def end(self, cookie: str) -> None:
        """End the session of a cookie, if there is one."""
        await self._changes.execute(_QUERIES["end_session"], {"session_hash": digest(cookie)})

    async def tidy(self) -> None:
        """Throw away what has ended by itself, now and once an hour, until cancelled."""
        while self._changes.possible:
            pause_s = EXPIRED_EVERY_S
            try:
                await self._changes.execute(_QUERIES["end_old_sessions"])
            except (DatabaseError, PoolTimeout, PoolClosed, TooManyRequests) as error:
                _log.warning("ended sessions were not thrown away: %s", type(error).__name__)
                pause_s = _TRY_AGAIN_S
            await asyncio.sleep(pause_s)

    async def _open(
        self, account_id: Any, subject: str | None, name: str, grants: Jsonb | None, life_s: int, address: str
    ) -> str:
        cookie = new_secret()
        await self._changes.execute(
            _QUERIES["add_session"],
            {
                "session_hash": digest(cookie),
                "account_id": account_id,
                "subject": subject,
                "name": name,
                "grants": grants,
                "life_s": life_s,
                "address": address,
            },
        )
        return cookie

    def _refuse_hasty(self, name: str, address: str, town: str | None = None) -> None:
        wait_s = max(self._by_address.wait_s(address), self._by_account.wait_s(name))
        if wait_s > 0:
            self._refuse(name, address, "too many failed logins", town)
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many failed logins; wait",
                headers={"Retry-After": str(int(wait_s) + 1)},
            )

    def _refuse(self, name: str, address: str, reason: str, town: str | None = None) -> None:
        self._audit.refused("-", address, "session.open", name, reason, town=town)
