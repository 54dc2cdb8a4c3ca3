"""Answers that many ask for at once, worked out once a moment."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Value = TypeVar("Value")


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
