"""The simulators against a real broker: every report once and in order, wills, goodbyes, a broker that restarts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import date, datetime
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from simulators.journal import read_journal
from simulators.scenario import load_scenario
from simulators.siting import build_fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fix_broker import Broker

SCENARIO = """
seed: 7
devices:
  hoi-an: {lighting-cabinet: 2, lamp-controller: 8, weather-station: 1, river-gauge: 1}
cabinets_as_gateways: 1
readings_per_message: 60
"""
BACKFILL_S = 5 * 3_600
WAIT_S = 30.0
GATEWAY_BEAT_S = 60.0


class Listener:
    """Everything a broker hands out below thubon/."""

    def __init__(self, broker: Broker) -> None:
        self._subscribed = threading.Event()
        self.messages: list[paho.MQTTMessage] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"listener-{os.getpid()}", clean_session=False)
        self.client.username_pw_set(broker.username, broker.password)
        self.client.on_connect = lambda client, *_: client.subscribe("thubon/#", 1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.client.reconnect_delay_set(1, 1)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def reports(self) -> list[tuple[str, int]]:
        """Device and timestamp of every report, in the order of arrival."""
        found: list[tuple[str, int]] = []
        for message in list(self.messages):
            _, _, _, source, kind = message.topic.split("/")
            body = json.loads(message.payload) if kind in {"telemetry", "gateway"} else None
            if kind == "telemetry":
                found += [(source, report["ts"]) for report in (body if isinstance(body, list) else [body])]
            elif kind == "gateway":
                found += [(device, report["ts"]) for device, reports in body.items() for report in reports]
        return found

    def words(self) -> dict[str, str]:
        """Last status word of every device."""
        topics = {message.topic: message.payload.decode() for message in list(self.messages)}
        return {topic.split("/")[3]: word for topic, word in topics.items() if topic.endswith("/status")}

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def _wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    file = tmp_path / "few.yaml"
    file.write_text(SCENARIO)
    return file


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@contextlib.contextmanager
def _running(broker: Broker, scenario_file: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators", "run", "--scenario", str(scenario_file), *arguments],
        env={**os.environ, "THUBON_BROKER_URL": broker.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker)
    yield listener
    listener.close()


def test_history_arrives_whole_once_and_in_order_and_every_device_says_goodbye(
    broker: Broker, listener: Listener, scenario_file: Path
) -> None:
    fleet = build_fleet(load_scenario(str(scenario_file)))
    began_s = time.time()
    with _running(broker, scenario_file, "--backfill", f"{BACKFILL_S}s", "--duration", "1s") as process:
        said, error = process.communicate(timeout=WAIT_S)
    ended_s = time.time()
    assert process.returncode == 0, error
    _wait_for(lambda: set(listener.words().values()) == {"offline"})
    reports = listener.reports()
    assert max(Counter(reports).values()) == 1
    for device in fleet:
        stamps = [ts for device_id, ts in reports if device_id == device.device_id]
        assert stamps == sorted(stamps)
        # A gateway passes on what its lamps reported with its next own report.
        sure = device.report_times(began_s - BACKFILL_S + 10.0, began_s - GATEWAY_BEAT_S)
        possible = device.report_times(began_s - BACKFILL_S - 1.0, ended_s)
        assert {int(time_s * 1_000) for time_s in sure} <= set(stamps) <= {int(t * 1_000) for t in possible}
    connected = {device.device_id for device in fleet if device.gateway_id is None}
    assert set(listener.words()) == connected
    sent, acknowledged = said.split()[1], said.split()[4]
    assert sent == acknowledged == str(len(listener.messages))
    assert "4 connections made, 0 failed" in said


def test_a_device_that_is_cut_off_is_told_offline_by_its_last_will(
    broker: Broker, listener: Listener, scenario_file: Path
) -> None:
    with _running(broker, scenario_file) as process:
        _wait_for(lambda: len(listener.words()) == 4 and set(listener.words().values()) == {"online"})
        process.kill()
    _wait_for(lambda: set(listener.words().values()) == {"offline"})


def test_after_a_broker_that_went_and_came_no_report_is_missing(fresh_broker: Broker, scenario_file: Path) -> None:
    listener = Listener(fresh_broker)
    began_s = time.time()
    expected = {
        (device.device_id, int(time_s * 1_000))
        for device in build_fleet(load_scenario(str(scenario_file)))
        for time_s in device.report_times(began_s - 4 * 3_600.0 + 10.0, began_s - GATEWAY_BEAT_S)
    }
    with _running(fresh_broker, scenario_file, "--backfill", "4h", "--rate", "2400") as process:
        _wait_for(lambda: len(listener.reports()) > 100)
        assert not expected <= set(listener.reports())
        fresh_broker.restart()
        _wait_for(lambda: expected <= set(listener.reports()))
        process.send_signal(signal.SIGTERM)
        said, error = process.communicate(timeout=WAIT_S)
    listener.close()
    assert process.returncode == 0, error
    assert ", 0 failed or lost" not in said


@pytest.mark.parametrize(
    ("client", "version", "qos"), [("light", "3.1.1", 1), ("light", "5", 2), ("paho", "5", 2), ("light", "5", 0)]
)
def test_every_client_and_version_delivers_the_same_and_writes_it_down(
    broker: Broker, listener: Listener, scenario_file: Path, tmp_path: Path, client: str, version: str, qos: int
) -> None:
    begin, until = "2026-11-20T01:00:00+07:00", "2026-11-20T03:00:00+07:00"
    scenario = load_scenario(str(scenario_file))
    expected = Counter(
        (device.device_id, int(time_s * 1_000))
        for device in build_fleet(scenario, date(2026, 11, 20))
        for time_s in device.report_times(_seconds(begin), _seconds(until))
    )
    journal = tmp_path / "run.jsonl.gz"
    wire = ("--client", client, "--mqtt", version, "--qos", str(qos), "--journal", str(journal))
    with _running(broker, scenario_file, "--from", begin, "--until", until, *wire) as process:
        said, error = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, error
    assert " 0 failed or lost" in said
    _wait_for(lambda: set(listener.words().values()) == {"offline"})
    assert Counter(listener.reports()) == expected
    run = read_journal(journal)
    assert run.complete
    assert Counter((m.topic, m.payload) for m in run.messages) == Counter(
        (message.topic, message.payload) for message in listener.messages
    )
    assert all((message.acknowledged_us is not None) == (qos > 0) for message in run.messages)


def test_a_device_that_is_shaken_off_and_one_that_is_cut_off_send_everything_all_the_same(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    scenario = SCENARIO + (
        "faults:\n  - {fault: reconnect-storm, minutes: 60}\n"
        '  - {fault: offline, devices: ["ha-cabinet-*"], during: {day: -1, from: "20:00", hours: 3}}\n'
    )
    file = tmp_path / "shaken.yaml"
    file.write_text(scenario)
    begin, until = "2026-11-19T18:00:00+07:00", "2026-11-20T00:00:00+07:00"
    arguments = ("--day", "2026-11-20", "--from", begin, "--until", until, "--rate", "14400")
    with _running(broker, file, *arguments) as process:
        said, error = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, error
    _wait_for(lambda: set(listener.words().values()) == {"offline"})
    expected = {
        (device.device_id, int(time_s * 1_000))
        for device in build_fleet(load_scenario(str(file)), date(2026, 11, 20))
        for time_s in device.report_times(_seconds(begin), _seconds(until))
    }
    assert set(listener.reports()) == expected
    assert int(re.search(r"(\d+) connections made", said)[1]) >= 4 * 5


def test_history_is_sent_beside_devices_that_are_connected_without_disturbing_them(
    broker: Broker, listener: Listener, scenario_file: Path
) -> None:
    begin, until = "2026-11-19T18:00:00+07:00", "2026-11-19T20:00:00+07:00"
    with _running(broker, scenario_file, "--day", "2026-11-20") as present:
        _wait_for(lambda: set(listener.words().values()) == {"online"} and len(listener.words()) == 4)
        with _running(
            broker, scenario_file, "--day", "2026-11-20", "--beside", "--from", begin, "--until", until
        ) as past:
            said, error = past.communicate(timeout=WAIT_S)
        assert past.returncode == 0, error
        assert "4 connections made, 0 failed or lost" in said
        expected = {
            (device.device_id, int(time_s * 1_000))
            for device in build_fleet(load_scenario(str(scenario_file)), date(2026, 11, 20))
            for time_s in device.report_times(_seconds(begin), _seconds(until))
        }
        _wait_for(lambda: expected <= set(listener.reports()))
        assert set(listener.words().values()) == {"online"}
        present.send_signal(signal.SIGTERM)
        said, _ = present.communicate(timeout=WAIT_S)
    assert "4 connections made, 0 failed or lost" in said


def test_each_device_logs_in_with_the_account_of_the_file_and_others_with_that_of_the_address(
    broker: Broker, listener: Listener, scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = tmp_path / "accounts.csv"
    accounts.write_text(f"device,username,password\nha-weather-cam-chau-01,{broker.username},wrong\n")
    monkeypatch.setenv("THUBON_SIMULATORS_CREDENTIALS_FILE", str(accounts))
    with _running(broker, scenario_file, "--client", "light") as process:
        _wait_for(lambda: set(listener.words().values()) == {"online"} and len(listener.words()) == 3)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=WAIT_S)
    assert "ha-weather-cam-chau-01" not in listener.words()
    assert "3 connections made" in said
    accounts.write_text("device,username\na,b\n")
    with _running(broker, scenario_file) as process:
        _, error = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert "no column password" in error


ABSENT = "faults:\n  - {fault: absent, count: 1}\n"


def test_a_thousand_devices_stand_at_once_in_one_process_and_an_absent_one_never_comes(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("seed: 1\ndevices:\n  hoi-an: {parking-sensor: 400}\n  tam-ky: {parking-sensor: 601}\n" + ABSENT)
    with _running(broker, file, "--client", "light") as process:
        _wait_for(lambda: len(listener.words()) == 1_000 and set(listener.words().values()) == {"online"})
        process.send_signal(signal.SIGTERM)
        said, error = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, error
    assert "1000 connections made, 0 failed or lost" in said
    _wait_for(lambda: set(listener.words().values()) == {"offline"})
