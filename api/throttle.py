"""Brakes: on guessing, and on asking too much."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Brake:
    """Slows down guessing: some failures in a span of time for each name (an address, an account), then a wait.

    Remembers a bounded number of names, dropping the one that failed longest ago.

    Args:
        failures: how many failures a name has in `span_s`.
        span_s: seconds.
        names: how many names are remembered.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        failures: int = 10,
        span_s: float = 60.0,
        names: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._span_s = span_s
        self._names = names
        self._clock = clock
        self._failed: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait_s(self, name: str) -> float:
        """How long this name has to wait before its next try, seconds; 0: it may try."""
        began, count = self._failed.get(name, (0.0, 0))
        if count < self._failures:
            return 0.0
        return max(0.0, began + self._span_s - self._clock())

    def failed(self, name: str) -> None:
        """Remember a failure."""
        now = self._clock()
        began, count = self._failed.pop(name, (now, 0))
        self._failed[name] = (now, 1) if now - began >= self._span_s else (began, count + 1)
        while len(self._failed) > self._names:
            self._failed.popitem(last=False)

    def give_back(self, name: str) -> None:
        """Take one failure back: it was noted ahead of a try that went well."""
        began, count = self._failed.get(name, (0.0, 0))
        if count > 0:
            self._failed[name] = (began, count - 1)

    def forget(self, name: str) -> None:
        """Begin anew for a name, which proved itself."""
        self._failed.pop(name, None)


class Allowance:
    """So many requests a minute for each address, a minute's worth at once.

    Remembers a bounded number of addresses, dropping the one that asked longest ago.

    Args:
        a_minute: requests.
        addresses: how many addresses are remembered.
        clock: monotonic seconds.
    """

    def __init__(self, a_minute: int, *, addresses: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(a_minute)
        self._a_second = a_minute / 60.0
        self._addresses = addresses
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> float:
        """Take one request: 0, or how long to wait for the next, seconds."""
        now = self._clock()
        asked, left = self._left.pop(address, (now, self._most))
        left = min(self._most, left + (now - asked) * self._a_second)
        wait_s = 0.0 if left >= 1.0 else (1.0 - left) / self._a_second
        self._left[address] = (now, left - 1.0 if wait_s == 0.0 else left)
        while len(self._left) > self._addresses:
            self._left.popitem(last=False)
        return wait_s
