"""`make demo` as a person meets it: living towns, an end that leaves nothing, clear words when something is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import psutil
import pytest

from simulators.messages import reports_of
from simulators.scenario import load_scenario
from simulators.siting import build_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"ingest worker", "ingest aggregator", "simulators run", "-m api", "iotcore", "postgres -D"}
HISTORY_HOURS = 3.25  # the newest three come first, the rest beside the living devices
START_LIMIT_S = 90.0
END_LIMIT_S = 10.0

pytestmark = pytest.mark.timeout(240)


def _three_free_ports() -> tuple[int, int]:
    """A port for HTTP, and one for MQTT whose successor is free as well."""
    while True:
        with socket.socket() as http, socket.socket() as mqtt, socket.socket() as mqtt5:
            http.bind(("127.0.0.1", 0))
            mqtt.bind(("127.0.0.1", 0))
            port = mqtt.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                mqtt5.bind(("127.0.0.1", port + 1))
                return http.getsockname()[1], port


@dataclass
class Demo:
    """A running `tools/demo.py`."""

    process: subprocess.Popen[str]
    http_port: int
    said: list[str]

    def wait_until_living(self) -> None:
        self.wait_for("devices online")

    def wait_for(self, text: str) -> None:
        assert self.process.stdout is not None
        began = time.monotonic()
        for line in self.process.stdout:
            self.said.append(line)
            if text in line:
                assert time.monotonic() - began < START_LIMIT_S
                return
        pytest.fail("the demo ended:\n" + "".join(self.said) + self.error())

    def error(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def get(self, path: str) -> dict[str, object]:
        with urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
            return json.load(answer)

    def parts(self) -> dict[str, psutil.Process]:
        """Processes of the demo by what they run."""
        found = {}
        for process in psutil.Process(self.process.pid).children(recursive=True):
            command = " ".join(process.cmdline())
            for name in PARTS:
                if name in command:
                    found[name] = process
        return found


def _run(folder: Path, ports: tuple[int, int]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "tools" / "demo.py"),
            f"--http-port={ports[0]}",
            f"--mqtt-port={ports[1]}",
            f"--data-dir={folder}",
            f"--history-hours={HISTORY_HOURS}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "THUBON_DATABASE_URL": "postgresql://elsewhere/must-not-matter"},
    )


@contextlib.contextmanager
def _demo(folder: Path) -> Iterator[Demo]:
    ports = _three_free_ports()
    process = _run(folder, ports)
    everything = []
    try:
        demo = Demo(process, ports[0], [])
        demo.wait_until_living()
        everything = psutil.Process(process.pid).children(recursive=True)
        yield demo
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)
        _, alive = psutil.wait_procs(everything, timeout=END_LIMIT_S)
        for left in alive:
            left.kill()
    assert not alive


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory that all demos of this module use, one after the other."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    yield folder
    postgres = folder / "postgres"
    if postgres.is_symlink():  # root works in a closed directory: the server's data stands elsewhere
        shutil.rmtree(postgres.readlink().parent)


def _ended(demo: Demo) -> float:
    began = time.monotonic()
    demo.process.wait(timeout=30)
    return time.monotonic() - began


def test_the_towns_live_every_report_is_stored_and_sigterm_leaves_nothing(data_dir: Path) -> None:
    fleet = [device for device in build_fleet(load_scenario("demo")) if device.registered]
    with _demo(data_dir) as demo:
        towns = demo.get("/v1/towns")["items"]
        assert sum(town["devices"]["online"] for town in towns) >= 0.98 * len(fleet)
        assert sum(sum(town["devices"].values()) for town in towns) == len(fleet)

        password = (data_dir / "admin_password").read_text().strip()
        login = json.dumps({"name": "admin", "password": password}).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"http://127.0.0.1:{demo.http_port}/v1/session", login, headers), timeout=10) as answer:
            assert answer.status == 204

        demo.wait_for("the history before is stored as well")
        assert not (data_dir / "older-history.json").exists()

        # One device with a connection of its own and one behind a gateway: each report of the history, value by value.
        now_s = time.time()
        for device in (
            next(d for d in fleet if d.profile.profile_id == "weather-station"),
            next(d for d in fleet if d.gateway_id),
        ):
            name = "temperature"
            times = device.report_times(now_s - HISTORY_HOURS * 3_600.0 + 60.0, now_s - device.interval_s - 15.0)
            expected = {report["ts"]: report["values"][name] for report in reports_of(device, times)}
            assert expected
            page = demo.get(f"/v1/datastreams/{device.device_id}:{name}/observations?limit=1000")
            stored = {
                round(datetime.fromisoformat(item["phenomenon_time"]).timestamp() * 1_000): item["value"]
                for item in page["items"]
            }
            assert {ts: stored.get(ts) for ts in expected} == expected

        # A second demo on the same data would ruin it.
        other = _run(data_dir, _three_free_ports())
        _, error = other.communicate(timeout=30)
        assert other.returncode == 2
        assert "another demo runs on" in error

        demo.process.send_signal(signal.SIGTERM)
        assert _ended(demo) < END_LIMIT_S
        assert demo.process.returncode == 0


def test_a_second_start_adds_what_is_missing_and_a_killed_part_ends_all_with_a_clear_word(data_dir: Path) -> None:
    with _demo(data_dir) as demo:
        assert "minutes of history follow" in "".join(demo.said)
        page = demo.get("/v1/datastreams/tk-weather-tam-ky-01:temperature/observations?limit=1000")
        times = [datetime.fromisoformat(item["phenomenon_time"]) for item in page["items"]]
        assert len(times) == len(set(times))
        assert (datetime.now(UTC) - max(times)).total_seconds() < 180.0
        assert all((b - a).total_seconds() == 60.0 for a, b in zip(sorted(times), sorted(times)[1:], strict=False))

        demo.parts()["ingest worker"].kill()
        assert _ended(demo) < END_LIMIT_S
        assert demo.process.returncode == 1
        error = demo.error()
        assert "ingest worker was killed by SIGKILL" in error
        assert "ingest-worker.log" in error


def test_nothing_outlives_a_demo_that_is_killed(data_dir: Path) -> None:
    with _demo(data_dir) as demo:
        parts = demo.parts()
        assert set(parts) == PARTS
        demo.process.kill()
        demo.process.wait()
        _, alive = psutil.wait_procs(list(parts.values()), timeout=END_LIMIT_S)
        assert not alive


@pytest.mark.parametrize("which", ["HTTP_PORT", "MQTT_PORT", "MQTT_PORT + 1"])
def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path, which: str) -> None:
    http, mqtt = _three_free_ports()
    taken = {"HTTP_PORT": http, "MQTT_PORT": mqtt, "MQTT_PORT + 1": mqtt + 1}[which]
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        process = _run(tmp_path / "data", (http, mqtt))
        said, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"port {taken} ({which}) is in use" in error
    assert not said


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    process = _run(tmp_path, _three_free_ports())
    _, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "holds something that is not a demo's" in error
    assert [file.name for file in tmp_path.iterdir()] == ["letters.txt"]
