"""Sends templates at a rate over some connections, with a window of unacknowledged messages on each."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simulators.loading.templates import remaining_length

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from simulators.loading.templates import Template
    from simulators.settings import Broker

TICK_S: Final = 0.002
WINDOW: Final = 8_000
"""Unacknowledged messages of one connection."""
BURST: Final = 500
"""Messages of one connection in a tick, where no rate bounds them."""
MAX_BUFFER_BYTES: Final = 1 << 20
END_S: Final = 30.0
_KEEP_ALIVE_S: Final = 600
"""The load itself shows that we live; not 0, which some brokers refuse."""
_CONNACK_BYTES: Final = 4
_ANSWER_BYTES: Final = 4
"""Of a PUBACK, a PUBREC and a PUBCOMP in MQTT 3.1.1."""
_PUBREC: Final = 0x50
_PUBREL: Final = b"\x62\x02"
_EXACTLY_ONCE: Final = 2
_LAST_ID: Final = 65_535


class LoadError(OSError):
    """The broker cannot be reached, refuses, or went away."""


@dataclass(slots=True)
class Sent:
    """What was sent so far."""

    messages: int = 0
    readings: int = 0
    acknowledged: int = 0
    started: float = 0.0  # monotonic
    ended: float = 0.0  # when the last one was handed over
    readings_by_second: list[int] = field(default_factory=list)
    newest: tuple[str, str, int, float] | None = None  # device, datastream name, time in ms, when (monotonic)


class _Connection(asyncio.Protocol):
    """One MQTT 3.1.1 connection that publishes and counts acknowledgements."""

    def __init__(self, broker: Broker, client_id: str, qos: int) -> None:
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent = 0
        self._qos = qos
        self._broker = broker
        self._client_id = client_id
        self._answers = bytearray()
        self._answered_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._packet_id = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio promises for TCP
        self._transport = transport
        user, password = self._broker.user, self._broker.password
        flags = 0x02 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
        body = b"\0\4MQTT\4" + bytes([flags]) + _KEEP_ALIVE_S.to_bytes(2, "big")
        for text in (self._client_id, user, password):
            if text is not None:
                body += len(text.encode()).to_bytes(2, "big") + text.encode()
        transport.write(b"\x10" + remaining_length(len(body)) + body)

    def data_received(self, data: bytes) -> None:
        if self.connected.done():
            self._take(data)
            return
        self._answers += data
        if len(self._answers) >= _CONNACK_BYTES:
            code, rest = self._answers[3], bytes(self._answers[_CONNACK_BYTES:])
            self._answers.clear()
            self._take(rest)
            if code:
                self.connected.set_exception(LoadError(f"{self._broker}: the broker refuses, code {code}"))
            else:
                self.connected.set_result(None)

    def _take(self, data: bytes) -> None:
        """Count answers; at QoS 2 each PUBREC asks for a PUBREL, and the PUBCOMP after it counts."""
        if self._qos != _EXACTLY_ONCE:
            self._answered_bytes += len(data)  # PUBACKs alone come here
            return
        self._answers += data
        whole = len(self._answers) // _ANSWER_BYTES * _ANSWER_BYTES
        releases = bytearray()
        for at in range(0, whole, _ANSWER_BYTES):
            if self._answers[at] == _PUBREC:
                releases += _PUBREL + self._answers[at + 2 : at + _ANSWER_BYTES]
            else:
                self._answered_bytes += _ANSWER_BYTES
        del self._answers[:whole]
        if releases and self._transport is not None:
            self._transport.write(releases)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.connected.done():
            self.connected.set_exception(LoadError(f"{self._broker}: {exc or 'closed'}"))

    @property
    def lost(self) -> bool:
        return self._transport is None

    @property
    def acknowledged(self) -> int:
        return self._answered_bytes // _ANSWER_BYTES

    def room(self) -> int:
        """How many messages may go now."""
        if self._transport is None or self._transport.get_write_buffer_size() > MAX_BUFFER_BYTES:
            return 0
        return WINDOW - (self.sent - self.acknowledged) if self._qos else WINDOW

    def send(self, templates: Sequence[Template], now_ms: int) -> None:
        """Send one message of each template."""
        out = bytearray()
        for template in templates:
            self._packet_id = self._packet_id % _LAST_ID + 1
            out += template.fill(now_ms, self._packet_id)
        self.sent += len(templates)
        if self._transport is not None:
            self._transport.write(out)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.write(b"\xe0\0")
            self._transport.close()


class Sender:
    """The load itself."""

    def __init__(
        self,
        broker: Broker,
        tls: ssl.SSLContext | None,
        templates: Sequence[Template],
        *,
        connections: int,
        qos: int,
    ) -> None:
        """Prepare.

        Args:
            broker: where to; its account must be allowed to publish for all devices.
            tls: for mqtts, else None.
            templates: in turn; each connection takes its own share, so that a device's messages stay in order.
            connections: how many.
            qos: 0, 1 or 2.
        """
        self.sent = Sent()
        self._broker = broker
        self._tls = tls
        self._templates = templates
        self._lanes = min(connections, len(templates))
        self._qos = qos
        self._turn = 0

    async def run(self, readings_s: float | None, seconds: float) -> None:
        """Connect, send for `seconds` at a rate in readings, and wait for the last answers; no rate: all that is taken.

        Raises:
            LoadError: no connection, or one was lost.
        """
        connections = [await self._connect() for _ in range(self._lanes)]
        try:
            self.sent.started = time.monotonic()
            while (passed := time.monotonic() - self.sent.started) < seconds:
                self._tick(connections, readings_s, passed)
                await asyncio.sleep(TICK_S)
                if any(connection.lost for connection in connections):
                    raise LoadError(f"{self._broker}: a connection was lost")
            self.sent.ended = time.monotonic()
            await self._finish(connections)
        finally:
            for connection in connections:
                connection.close()

    async def _connect(self) -> _Connection:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self._broker, self._broker.client_id("load"), self._qos),
                self._broker.host,
                self._broker.port,
                ssl=self._tls,
            )
        except OSError as error:
            raise LoadError(f"{self._broker}: {error}") from error
        await connection.connected
        return connection

    def _tick(self, connections: Sequence[_Connection], readings_s: float | None, passed: float) -> None:
        """Send what is due by now: templates in turn, each always on the same connection."""
        rooms = [connection.room() for connection in connections]
        due = readings_s * passed - self.sent.readings if readings_s is not None else float("inf")
        chosen: list[list[Template]] = [[] for _ in connections]
        last = None
        while due > 0:
            at = self._turn % len(self._templates)
            lane = at % len(connections)
            if len(chosen[lane]) >= rooms[lane] or (readings_s is None and len(chosen[lane]) >= BURST):
                break
            last = self._templates[at]
            chosen[lane].append(last)
            due -= last.readings
            self._turn += 1
        now_ms = time.time_ns() // 1_000_000
        for connection, mine in zip(connections, chosen, strict=True):
            if mine:
                connection.send(mine, now_ms)
                self._count_sent(mine, passed)
        if last is not None:
            self.sent.newest = (last.device, last.name, last.last_ms, time.monotonic())
        self.sent.acknowledged = sum(connection.acknowledged for connection in connections)

    def _count_sent(self, mine: Sequence[Template], passed: float) -> None:
        readings = sum(template.readings for template in mine)
        self.sent.messages += len(mine)
        self.sent.readings += readings
        while len(self.sent.readings_by_second) <= int(passed):
            self.sent.readings_by_second.append(0)
        self.sent.readings_by_second[int(passed)] += readings

    async def _finish(self, connections: Sequence[_Connection]) -> None:
        deadline = time.monotonic() + END_S
        while self._qos and (self.sent.acknowledged < self.sent.messages):
            await asyncio.sleep(TICK_S)
            self.sent.acknowledged = sum(connection.acknowledged for connection in connections)
            if time.monotonic() > deadline:
                return
