"""What the worker does beside the stream: registry changes, disk space, retention."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from ingest.knocks import KNOCKS_LEFT
from ingest.storage import QUERIES, connect, named_errors, read_registry, registry_version

if TYPE_CHECKING:
    import psycopg

    from ingest.registry import RegistrySnapshot
    from ingest.settings import WorkerSettings

_LOG: Final = logging.getLogger(__name__)
_TRIMS: Final = 100
"""Deletions of refusals in one go; a million each ten minutes is more than comes in."""


class Housekeeper:
    """Asks and tidies over a connection of its own; its methods block and must not run at the same time."""

    def __init__(self, *, dsn: str, settings: WorkerSettings) -> None:
        self._dsn = dsn
        self._settings = settings
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def connection(self) -> psycopg.Connection[dict[str, Any]]:
        """The open connection, opened now where there is none.

        Raises:
            StorageAwayError: the server does not answer.
        """
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn, application=f"thubon housekeeping {self._settings.worker}")
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def read_registry(self) -> RegistrySnapshot:
        """The registry as it is now."""
        connection = self.connection()
        with named_errors():
            return read_registry(connection)

    def registry_if_changed(self, known_version: int) -> RegistrySnapshot | None:
        """The registry, if it is another than the one known."""
        connection = self.connection()
        with named_errors():
            if registry_version(connection) == known_version:
                return None
            return read_registry(connection)

    def disk_free_bytes(self) -> int | None:
        """Free bytes under the database; None where the server does not let us ask."""
        connection = self.connection()
        with named_errors():
            row = connection.execute(QUERIES["disk_free"]).fetchone()
        value = row["database_disk_free_bytes"] if row else None
        return None if value is None else int(value)

    def retain(self) -> None:
        """Drop what is older than it is kept: observations by the chunk, rejections, live changes; may take minutes."""
        connection = self.connection()
        with named_errors():
            # What a chunk held is counted before it is dropped, which takes a while.
            connection.execute(QUERIES["be_patient"])
            dropped = connection.execute(
                QUERIES["drop_old_observations"], {"keep_days": self._settings.retention_days}
            ).fetchall()
            if dropped:
                _LOG.info("Retention dropped %d chunks of observations", len(dropped))
            connection.execute(QUERIES["trim_sent"], {"keep_days": self._settings.retention_days})
            for _ in range(_TRIMS):
                row = connection.execute(
                    QUERIES["trim_rejections"], {"keep_days": self._settings.rejection_days}
                ).fetchone()
                if not row or not row["more"]:
                    break
            connection.execute(
                QUERIES["trim_knocks"], {"keep_days": self._settings.rejection_days, "kept": KNOCKS_LEFT}
            )
            connection.execute(QUERIES["trim_replay_requests"], {"keep_days": self._settings.rejection_days})
            connection.execute(QUERIES["trim_live_changes"], {"keep_s": self._settings.live_minutes * 60})
