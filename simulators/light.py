"""One device's MQTT connection as bytes on an asyncio transport: for thousands of them in one process."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from simulators import wire
from simulators.link import ACK_TIMEOUT_S, CONNECT_TIMEOUT_S, KEEP_ALIVE_S, LostError
from simulators.waiting import Waiting

if TYPE_CHECKING:
    from simulators.link import Door, Link, QoS
    from simulators.messages import Message

MAX_PACKET_ID = 65_535


class LightClient(Waiting, asyncio.Protocol):
    """An MQTT 3.1.1 or 5 connection with a last will (see `simulators.link.Client`)."""

    def __init__(self, link: Link, device_id: str, will: Message | None) -> None:
        """Describe the connection; `connect` makes it.

        Args:
            link: where to and how.
            device_id: whose connection it is.
            will: message the broker publishes when the connection breaks; None: it says nothing then.
        """
        super().__init__()
        self._link = link
        self._device_id = device_id
        self._will = will
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[int] = self._loop.create_future()  # reason code of the CONNACK
        self._last_id = 0
        self._ping_open = False
        self._may_write: asyncio.Future[None] | None = None

    async def connect(self) -> None:
        """Connect and log in."""
        host = self._link.broker.host
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                door = await self._door()
                await self._loop.create_connection(
                    lambda: self,
                    host,
                    door.port,
                    ssl=door.tls,
                    server_hostname=host if door.tls else None,
                )
                waiting: set[asyncio.Future[Any]] = {self._answered, self.lost}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            self.abort()
            raise LostError(f"no CONNACK within {CONNECT_TIMEOUT_S:g} s") from None
        except OSError as error:
            raise LostError(str(error)) from error
        except BaseException:
            self.abort()
            raise
        if not self._answered.done():
            raise LostError(self.lost.result())
        if self._answered.result():
            self.abort()
            raise LostError(f"the broker refuses: reason {self._answered.result():#04x}")
        self._timer = self._loop.call_later(KEEP_ALIVE_S * 0.75, self._keep_alive)

    async def _door(self) -> Door:
        if self._link.has_certificate(self._device_id):
            return await self._loop.run_in_executor(None, self._link.door, self._device_id)
        return self._link.door(self._device_id)

    async def publish(self, message: Message, qos: QoS) -> int:
        """Publish, and wait for the acknowledgement."""
        return await self.publish_encoded(wire.encode(self._link.version, message, qos))

    async def publish_encoded(self, encoded: wire.Encoded) -> int:
        """Publish a packet that was made before, and wait for the acknowledgement; for load."""
        while self._may_write is not None:
            waiting: set[asyncio.Future[Any]] = {self._may_write, self.lost}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self.lost.done():
                break
        if self.lost.done() or self._transport is None:
            raise LostError(self.lost.result() if self.lost.done() else "not connected")
        if not encoded.has_id:
            self._transport.write(encoded.packet(0))
            return 0
        packet_id = self._free_id()
        acknowledged = self._open[packet_id] = self._loop.create_future()
        self._transport.write(encoded.packet(packet_id))
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                code: int = await acknowledged
                return code
        except TimeoutError:
            self.abort()
            raise LostError(f"no acknowledgement within {ACK_TIMEOUT_S:g} s") from None
        finally:
            self._open.pop(packet_id, None)

    def _free_id(self) -> int:
        if len(self._open) >= MAX_PACKET_ID:
            raise LostError("no packet id is free")
        while True:
            self._last_id = self._last_id % MAX_PACKET_ID + 1
            if self._last_id not in self._open:
                return self._last_id

    async def disconnect(self) -> None:
        """Take leave of the broker."""
        if self._transport is not None and not self.lost.done():
            self._transport.write(wire.GOODBYE)
            self._transport.close()
            await self._until_lost()
        self.abort()

    def abort(self) -> None:
        """Let the connection go at once, without a word."""
        if self._transport is not None:
            self._transport.abort()
        self._end("closed")

    def _keep_alive(self) -> None:
        if self._transport is None or self.lost.done():
            return
        if self._ping_open:
            self.abort()
            return
        self._ping_open = True
        self._transport.write(wire.PING)
        self._timer = self._loop.call_later(KEEP_ALIVE_S * 0.75, self._keep_alive)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send CONNECT as soon as there is a transport."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{type(transport).__name__} is no stream")
        self._transport = transport
        opened = transport.get_extra_info("socket")
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = self._link
        account = link.account(self._device_id)
        client_id = link.client_id(self._device_id)
        transport.write(wire.connect(link.version, client_id, account, self._will, KEEP_ALIVE_S))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self.resume_writing()
        self._end(f"connection lost: {exc or 'closed by the broker'}")

    def pause_writing(self) -> None:
        """The broker takes no more for now."""
        self._may_write = self._loop.create_future()

    def resume_writing(self) -> None:
        """It does again."""
        if self._may_write is not None and not self._may_write.done():
            self._may_write.set_result(None)
        self._may_write = None

    def data_received(self, data: bytes) -> None:
        """Take what the broker says."""
        self._buffer += data
        try:
            for packet in wire.packets(self._buffer):
                self._take(packet)
        except wire.WireError as error:
            self._end(str(error))
            self.abort()

    def _take(self, packet: wire.Packet) -> None:
        if packet.kind in {wire.PUBACK, wire.PUBCOMP}:
            self._acknowledge(packet)
        elif packet.kind == wire.PUBREC:
            if wire.reason(packet) >= 0x80:  # noqa: PLR2004 - MQTT 5: from here on it is an error
                self._acknowledge(packet)
            elif self._transport is not None:
                self._transport.write(wire.pubrel(packet.body[:2]))
        elif packet.kind == wire.PINGRESP:
            self._ping_open = False
        elif packet.kind == wire.CONNACK:
            if not self._answered.done():
                self._answered.set_result(packet.body[1] if len(packet.body) > 1 else 0xFF)
        elif packet.kind == wire.DISCONNECT:
            self._end(f"the broker ends it: reason {packet.body[0] if packet.body else 0:#04x}")
            self.abort()

    def _acknowledge(self, packet: wire.Packet) -> None:
        waiting = self._open.get(int.from_bytes(packet.body[:2], "big"))
        if waiting is not None and not waiting.done():
            waiting.set_result(wire.reason(packet))
