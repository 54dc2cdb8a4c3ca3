"""The MQTT 5 session: receives in ticks, acknowledges when told to, comes back when cut.

Bytes are read from the socket at most once a tick, so that one pass parses hundreds of packets; between ticks the
kernel's buffer and the broker hold them. Everything is bounded by the receive maximum: the broker sends no more
QoS 1 messages than that before it sees an acknowledgement.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from typing import TYPE_CHECKING, Final, TypeVar

import mqtt5
import numpy as np

from ingest.connect_errors import obstacle, refusal
from ingest.errors import ConnectionRefusedByBrokerError
from ingest.records import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.clock import Clock
    from ingest.settings import BrokerAddress

_Packet = TypeVar("_Packet")
_LOG: Final = logging.getLogger(__name__)
_GRANTED: Final = (mqtt5.SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE, mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE)
_TICK_S: Final = 0.003
_READ_BYTES: Final = 1_048_576
_CONNECT_TIMEOUT_S: Final = 10.0
_GOODBYE_S: Final = 1.0
_BACKOFF_S: Final = (0.2, 10.0)  # first and longest pause before a reconnect


class Session:
    """One persistent session with the broker.

    Args:
        address: where the broker is.
        client_id: fixed, so that the broker keeps our queue while we are away.
        filters: topic filters, subscribed at QoS 1.
        receive_maximum: how many unacknowledged messages the broker may send.
        session_expiry_s: how long the broker keeps the session of an absent worker.
        keep_alive_s: longest silence; after one and a half of it the connection counts as dead.
        maximum_packet_bytes: larger packets are not sent to us by the broker.
        clock: gives the received time.
        deliver: called with the messages of each tick; must not block.
        given_up: answers filters that the session may still hold from a time of other settings.
        notices: topics in which the broker speaks of itself ($SYS), subscribed at QoS 0; it need not know them.
        noticed: called with topic and payload of each notice; must not block.
    """

    def __init__(
        self,
        *,
        address: BrokerAddress,
        client_id: str,
        filters: Sequence[str],
        receive_maximum: int,
        session_expiry_s: int,
        keep_alive_s: int,
        maximum_packet_bytes: int,
        clock: Clock,
        deliver: Callable[[list[Message]], None],
        given_up: Callable[[], Sequence[str]] = tuple,
        notices: Sequence[str] = (),
        noticed: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._filters = filters
        self._receive_maximum = receive_maximum
        self._session_expiry_s = session_expiry_s
        self._keep_alive_s = keep_alive_s
        self._maximum_packet_bytes = maximum_packet_bytes
        self._clock = clock
        self._deliver = deliver
        self._given_up = given_up
        self._notices = notices if noticed is not None else ()
        self._noticed = noticed
        self._protocol: _Protocol | None = None
        self._paused = False
        self._unstamped: dict[int, Message] = {}  # by packet id, so never more than 65,535
        self.generation = 0  # grows with each connection; acknowledgements of an older one are void
        self.ready = asyncio.Event()  # subscribed on the present connection

    async def run(self) -> None:
        """Stay connected until cancelled; then say goodbye without ending the session."""
        pause_s = _BACKOFF_S[0]
        while True:
            try:
                await self._connected()
                pause_s = _BACKOFF_S[0]
                _LOG.warning("Connection to broker %s lost", self._address)
            except ConnectionRefusedByBrokerError as error:
                _LOG.error("Broker %s refused us: %s", self._address, error)  # the reason says all
            except (OSError, TimeoutError, ssl.SSLError) as error:
                _LOG.warning("Broker %s is not reached: %s", self._address, obstacle(error))
            # Jitter, so that workers cut at once do not come back at once.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311
            pause_s = min(2 * pause_s, _BACKOFF_S[1])

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Send PUBACKs for QoS 1 messages in the given order, in one write.

        What came on an earlier connection is left out: its packet ids mean nothing any more, the broker sends it again.
        """
        protocol, generation = self._protocol, self.generation
        packet_ids = [m.packet_id for m in messages if m.packet_id and m.generation == generation]
        if protocol is None or not packet_ids:
            return
        packets = np.empty((len(packet_ids), 4), dtype=np.uint8)
        packets[:, 0] = 0x40
        packets[:, 1] = 2
        packets[:, 2:] = np.array(packet_ids, dtype=">u2").view(np.uint8).reshape(-1, 2)
        protocol.send(packets.tobytes())

    def pause(self) -> None:
        """Read no more from the socket; the kernel's buffers and then the broker hold what comes."""
        self._paused = True
        if self._protocol is not None:
            self._protocol.pause()

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        if self._protocol is not None:
            self._protocol.resume()

    def remember_unstamped(self, messages: Sequence[Message]) -> None:
        """Keep messages whose readings were given a time, to recognise them should the broker send them again."""
        for message in messages:
            if message.packet_id:
                self._unstamped[message.packet_id] = message

    def _received(self, packets: list[mqtt5.PublishPacket]) -> None:
        now_us = self._clock.now_us()
        messages = []
        for packet in packets:
            packet_id = packet.packet_id or 0  # each look at it makes a number
            if not packet_id and self._noticed is not None and packet.topic.startswith("$SYS/"):
                self._noticed(packet.topic, packet.payload)
                continue
            message = Message(
                packet.topic,
                packet.payload,
                now_us,
                packet_id,
                1 if packet_id else 0,
                packet.retain,
                packet.duplicate,
                self.generation,
            )
            if message.redelivered:
                known = self._unstamped.get(message.packet_id)
                if known is not None and known.topic == message.topic and known.payload == message.payload:
                    message.received_us = known.received_us
                    message.assigned_us = known.assigned_us
            messages.append(message)
        if messages:
            self._deliver(messages)

    async def _connected(self) -> None:
        """Connect, subscribe and stay until the connection ends."""
        loop = asyncio.get_running_loop()
        protocol = _Protocol(self._received)
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            await loop.create_connection(
                lambda: protocol, self._address.host, self._address.port, ssl=_tls_context(self._address)
            )
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._handshake(protocol)
            await self._stay(protocol)
        finally:
            self.ready.clear()
            self._protocol = None
            protocol.disconnect()
            # A dead link never takes what is still to be written.
            await asyncio.wait({protocol.closed}, timeout=_GOODBYE_S)
            protocol.abort()
            if protocol.asked_for_notices and protocol.subacks < 2:  # noqa: PLR2004 - ours and that of the notices
                # rumqttd cuts a client that asks for $SYS; asking again would cut us again.
                _LOG.warning("Broker %s does not speak of itself: what it drops cannot be watched", self._address)
                self._notices = ()

    async def _handshake(self, protocol: _Protocol) -> None:
        protocol.send(
            mqtt5.ConnectPacket(
                self._client_id,
                username=self._address.username,
                password=self._address.password.encode() if self._address.password is not None else None,
                clean_start=False,
                keep_alive=self._keep_alive_s,
                session_expiry_interval=self._session_expiry_s,
                receive_max=self._receive_maximum,
                max_packet_size=self._maximum_packet_bytes,
            ).write()
        )
        connack = await protocol.expect(mqtt5.ConnAckPacket)
        if connack.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            raise ConnectionRefusedByBrokerError(refusal(connack))
        self._protocol = protocol
        self.generation += 1
        if self._paused:
            protocol.pause()
        if not connack.session_present:
            # Without its session the broker knows no packet of ours, so nothing can be a redelivery.
            self._unstamped.clear()
        filters = [
            mqtt5.TopicFilter(
                topic,
                max_qos=mqtt5.QoS.AT_LEAST_ONCE,
                # Retained status words are wanted at each start, retained telemetry once.
                retain_handling=(
                    mqtt5.RetainHandling.SEND_ALWAYS
                    if topic.endswith("/status")
                    else mqtt5.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS
                ),
            )
            for topic in self._filters
        ]
        protocol.send(mqtt5.SubscribePacket(1, filters).write())
        suback = await protocol.expect(mqtt5.SubAckPacket)
        refused = [
            f"{topic} ({code.name.lower().replace('_', ' ')})"
            for topic, code in zip(self._filters, suback.reason_codes, strict=True)
            if code not in _GRANTED
        ]
        if refused:
            raise ConnectionRefusedByBrokerError(f"it does not let us subscribe to {', '.join(refused)}")
        if connack.session_present and (given_up := self._given_up()):
            # After the new subscriptions, so that nothing falls between; of what was never subscribed it takes no note.
            protocol.send(mqtt5.UnsubscribePacket(3, list(given_up)).write())
        if self._notices:
            # In a packet of its own and its answer not waited for: a broker without $SYS takes nothing else from us.
            wanted = [mqtt5.TopicFilter(topic, max_qos=mqtt5.QoS.AT_MOST_ONCE) for topic in self._notices]
            protocol.asked_for_notices = True
            protocol.send(mqtt5.SubscribePacket(2, wanted).write())
        self.ready.set()
        _LOG.info(
            "Connected to broker %s as %r, session %s",
            self._address,
            self._client_id,
            "resumed" if connack.session_present else "new",
        )

    async def _stay(self, protocol: _Protocol) -> None:
        loop = asyncio.get_running_loop()
        while not protocol.closed.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._keep_alive_s / 2):
                    await asyncio.shield(protocol.closed)
            silence_s = 0.0 if self._paused else loop.time() - protocol.heard
            if silence_s > 1.5 * self._keep_alive_s:
                _LOG.warning("Broker %s silent for %.0f s, taken for dead", self._address, silence_s)
                return
            if not protocol.closed.done():
                protocol.send(mqtt5.PingReqPacket().write())


def _tls_context(address: BrokerAddress) -> ssl.SSLContext | None:
    if not address.tls:
        return None
    context = ssl.create_default_context(cafile=str(address.ca_file) if address.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if address.certificate_file is not None and address.key_file is not None:
        context.load_cert_chain(address.certificate_file, address.key_file)
    return context


class _Protocol(asyncio.Protocol):
    """Bytes in ticks -> packets."""

    def __init__(self, received: Callable[[list[mqtt5.PublishPacket]], None]) -> None:
        loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.heard = loop.time()
        self.subacks = 0
        self.asked_for_notices = False
        self._loop = loop
        self._received = received
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._rest = b""
        self._expected: tuple[type[object], asyncio.Future[object]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # create_connection makes no other
        self._transport = transport
        # asyncio reads at most this many bytes at once; 256 KiB would cap a tick at about 2,000 messages.
        if hasattr(transport, "max_size"):
            transport.max_size = _READ_BYTES

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.pause_reading()
            self._loop.call_later(_TICK_S, self._resume)
        view = memoryview(self._rest + data if self._rest else data)
        at = 0
        published: list[mqtt5.PublishPacket] = []
        read = mqtt5.read
        publish = mqtt5.PublishPacket
        try:
            while True:
                packet, size = read(view[at:])
                at += size
                if type(packet) is publish:
                    published.append(packet)
                else:
                    self._control(packet)
        except IndexError:
            self._rest = bytes(view[at:])
        except ValueError as error:
            _LOG.error("Broker sent what is not MQTT 5: %s", error)
            self.disconnect()
        if published:
            self._received(published)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        if self._expected is not None and not self._expected[1].done():
            self._expected[1].set_exception(ConnectionResetError(str(exc or "it closed the connection without a word")))

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def disconnect(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            # 0: a normal disconnection; the session stays for its expiry interval.
            self._transport.write(mqtt5.DisconnectPacket().write())
            self._transport.close()

    def abort(self) -> None:
        """Let go of the connection, whatever is unsent."""
        if self._transport is not None:
            self._transport.abort()

    async def expect(self, kind: type[_Packet]) -> _Packet:
        """Wait for the next packet of this kind; the caller bounds the time."""
        future: asyncio.Future[object] = self._loop.create_future()
        self._expected = (kind, future)
        try:
            packet = await future
        finally:
            self._expected = None
        assert isinstance(packet, kind)  # noqa: S101  # _control hands over no other
        return packet

    def pause(self) -> None:
        self._paused = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        self._paused = False
        self.heard = self._loop.time()
        self._resume()

    def _resume(self) -> None:
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _control(self, packet: object) -> None:
        self.subacks += isinstance(packet, mqtt5.SubAckPacket)
        if self._expected is not None and isinstance(packet, self._expected[0]):
            if not self._expected[1].done():
                self._expected[1].set_result(packet)
        elif isinstance(packet, mqtt5.DisconnectPacket):
            _LOG.warning("Broker ended the connection: %s", packet.reason_code.name.lower().replace("_", " "))
