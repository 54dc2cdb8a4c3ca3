"""From what a request shows to who asks, remembered for a moment and forgotten at once when it was revoked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections import OrderedDict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from psycopg import DatabaseError
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from api.errors import Problem
from api.grants import EVERY_TOWN, Person, Role, only_town, read_grants
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.changes import Changes
    from api.openid import OpenId
    from api.throttle import Brake

_QUERIES = load_queries("api_access")
_log = logging.getLogger("api")

REMEMBER_S: Final = 30.0
"""How long a proof is believed without asking again, while the database tells us of every revocation."""
REMEMBER_UNTOLD_S: Final = 2.0
"""The same while it cannot tell us."""
REMEMBERED_MAX: Final = 10_000
KEY_PREFIX: Final = "thubon_"
USED_EVERY_S: Final = 60.0
"""A key's last use is written at most this often."""
_RECONNECT_S: Final = (0.5, 1.0, 2.0, 5.0)


class NotBelievedError(Exception):
    """What a request showed is not believed.

    Args:
        reason: precisely why, for the audit; never for who asked.
        actor: who it claims to be, as far as that was proved; `-`: not at all.
        expired: it was ours, so that its holder may be told that it has ended.
        wait_s: it has to wait so long; 0: it may try again.
        town: the one town in which it was granted anything, where that is known.
    """

    def __init__(
        self, reason: str, *, actor: str = "-", expired: bool = False, wait_s: float = 0.0, town: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.actor, self.town = reason, actor, town
        self._expired, self._wait_s = expired, wait_s

    def problem(self) -> Problem:
        """The answer, which tells nothing that its holder does not know."""
        if self._wait_s > 0:
            return Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many refused logins or tokens from this address; wait",
                headers={"Retry-After": str(int(self._wait_s) + 1)},
            )
        detail = "this token or key has expired" if self._expired else "this token or key is not valid"
        return Problem(
            HTTPStatus.UNAUTHORIZED,
            detail,
            headers={"WWW-Authenticate": 'Bearer realm="thubon", error="invalid_token"'},
        )


def digest(secret: str) -> bytes:
    """What is kept of a cookie, key or token: they are random enough that no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def openid_actor(subject: str, name: str) -> str:
    """A person of the provider as the audit has them.

    People may choose their name at a provider, and not the `sub`: it stands first, quoted, so that no name feigns one.
    """
    return f"openid:{quote(subject, safe='')}:{name}"


class Principals:
    """Finds out who asks.

    Args:
        changes: where accounts, sessions and keys are kept.
        openid: checks tokens of the provider; None: there is no provider.
        brake: slows down who shows wrong things.
        service_token: the token of the installation itself; None: there is none.
        open_viewer: whether everybody may read.
    """

    def __init__(
        self, changes: Changes, openid: OpenId | None, brake: Brake, service_token: str | None, *, open_viewer: bool
    ) -> None:
        self._changes = changes
        self._openid = openid
        self._brake = brake
        self._service_digest = digest(service_token) if service_token is not None else None
        self._open = Person("open", "open", {EVERY_TOWN: Role.VIEWER}) if open_viewer else None
        self._known: OrderedDict[bytes, tuple[float, Person]] = OrderedDict()
        self._generation = 0
        self._told = False
        self._used: dict[str, tuple[float, str]] = {}  # key id -> when its use was last written
        self._writing: set[asyncio.Task[None]] = set()

    async def find(self, authorization: str | None, cookie: str | None, address: str) -> Person | None:
        """Who asks; None where nothing was shown, or a cookie that has ended, and nobody may read unknown.

        A header is believed or refused; a wrong one is never passed over for a cookie.

        Raises:
            NotBelievedError: the header shows nothing of ours, or too many wrong ones came from this address.
        """
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            token = token.strip()
            if scheme.lower() != "bearer" or not token:
                raise self._refused("the header is no bearer token", address)
            return await self._bearer(token, address)
        if cookie:
            return await self._session(cookie) or self._open
        return self._open

    def forget(self) -> None:
        """Believe nothing that was believed before: somebody's rights changed."""
        self._generation += 1
        self._known.clear()

    async def holds(self, person: Person) -> bool:
        """Whether what somebody was let in for still holds; asked anew where it is not remembered."""
        if person.expires_s is not None and person.expires_s <= time.time():
            return False
        # A token of the provider holds to its end: nobody can take it back.
        if person.proof is None or person.kind == "service" or (person.kind == "openid" and not person.by_cookie):
            return True
        again: Person | None = self._remembered(person.proof)
        if again is None:
            try:
                read = self._read_key(person.proof, None) if person.kind == "key" else self._read_session(person.proof)
                again = await read
            except NotBelievedError:
                return False
        return again is not None and again.grants == person.grants

    async def follow(self) -> None:
        """Listen for revocations until cancelled."""
        failures = 0
        while self._changes.possible:
            try:
                async with self._changes.own_connection() as connection:
                    await connection.execute("listen thubon_access")
                    self.forget()
                    self._told, failures = True, 0
                    async for _ in connection.notifies():
                        self.forget()
            except (DatabaseError, PoolTimeout, PoolClosed, TooManyRequests, OSError) as error:
                if failures == 0:
                    _log.warning("revocations are not told, asking every few seconds: %s", type(error).__name__)
            finally:
                self._told = False
                self.forget()
            await asyncio.sleep(_RECONNECT_S[min(failures, len(_RECONNECT_S) - 1)])
            failures += 1

    async def _bearer(self, token: str, address: str) -> Person:
        proof = digest(token)
        if self._service_digest is not None and hmac.compare_digest(proof, self._service_digest):
            return Person("service-token", "service", {EVERY_TOWN: Role.ADMINISTRATOR}, proof=proof)
        known = self._remembered(proof)
        if known is None:
            wait_s = self._brake.wait_s(address)
            if wait_s > 0:
                raise NotBelievedError("too many wrong tokens", wait_s=wait_s)
            if token.startswith(KEY_PREFIX):
                known = await self._read_key(proof, address)
            elif self._openid is not None and token.count(".") == 2:  # noqa: PLR2004 the three parts of a signed token
                generation = self._generation
                try:
                    known = await self._openid.person_of(token, proof)
                except NotBelievedError:
                    self._brake.failed(address)
                    raise
                self._remember(proof, known, generation)
            else:
                raise self._refused("no key, session or token of this installation", address)
        if known.kind == "key":
            self._note_use(known, address)
        return known

    async def _session(self, cookie: str) -> Person | None:
        proof = digest(cookie)
        return self._remembered(proof) or await self._read_session(proof)

    async def _read_session(self, proof: bytes) -> Person | None:
        if not self._changes.possible:
            return None
        generation = self._generation
        row = await self._changes.row(_QUERIES["session"], {"session_hash": proof})
        if row is None:
            return None
        person = Person(
            name=row["name"] if row["account_id"] else openid_actor(row["subject"], row["name"]),
            kind="account" if row["account_id"] else "openid",
            grants=read_grants(row["grants"]),
            expires_s=row["expires_time"].timestamp(),
            account_id=row["account_id"],
            proof=proof,
            by_cookie=True,
        )
        self._remember(proof, person, generation)
        return person

    async def _read_key(self, proof: bytes, address: str | None) -> Person:
        generation = self._generation
        row = await self._changes.row(_QUERIES["key"], {"key_hash": proof}) if self._changes.possible else None
        if row is None:
            raise self._refused("no such key", address)
        name, town = f"key:{row['name']}", only_town(row["grants"])
        if row["revoked_time"] is not None:
            raise self._refused("this key was revoked", address, actor=name, town=town)
        if row["expires_time"] <= datetime.now(UTC):
            raise self._refused("this key has expired", address, actor=name, expired=True, town=town)
        person = Person(
            name=name,
            kind="key",
            grants=read_grants(row["grants"]),
            expires_s=row["expires_time"].timestamp(),
            account_id=row["key_id"],
            proof=proof,
        )
        self._remember(proof, person, generation)
        return person

    def _refused(self, reason: str, address: str | None, **more: Any) -> NotBelievedError:
        if address is not None:
            self._brake.failed(address)
        return NotBelievedError(reason, **more)

    def _remembered(self, proof: bytes) -> Person | None:
        kept = self._known.get(proof)
        if kept is None:
            return None
        deadline, person = kept
        if time.monotonic() >= deadline or (person.expires_s is not None and person.expires_s <= time.time()):
            del self._known[proof]
            return None
        return person

    def _remember(self, proof: bytes, person: Person, generation: int) -> None:
        if generation != self._generation:
            return  # something was revoked while we asked
        keep_s = REMEMBER_S if self._told else REMEMBER_UNTOLD_S
        self._known[proof] = (time.monotonic() + keep_s, person)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)

    def _note_use(self, person: Person, address: str) -> None:
        key, now = str(person.account_id), time.monotonic()
        written = self._used.get(key)
        if written is not None and now - written[0] < USED_EVERY_S:
            return
        if len(self._used) >= REMEMBERED_MAX:
            self._used.clear()
        self._used[key] = (now, address)
        parameters = {"key": person.account_id, "address": address}
        task = asyncio.create_task(self._write_use(parameters), name="last use of a key")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write_use(self, parameters: Mapping[str, Any]) -> None:
        try:
            await self._changes.execute(_QUERIES["key_used"], parameters)
        except (DatabaseError, PoolTimeout, PoolClosed, TooManyRequests) as error:
            _log.warning("the last use of a key was not written: %s", type(error).__name__)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._writing)
