"""The few MQTT packets a device needs, as bytes: versions 3.1.1 and 5, made and read without a library's objects.

This is what lets one process hold ten thousand connections; paho-mqtt speaks for the devices whose behaviour matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.link import Account, QoS, Version
    from simulators.messages import Message

CONNACK: Final = 2
PUBACK: Final = 4
PUBREC: Final = 5
PUBCOMP: Final = 7
PINGRESP: Final = 13
DISCONNECT: Final = 14
PING: Final = b"\xc0\x00"
GOODBYE: Final = b"\xe0\x00"

_CONNECT: Final = 0x10
_PUBLISH: Final = 0x30
_PUBREL: Final = 0x62
_LEVEL: Final = {"3.1.1": 4, "5": 5}
_MAX_LENGTH_BYTES: Final = 4
_ID_BYTES: Final = 2


class WireError(ValueError):
    """The broker sent what is no MQTT packet."""


class Packet(NamedTuple):
    """A packet as it came."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A PUBLISH packet made before it is sent; only its packet id is still to be put in."""

    head: bytes  # up to the packet id
    tail: bytes  # after it
    has_id: bool  # QoS 1 and 2

    def packet(self, packet_id: int) -> bytes:
        """The bytes to send."""
        if not self.has_id:
            return self.head + self.tail
        return self.head + packet_id.to_bytes(_ID_BYTES, "big") + self.tail


def _text(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


def _length(length: int) -> bytes:
    out = bytearray()
    while True:
        length, low = divmod(length, 128)
        out.append(low | (0x80 if length else 0))
        if not length:
            return bytes(out)


def connect(version: Version, client_id: str, account: Account, will: Message | None, keep_alive_s: int) -> bytes:
    """CONNECT with a clean session and, if there is one, a last will at QoS 1."""
    properties = b"\x00" if version == "5" else b""
    flags = 0x02
    tail = _text(client_id)
    if will is not None:
        flags |= 0x04 | 0x08 | (0x20 if will.retain else 0)
        tail += properties + _text(will.topic) + _text(will.payload)
    if account.username is not None:
        flags |= 0x80
        tail += _text(account.username)
        if account.password is not None:
            flags |= 0x40
            tail += _text(account.password)
    body = _text("MQTT") + bytes([_LEVEL[version], flags]) + keep_alive_s.to_bytes(2, "big") + properties + tail
    return bytes([_CONNECT]) + _length(len(body)) + body


def encode(version: Version, message: Message, qos: QoS) -> Encoded:
    """PUBLISH, all but its packet id."""
    topic = _text(message.topic)
    tail = (b"\x00" if version == "5" else b"") + message.payload
    length = len(topic) + len(tail) + (_ID_BYTES if qos else 0)
    first = _PUBLISH | qos << 1 | int(message.retain)
    return Encoded(bytes([first]) + _length(length) + topic, tail, qos > 0)


def pubrel(packet_id: bytes) -> bytes:
    """The second half of QoS 2."""
    return bytes([_PUBREL, 2]) + packet_id


def packets(buffer: bytearray) -> Iterator[Packet]:
    """Whole packets at the start of a buffer, which are taken out of it.

    Raises:
        WireError: a length is longer than four bytes.
    """
    at = 0
    try:
        while True:
            length = shift = 0
            position = at + 1
            while True:
                if position >= len(buffer):
                    return
                if position - at > _MAX_LENGTH_BYTES:
                    raise WireError("a packet length of more than four bytes")
                byte = buffer[position]
                position += 1
                length |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            end = position + length
            if end > len(buffer):
                return
            yield Packet(buffer[at] >> 4, buffer[at] & 0x0F, bytes(buffer[position:end]))
            at = end
    finally:
        del buffer[:at]


def reason(packet: Packet) -> int:
    """Reason code of an acknowledgement; 0 where the packet bears none."""
    return packet.body[2] if len(packet.body) > _ID_BYTES else 0
