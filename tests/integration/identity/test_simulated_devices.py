"""Simulated devices at a broker that knows each of them: own accounts and certificates, over TLS, by both clients."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from simulators.journal import read_journal
from simulators.replaying.recordings import Recorded, open_writer, read_recording
from simulators.scenario import load_scenario
from simulators.siting import build_fleet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.identity.conftest import City

SCENARIO = """
seed: 11
devices:
  tam-ky: {lighting-cabinet: 1, lamp-controller: 4, weather-station: 1}
  dien-ban: {river-gauge: 1}
cabinets_as_gateways: 1
"""


def _simulate(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulators", *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def issued(city: City, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The scenario, and the accounts that the import of its fleet issued."""
    folder = tmp_path_factory.mktemp("simulated")
    scenario, fleet, accounts = folder / "few.yaml", folder / "fleet.csv", folder / "accounts.csv"
    scenario.write_text(SCENARIO)
    made = _simulate("fleet", "--scenario", str(scenario), "--out", str(fleet))
    assert made.returncode == 0, made.stderr
    done = city.run("import", str(fleet), "--credentials", str(accounts), THUBON_DATABASE_URL=city.database.owner_url)
    assert done.returncode == 0, done.stderr
    city.settle()
    return scenario, accounts


@pytest.mark.parametrize(("client", "version"), [("light", "5"), ("paho", "3.1.1")])
def test_simulated_devices_log_in_with_their_own_accounts_over_tls_and_may_send_all_they_send(
    city: City, issued: tuple[Path, Path], tmp_path: Path, client: str, version: str
) -> None:
    scenario, accounts = issued
    journal = tmp_path / "run.jsonl.gz"
    done = _simulate(
        *("run", "--scenario", str(scenario), "--client", client, "--mqtt", version, "--journal", str(journal)),
        *("--from", "2026-11-20T01:00:00+07:00", "--until", "2026-11-20T02:00:00+07:00"),
        THUBON_BROKER_URL=f"mqtts://127.0.0.1:{city.broker.port_of(8883)}",
        THUBON_BROKER_CA_FILE=str(city.ca),
        THUBON_SIMULATORS_CREDENTIALS_FILE=str(accounts),
    )
    assert done.returncode == 0, done.stderr
    connections = sum(device.gateway_id is None for device in build_fleet(load_scenario(str(scenario))))
    assert re.search(rf"{connections} connections made, 0 failed or lost\n", done.stdout), done.stdout
    messages = read_journal(journal).messages
    assert any(message.topic.endswith("/gateway") for message in messages)
    # From MQTT 5 on the broker says so when it does not let a message pass.
    assert all(message.acknowledged_us is not None and not message.refused_by_broker for message in messages)


@pytest.mark.parametrize(("client", "version"), [("light", "5"), ("paho", "5")])
def test_devices_with_certificates_log_in_with_them_and_the_others_with_their_passwords(
    city: City, issued: tuple[Path, Path], tmp_path: Path, client: str, version: str
) -> None:
    scenario, accounts = issued
    fleet = [device.device_id for device in build_fleet(load_scenario(str(scenario))) if device.gateway_id is None]
    by_certificate, others = fleet[::2], fleet[1::2]
    for device_id in by_certificate:
        city.certificate(device_id)
    # Whose certificate is used needs no password: theirs are wrong here.
    wrong = tmp_path / "accounts.csv"
    lines = accounts.read_text().splitlines()
    wrong.write_text("\n".join(line + "x" * (line.split(",")[0] in by_certificate) for line in lines) + "\n")
    journal = tmp_path / "run.jsonl.gz"
    done = _simulate(
        *("run", "--scenario", str(scenario), "--client", client, "--mqtt", version, "--journal", str(journal)),
        *("--from", "2026-11-20T02:00:00+07:00", "--until", "2026-11-20T03:00:00+07:00"),
        THUBON_BROKER_URL=f"mqtts://127.0.0.1:{city.broker.port_of(8883)}",
        THUBON_BROKER_CA_FILE=str(city.ca),
        THUBON_SIMULATORS_CREDENTIALS_FILE=str(wrong),
        THUBON_SIMULATORS_CERTIFICATES_DIR=str(_some(city, by_certificate, tmp_path / "certificates")),
        THUBON_SIMULATORS_CERTIFICATES_PORT=str(city.broker.port_of(8884)),
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(by_certificate) + len(others)} connections made, 0 failed or lost" in done.stdout
    messages = read_journal(journal).messages
    assert {message.topic.split("/")[3] for message in messages} == set(fleet)
    assert all(message.acknowledged_us is not None and not message.refused_by_broker for message in messages)


def _some(city: City, devices: list[str], folder: Path) -> Path:
    """A folder with certificates of these devices alone."""
    folder.mkdir()
    for device_id in devices:
        for ending in ("crt", "key"):
            shutil.copy(city.folder / "tls" / f"{device_id}.{ending}", folder)
    return folder


@pytest.mark.parametrize("qos", ["1", "2"])
def test_load_goes_over_tls(city: City, issued: tuple[Path, Path], qos: str) -> None:
    scenario, _ = issued
    command = ["load", "--scenario", str(scenario), "--rate", "500", "--seconds", "1", "--qos", qos]
    done = _simulate(*command, **_over_tls(city, "simulators"))
    assert done.returncode == 0, done.stderr
    sent = re.search(r"([\d,]+) messages, ([\d,]+) readings in .* s; ([\d,]+) acknowledged", done.stdout)
    assert sent is not None, done.stdout
    assert sent[1] == sent[3]
    assert int(sent[2].replace(",", "")) >= 400
    # Who does not trust the broker's authority sends it nothing.
    settings = {name: value for name, value in _over_tls(city, "simulators").items() if name != "THUBON_BROKER_CA_FILE"}
    done = _simulate(*command, **settings)
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr


def _over_tls(city: City, user: str) -> dict[str, str]:
    return os.environ | {
        "THUBON_BROKER_URL": f"mqtts://{user}:for-tests-only@127.0.0.1:{city.broker.port_of(8883)}",
        "THUBON_BROKER_CA_FILE": str(city.ca),
    }


def test_a_recording_is_played_and_recorded_again_over_tls(city: City, tmp_path: Path) -> None:
    recording, again = tmp_path / "first.jsonl.gz", tmp_path / "again.jsonl.gz"
    topic = "thubon/v1/hoi-an/recorded-1/telemetry"
    payloads = [b'{"ts": 1763876700000, "values": {"pm25": 1.10}}', b"\xff\x00"]
    writer = open_writer(recording)
    for number, payload in enumerate(payloads):
        writer.write(Recorded(1_763_876_700_000_000 + number, topic, payload, 1, retain=False))
    writer.close()
    command = [sys.executable, "-m", "simulators"]
    with subprocess.Popen(
        [*command, "record", "--out", str(again), "--messages", "2", "--filter", topic],
        env=_over_tls(city, "ingest"),
        stderr=subprocess.PIPE,
        text=True,
    ) as recorder:
        assert recorder.stderr is not None
        assert any(": recording " in line for line in recorder.stderr)
        played = _simulate("replay", str(recording), "--speed", "max", **_over_tls(city, "simulators"))
        assert "sent 2 messages, acknowledged 2" in played.stdout, played.stderr
        _, error = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, error
    assert [message.payload for message in read_recording(again)] == payloads
