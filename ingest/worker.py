"""The ingest worker: wires the steps, acknowledges after COMMIT, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from ingest.background import Background
from ingest.batch import Batcher, BatchLimits
from ingest.broker_watch import TOPICS
from ingest.clock import MICROSECONDS_A_SECOND, Clock, SystemClock
from ingest.columns import Columns, Limits
from ingest.connect import Session
from ingest.decode import Decoder
from ingest.errors import StorageAwayError
from ingest.isolate import Isolation
from ingest.limits import DeviceLimit
from ingest.metrics import Metrics, MetricsServer
from ingest.route import subscriptions
from ingest.sampling import FloodSampler
from ingest.settings import WorkerSettings, client_id
from ingest.validate import Checked, TimeRules, validate
from ingest.write import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ingest.records import Message, WriteResult
    from ingest.registry import RegistrySnapshot

_T = TypeVar("_T")
_LOG: Final = logging.getLogger(__name__)
_LARGEST_PACKET_BYTES: Final = 1_048_576 + 65_536 + 1_024
"""As much as our broker lets in: what it may not hand over it drops without a word, though the device was answered."""
_DECODE_CHUNK: Final = 200
"""Messages decoded at a time; more at once fall out of the processor's cache and cost three times as much a reading."""
_PAUSE_S: Final = (0.1, 5.0)  # first and longest pause while the storage is away
_DRAIN_S: Final = 10.0
_BUSY_MESSAGES: Final = 50  # a stream that brings more than this in one linger is busy
_BUSY_LINGERS: Final = 4
_FIRST_FOLDS: Final = 20
_COLLECT_AFTER: Final = 200_000
"""Objects made before the garbage collector looks for cycles. At Python's 700 it looks hundreds of times a second,
through packets that no cycle can hold: half of the time that parsing takes. Reference counting frees what we drop."""


class Worker:
    """One ingest worker.

    `run` returns after `stop`, when what was received is committed or left unacknowledged to the broker.
    """

    def __init__(self, settings: WorkerSettings, *, clock: Clock | None = None) -> None:
        dsn = settings.database_url.get_secret_value()
        self.metrics = Metrics()
        self._settings = settings
        self._clock = clock or SystemClock()
        self._limits = Limits(payload_bytes=settings.payload_bytes, readings=settings.message_readings)
        self._rules = TimeRules(ahead_s=settings.clock_ahead_s, retention_s=settings.retention_days * 86_400.0)
        self._device_limit = DeviceLimit(settings.device_readings_a_minute, subjects=self._limits.subjects)
        self._sampler = FloodSampler(settings.sample_after)
        self._checked: tuple[Columns, Checked] | None = None  # the batch that is being written
        self._decoder = Decoder(limits=self._limits)
        self._writer = Writer(
            dsn=dsn, worker=settings.worker, subjects=self._limits.subjects, alone=settings.share is None
        )
        self._threads = ThreadPoolExecutor(max_workers=6, thread_name_prefix="storage")
        self._background = Background(
            settings=settings,
            metrics=self.metrics,
            threads=self._threads,
            clock=self._clock,
            registry_changed=self._registry_changed,
        )
        self._filters = subscriptions(settings.towns or ("+",), share=settings.share)
        self._session = Session(
            address=settings.broker(),
            client_id=client_id(settings),
            filters=self._filters,
            receive_maximum=settings.receive_maximum,
            session_expiry_s=settings.session_expiry_s,
            keep_alive_s=settings.keep_alive_s,
            maximum_packet_bytes=_LARGEST_PACKET_BYTES,
            clock=self._clock,
            deliver=self._deliver,
            given_up=self._given_up,
            notices=TOPICS,
            noticed=self._background.broker_watch.notice,
        )
        self.metrics.connected.set_function(lambda: float(self._session.ready.is_set()))
        self._batcher: Batcher | None = None
        self._arrived = asyncio.Event()
        self._stopping = asyncio.Event()
        self._storage_error: str | None = "not connected yet"
        self._isolation: Isolation | None = None  # of a batch that fails as a whole

    def stop(self) -> None:
        """Ask for the end: receive no more, commit and acknowledge what is here, leave."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`."""
        server = MetricsServer(
            host=self._settings.http_host, port=self._settings.http_port, metrics=self.metrics, checks=self.checks
        )
        server.start()
        _LOG.info("Metrics at http://%s:%d/metrics", self._settings.http_host, server.port)
        background: list[asyncio.Task[None]] = []
        try:
            if await self._prepare():
                background = [
                    asyncio.create_task(self._session.run(), name="session"),
                    *self._background.start(),
                ]
                await self._write_until_stopped(background)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            self._writer.close()
            self._background.close()
            self._threads.shutdown()
            server.stop()

    def checks(self) -> Mapping[str, tuple[bool, str]]:
        """What /readyz answers: name -> (whether it is well, what to know)."""
        connected = self._session.ready.is_set()
        low = self._background.disk_low
        return {
            "broker_dropped": self._background.broker_watch.check(),
            "broker": (connected, "subscribed" if connected else "not connected"),
            "storage": (self._storage_error is None, self._storage_error or "takes batches"),
            "disk": (not low, "below the reserve, nothing is acknowledged" if low else "enough"),
        }

    async def _prepare(self) -> bool:
        """Leftovers of a killed worker, newest times, registry; False when stopped meanwhile."""

        def prepare() -> Batcher:
            # Bounded: other workers may log batches faster than we fold, and then there is no end to wait for.
            for _ in range(_FIRST_FOLDS):
                if not self._background.folder.fold():
                    break
            self._writer.load_newest_times()
            snapshot = self._background.housekeeper.read_registry()
            return Batcher(
                limits=BatchLimits(
                    messages=self._settings.batch_messages,
                    readings=self._settings.batch_readings,
                    payload_bytes=self._settings.batch_bytes,
                ),
                snapshot=snapshot,
            )

        self._batcher = await self._until_done(prepare)
        if self._batcher is None:
            return False
        gc.freeze()  # modules and the registry stay: no use in looking through them again
        gc.set_threshold(_COLLECT_AFTER, 10, 10)
        self._background.registry_version = self._batcher.snapshot.version
        self.metrics.registered_devices.set(len(self._batcher.snapshot.devices))
        await self._background.watch_disk()
        return True

    def _registry_changed(self, snapshot: RegistrySnapshot) -> None:
        if self._batcher is not None:
            self._batcher.change_snapshot(snapshot)
            self._arrived.set()
            self.metrics.registered_devices.set(len(snapshot.devices))

    def _given_up(self) -> list[str]:
        """Filters of other towns and ways of sharing: left in the session, their messages would come twice."""
        towns = {device.town_id for device in self._batcher.snapshot.devices} if self._batcher else set()
        possible = {
            topic for share in (None, self._settings.share) for topic in subscriptions(["+", *towns], share=share)
        }
        return sorted(possible.difference(self._filters))

    def _deliver(self, messages: list[Message]) -> None:
        """Decode what a tick brought; runs in the event loop, so it never waits."""
        batcher = self._batcher
        if batcher is None or self._stopping.is_set():
            return  # unacknowledged, so the broker keeps it for us
        for at in range(0, len(messages), _DECODE_CHUNK):
            chunk = messages[at : at + _DECODE_CHUNK]
            self._decoder.decode(chunk, batcher.open)
            self._session.remember_unstamped([message for message in chunk if message.assigned_us])
            batcher.close_if_full()
        if batcher.waiting_bytes > 2 * self._settings.batch_bytes:
            self._session.pause()
        self.metrics.waiting_messages.set(batcher.waiting_messages)
        self.metrics.waiting_bytes.set(batcher.waiting_bytes)
        self._arrived.set()

    async def _write_until_stopped(self, background: list[asyncio.Task[None]]) -> None:
        batcher = self._batcher
        assert batcher is not None  # noqa: S101  # _prepare made it
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        try:
            while not self._stopping.is_set():
                arrived = asyncio.create_task(self._arrived.wait(), name="arrived")
                await asyncio.wait({arrived, stopping, *background}, return_when=asyncio.FIRST_COMPLETED)
                arrived.cancel()
                for task in background:
                    if task.done():
                        task.result()  # none ends by itself: this raises what ended it
                await self._linger(batcher)
                self._arrived.clear()
                await self._write_waiting(batcher)
            self._session.pause()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_S):
                    await self._write_waiting(batcher)
                    await self._background.fold()
            _LOG.info("Drained; %d messages left to the broker", batcher.waiting_messages)
        finally:
            stopping.cancel()

    async def _linger(self, batcher: Batcher) -> None:
        """Group commit: what arrives within this short while shares the COMMIT; a busy stream is waited for longer."""
        for _ in range(_BUSY_LINGERS):
            before = len(batcher.open.messages)
            if batcher.has_closed or self._stopping.is_set():
                return
            await asyncio.sleep(self._settings.linger_ms / 1_000)
            if len(batcher.open.messages) - before < _BUSY_MESSAGES:
                return

    async def _write_waiting(self, batcher: Batcher) -> None:
        batcher.close_if_full()
        if not batcher.has_closed:
            batcher.close()
        while (columns := batcher.take()) is not None:
            result = await self._until_done(lambda columns=columns: self._store(columns))  # type: ignore[misc]
            if result is None:
                return
            self._session.acknowledge(columns.messages)
            self._background.committed.set()
            oldest_us = columns.messages[0].received_us
            self.metrics.acknowledge_seconds.observe((self._clock.now_us() - oldest_us) / MICROSECONDS_A_SECOND)
            self.metrics.wrote(result)
            if batcher.waiting_bytes <= self._settings.batch_bytes:
                self._session.resume()
            if not batcher.has_closed and len(batcher.open.messages) >= self._settings.batch_messages // 4:
                batcher.close()
            self.metrics.waiting_messages.set(batcher.waiting_messages)
            self.metrics.waiting_bytes.set(batcher.waiting_bytes)

    def _store(self, columns: Columns) -> WriteResult:
        """Validate and write a batch, or the rest of it when it failed before; runs in a thread."""
        if self._background.disk_low:
            raise StorageAwayError("(free disk space is below THUBON_DISK_RESERVE_BYTES)")
        if self._isolation is None or self._isolation.columns is not columns:
            try:
                return self._validate_and_write(columns)
            except StorageAwayError:
                raise
            except Exception:  # noqa: BLE001  # whatever it is, no message may stop the others
                _LOG.exception("A batch of %d messages fails, it is written in parts", len(columns.messages))
                # A decoder of its own: the stream's decoder works in the event loop at the same time.
                self._isolation = Isolation(columns, Decoder(limits=self._limits), self._write_part)
        return self._isolation.write()

    def _validate_and_write(self, columns: Columns) -> WriteResult:
        with self.metrics.write_seconds.time():
            if self._checked is None or self._checked[0] is not columns:
                # Once a batch, however often it is written: limits and samples count what they see.
                checked = validate(columns, self._rules, subjects=self._limits.subjects)
                self._checked = columns, self._sampler.apply(columns, self._device_limit.apply(columns, checked))
            return self._writer.write(columns, self._checked[1])

    def _write_part(self, columns: Columns) -> WriteResult:
        """Validate and write a part of a failed batch; limits and samples have seen the whole."""
        return self._writer.write(columns, validate(columns, self._rules, subjects=self._limits.subjects))

    async def _until_done(self, work: Callable[[], _T]) -> _T | None:
        """Do the work in a thread, again and again while the storage is away; None when stopped before it was done."""
        loop = asyncio.get_running_loop()
        pause_s = _PAUSE_S[0]
        deadline = None
        while True:
            try:
                result = await loop.run_in_executor(self._threads, work)
            except StorageAwayError as error:
                if self._storage_error is None or pause_s == _PAUSE_S[0]:
                    _LOG.error("%s", error)  # the reason says all
                self._storage_error = str(error)
                self.metrics.storage_available.set(0)
                self.metrics.write_retries.inc()
                if self._stopping.is_set():
                    deadline = deadline or loop.time() + _DRAIN_S
                    if loop.time() > deadline:
                        return None
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _PAUSE_S[1])
            else:
                self._storage_error = None
                self.metrics.storage_available.set(1)
                return result
