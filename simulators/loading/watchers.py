"""Look at the load from outside: when a reading is committed, and when it is pushed to a client."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
import psycopg

from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.loading.latency import Latencies

_QUERIES: Final = load_queries("load")
_ASK_EVERY_S: Final = 0.001
_PAUSE_S: Final = 0.02
_LOST_S: Final = 60.0

Newest = tuple[str, str, int, float]
"""Device, datastream name, time in Unix milliseconds, when it was sent (monotonic seconds)."""


async def watch_commits(url: str, newest: Callable[[], Newest | None], latencies: Latencies) -> None:
    """Take the newest message again and again, and ask until its reading can be seen; runs until it is cancelled.

    Costs the database an index lookup a millisecond.
    """
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as connection:
        while True:
            probe = newest()
            if probe is None or time.monotonic() - probe[3] > _PAUSE_S:
                await asyncio.sleep(_ASK_EVERY_S)
                continue
            device, name, time_ms, sent = probe
            moment = datetime.fromtimestamp(time_ms / 1_000, UTC)
            while time.monotonic() - sent < _LOST_S:
                cursor = await connection.execute(_QUERIES["seen"], {"device": device, "name": name, "time": moment})
                if await cursor.fetchone():
                    latencies.add(time.monotonic() - sent)
                    break
                await asyncio.sleep(_ASK_EVERY_S)
            await asyncio.sleep(_PAUSE_S)


async def watch_live(url: str, token: str | None, latencies: Latencies, ready: asyncio.Event) -> None:
    """Follow the live events and note how old each device's newest value is when it comes; until cancelled.

    Times are those the sender stamped, so sender and watcher need one clock: they are one process.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(10.0, read=None)
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, trust_env=False) as client,
        client.stream("GET", "/v1/live") as answer,
    ):
        answer.raise_for_status()
        event = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
                ready.set()
            elif line.startswith("data: ") and event == "change":
                _note(json.loads(line.removeprefix("data: ")), time.time(), latencies)


def _note(change: dict[str, Any], now: float, latencies: Latencies) -> None:
    for device in change["devices"]:
        text = device.get("phenomenon_time")
        if text is not None:
            latencies.add(now - datetime.fromisoformat(text).timestamp())


class Counted:
    """What the ledger counted since it was made."""

    def __init__(self, url: str) -> None:
        """Note where the ledger stands; connects."""
        self._url = url
        self._before = self._read()

    def _read(self) -> dict[str, int]:
        with psycopg.connect(self._url, connect_timeout=10) as connection:
            cursor = connection.execute(_QUERIES["counted"])
            names = [column.name for column in cursor.description or ()]
            return dict(zip(names, cursor.fetchone() or (), strict=True))

    def now(self) -> dict[str, int]:
        """Readings since then, by outcome."""
        return {name: count - self._before[name] for name, count in self._read().items()}

    async def wait(self, readings: int, within_s: float) -> tuple[dict[str, int], float]:
        """Wait until so many were received, or nothing more comes in time; answers the counts and when (monotonic)."""
        deadline = time.monotonic() + within_s
        while True:
            counts = await asyncio.to_thread(self.now)
            at = time.monotonic()
            if counts["received"] >= readings or at >= deadline:
                return counts, at
            with suppress(asyncio.TimeoutError):
                await asyncio.sleep(0.1)
