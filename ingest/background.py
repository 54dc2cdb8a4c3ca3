"""What a worker does beside the stream: folding, registry changes, disk, retention, replays, the broker's report."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from ingest.broker_watch import BrokerWatch
from ingest.errors import StorageAwayError
from ingest.fold import FOLDED_AT_ONCE, Folder
from ingest.housekeeping import Housekeeper
from ingest.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from concurrent.futures import ThreadPoolExecutor

    from ingest.clock import Clock
    from ingest.metrics import Metrics
    from ingest.registry import RegistrySnapshot
    from ingest.settings import WorkerSettings

_T = TypeVar("_T")
_LOG: Final = logging.getLogger(__name__)
_FOLD_SHARE: Final = 4  # pauses this many times as long as a fold takes: folding costs a fifth at most
_FOLD_LONGEST_S: Final = 0.3  # live push is to follow within half a second
_FOLDS_LOOKED_AT: Final = 4
_FOLD_UNASKED_S: Final = 1.0  # looks for what a killed worker left behind
_REGISTRY_S: Final = 0.5
_DISK_S: Final = 5.0
_RETENTION_S: Final = 600.0
_REPLAY_S: Final = 0.5
_REPORT_S: Final = 2.0


def fold_pause_s(took_s: Collection[float], least_s: float) -> float:
    """How long to wait after a fold, seconds.

    The shortest of the newest folds counts: one that met cold caches, a checkpoint or a lock says nothing of the load,
    and a pause after it would make the next one long as well.

    Args:
        took_s: how long the newest folds took, seconds, at least one.
        least_s: the shortest pause.
    """
    return max(least_s, min(_FOLD_SHARE * min(took_s), _FOLD_LONGEST_S))


class Background:
    """The works beside the stream, each a task that waits quietly while the storage is away.

    Args:
        settings: of the worker.
        metrics: of the worker.
        threads: where blocking work runs.
        clock: of the worker.
        registry_changed: called in the event loop with a registry that is newer than `registry_version`.
    """

    def __init__(
        self,
        *,
        settings: WorkerSettings,
        metrics: Metrics,
        threads: ThreadPoolExecutor,
        clock: Clock,
        registry_changed: Callable[[RegistrySnapshot], None],
    ) -> None:
        dsn = settings.database_url.get_secret_value()
        self._settings = settings
        self._metrics = metrics
        self._threads = threads
        self._registry_changed = registry_changed
        self.folder = Folder(dsn=dsn, worker=settings.worker)
        self.housekeeper = Housekeeper(dsn=dsn, settings=settings)
        self._retainer = Housekeeper(dsn=dsn, settings=settings)  # may take minutes, so never in the other's way
        self._replay = Replay(dsn=dsn, worker=f"{settings.worker}-replay", settings=settings, clock=clock)
        self.broker_watch = BrokerWatch(dsn=dsn, broker=str(settings.broker()), worker=settings.worker)
        self.registry_version = 0  # of the registry in use
        self.committed = asyncio.Event()  # set by whoever committed a batch
        self.disk_low = False  # free space is below the reserve
        self._folding = asyncio.Lock()
        self._housekeeping = asyncio.Lock()

    def start(self) -> list[asyncio.Task[None]]:
        """Start all of it; none of the tasks ends by itself."""
        return [
            asyncio.create_task(self._fold_as_it_comes(), name="fold"),
            asyncio.create_task(self._every(_REGISTRY_S, self._refresh_registry), name="registry"),
            asyncio.create_task(self._every(_DISK_S, self.watch_disk), name="disk"),
            asyncio.create_task(self._every(_RETENTION_S, self._retain), name="retention"),
            asyncio.create_task(self._every(_REPORT_S, self._watch_broker), name="broker watch"),
            asyncio.create_task(self._every(_REPLAY_S, self._serve_replays), name="replay"),
        ]

    def close(self) -> None:
        """Close all connections."""
        for closable in (self.folder, self.housekeeper, self._retainer):
            closable.close()
        self._replay.close()
        self.broker_watch.close()

    async def _every(self, interval_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await work()

    async def _fold_as_it_comes(self) -> None:
        took_s = deque([0.0], _FOLDS_LOOKED_AT)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FOLD_UNASKED_S):
                    await self.committed.wait()
            self.committed.clear()
            started = time.perf_counter()
            await self.fold()
            took_s.append(time.perf_counter() - started)
            await asyncio.sleep(fold_pause_s(took_s, self._settings.fold_ms / 1_000))

    async def fold(self) -> None:
        """Fold what is in the log."""
        loop = asyncio.get_running_loop()
        async with self._folding:
            try:
                folded = FOLDED_AT_ONCE
                while folded >= FOLDED_AT_ONCE:  # fewer: the log was empty behind it
                    started = time.perf_counter()
                    folded = await loop.run_in_executor(self._threads, self.folder.fold)
                    if folded:
                        self._metrics.fold_seconds.observe(time.perf_counter() - started)
            except StorageAwayError as error:
                _LOG.debug("Fold waits: %s", error)

    async def _keep_house(self, work: Callable[..., _T], *arguments: object) -> _T | None:
        """Do one of the housekeeper's works, one at a time; None when the storage is away."""
        loop = asyncio.get_running_loop()
        async with self._housekeeping:
            try:
                return await loop.run_in_executor(self._threads, work, *arguments)
            except StorageAwayError as error:
                _LOG.debug("Housekeeping waits: %s", error)
                return None

    async def _refresh_registry(self) -> None:
        snapshot = await self._keep_house(self.housekeeper.registry_if_changed, self.registry_version)
        if snapshot is not None:
            self.registry_version = snapshot.version
            self._registry_changed(snapshot)
            _LOG.info("Registry version %d, %d devices", snapshot.version, len(snapshot.devices))

    async def watch_disk(self) -> None:
        """Look at the free space once."""
        free = await self._keep_house(self.housekeeper.disk_free_bytes)
        low = free is not None and free < self._settings.disk_reserve_bytes
        if low != self.disk_low:
            _LOG.error("Free disk space %s B, reserve %d B", free, self._settings.disk_reserve_bytes)
        self.disk_low = low
        self._metrics.disk_low.set(low)
        self._metrics.disk_free_bytes.set(float("nan") if free is None else free)

    async def _retain(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._retainer.retain)
        except StorageAwayError as error:
            _LOG.warning("Retention waits: %s", error)  # the reason says all

    async def _serve_replays(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not self.disk_low:
                outcome = await loop.run_in_executor(self._threads, self._replay.serve)
                if outcome is None:
                    return
                self._metrics.replayed_readings.inc(outcome.mended)
        except StorageAwayError as error:
            _LOG.debug("Replay waits: %s", error)

    async def _watch_broker(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self.broker_watch.report)
        except StorageAwayError as error:
            _LOG.debug("The broker's report waits: %s", error)
        self._metrics.broker_dropped.set(self.broker_watch.dropped)
        self._metrics.broker_queued.set(self.broker_watch.queued)
