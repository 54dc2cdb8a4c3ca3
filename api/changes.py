"""Changes: few connections of a login in thubon_api, a transaction for each change with its audit."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from api.database import CONNECTION_OPTIONS, POOL_WAIT_S, Connection
from api.errors import Problem
from api.grants import asking, towns_setting
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from api.grants import Person
    from api.settings import ApiSettings

_QUERIES = load_queries("api_audit")
_CONNECTIONS_MAX: Final = 4
SET_TOWNS: Final = "select set_config('thubon.towns', %(towns)s, true)"


class Change:
    """One transaction of one person.

    Args:
        connection: inside the transaction.
        person: who changes.
        address: where from.
    """

    def __init__(self, connection: Connection, person: Person, address: str | None) -> None:
        self._connection = connection
        self._person = person
        self._address = address

    async def rows(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[DictRow]:
        """All rows of one statement, none where it answers none."""
        cursor = await self._connection.execute(query, parameters)
        return await cursor.fetchall() if cursor.description else []

    async def row(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> DictRow | None:
        """The first row of one statement, or None."""
        cursor = await self._connection.execute(query, parameters)
        return await cursor.fetchone()

    async def execute(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> int:
        """Run one statement; answers how many rows it touched."""
        cursor = await self._connection.execute(query, parameters)
        return cursor.rowcount

    async def audit(
        self,
        action: str,
        *,
        subject: str,
        town: str | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Note in the same transaction what was changed.

        Args:
            action: such as `device.create`.
            subject: what it was done to, such as a device's id.
            town: whose administrators may read it; None: those of all towns alone.
            before: what stood before, never a secret; None: nothing did.
            after: what stands now; None: nothing does.
        """
        await self._connection.execute(
            _QUERIES["add_audit"],
            {
                "actor": self._person.name,
                "address": self._address,
                "action": action,
                "outcome": "done",
                "town": town,
                "subject": subject,
                "detail": None,
                "attempts": 1,
                "before": None if before is None else Jsonb(before),
                "after": None if after is None else Jsonb(after),
            },
        )

    async def audit_all(self, notes: Sequence[Mapping[str, Any]]) -> None:
        """Note many changes at once; each has `action`, `town_id`, `subject`, `before` and `after`, as `audit`."""
        await self._connection.execute(
            _QUERIES["add_audit_notes"],
            {"actor": self._person.name, "address": self._address, "notes": Jsonb(list(notes))},
        )


class Changes:
    """The way to the tables that the API may change; safe to share between tasks of one event loop.

    Args:
        settings: checked settings; without `database_url` nothing can be changed.
        changed: called after each change that was committed.
    """

    def __init__(self, settings: ApiSettings, changed: Callable[[], None] | None = None) -> None:
        self._url = settings.database_url.unicode_string() if settings.database_url else None
        self._query_timeout_ms = settings.http_query_timeout_ms
        self._changed = changed
        self._pool = (
            AsyncConnectionPool(
                self._url,
                connection_class=AsyncConnection[DictRow],
                kwargs=CONNECTION_OPTIONS,
                configure=self._configure,
                min_size=1,
                max_size=_CONNECTIONS_MAX,
                max_waiting=20 * _CONNECTIONS_MAX,
                timeout=POOL_WAIT_S,
                reconnect_timeout=30.0,
                open=False,
                name="api changes",
            )
            if self._url
            else None
        )

    @property
    def possible(self) -> bool:
        """Whether there is a database to change: accounts, sessions, keys and audit are kept there."""
        return self._pool is not None

    async def open(self) -> None:
        """Start connecting in the background."""
        if self._pool is not None:
            await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.close(timeout=2.0)

    async def row(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> DictRow | None:
        """The first row of one statement of the service itself, committed at once."""
        async with self._pool_or_refuse().connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchone()

    async def rows(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[DictRow]:
        """All rows of one statement of the service itself, committed at once."""
        async with self._pool_or_refuse().connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall()

    async def execute(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> int:
        """Run one statement of the service itself, committed at once; answers how many rows it touched."""
        async with self._pool_or_refuse().connection() as connection:
            return (await connection.execute(query, parameters)).rowcount

    @asynccontextmanager
    async def transaction(self, person: Person) -> AsyncIterator[Change]:
        """A transaction of one person, committed at the end of the block and rolled back by any error.

        The database shows and takes rows of those towns alone in which the person has the role that the view needs.

        Raises:
            Problem: 503, this service has no database to change.
        """
        role, address = asking()
        async with self._pool_or_refuse().connection() as connection, connection.transaction():
            await connection.execute(SET_TOWNS, {"towns": towns_setting(person.towns(role))})
            yield Change(connection, person, address)
        if self._changed is not None:
            self._changed()

    @asynccontextmanager
    async def own_connection(self) -> AsyncIterator[Connection]:
        """A connection outside the pool, for listening."""
        if self._url is None:
            raise RuntimeError("there is no database to change")
        connection = await AsyncConnection[DictRow].connect(self._url, **CONNECTION_OPTIONS)
        async with connection:
            await self._configure(connection)
            yield connection

    def _pool_or_refuse(self) -> AsyncConnectionPool[Connection]:
        if self._pool is None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "this service only reads: it has no database to change")
        return self._pool

    async def _configure(self, connection: Connection) -> None:
        await connection.set_autocommit(True)
        for name, value in (
            ("statement_timeout", f"{self._query_timeout_ms}ms"),
            ("lock_timeout", f"{self._query_timeout_ms}ms"),
            ("idle_in_transaction_session_timeout", "30s"),
            ("timezone", "UTC"),
            ("jit", "off"),
            ("search_path", "granted, public"),
            ("application_name", "thubon-api changes"),
        ):
            await connection.execute("select set_config(%s, %s, false)", (name, value))
