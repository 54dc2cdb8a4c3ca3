"""Time as the worker reads it; tests put their own in its place."""

from __future__ import annotations

import time
from typing import Final, Protocol

MICROSECONDS_A_SECOND: Final = 1_000_000


class Clock(Protocol):
    """Where the current time comes from."""

    def now_us(self) -> int:
        """Unix time in microseconds."""


class SystemClock:
    """The clock of the machine."""

    def now_us(self) -> int:
        """Unix time in microseconds."""
        return time.time_ns() // 1_000
