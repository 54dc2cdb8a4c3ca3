"""The fast decoder against the contract's plain reference, for whatever a device may send."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.codecs.thubon_json import PayloadLimits, decode_gateway, decode_telemetry
from devices.models import Bilingual, ProfileDatastream
from devices.quality_rules import NO_RULES
from devices.reasons import Reason
from ingest.columns import Columns, Limits
from ingest.decode import Decoder
from ingest.records import Message
from ingest.registry import RegistrySnapshot, build_snapshot
from ingest.validate import Checked, TimeRules, validate

RECEIVED_US = 1_763_900_000_000_000
ANY_TIME = TimeRules(ahead_s=1e12, retention_s=1e12)
LIMITS = Limits(payload_bytes=4_096, readings=40)
MANY = b"[" + b'{"values":{"pm25":1}},' * 40 + b'{"values":{"pm25":1}}]'


def _stream(slot: int, name: str, *, factor: float = 1.0, addend: float = 0.0, words: Any = None) -> ProfileDatastream:
    return ProfileDatastream(
        slot=slot, name=name, property_id=name, label=Bilingual(name, name), qualifiers={}, sent_unit="1", unit="1",
        factor=factor, addend=addend, lower_bound=-50.0, upper_bound=1_000.0, decimals=1, words=words or {},
        interval_s=60, period_s=None, stamp="end", keep=(), rules=NO_RULES, limit=None,
    )  # fmt: skip


STREAMS = {
    "pm25": _stream(1, "pm25"),
    "temperature": _stream(2, "temperature", factor=0.5, addend=-3.0),
    "mode": _stream(3, "mode", words={"manual": 1.0, "automatic": 2.0}),
    "door-open": _stream(4, "door-open"),
}
DEVICES = ("dev-a", "dev-b", "gw-1", "dev-other")
GATEWAY_OF = {"dev-a": "gw-1", "dev-b": "gw-1"}


def snapshot() -> RegistrySnapshot:
    """Four devices of one profile; dev-a and dev-b stand behind gw-1."""
    device_rows = [
        {
            "device_key": key,
            "device_id": name,
            "town_id": "hoi-an",
            "gateway_id": GATEWAY_OF.get(name),
            "commissioned_us": -(2**60),
            "retired": False,
            "former_towns": None,
        }
        for key, name in enumerate(DEVICES, start=1)
    ]
    datastream_rows = [
        {
            "device_key": device["device_key"],
            "slot": stream.slot,
            "name": stream.name,
            "lower_bound": stream.lower_bound,
            "upper_bound": stream.upper_bound,
            "factor": stream.factor,
            "addend": stream.addend,
            "words": dict(stream.words) or None,
            "property": stream.property_id,
            "profile": "test",
        }
        for device in device_rows
        for stream in STREAMS.values()
    ]
    return build_snapshot(1, device_rows, datastream_rows)


SNAPSHOT = snapshot()


def run(topic: str, payload: bytes, *, retained: bool = False, limits: Limits = LIMITS) -> tuple[Columns, Checked]:
    columns = Columns(SNAPSHOT)
    Decoder(limits=limits).decode([Message(topic, payload, RECEIVED_US, retained=retained)], columns)
    return columns, validate(columns, ANY_TIME, subjects=limits.subjects)


def taken(checked: Checked) -> Counter[tuple[str, str, float, int, int]]:
    """Readings that passed, as (device, name, value, time, quality)."""
    found: Counter[tuple[str, str, float, int, int]] = Counter()
    for block in checked.blocks:
        layout = SNAPSHOT.layouts[block.layout]
        for row in range(len(block)):
            for column, name in enumerate(layout.names):
                value = float(block.value[row, column])
                if value == value:  # noqa: PLR0124  # not NaN
                    device = SNAPSHOT.devices[int(block.device[row])].device_id
                    found[device, name, value, int(block.time_us[row]), int(block.quality[row, column])] += 1
    return found


NAMES = st.sampled_from([*STREAMS, "unknown", "", "x\x00y", "ts", "values", "quality"])
NUMBERS = st.one_of(
    st.integers(-100, 2_000), st.floats(-100, 2_000), st.sampled_from([1e308, -1e308, 10**30, -0.0, 0.1, 1000.0000001])
)
VALUES = st.one_of(
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.sampled_from([True, False, None, "manual", "automatic", "12", "", "\ud800", [1], {}]),
)
GOOD_TS = st.integers(10**11, 253_402_300_799_999)
TIMES = st.one_of(
    GOOD_TS,
    GOOD_TS,
    st.sampled_from([
        "2026-11-23T08:00:00Z", "2026-11-23T15:00:00.1234567+07:00", "2026-11-23t08:00:00.5z", "2026-02-30T08:00:00Z",
        "2026-11-23T08:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "now",
    ]),
    st.integers(-5, 10**11),
    st.sampled_from([None, True, 1.5, 1e12, 10**20, [], {}]),
)  # fmt: skip
QUALITIES = st.sampled_from([None, "00", "01", "02", "03", 0, True, []])


@st.composite
def items(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.one_of(VALUES, st.dictionaries(NAMES, VALUES, max_size=3)))
    item: dict[str, Any] = {"values": draw(st.dictionaries(NAMES, VALUES, max_size=5))}
    if draw(st.booleans()) or draw(st.booleans()):
        item["ts"] = draw(TIMES)
    if draw(st.integers(0, 3)) == 0:
        item["quality"] = draw(QUALITIES)
    if draw(st.integers(0, 19)) == 0:
        item["values"] = draw(VALUES)
    return item


TELEMETRY = st.one_of(items(), st.lists(items(), max_size=6), st.dictionaries(NAMES, VALUES, max_size=4))
GATEWAY = st.one_of(
    st.dictionaries(
        st.sampled_from([*DEVICES, "stranger", "B\x00d"]), st.one_of(st.lists(items(), max_size=4), items()), max_size=4
    ),
    VALUES,
)


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[Any]) -> bytes:
    """A payload, now and then with a few bytes changed, cut or doubled."""
    payload = json.dumps(draw(bodies), allow_nan=True).encode()
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(payload)))
        payload = payload[:at] + draw(st.binary(max_size=2)) + payload[at + draw(st.integers(0, 2)) :]
    return payload


def same(payload: bytes, topic: str, reference: Any, *, retained: bool) -> None:
    columns, checked = run(topic, payload, retained=retained)

    expected: Counter[tuple[str, str, float, int, int]] = Counter()
    assigned = RECEIVED_US
    for reading in reference.readings:
        expected[reading.device_id, reading.name, reading.value, reading.time_us or -1, reading.quality] += 1
    got: Counter[tuple[str, str, float, int, int]] = Counter()
    for (device, name, value, time_us, quality), count in taken(checked).items():
        unstamped = assigned <= time_us < assigned + 1_000 and columns.messages[0].assigned_us == assigned
        got[device, name, value, -1 if unstamped else time_us, quality] += count
    assert got == expected

    refused: Counter[Reason] = Counter()
    for refusal in reference.refusals:
        refused[refusal.reason] += refusal.readings
    found: Counter[Reason] = Counter()
    for rejection in checked.rejections:
        found[rejection.reason] += rejection.readings
    assert found == refused
    assert list(columns.received) == [reference.received]
    assert list(columns.missing) == [reference.missing]
    assert checked.tally.rejected.tolist() == [sum(refused.values())]


@settings(max_examples=600, deadline=None)
@given(payload=damaged(TELEMETRY), retained=st.booleans())
def test_telemetry_decodes_as_the_reference_says(payload: bytes, retained: bool) -> None:
    limits = PayloadLimits(payload_bytes=LIMITS.payload_bytes, readings=LIMITS.readings)
    reference = decode_telemetry(payload, "dev-other", STREAMS, retained=retained, limits=limits)

    same(payload, "thubon/v1/hoi-an/dev-other/telemetry", reference, retained=retained)


@settings(max_examples=400, deadline=None)
@given(payload=damaged(GATEWAY), retained=st.booleans())
def test_gateway_payloads_decode_as_the_reference_says(payload: bytes, retained: bool) -> None:
    carried = {"dev-a": STREAMS, "dev-b": STREAMS}
    limits = PayloadLimits(payload_bytes=LIMITS.payload_bytes, readings=LIMITS.readings)
    reference = decode_gateway(payload, carried, registered=DEVICES, retained=retained, limits=limits)

    same(payload, "thubon/v1/hoi-an/gw-1/gateway", reference, retained=retained)


PLAIN = st.builds(
    lambda ts, values: json.dumps({"ts": ts, "values": values}).encode(),
    st.integers(RECEIVED_US // 1_000 - 5, RECEIVED_US // 1_000 - 1),
    st.dictionaries(st.sampled_from(["pm25", "temperature", "door-open"]), st.integers(-50, 99), max_size=3),
)


def became(messages: list[Message], decoder: Decoder) -> tuple[Counter[Any], Counter[Any], int, int]:
    """What messages that are decoded together become: readings, refusals, how many were received and missing."""
    columns = Columns(SNAPSHOT)
    decoder.decode(messages, columns)
    checked = validate(columns, ANY_TIME, subjects=LIMITS.subjects)
    readings: Counter[Any] = Counter()
    for (device, name, value, time_us, quality), count in taken(checked).items():
        readings[device, name, value, min(time_us, RECEIVED_US), quality] += count  # given times go on from it
    refused: Counter[Any] = Counter()
    for each in checked.rejections:
        refused[messages[each.message].topic, each.reason, each.device_id] += each.readings
    return readings, refused, sum(columns.received), sum(columns.missing)


@settings(max_examples=200, deadline=None)
@given(
    sent=st.lists(
        st.tuples(
            st.sampled_from(["dev-a", "dev-b", "dev-other", "stranger"]), st.one_of(PLAIN, PLAIN, damaged(TELEMETRY))
        ),
        max_size=12,
    )
)
def test_a_message_becomes_the_same_whatever_stands_beside_it(sent: list[tuple[str, bytes]]) -> None:
    def messages() -> list[Message]:
        return [Message(f"thubon/v1/hoi-an/{device}/telemetry", payload, RECEIVED_US) for device, payload in sent]

    alone = [became([message], Decoder(limits=LIMITS)) for message in messages()]
    readings: Counter[Any] = sum((each[0] for each in alone), Counter())
    refused: Counter[Any] = sum((each[1] for each in alone), Counter())
    expected = readings, refused, sum(each[2] for each in alone), sum(each[3] for each in alone)
    decoder = Decoder(limits=LIMITS)

    assert became(messages(), decoder) == expected
    assert became(messages(), decoder) == expected  # it has learnt whose messages are plain


def test_rows_stand_in_the_order_in_which_their_messages_came() -> None:
    decoder = Decoder(limits=LIMITS)
    item = '{"ts": 1763900000000, "values": {"pm25": %d}}'
    sent = [(f"dev-{name}", text % number) for number, (name, text) in enumerate([("a", f"[{item}]"), ("b", item)] * 4)]
    for _ in range(2):
        columns = Columns(SNAPSHOT)
        decoder.decode(
            [Message(f"thubon/v1/hoi-an/{name}/telemetry", text.encode(), RECEIVED_US) for name, text in sent], columns
        )
        (block,) = validate(columns, ANY_TIME, subjects=LIMITS.subjects).blocks

        assert block.message.tolist() == list(range(8))
        assert block.value[:, 0].tolist() == list(range(8))


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "readings"),
    [
        ("thubon/v1/hoi-an/dev-a", b"{}", Reason.BAD_TOPIC, 1),
        ("thubon/v1/Hoi-An/dev-a/telemetry", b"{}", Reason.BAD_TOPIC, 1),
        ("thubon/v1/hoi-an/stranger/telemetry", b'{"pm25": 1, "o3": 2}', Reason.UNKNOWN_DEVICE, 2),
        ("thubon/v1/hoi-an/stranger/telemetry", b"\xff", Reason.UNKNOWN_DEVICE, 1),
        ("thubon/v1/tam-ky/dev-a/telemetry", b'{"pm25": 1}', Reason.WRONG_TOWN, 1),
        ("thubon/v1/hoi-an/dev-a/telemetry", b"\xff", Reason.NOT_UTF8, 1),
        ("thubon/v1/hoi-an/dev-a/telemetry", b'{"values": {"pm25": 1}, "no\xb8e": 1}', Reason.NOT_UTF8, 1),
        ("thubon/v1/hoi-an/dev-a/telemetry", b"", Reason.NOT_JSON, 1),
        ("thubon/v1/hoi-an/dev-a/telemetry", b"[" * 2_000, Reason.TOO_DEEP, 1),
        ("thubon/v1/hoi-an/dev-a/telemetry", b'{"pm25": ' + b"1" * 5_000 + b"}", Reason.TOO_LARGE, 1),
        ("thubon/v1/hoi-an/dev-a/telemetry", MANY, Reason.TOO_MANY_READINGS, 41),
        ("thubon/v1/hoi-an/dev-a/status", b"up", Reason.WRONG_SHAPE, 1),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_its_reason(
    topic: str, payload: bytes, reason: Reason, readings: int
) -> None:
    columns, checked = run(topic, payload)

    assert [(rejection.reason, rejection.readings) for rejection in checked.rejections] == [(reason, readings)]
    assert list(columns.received) == [readings]
    assert not taken(checked)


def test_unstamped_readings_of_a_redelivery_get_the_time_they_had() -> None:
    decoder = Decoder(limits=LIMITS)
    first = Message(
        "thubon/v1/hoi-an/dev-a/telemetry", b'[{"values": {"pm25": 1}}, {"values": {"pm25": 2}}]', RECEIVED_US
    )
    columns = Columns(SNAPSHOT)
    decoder.decode([first], columns)
    again = Message(first.topic, first.payload, RECEIVED_US + 9, redelivered=True, assigned_us=first.assigned_us)
    decoder.decode([again, Message(first.topic, b'{"pm25": 3}', RECEIVED_US)], columns)

    assert list(columns.row_time_us) == [
        RECEIVED_US, RECEIVED_US + 1, RECEIVED_US, RECEIVED_US + 1, RECEIVED_US + 2,
    ]  # fmt: skip
