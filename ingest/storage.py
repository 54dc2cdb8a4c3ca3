"""The worker's connection to the database, and how its errors are named."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import dict_row

from ingest.errors import StorageAwayError
from ingest.registry import RegistrySnapshot, build_snapshot
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERIES: Final = load_queries("ingest")
_CONNECT_TIMEOUT_S: Final = 5
_STATEMENT_TIMEOUT_MS: Final = 60_000


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn what only time can mend (server away, disk full, deadlock) into `StorageAwayError`.

    Raises:
        StorageAwayError: the same work may be tried again.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise StorageAwayError(f"({type(error).__name__}: {' '.join(str(error).split())})") from error


def connect(dsn: str, *, application: str) -> psycopg.Connection[dict[str, Any]]:
    """Open a connection in UTC with bounded waits; blocks for at most some seconds.

    Raises:
        StorageAwayError: the server does not answer or refuses the login.
    """
    with named_errors():
        return psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name=application,
            options=f"-c timezone=UTC -c statement_timeout={_STATEMENT_TIMEOUT_MS}",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=15_000,
            row_factory=dict_row,
        )


def registry_version(connection: psycopg.Connection[dict[str, Any]]) -> int:
    """The registry's present version."""
    row = connection.execute(QUERIES["registry_version"]).fetchone()
    return int(row["version"]) if row else 0


def read_registry(connection: psycopg.Connection[dict[str, Any]]) -> RegistrySnapshot:
    """The whole registry at one version."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        version = registry_version(connection)
        devices = connection.execute(QUERIES["registry_devices"]).fetchall()
        datastreams = connection.execute(QUERIES["registry_datastreams"]).fetchall()
    return build_snapshot(version, devices, datastreams)
