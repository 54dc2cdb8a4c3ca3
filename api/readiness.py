"""Whether the service can do its work: database, room on its disk, and a word on ingest."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from psycopg import Error as DatabaseError
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from api.cache import Moment
from sql import load_queries

if TYPE_CHECKING:
    from api.database import Database
    from api.metrics import Metrics
    from api.schemas import Check, Readiness
    from api.settings import ApiSettings

_QUERIES = load_queries("api_health")

READINESS_MOMENT_S: Final = 1.0
DISK_MOMENT_S: Final = 10.0
"""Asking for free space starts a program on the database's machine; anybody may call /readyz and /metrics."""


class ReadinessChecks:
    """Works out readiness at most once a second, however often it is asked."""

    def __init__(self, settings: ApiSettings, database: Database, metrics: Metrics) -> None:
        self._reserve_bytes = settings.disk_reserve_bytes
        self._database = database
        self._metrics = metrics
        self._readiness = Moment(self._check, READINESS_MOMENT_S)
        self._disk_free = Moment(self._read_disk_free, DISK_MOMENT_S)

    async def readiness(self) -> Readiness:
        """How each check stands."""
        return await self._readiness.get()

    async def measure(self) -> None:
        """Bring the gauges up to date that are read on demand; those the database does not tell become NaN."""
        size, idle, waiting = self._database.pool_figures()
        self._metrics.set_pool(size=size, idle=idle, waiting=waiting)
        try:
            free_bytes = await self._disk_free.get()
        except (DatabaseError, PoolTimeout, PoolClosed, TooManyRequests):
            free_bytes = None
        self._metrics.disk_free.set(math.nan if free_bytes is None else free_bytes)

    async def _read_disk_free(self) -> int | None:
        row = await self._database.row_of_function(_QUERIES["disk_free"])
        free_bytes: int | None = row["free_bytes"]
        return free_bytes

    async def _check(self) -> Readiness:
        try:
            await self._database.row(_QUERIES["server_reachable"])
            checks: dict[str, Check] = {
                "database": {"status": "ok", "detail": "reachable"},
                "disk": self._disk_check(await self._disk_free.get()),
                "ingest": await self._ingest_check(),
            }
        except (DatabaseError, PoolTimeout, PoolClosed, TooManyRequests):
            checks = {
                "database": {"status": "degraded", "detail": "cannot be reached"},
                "disk": {"status": "unknown", "detail": "the database cannot be asked"},
                "ingest": {"status": "unknown", "detail": "the database cannot be asked"},
            }
        degraded = any(check["status"] == "degraded" for check in checks.values())
        return {"status": "degraded" if degraded else "ok", "checks": checks}

    def _disk_check(self, free_bytes: int | None) -> Check:
        if free_bytes is None:
            return {
                "status": "unknown",
                "detail": "the database server does not tell its free space",
                "free_bytes": None,
                "reserve_bytes": self._reserve_bytes,
            }
        enough = free_bytes >= self._reserve_bytes
        return {
            "status": "ok" if enough else "degraded",
            "detail": "enough room" if enough else "less room than the reserve: add disk or shorten retention",
            "free_bytes": free_bytes,
            "reserve_bytes": self._reserve_bytes,
        }

    async def _ingest_check(self) -> Check:
        row = await self._database.row(_QUERIES["ingest_activity"])
        newest = row["newest_change_time"] if row else None
        return {
            "status": "informative",
            "detail": "when ingest last changed a device; silence may be the devices'",
            "newest_change_time": newest,
            "newest_change_age_s": None if newest is None else round((datetime.now(UTC) - newest).total_seconds(), 3),
            "newest_ledger_hour": row["newest_ledger_hour"] if row else None,
            "batches_waiting": row["batches_waiting"] if row else 0,
        }
