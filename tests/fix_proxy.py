"""A TCP proxy between a client and a server that can be cut, slowed, made deaf and restored."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")
_CHUNK_BYTES = 65_536


class Proxy:
    """Forwards a port of loopback to a server; lives in a thread of its own, its methods may be called from anywhere.

    Args:
        url: address of the server behind it.
        tap: called with the number of the connection and each piece that is carried from the server to the client.
    """

    def __init__(self, url: str, *, tap: Callable[[int, bytes], None] | None = None) -> None:
        self._tap = tap
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or {"mqtt": 1883}.get(parts.scheme, 5432))
        self._delay_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.connections = 0  # accepted so far
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._hearing = self._run(self._make_hearing())
        self._run(self._listen())
        account = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{account[0]}{account[1]}127.0.0.1:{self.port}"))

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self._run(self._cut())

    def break_connections(self) -> None:
        """Break every connection; new ones are welcome."""
        self._run(self._abort())

    def slow(self, delay_s: float) -> None:
        """Hold every piece back for this long, both ways."""
        self._delay_s = delay_s

    def deafen(self) -> None:
        """Keep connections open, accept new ones, and carry nothing."""
        self._run(self._set_hearing(hearing=False))

    def restore(self) -> None:
        """Carry everything at once again and accept connections, at the same port."""
        self._delay_s = 0.0
        self._run(self._set_hearing(hearing=True))
        self._run(self._listen())

    def close(self) -> None:
        """End it."""
        self.cut()
        self._run(self._drain())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _make_hearing(self) -> asyncio.Event:
        event = asyncio.Event()
        event.set()
        return event

    async def _set_hearing(self, *, hearing: bool) -> None:
        if hearing:
            self._hearing.set()
        else:
            self._hearing.clear()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._abort()

    async def _abort(self) -> None:
        for writer in [*self._writers]:
            writer.transport.abort()

    async def _drain(self) -> None:
        await asyncio.sleep(0)  # who was let in last begins to be served
        for pump in [*self._pumps]:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        self._writers.add(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            self._writers.discard(writer)
            self._pumps.discard(task)
            return
        self._writers.add(server_writer)
        try:
            await asyncio.gather(self._pump(reader, server_writer), self._pump(server_reader, writer, tapped=number))
        except asyncio.CancelledError:
            pass  # only `close` cancels
        finally:
            for end in (writer, server_writer):
                end.transport.abort()
                self._writers.discard(end)
            self._pumps.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, tapped: int | None = None
    ) -> None:
        try:
            while data := await reader.read(_CHUNK_BYTES):
                await self._hearing.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(data)
                if tapped is not None and self._tap is not None:
                    self._tap(tapped, data)
                await writer.drain()
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()
        except OSError:
            # One end was killed: the other has to see it, or a server would keep its transaction and locks.
            writer.transport.abort()


@pytest.fixture
def make_proxy() -> Iterator[Callable[..., Proxy]]:
    """Put a proxy before a server: `proxy = make_proxy(broker_url)`; connect to `proxy.url`."""
    proxies: list[Proxy] = []

    def make(url: str, *, tap: Callable[[int, bytes], None] | None = None) -> Proxy:
        proxies.append(Proxy(url, tap=tap))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()
