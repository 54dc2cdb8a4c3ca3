"""Ready packets are those of MQTT 3.1.1, bear later times each send, and percentiles are those of what was noted."""

from __future__ import annotations

import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.loading.latency import Latencies
from simulators.loading.processes import ProcessError, processor_s
from simulators.loading.templates import remaining_length, template_of, templates_of
from simulators.messages import Message
from simulators.scenario import load_scenario
from simulators.siting import build_fleet

REPORT = {"ts": 1_763_876_700_000, "values": {"pm25": 31.2, "no2": None}}


def body_of(packet: bytes, qos: int) -> tuple[str, int, object]:
    """Topic, packet id and payload of a PUBLISH, read by the standard."""
    at = 1
    length = shift = 0
    while True:
        length |= (packet[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if packet[at - 1] < 128:
            break
    assert packet[0] == 0x30 | qos << 1
    assert len(packet) == at + length
    size = int.from_bytes(packet[at : at + 2], "big")
    topic = packet[at + 2 : at + 2 + size].decode()
    at += 2 + size
    number = int.from_bytes(packet[at : at + 2], "big") if qos else 0
    return topic, number, json.loads(packet[at + 2 * bool(qos) :])


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_packet_is_a_publish_of_one_report_with_its_time_and_number(qos: int) -> None:
    template = template_of(Message("thubon/v1/hoi-an/air-1/telemetry", json.dumps([REPORT, REPORT]).encode(), 2), qos)
    topic, number, body = body_of(bytes(template.fill(1_800_000_000_000, 513)), qos)
    assert (topic, number) == ("thubon/v1/hoi-an/air-1/telemetry", 513 if qos else 0)
    assert body == {"ts": 1_800_000_000_000, "values": {"pm25": 31.2}}
    assert (template.readings, template.device, template.name) == (1, "air-1", "pm25")


def test_two_sends_within_a_millisecond_bear_two_times() -> None:
    payload = json.dumps({"a": [REPORT], "b": [REPORT, REPORT]}).encode()
    template = template_of(Message("thubon/v1/hoi-an/gw/gateway", payload, 3), 1)
    bodies = [body_of(bytes(template.fill(1_800_000_000_000, number)), 1)[2] for number in (1, 2)]
    assert [[item["ts"] for items in body.values() for item in items] for body in bodies] == [  # type: ignore[attr-defined]
        [1_800_000_000_000] * 2,
        [1_800_000_000_001] * 2,
    ]
    assert template.readings == 2


def test_every_connection_of_a_fleet_has_its_packet() -> None:
    templates = templates_of(build_fleet(load_scenario("demo")), 1_763_876_700.0, 1)
    assert len(templates) > 100
    for template in templates:
        _, _, body = body_of(bytes(template.fill(1_800_000_000_000, 1)), 1)
        assert template.stamps_at
        assert json.dumps(body).count("1800000000000") == len(template.stamps_at)


@given(length=st.integers(0, 268_435_455))
def test_a_length_is_written_in_groups_of_seven_bits(length: int) -> None:
    written = remaining_length(length)
    assert len(written) <= 4
    assert sum((byte & 127) << 7 * at for at, byte in enumerate(written)) == length
    assert [byte > 127 for byte in written] == [True] * (len(written) - 1) + [False]


@given(seconds=st.lists(st.floats(1e-6, 60), min_size=1, max_size=200))
def test_percentiles_are_within_a_thousandth_of_those_of_the_sorted_values(seconds: list[float]) -> None:
    latencies = Latencies("x")
    for each in seconds:
        latencies.add(each)
    assert latencies.count == len(seconds)
    assert latencies.ms(100) == pytest.approx(1_000 * max(seconds), rel=2e-3, abs=2e-3)
    assert latencies.ms(50) <= latencies.ms(99) <= latencies.ms(100)


def test_processor_time_grows_with_work_and_nobody_has_none() -> None:
    before, started = processor_s(os.getpid()), time.process_time()
    while time.process_time() - started < 0.1:
        pass
    assert processor_s(os.getpid()) > before
    with pytest.raises(ProcessError, match="no process"):
        processor_s(4_194_305)
