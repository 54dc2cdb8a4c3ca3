"""Floods are gathered into samples, and no count is lost on the way."""

from __future__ import annotations

from collections import Counter

from devices.reasons import Reason
from ingest.columns import Columns, Limits
from ingest.decode import Decoder
from ingest.ledger import ledger_key
from ingest.records import Message, Rejection
from ingest.sampling import FloodSampler
from ingest.validate import Checked, TimeRules, validate
from tests.unit.ingest.test_limits import SNAPSHOT

RECEIVED_US = 1_763_900_000_000_000
RULES = TimeRules(ahead_s=1e12, retention_s=1e12)


def decoded(messages: list[tuple[str, bytes]], received_us: int = RECEIVED_US) -> tuple[Columns, Checked]:
    columns = Columns(SNAPSHOT)
    Decoder(limits=Limits()).decode([Message(topic, payload, received_us) for topic, payload in messages], columns)
    return columns, validate(columns, RULES, subjects=20)


def by_entry(columns: Columns, rejections: list[Rejection]) -> Counter[tuple[object, ...]]:
    counts: Counter[tuple[object, ...]] = Counter()
    for rejection in rejections:
        counts[(*ledger_key(columns, rejection.message), rejection.reason)] += rejection.readings
    return counts


def test_a_flood_of_an_unknown_source_leaves_one_row_a_batch_beyond_its_bound_and_every_count() -> None:
    sampler = FloodSampler(10)
    for _ in range(3):
        columns, checked = decoded([("thubon/v1/hoi-an/stranger/telemetry", b'{"a": 1, "b": 2}')] * 500)
        sampled = sampler.apply(columns, checked)
        assert by_entry(columns, sampled.rejections) == by_entry(columns, checked.rejections)
        assert sum(rejection.unkept for rejection in sampled.rejections) == 2 * (500 - len(sampled.rejections))
    assert len(sampled.rejections) == 1
    assert sampled.rejections[0].readings == 1_000
    assert sampled.rejections[0].unkept == 998
    assert "998 readings of 499 further messages" in sampled.rejections[0].detail


def test_the_bound_is_renewed_each_minute() -> None:
    sampler = FloodSampler(10)
    flood = [("thubon/v1/hoi-an/dev-1/telemetry", b"{")] * 50
    assert len(sampler.apply(*decoded(flood)).rejections) == 11
    assert len(sampler.apply(*decoded(flood)).rejections) == 1
    assert len(sampler.apply(*decoded(flood, RECEIVED_US + 60_000_000)).rejections) == 11


def test_each_source_and_reason_has_its_own_bound() -> None:
    sampler = FloodSampler(1)
    messages = [(f"thubon/v1/hoi-an/{source}/telemetry", b"\xff") for source in ("dev-1", "dev-2", "x", "y")]
    assert len(sampler.apply(*decoded(messages)).rejections) == 4


def test_invented_sources_and_devices_behind_gateways_open_no_door() -> None:
    sampler = FloodSampler(5, sources=20)
    columns, checked = decoded([(f"thubon/v1/hoi-an/x-{n}/telemetry", b'{"a": 1}') for n in range(5_000)])
    sampled = sampler.apply(columns, checked)
    assert len(sampled.rejections) == 20 + 5 + 1
    assert by_entry(columns, sampled.rejections) == by_entry(columns, checked.rejections)
    sampler = FloodSampler(5)
    body = b'{"x-%d": [{"values": {"a": 1}}], "y-%d": [{"values": {"a": 1, "b": 2}}]}'
    columns, checked = decoded([("thubon/v1/hoi-an/dev-1/gateway", body % (n, n)) for n in range(1_000)])
    sampled = sampler.apply(columns, checked)
    assert len(sampled.rejections) == 2 * 6
    assert by_entry(columns, sampled.rejections) == by_entry(columns, checked.rejections)


def test_readable_readings_of_a_known_device_are_never_sampled() -> None:
    sampler = FloodSampler(1)
    payload = b'{"ts": 1763900000000, "values": {"a": 1e12, "nameless": 3, "b": "word"}}'
    columns, checked = decoded([("thubon/v1/hoi-an/dev-1/telemetry", payload)] * 100)
    sampled = sampler.apply(columns, checked)
    assert sampled.rejections == checked.rejections
    reasons = Counter(rejection.reason for rejection in sampled.rejections)
    assert reasons == {Reason.OUT_OF_BOUNDS: 100, Reason.UNKNOWN_DATASTREAM: 100, Reason.UNKNOWN_WORD: 100}


def test_the_decoder_s_own_rejections_stay_as_they_are() -> None:
    columns, checked = decoded([("thubon/v1/hoi-an/dev-1/telemetry", b"{")] * 100)
    FloodSampler(1).apply(columns, checked)
    assert {rejection.readings for rejection in columns.rejections} == {1}
    assert len(columns.rejections) == 100
