"""How far the simulated devices may report: history first, evenly over the fleet, then the present."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from dataclasses import dataclass, field

SLICE_S = 14_400.0
"""While the fleet catches up no device is further than this ahead of the slowest one.

A run that is stopped in the middle leaves an even edge."""


@dataclass(slots=True)
class Pace:
    """The clock of a run.

    Time runs with the wall clock. With a rate it starts at `start_s` and runs that many times as fast until it has
    reached the wall clock. With an end it stops there.
    """

    start_s: float  # Unix seconds of the oldest report
    rate: float | None = None  # None: history as fast as it is acknowledged
    end_s: float = math.inf  # Unix seconds at which time stops
    _began: float = field(default_factory=time.monotonic)
    _position_by_connection: dict[str, float] = field(default_factory=dict)
    _queue: list[tuple[float, str]] = field(default_factory=list)  # positions, old ones among them
    _slowest: float = math.inf
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> float:
        """Newest time a device may report of, Unix seconds."""
        wall = min(time.time(), self.end_s)
        if self.rate is None:
            return wall
        return min(wall, self.start_s + (time.monotonic() - self._began) * self.rate)

    def is_fast(self) -> bool:
        """Whether the clock still runs faster than the wall clock."""
        return self.rate is not None and self.now() < min(time.time(), self.end_s) - 1.0

    def has_ended(self) -> bool:
        """Whether time stands still, at its end."""
        return self.now() >= self.end_s

    def moved(self, connection: str, position_s: float) -> None:
        """Note how far a connection has reported."""
        self._position_by_connection[connection] = position_s
        heapq.heappush(self._queue, (position_s, connection))
        self._find_slowest()

    def left(self, connection: str) -> None:
        """A connection is down and holds nobody up."""
        if self._position_by_connection.pop(connection, None) is not None:
            self._find_slowest()

    def _find_slowest(self) -> None:
        queue, position = self._queue, self._position_by_connection
        while queue and position.get(queue[0][1]) != queue[0][0]:
            heapq.heappop(queue)
        slowest = queue[0][0] if queue else math.inf
        if slowest != self._slowest:
            self._slowest = slowest
            self._changed.set()
            self._changed = asyncio.Event()

    async def until(self, position_s: float) -> float:
        """Wait until a connection at `position_s` may go on; answers how far, at most a slice ahead of the slowest."""
        while self._slowest + SLICE_S <= position_s + 1.0:
            await self._changed.wait()
        return min(self.now(), self._slowest + SLICE_S)
