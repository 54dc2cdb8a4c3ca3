"""Live push: one listener on the database, many clients.

    live_change --poll, NOTIFY--> LiveHub --ChangedBatch--> a bounded queue a client --> views/live.py

A change is handed out only when no open transaction can still announce one before it, so a client that resumes at an
event id misses nothing. A client that reads too slowly loses its queue and is told to reload (`reset`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from psycopg import Error as DatabaseError
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from api.grants import everywhere
from api.responses import from_cursor, to_cursor
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

    from api.database import Database
    from api.metrics import Metrics
    from api.registry import Registry
    from api.schemas import ChangedDevice

_log = logging.getLogger(__name__)
_QUERIES = load_queries("api_live")

POLL_S: Final = 1.0
"""How long the hub waits for a notification before it looks by itself."""
PENDING_POLL_S: Final = 0.05
"""How soon it looks again at changes that wait for an older one in an open transaction."""
POLL_WITHOUT_NOTIFY_S: Final = 0.25
"""How often it looks where the server cannot notify (a streaming replica)."""
RECONNECT_S: Final = (0.2, 0.5, 1.0, 2.0)
CHANGES_PER_POLL: Final = 5000
DEVICES_PER_EVENT: Final = 200
QUEUED_EVENTS: Final = 64
"""Events a client may lag behind before it is told to reload."""


@dataclass(frozen=True, slots=True)
class RenderedDevice:
    """A changed device, encoded once for all clients."""

    device_id: str
    town_id: str
    domain: str
    content: bytes  # JSON


@dataclass(frozen=True, slots=True)
class ChangedBatch:
    """What one event may carry, before a client's filter."""

    devices: tuple[RenderedDevice, ...]
    event_id: str | None  # None: more of the same change follows, so nobody may resume here


@dataclass(frozen=True, slots=True)
class Reset:
    """The client missed something and must load again."""

    event_id: str


class Ended:
    """The service shuts down."""


class Subscription:
    """One client's queue.

    Args:
        event_id: where the client starts.
    """

    def __init__(self, event_id: str) -> None:
        self.event_id = event_id
        self._queue: asyncio.Queue[ChangedBatch | Reset | Ended] = asyncio.Queue(QUEUED_EVENTS)

    def put(self, batch: ChangedBatch, position_id: str) -> None:
        """Queue a batch; where the queue is full, throw all of it away for one reset."""
        try:
            self._queue.put_nowait(batch)
        except asyncio.QueueFull:
            self.replace_all(Reset(position_id))

    def replace_all(self, last: Reset | Ended) -> None:
        """Throw away what is queued and leave this alone."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(last)

    async def next(self, timeout_s: float) -> ChangedBatch | Reset | Ended | None:
        """The next thing to send; None when there was none for `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:
            return None

    @property
    def drained(self) -> bool:
        """Whether nothing is queued."""
        return self._queue.empty()


class TooManyClientsError(Exception):
    """There are as many clients as may be."""


class LiveHub:
    """Reads changes and hands them to all clients.

    Args:
        database: to listen and read by.
        registry: reads changed devices.
        metrics: counts.
        clients_max: how many clients may listen at a time.
    """

    def __init__(self, database: Database, registry: Registry, metrics: Metrics, clients_max: int) -> None:
        self._database = database
        self._registry = registry
        self._metrics = metrics
        self._clients_max = clients_max
        self._clients: set[Subscription] = set()
        self._closed = False
        self._reached = asyncio.Event()  # set once the database was reached
        self._identity: str | None = None  # short name of the database; None: never connected
        self._position = 0  # everything up to this transaction was handed out
        self._start = 0  # position when listening began
        self._first_xid: int | None = None  # first and newest change seen since
        self._newest_xid: int | None = None

    @property
    def event_id(self) -> str | None:
        """Id of the position everything up to which was handed out; None before the database was ever reached."""
        return None if self._identity is None else self._id_of(self._position)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen for the length of a block, from the present position on.

        Raises:
            TooManyClientsError: there are as many clients as may be.
            ConnectionError: the database was never reached yet.
        """
        if self.event_id is None:
            raise ConnectionError("the database was not reached yet")
        if len(self._clients) >= self._clients_max:
            raise TooManyClientsError(f"{self._clients_max} clients listen already")
        subscription = Subscription(self.event_id)
        if self._closed:
            subscription.replace_all(Ended())
        self._clients.add(subscription)
        self._metrics.live_clients.set(len(self._clients))
        try:
            yield subscription
        finally:
            self._clients.discard(subscription)
            self._metrics.live_clients.set(len(self._clients))

    async def reached(self, within_s: float) -> bool:
        """Wait until the database was reached for the first time; whether it was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._reached.wait()
        return self._reached.is_set()

    async def since(self, event_id: str, until_id: str) -> list[RenderedDevice] | None:
        """The devices that changed after one event and up to another, as they are now.

        Args:
            event_id: as a client sent it.
            until_id: start of the client's subscription.

        Returns:
            The devices; None when the id is unknown or what came after it is no longer kept.
        """
        try:
            identity, position = from_cursor(event_id, tuple[str, int])
        except Exception:  # noqa: BLE001
            return None
        _, until = from_cursor(until_id, tuple[str, int])
        if identity != self._identity or position > until or not await self._is_kept(position):
            return None
        rows = await self._database.rows(
            _QUERIES["live_changed_between"], {"after": str(position), "until": str(until)}
        )
        keys = [row["device_key"] for row in rows]
        devices: list[RenderedDevice] = []
        for i in range(0, len(keys), DEVICES_PER_EVENT):
            devices += await self._read_devices(keys[i : i + DEVICES_PER_EVENT])
        return devices

    def close(self) -> None:
        """End every client's stream; new ones end at once."""
        self._closed = True
        for client in self._clients:
            client.replace_all(Ended())

    async def run(self) -> None:
        """Hand out changes until cancelled; connects again whenever the database was away."""
        failures = 0
        while True:
            try:
                async with self._database.own_connection() as connection:
                    await self._take_up(connection)
                    failures = 0
                    self._metrics.live_connected.set(1)
                    await self._follow(connection)
            except (DatabaseError, PoolTimeout, PoolClosed, TooManyRequests, OSError) as error:
                if failures == 0:
                    _log.warning("live push lost the database, trying again: %s", type(error).__name__)
                self._metrics.live_connected.set(0)
                await asyncio.sleep(RECONNECT_S[min(failures, len(RECONNECT_S) - 1)])
                failures += 1

    async def _take_up(self, connection: AsyncConnection[DictRow]) -> None:
        """Start at the present position, or go on where the last connection broke off."""
        cursor = await connection.execute(_QUERIES["live_identity"])
        row = await cursor.fetchone()
        identity = hashlib.sha256(str(row["identity"] if row else "").encode()).hexdigest()[:12]
        present = await self._position_by(connection, "live_position_of_changes")
        same = identity == self._identity and self._position <= present
        if same and await self._is_kept(self._position):
            return
        known_before = self._identity is not None
        self._identity = identity
        self._position = self._start = present
        self._first_xid = self._newest_xid = None
        self._reached.set()
        if known_before:
            _log.warning("changes were missed while the database was away: every client loads again")
            self._reset_clients()

    async def _follow(self, connection: AsyncConnection[DictRow]) -> None:
        notified = await self._listen(connection)
        while True:
            await self._hand_out(connection, await self._position_by(connection, "live_position"))
            pending = await self._is_pending(connection)
            if pending:  # some transaction is open; perhaps it is none that announces changes
                await self._hand_out(connection, await self._position_by(connection, "live_position_of_changes"))
                pending = await self._is_pending(connection)
            wait_s = PENDING_POLL_S if pending else POLL_S if notified else POLL_WITHOUT_NOTIFY_S
            async for _ in connection.notifies(timeout=wait_s, stop_after=1):
                pass

    async def _listen(self, connection: AsyncConnection[DictRow]) -> bool:
        try:
            await connection.execute("listen thubon_live")
        except (errors.ReadOnlySqlTransaction, errors.ObjectNotInPrerequisiteState):
            return False
        return True

    async def _position_by(
        self, connection: AsyncConnection[DictRow], query: Literal["live_position", "live_position_of_changes"]
    ) -> int:
        cursor = await connection.execute(_QUERIES[query])
        row = await cursor.fetchone()
        return int(row["position"]) if row else 0

    async def _is_pending(self, connection: AsyncConnection[DictRow]) -> bool:
        cursor = await connection.execute(_QUERIES["live_pending"], {"until": str(self._position)})
        row = await cursor.fetchone()
        return bool(row and row["pending"])

    async def _hand_out(self, connection: AsyncConnection[DictRow], until: int) -> None:
        if until <= self._position:
            return
        cursor = await connection.execute(
            _QUERIES["live_changes"],
            {"after": str(self._position), "until": str(until), "limit": CHANGES_PER_POLL},
        )
        rows = await cursor.fetchall()
        if not rows:
            self._position = until
            return
        reached = rows[-1]["xid"] if len(rows) == CHANGES_PER_POLL else until
        if self._clients:
            await self._publish(sorted({key for row in rows for key in row["device_keys"]}), self._id_of(reached))
        now = datetime.now(UTC)
        for row in rows:
            self._metrics.live_delay_seconds.observe(max(0.0, (now - row["changed_time"]).total_seconds()))
        self._first_xid = self._first_xid or rows[0]["xid"]
        self._newest_xid = rows[-1]["xid"]
        self._position = reached

    async def _publish(self, device_keys: Sequence[int], event_id: str) -> None:
        # Read all, then hand out all in one go: who subscribes meanwhile must not get half of it with a later start.
        batches = [
            tuple(await self._read_devices(device_keys[i : i + DEVICES_PER_EVENT]))
            for i in range(0, len(device_keys), DEVICES_PER_EVENT)
        ]
        for number, devices in enumerate(batches, start=1):
            batch = ChangedBatch(devices, event_id if number == len(batches) else None)
            for client in self._clients:
                client.put(batch, event_id)

    async def _read_devices(self, device_keys: Sequence[int]) -> list[RenderedDevice]:
        with everywhere():  # each client's own towns are sorted out when its event is written
            return [_render(device) for device in await self._registry.changed_devices(device_keys)]

    async def _is_kept(self, position: int) -> bool:
        """Whether no change after a position was deleted yet."""
        if position >= self._start and (self._newest_xid is None or position >= self._newest_xid):
            return True
        probe = max(position, self._first_xid or 0) if position >= self._start else position
        row = await self._database.row(_QUERIES["live_kept"], {"position": str(probe)})
        return bool(row and row["kept"])

    def _id_of(self, position: int) -> str:
        return to_cursor(self._identity or "", position)

    def _reset_clients(self) -> None:
        for client in self._clients:
            client.replace_all(Reset(self._id_of(self._position)))


def _render(device: ChangedDevice) -> RenderedDevice:
    return RenderedDevice(device["id"], device["town"], device["domain"], msgspec.json.encode(device))
