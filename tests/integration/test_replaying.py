"""A recording of a real broker, played again: the same bytes, as often as one likes, at the speed asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from simulators.replaying.recordings import read_recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_broker import Broker

CASES = Path(__file__).parents[1] / "cases" / "series"


def simulators(broker: Broker, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "simulators", *map(str, arguments)]
    environment = {**os.environ, "THUBON_BROKER_URL": broker.url}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=30)
    assert process.returncode == 0, error
    return out


@contextmanager
def recording(broker: Broker, out: Path, messages: int) -> Iterator[None]:
    """A recorder that listens, and at the end has so many messages."""
    process = simulators(broker, "record", "--out", out, "--messages", messages)
    assert process.stderr is not None
    for line in process.stderr:
        if ": recording " in line:
            break
    yield
    assert f"recorded {messages} messages" in said(process)


@pytest.fixture
def client(broker: Broker) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def test_what_was_recorded_is_played_again_byte_for_byte(broker: Broker, client: paho.Client, tmp_path: Path) -> None:
    payloads = [b'{"ts": 1763876700000, "values": {"pm25": 1.10}}', b"\xff\x00", b'{"ts": 1763876701000}']
    first = tmp_path / "first.jsonl.gz"
    with recording(broker, first, 3):
        for qos, payload in enumerate(payloads):
            client.publish("thubon/v1/hoi-an/air-1/telemetry", payload, qos, retain=qos == 1).wait_for_publish(10)
    kept = [(message.payload, message.qos, message.retain) for message in read_recording(first)]
    assert kept == [(payloads[0], 0, False), (payloads[1], 1, True), (payloads[2], 2, False)]

    digests, again = [], []
    for ending in (".parquet", ".jsonl.gz"):
        out = tmp_path / f"again{ending}"
        with recording(broker, out, 4):  # the first one is what the broker retained
            digests.append(said(simulators(broker, "replay", first, "--speed", "max", "--shift", "1h")).split()[-1])
        again.append([message.payload for message in read_recording(out)][1:])
    assert digests[0] == digests[1]
    assert again[0] == again[1]
    assert again[0] == [b'{"ts": 1763880300000, "values": {"pm25": 1.10}}', b"\xff\x00", b'{"ts": 1763880301000}']


def test_a_series_is_played_as_fast_as_asked(broker: Broker) -> None:
    began = time.monotonic()
    out = said(simulators(broker, "replay", CASES / "air.csv", "--map", CASES / "air.yaml", "--speed", "10800"))
    assert "sent 4 messages, acknowledged 4" in out
    assert time.monotonic() - began >= 1.0


def test_without_a_broker_it_ends_with_one(broker: Broker, tmp_path: Path) -> None:
    broker.stop()
    for arguments in (
        ["replay", CASES / "air.csv", "--map", CASES / "air.yaml"],
        ["record", "--out", tmp_path / "a.parquet"],
    ):
        process = simulators(broker, *arguments)
        _, error = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "mqtt://" in error
