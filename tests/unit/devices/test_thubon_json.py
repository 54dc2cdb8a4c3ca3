"""The contract's JSON: what a payload means, shape by shape and fault by fault."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.codecs.thubon_json import Decoded, PayloadLimits, decode_gateway, decode_telemetry
from devices.profiles import load_catalogue
from devices.reasons import Reason

LAMP = {stream.name: stream for stream in load_catalogue()["lamp-controller"].datastreams}
TS = 1_763_880_000_000


def _decode(body: Any, **options: Any) -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_telemetry(payload, "lamp-1", LAMP, **options)


def _reasons(decoded: Decoded) -> list[tuple[str, int]]:
    return [(refusal.reason, refusal.readings) for refusal in decoded.refusals]


def _values(decoded: Decoded) -> dict[str, float]:
    return {reading.name: reading.value for reading in decoded.readings}


def test_the_bare_form_bears_no_time() -> None:
    decoded = _decode({"level": 70, "voltage": 229.5})
    assert _values(decoded) == {"level": 70, "voltage": 229.5}
    assert {reading.time_us for reading in decoded.readings} == {None}


def test_the_stamped_form_bears_its_time_and_quality() -> None:
    (reading,) = _decode({"ts": TS, "values": {"level": 70}, "quality": "01"}).readings
    assert (reading.device_id, reading.time_us, reading.quality) == ("lamp-1", TS * 1000, 1)


def test_an_array_holds_many_times() -> None:
    decoded = _decode([{"ts": TS + n, "values": {"level": n}} for n in range(5)])
    assert [reading.time_us for reading in decoded.readings] == [(TS + n) * 1000 for n in range(5)]


def test_an_array_holds_stamped_items_alone_and_its_good_items_arrive() -> None:
    decoded = _decode([{"ts": TS, "values": {"level": 1}}, {"level": 2}, 3, None, {"ts": TS, "values": []}])
    assert _values(decoded) == {"level": 1}
    assert _reasons(decoded) == [("wrong-shape", 1)] * 4


@pytest.mark.parametrize(
    "ts",
    [
        TS,
        "2025-11-23T06:40:00Z",
        "2025-11-23t06:40:00z",
        "2025-11-23 13:40:00+07:00",
        "2025-11-23T13:40:00.000+07:00",
        "2025-11-23T01:10:00-05:30",
    ],
)
def test_a_time_is_milliseconds_or_rfc_3339(ts: object) -> None:
    (reading,) = _decode({"ts": ts, "values": {"level": 70}}).readings
    assert reading.time_us == TS * 1000


@given(
    time=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)),  # noqa: DTZ001 - Hypothesis adds the zone itself
    offset_min=st.integers(-14 * 60, 14 * 60),
    more_digits=st.text("0123456789", max_size=4),
)
def test_a_text_time_is_kept_to_the_microsecond(time: datetime, offset_min: int, more_digits: str) -> None:
    time = time.replace(tzinfo=UTC)
    local = (time + timedelta(minutes=offset_min)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    sign, size = ("+" if offset_min >= 0 else "-"), abs(offset_min)
    ts = f"{local}{more_digits}{sign}{size // 60:02}:{size % 60:02}"
    (reading,) = _decode({"ts": ts, "values": {"level": 70}}).readings
    assert reading.time_us == (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("ts", "reason"),
    [
        (1_763_880_000, "timestamp-in-seconds"),
        (0, "timestamp-in-seconds"),
        (10**11 - 1, "timestamp-in-seconds"),
        (-1, "bad-timestamp"),
        (253_402_300_800_000, "bad-timestamp"),
        (10**400, "bad-timestamp"),
        (1_763_880_000_000.5, "bad-timestamp"),
        (True, "bad-timestamp"),
        ([], "bad-timestamp"),
        ("", "bad-timestamp"),
        ("1763880000000", "bad-timestamp"),
        ("2025-11-23T06:40:00", "bad-timestamp"),
        ("2025-11-23", "bad-timestamp"),
        ("2025-02-30T06:40:00Z", "bad-timestamp"),
        ("2025-11-23T24:40:00Z", "bad-timestamp"),
        ("2025-11-23T06:40:60Z", "bad-timestamp"),
        ("2025-11-23T06:40:00+25:00", "bad-timestamp"),
        ("\uff12\uff10\uff12\uff15-11-23T06:40:00Z", "bad-timestamp"),
    ],
)
def test_a_time_that_is_not_one_refuses_the_readings_beside_it(ts: object, reason: str) -> None:
    decoded = _decode([{"ts": ts, "values": {"level": 70, "power": 45}}, {"ts": TS, "values": {"level": 71}}])
    assert _reasons(decoded) == [(reason, 2)]
    assert _values(decoded) == {"level": 71}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"{'level': 70}", "not-json"),
        (b'{"level": 70,5}', "not-json"),
        (b'{"level": NaN}', "not-json"),
        (b'{"level": -Infinity}', "not-json"),
        (b'\xef\xbb\xbf{"level": 70}', "not-json"),
        (b'{"level": ' + b"9" * 5000 + b"}", "not-json"),
        (b'{"level": 7\xff}', "not-utf8"),
        ('{"level": 70}'.encode("utf-16"), "not-utf8"),
        (b"70", "wrong-shape"),
        (b'"on"', "wrong-shape"),
        (b"null", "wrong-shape"),
        (b'{"ts": 1763880000000, "level": 70}', "wrong-shape"),
        (b'{"ts": 1763880000000}', "wrong-shape"),
        (b'{"values": 70}', "wrong-shape"),
        (b'{"level": 70, "quality": "00"}', "wrong-shape"),
        (b"[" * 17 + b"]" * 17, "too-deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too-deep"),
        (b" " * 300_000 + b"{}", "too-large"),
    ],
)
def test_a_message_that_cannot_be_taken_apart_counts_one(payload: bytes, reason: str) -> None:
    decoded = _decode(payload)
    assert _reasons(decoded) == [(reason, 1)]
    assert decoded.received == 1


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("level", 101, "out-of-bounds"),
        ("level", -0.001, "out-of-bounds"),
        ("power", 1e308, "out-of-bounds"),
        ("level", "70", "unknown-word"),
        ("level", "on", "unknown-word"),
        ("state", "ON", "unknown-word"),
        ("state", 4, "out-of-bounds"),
        ("level", [70], "wrong-shape"),
        ("level", {"value": 70}, "wrong-shape"),
        ("brightness", 70, "unknown-datastream"),
        ("brightness", None, "unknown-datastream"),
        ("\x00", 70, "unknown-datastream"),
        ("\ud800", 70, "unknown-datastream"),
    ],
)
def test_a_bad_reading_is_refused_and_its_neighbours_arrive(name: str, value: object, reason: str) -> None:
    decoded = _decode({"ts": TS, "values": {"voltage": 229.5, name: value, "signal": -97}})
    assert _values(decoded) == {"voltage": 229.5, "signal": -97}
    assert _reasons(decoded) == [(reason, 1)]
    assert decoded.refusals[0].detail.isascii()
    assert decoded.refusals[0].detail.isprintable()


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400])
def test_a_number_beyond_the_finite_is_refused(number: str) -> None:
    decoded = _decode(f'{{"level": {number}, "power": 45}}'.encode())
    assert _reasons(decoded) == [("not-finite", 1)]
    assert _values(decoded) == {"power": 45}


@pytest.mark.parametrize("quality", ["03", "0", "", 0, 1, True, [], {}])
def test_a_quality_that_does_not_exist_refuses_the_readings_beside_it(quality: object) -> None:
    decoded = _decode({"ts": TS, "values": {"level": 70, "power": 45}, "quality": quality})
    assert _reasons(decoded) == [("bad-quality", 2)]


def test_null_is_missing_and_zero_is_not() -> None:
    decoded = _decode({"level": None, "power": 0, "voltage": None})
    assert (decoded.missing, _values(decoded), decoded.refusals) == (2, {"power": 0}, [])


def test_true_and_words_are_numbers() -> None:
    assert _values(_decode({"lamp-failure": True, "state": "booting-up"})) == {"lamp-failure": 1, "state": 3}
    assert _values(_decode({"lamp-failure": "no", "state": 2})) == {"lamp-failure": 0, "state": 2}


@pytest.mark.parametrize("value", [0, 100])
def test_the_bounds_themselves_are_allowed(value: int) -> None:
    assert _values(_decode({"level": value})) == {"level": value}


def test_a_retained_message_needs_its_time() -> None:
    decoded = _decode([{"values": {"level": 70, "power": 4}}, {"ts": TS, "values": {"level": 71}}], retained=True)
    assert _reasons(decoded) == [("retained-unstamped", 2)]
    assert _values(decoded) == {"level": 71}


def test_a_message_with_too_many_readings_is_refused_whole() -> None:
    body = [{"ts": TS + n, "values": {"level": 1, "power": None}} for n in range(3)]
    assert _decode(body, limits=PayloadLimits(readings=6)).refusals == []
    decoded = _decode(body, limits=PayloadLimits(readings=5))
    assert (_reasons(decoded), decoded.readings, decoded.received) == ([("too-many-readings", 6)], [], 6)


@pytest.mark.parametrize("body", [{}, [], {"ts": TS, "values": {}}, {"ts": "never", "values": {}}])
def test_a_message_without_readings_counts_none(body: object) -> None:
    assert _decode(body) == Decoded()


def _gateway(body: Any) -> Decoded:
    return decode_gateway(json.dumps(body).encode(), {"lamp-1": LAMP, "lamp-2": LAMP}, registered={"lamp-9"})


def test_a_gateway_speaks_for_its_own_devices_alone() -> None:
    item = {"ts": TS, "values": {"level": 70, "power": 45}}
    decoded = _gateway({"lamp-1": [item], "lamp-9": [item], "stranger": [item, item], "lamp-2": [item]})
    assert {reading.device_id for reading in decoded.readings} == {"lamp-1", "lamp-2"}
    assert _reasons(decoded) == [("not-its-gateway", 2), ("unknown-device", 4)]


def test_a_bad_part_of_a_gateway_message_spoils_no_other() -> None:
    item = {"ts": TS, "values": {"level": 70}}
    decoded = _gateway({"lamp-1": item, "lamp-2": [item, {"level": 70}]})
    assert _values(decoded) == {"level": 70}
    assert _reasons(decoded) == [("wrong-shape", 1), ("wrong-shape", 1)]


@pytest.mark.parametrize("body", [{}, {"lamp-1": []}, {"lamp-9": []}, {"stranger": []}])
def test_an_empty_gateway_message_counts_none(body: object) -> None:
    assert _gateway(body) == Decoded()


@pytest.mark.parametrize("body", [[], 1, None, "on"])
def test_a_gateway_message_is_an_object(body: object) -> None:
    assert _reasons(_gateway(body)) == [("wrong-shape", 1)]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["on", "00", TS]),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from([*LAMP, "ts", "values", "quality", "lamp-1"]), children, max_size=5
        )
    ),
    max_leaves=25,
)


@given(body=JSON_VALUES | st.dictionaries(st.sampled_from(["ts", "values", "quality"]), JSON_VALUES))
def test_no_json_raises_and_every_reading_taken_is_within_bounds(body: object) -> None:
    payload = json.dumps(body).encode()
    for decoded in (_decode(payload), _gateway(body)):
        for reading in decoded.readings:
            stream = LAMP[reading.name]
            assert stream.lower_bound <= reading.value <= stream.upper_bound
        assert all(refusal.readings >= 1 for refusal in decoded.refusals)
        assert all(isinstance(refusal.reason, Reason) for refusal in decoded.refusals)


@given(payload=st.binary(max_size=200))
def test_no_bytes_raise(payload: bytes) -> None:
    assert _decode(payload).received >= 0
