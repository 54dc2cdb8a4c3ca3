"""Answers that many ask for at once, worked out once a moment."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Value = TypeVar("Value")
_LOG: Final = logging.getLogger(__name__)


class Moment(Generic[Value]):
    """Keeps one value for a moment; those who ask while it is being worked out wait for the same.

    Args:
        work: works the value out; its error reaches the one who asked, and the next one tries again.
        keep_s: how long a value is handed out, seconds.
    """

    def __init__(self, work: Callable[[], Awaitable[Value]], keep_s: float) -> None:
        self._work = work
        self._keep_s = keep_s
        self._lock = asyncio.Lock()
        self._kept: tuple[float, Value] | None = None

    async def get(self) -> Value:
        """The value, worked out at most `keep_s` ago."""
        if self._kept is not None and time.monotonic() - self._kept[0] < self._keep_s:
            return self._kept[1]
        async with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] >= self._keep_s:
                value = await self._work()
                self._kept = (time.monotonic(), value)
            return self._kept[1]

    def forget(self) -> None:
        """Work it out anew for who asks next."""
        self._kept = None


class Kept(Generic[Value]):
    """Keeps one value; while somebody asks for it, the next one is made in the background before this one is too old.

    Args:
        work: works the value out; its error reaches who asks when no value young enough is left.
        keep_s: how long a value is handed out, seconds; from half of that on the next one is made.
        busy_s: how long it is handed out to those who come while the next one is being made already, at least `keep_s`:
            where making takes longer than a value is kept, all would wait all the time.
    """

    def __init__(self, work: Callable[[], Awaitable[Value]], keep_s: float, *, busy_s: float | None = None) -> None:
        self._work = work
        self._keep_s = keep_s
        self._busy_s = busy_s if busy_s is not None else keep_s
        self._kept: tuple[float, Value] | None = None
        self._making: asyncio.Task[Value] | None = None
        self._waiting = 0

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for the value being made."""
        return self._waiting > 0

    async def get(self) -> Value:
        """The value; it was begun at most `keep_s` ago, `busy_s` while the next one is being made."""
        age_s = time.monotonic() - self._kept[0] if self._kept is not None else float("inf")
        limit_s = self._busy_s
        if self._making is None or self._making.done():
            limit_s = self._keep_s
            if age_s > self._keep_s / 2:
                self._making = asyncio.create_task(self._make(), name="keep a value fresh")
                self._making.add_done_callback(_note_failure)
        if self._kept is not None and age_s < limit_s:
            return self._kept[1]
        assert self._making is not None  # noqa: S101 the value is old, so one is being made
        self._waiting += 1
        try:
            # Who goes away does not take the work away from the others.
            return await asyncio.shield(self._making)
        finally:
            self._waiting -= 1

    def cancel(self) -> None:
        """Have the work under way end soon."""
        if self._making is not None:
            self._making.cancel()

    async def close(self) -> None:
        """End the work under way."""
        self.cancel()
        if self._making is not None:
            with suppress(asyncio.CancelledError, Exception):
                await self._making

    async def _make(self) -> Value:
        begun = time.monotonic()
        value = await self._work()
        self._kept = (begun, value)
        return value


def make_room(values: dict[Any, Kept[Any]], most: int) -> None:
    """Drop the values kept longest until there is room for one more, but none that somebody waits for.

    So there are more than `most` only while as many requests wait.

    Args:
        values: by key, in the order in which they came.
        most: how many are kept, the new one among them.
    """
    for key in [key for key, value in values.items() if not value.awaited]:
        if len(values) < most:
            return
        values.pop(key).cancel()


def _note_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        _LOG.warning("a view could not be brought up to date: %s", fault)
