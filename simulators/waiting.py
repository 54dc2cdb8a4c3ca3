"""Who waits on a connection for an acknowledgement, and how everybody there learns that it is gone."""

from __future__ import annotations

import asyncio
import contextlib

from simulators.link import DISCONNECT_TIMEOUT_S, LostError


class Waiting:
    """What every client of ours keeps of its connection, whatever carries it."""

    def __init__(self) -> None:
        """Nobody waits yet; on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = self._loop.create_future()  # done as soon as the connection is gone: why
        self._open: dict[int, asyncio.Future[int]] = {}  # packet id -> waiting for its acknowledgement
        self._timer: asyncio.TimerHandle | None = None  # of what keeps the connection alive

    async def _until_lost(self) -> None:
        """Wait for the end of a connection that was left, for as long as that may take."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
                await asyncio.wait({self.lost})

    def _end(self, why: str) -> None:
        """Tell everybody who waits that the connection is gone; safe to call again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.lost.done():
            self.lost.set_result(why)
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(LostError(why))
