"""Messages of a fleet as ready MQTT packets, in which a send fills in the packet id and the times alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from simulators.parcels import cut
from simulators.publisher import connections_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.fleet import SimulatedDevice
    from simulators.messages import Message

_STAMP: Final = re.compile(rb'"ts":(\d{13})')
_STAMP_BYTES: Final = 13
_ALL: Final = 1_000_000


@dataclass(slots=True)
class Template:
    """A PUBLISH packet (MQTT 3.1.1) to be sent again and again."""

    packet: bytearray
    id_at: int  # where its packet id stands; 0: QoS 0 has none
    stamps_at: tuple[int, ...]
    readings: int
    device: str  # first device it speaks of
    name: str  # a datastream of it that the message fills
    last_ms: int = 0  # newest time it bore: each send has a later one

    def fill(self, now_ms: int, packet_id: int) -> bytearray:
        """The packet for a send; good until the next call."""
        self.last_ms = now_ms = max(now_ms, self.last_ms + 1)
        digits = b"%013d" % now_ms
        packet = self.packet
        for at in self.stamps_at:
            packet[at : at + _STAMP_BYTES] = digits
        if self.id_at:
            packet[self.id_at] = packet_id >> 8
            packet[self.id_at + 1] = packet_id & 0xFF
        return packet


def templates_of(fleet: Sequence[SimulatedDevice], now_s: float, qos: int) -> list[Template]:
    """A template for each connection of a fleet: what it sends for its last reporting interval.

    Args:
        fleet: devices, those behind gateways with them.
        now_s: of which moment, Unix seconds.
        qos: 0, 1 or 2.
    """
    found = []
    for device, carried in connections_of(fleet):
        interval_s = max(each.interval_s for each in (device, *carried))
        parcels = cut(device, carried, now_s - interval_s, now_s, _ALL)
        messages = [parcel.message for parcel in parcels if parcel.message.readings]
        if messages:
            found.append(template_of(max(messages, key=lambda message: message.readings), qos))
    return found


def template_of(message: Message, qos: int) -> Template:
    """A message as a template."""
    body = msgspec.json.decode(message.payload)
    *_, source, family = message.topic.split("/")
    if family == "gateway":
        body = {device: reports[-1:] for device, reports in body.items()}
    elif isinstance(body, list):
        body = body[-1]
    reports = [(device, each[0]) for device, each in body.items()] if family == "gateway" else [(source, body)]
    for _, report in reports:
        report["values"] = {name: value for name, value in report["values"].items() if value is not None}
    payload = msgspec.json.encode(body)
    topic = message.topic.encode()
    head = len(topic).to_bytes(2, "big") + topic + (b"\0\0" if qos else b"")
    size = remaining_length(len(head) + len(payload))
    packet = bytearray(bytes([0x30 | qos << 1]) + size + head + payload)
    start = 1 + len(size) + len(head)
    stamps = tuple(start + match.start(1) for match in _STAMP.finditer(payload))
    device, report = reports[0]
    readings = sum(len(report["values"]) for _, report in reports)
    return Template(packet, start - 2 if qos else 0, stamps, readings, device, next(iter(report["values"])))


def remaining_length(length: int) -> bytes:
    """A length as MQTT writes it, 1 to 4 bytes."""
    size = bytearray()
    while True:
        length, low = divmod(length, 128)
        size.append(low | (128 if length else 0))
        if not length:
            return bytes(size)
