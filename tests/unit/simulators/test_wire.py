"""The few MQTT packets we make and read ourselves, against the bytes of the standard and against paho-mqtt's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import wire
from simulators.link import Account
from simulators.messages import Message

WILL = Message("thubon/v1/hoi-an/a/status", b"offline", 0, retain=True)


def test_connect_is_byte_for_byte_what_the_standard_says() -> None:
    will = Message("w", b"x", 0, retain=True)
    assert wire.connect("3.1.1", "ab", Account("u", "p"), will, 60) == bytes.fromhex(
        "10 1a 0004 4d515454 04 ee 003c 0002 6162 0001 77 0001 78 0001 75 0001 70"
    )
    assert wire.connect("5", "ab", Account(None, None), will, 60) == bytes.fromhex(
        "10 16 0004 4d515454 05 2e 003c 00 0002 6162 00 0001 77 0001 78"
    )


@given(
    topic=st.text(st.characters(codec="utf-8", exclude_characters="\x00#+"), min_size=1, max_size=40),
    payload=st.binary(max_size=40_000),
    qos=st.sampled_from([0, 1, 2]),
    retain=st.booleans(),
    packet_id=st.integers(1, 65_535),
)
def test_publish_reads_back_as_it_was_made(topic: str, payload: bytes, qos: int, retain: bool, packet_id: int) -> None:
    for version in ("3.1.1", "5"):
        made = wire.encode(version, Message(topic, payload, 0, retain), qos).packet(packet_id)
        buffer = bytearray(made)
        (packet,) = wire.packets(buffer)
        assert not buffer
        assert (packet.kind, packet.flags) == (3, qos << 1 | retain)
        size = int.from_bytes(packet.body[:2], "big")
        rest = packet.body[2 + size :]
        assert packet.body[2 : 2 + size].decode() == topic
        if qos:
            assert int.from_bytes(rest[:2], "big") == packet_id
            rest = rest[2:]
        assert rest == (b"\x00" if version == "5" else b"") + payload


@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_packets_come_out_whole_however_the_stream_is_cut(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(wire.encode("3.1.1", Message("t", body, 0), 1).packet(1) for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    buffer = bytearray()
    found: list[bytes] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer += stream[begin:end]
        found += [packet.body[5:] for packet in wire.packets(buffer)]
    assert found == bodies
    assert not buffer


def test_a_length_that_never_ends_is_refused() -> None:
    with pytest.raises(wire.WireError, match="more than four bytes"):
        list(wire.packets(bytearray(b"\x30\xff\xff\xff\xff\xff\x01")))


def test_reasons_of_acknowledgements() -> None:
    assert wire.reason(wire.Packet(wire.PUBACK, 0, b"\x00\x01")) == 0
    assert wire.reason(wire.Packet(wire.PUBACK, 0, b"\x00\x01\x87")) == 0x87
