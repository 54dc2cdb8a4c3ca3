"""A load run against real servers ends with its rates, latencies, processor time and a picture."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.integration.api.conftest import TOKEN, make_settings, serve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_worker import WorkerProcess

SCENARIO = """
seed: 7
devices:
  hoi-an: {lighting-cabinet: 2, lamp-controller: 8, weather-station: 2, air-station: 4}
cabinets_as_gateways: 1
"""


def register(owner_url: str, scenario: Path) -> None:
    """The fleet of a scenario, by the programs that do it."""
    file = scenario.with_suffix(".csv")
    fleet = [sys.executable, "-m", "simulators", "fleet", "--scenario", str(scenario), "--out", str(file)]
    subprocess.run(fleet, check=True)
    environment = {**os.environ, "THUBON_DATABASE_URL": owner_url}
    subprocess.run([sys.executable, "-m", "devices", "import", str(file)], env=environment, check=True)


async def test_a_run_ends_with_its_report(
    worker: WorkerProcess, database: Database, broker: Broker, tmp_path: Path
) -> None:
    scenario, out = tmp_path / "few.yaml", tmp_path / "report"
    scenario.write_text(SCENARIO)
    await asyncio.to_thread(register, database.owner_url, scenario)
    await asyncio.to_thread(worker.start)
    assert worker.process is not None
    settings = make_settings(database.read_url)
    async with serve(settings):
        command = ["load", "--scenario", str(scenario), "--rate", "3000", "--seconds", "3", "--out", str(out)]
        command += ["--database-url", database.ingest_url, "--api", f"http://127.0.0.1:{settings.http_port}"]
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "simulators", *command, "--watch", f"worker={worker.process.pid}"],
            env={**os.environ, "THUBON_BROKER_URL": broker.url, "THUBON_API_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "report.json").read_text())
    assert report["readings"] == report["counted"]["stored"] == report["counted"]["received"], done.stdout
    assert report["acknowledged"] == report["messages"]
    assert 2_000 < report["sent_readings_s"] < 3_200
    for name in ("commit", "live"):
        latency = report["latency_ms"][name]
        assert latency["count"] > 10, done.stdout
        assert 0 < latency["p50"] <= latency["p99"] <= latency["p100"] < 30_000
        assert "#[Mean" in (out / f"{name}.hgrm").read_text()
    assert 0 < report["processor_s_per_million_readings"]["worker"] < 10_000
    assert (out / "load.png").read_bytes().startswith(b"\x89PNG")
    assert "achieved" in done.stdout


def test_without_a_broker_or_with_a_process_that_is_none_it_ends_with_one(tmp_path: Path) -> None:
    scenario = tmp_path / "few.yaml"
    scenario.write_text(SCENARIO)
    command = [sys.executable, "-m", "simulators", "load", "--scenario", str(scenario)]
    for more, says in (
        (["--broker", "mqtt://127.0.0.1:9"], "mqtt://127.0.0.1:9"),
        (["--watch", "x=4194305"], "4194305"),
    ):
        environment = {**os.environ, "THUBON_BROKER_URL": "mqtt://127.0.0.1:9"}
        done = subprocess.run([*command, *more], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert says in done.stderr
