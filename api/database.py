"""The database as the API sees it: few connections that may only read, each query bounded in time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString

from psycopg import AsyncConnection, OperationalError, errors
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from api.grants import present_scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from psycopg import AsyncCursor

    from api.settings import ApiSettings

CONNECTION_OPTIONS: Final[dict[str, Any]] = {
    "row_factory": dict_row,
    "connect_timeout": 5,
    # A server that is gone without a word is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
POOL_WAIT_S: Final = 3.0
"""How long a request waits for a free connection before it is answered with 503."""

Connection = AsyncConnection[DictRow]
"""A connection whose rows are dictionaries."""


_SET_TOWNS: Final = "select set_config('thubon.towns', %s, false)"


class ReadConnection(AsyncConnection[DictRow]):
    """A connection that knows for which towns it asks now."""

    towns: str | None = None

    async def ask_for(self, towns: str) -> None:
        """Have the database show rows of these towns alone, as `api.grants` writes them; tells it changes only."""
        if self.towns == towns:
            return
        self.towns = None  # were this cut off half way, nobody would know
        await self.execute(_SET_TOWNS, (towns,))
        self.towns = towns


async def prepare_session(connection: Connection, *, query_timeout_ms: int) -> None:
    """Bind a fresh connection to reading, to UTC and to a longest query time.

    Plans are made for the values at hand: a plan for any value could not leave out the chunks of other days.
    """
    await connection.set_autocommit(True)
    for name, value in (
        ("default_transaction_read_only", "on"),
        ("statement_timeout", f"{query_timeout_ms}ms"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("timezone", "UTC"),
        ("plan_cache_mode", "force_custom_plan"),
        ("jit", "off"),
        # There stand views of the tables' names that show the towns granted and no other.
        ("search_path", "granted, public"),
        ("application_name", "thubon-api"),
    ):
        await connection.execute("select set_config(%s, %s, false)", (name, value))


class Database:
    """Reads rows; safe to share between tasks of one event loop."""

    def __init__(self, settings: ApiSettings) -> None:
        self._url = settings.read_database_url.unicode_string()
        self._query_timeout_ms = settings.http_query_timeout_ms
        self._pool = AsyncConnectionPool(
            self._url,
            connection_class=ReadConnection,
            kwargs=CONNECTION_OPTIONS,
            configure=self._configure,
            min_size=min(2, settings.http_connections),
            max_size=settings.http_connections,
            max_waiting=20 * settings.http_connections,
            timeout=POOL_WAIT_S,
            reconnect_timeout=30.0,
            open=False,
            name="api",
        )

    async def _configure(self, connection: Connection) -> None:
        await prepare_session(connection, query_timeout_ms=self._query_timeout_ms)

    async def open(self) -> None:
        """Start connecting in the background; never waits, so the service starts while the database is away."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection; queries under way are given up."""
        await self._pool.close(timeout=2.0)

    async def rows(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[DictRow]:
        """All rows of one reading statement, of the towns of whoever is served now.

        A connection found dead (the server was restarted) is replaced and the statement tried once more: reading twice
        does no harm.

        Raises:
            psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests: no connection came free in time.
            psycopg.errors.QueryCanceled: the statement took longer than the limit.
            psycopg.OperationalError: the database is away.
        """
        (found,) = await self._read_again_if_cut(((query, parameters),))
        return found

    async def rows_at_once(
        self, asked: Sequence[tuple[LiteralString, Mapping[str, Any] | None]]
    ) -> list[list[DictRow]]:
        """All rows of several reading statements, of one moment: what is committed between them is seen by none.

        Raises as `rows` does.
        """
        return await self._read_again_if_cut(asked)

    async def _read_again_if_cut(
        self, asked: Sequence[tuple[LiteralString, Mapping[str, Any] | None]]
    ) -> list[list[DictRow]]:
        try:
            return await self._read(asked)
        except (errors.QueryCanceled, PoolTimeout, TooManyRequests, PoolClosed):
            raise
        except OperationalError:
            await self._pool.check()
            return await self._read(asked)

    async def _read(self, asked: Sequence[tuple[LiteralString, Mapping[str, Any] | None]]) -> list[list[DictRow]]:
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await connection.ask_for(present_scope())
            if len(asked) == 1:
                return [await self._fetch(cursor, *asked[0])]
            async with connection.transaction():
                await cursor.execute("set transaction isolation level repeatable read")
                return [await self._fetch(cursor, *each) for each in asked]

    async def _fetch(
        self, cursor: AsyncCursor[DictRow], query: LiteralString, parameters: Mapping[str, Any] | None
    ) -> list[DictRow]:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()

    async def row(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> DictRow | None:
        """The first row of one reading statement, or None; raises as `rows` does."""
        found = await self.rows(query, parameters)
        return found[0] if found else None

    async def row_of_function(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> DictRow:
        """The single row of a function that writes, if but a temporary table, so is run outside the read-only default.

        Never tried again by itself: it may have been done.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("set transaction read write")
            cursor = await connection.execute(query, parameters)
            row = await cursor.fetchone()
            if row is None:
                raise errors.NoData("the function gave no row")
            return row

    @asynccontextmanager
    async def own_connection(self) -> AsyncIterator[Connection]:
        """A connection outside the pool, prepared alike, for listening; closed at the end of the block."""
        connection = await AsyncConnection[DictRow].connect(self._url, **CONNECTION_OPTIONS)
        async with connection:
            await self._configure(connection)
            yield connection

    def pool_figures(self) -> tuple[int, int, int]:
        """How many connections are open, how many of them idle, and how many requests wait for one."""
        stats = self._pool.get_stats()
        return stats.get("pool_size", 0), stats.get("pool_available", 0), stats.get("requests_waiting", 0)
