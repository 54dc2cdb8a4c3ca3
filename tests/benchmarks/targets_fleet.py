"""Target of the simulators: 10,000 devices connected at once from one process, each under its own name."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulators.scenario import load_scenario
from simulators.siting import build_fleet
from simulators.stack import bunches
from tests.benchmarks import machine
from tests.benchmarks.report import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 10_000
SCENARIO = """
seed: 20251117
devices:
  tam-ky: {traffic-counter: 1000, noise-meter: 800, lighting-cabinet: 100, lamp-controller: 1500}
  hoi-an: {traffic-counter: 1000, noise-meter: 800, lighting-cabinet: 100, lamp-controller: 1500}
  dien-ban: {traffic-counter: 900, noise-meter: 700, lighting-cabinet: 100, lamp-controller: 1500}
"""
_ESTABLISHED = "01"


def _standing(port: int) -> int:
    """Established connections at a port of the loopback address, as the kernel lists them."""
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        count += int(fields[1].rpartition(":")[2], 16) == port and fields[3] == _ESTABLISHED
    return count


def fleet(seconds: float) -> Iterator[Line]:
    """Connections from one process; and how fast a fleet of 100,000 is made and observed."""
    with tempfile.TemporaryDirectory() as folder, machine.broker(Path(folder)) as broker:
        scenario = Path(folder) / "many.yaml"
        scenario.write_text(SCENARIO)
        command = [sys.executable, "-m", "simulators", "run", "--scenario", str(scenario), "--client", "light"]
        environment = {**os.environ, "THUBON_BROKER_URL": f"mqtt://127.0.0.1:{broker.port}"}
        started = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            while (standing := _standing(broker.port)) < CONNECTIONS and time.monotonic() < started + 120.0:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.2)
            connect_s = time.monotonic() - started
            before_s = machine.processor_s(process.pid)
            time.sleep(seconds)
            standing = min(standing, _standing(broker.port))
            busy = (machine.processor_s(process.pid) - before_s) / seconds
            memory = machine.resident_bytes(process.pid) / 2**20
            process.send_signal(signal.SIGTERM)
            said, error = process.communicate(timeout=60)
            acknowledged = re.search(r"acknowledged (\d+)", said)
            assert acknowledged, error
        finally:
            process.kill()
            process.communicate()
    text = (
        f"{standing:,} connections stand at once (target {CONNECTIONS:,}), all after {connect_s:.0f} s,"
        f" {int(acknowledged[1]):,} messages acknowledged, {busy:.2f} cores, {memory:.0f} MiB"
    )
    yield Line("fleet", text, met=standing >= CONNECTIONS)
    yield _generated()


def _generated() -> Line:
    started = time.perf_counter()
    scenario = load_scenario("city").model_copy(update={"scale": 65.0})
    devices = build_fleet(scenario)
    groups = bunches(devices)
    built_s = time.perf_counter() - started
    started = time.perf_counter()
    readings = 0
    for members, bunch in groups:
        readings += bunch.observe(1_795_000_020.0 + np.array([float(device.phase_s) for device in members])).size
    observed_s = time.perf_counter() - started
    text = (
        f"{len(devices):,} devices built in {built_s:.1f} s, one report of each, {readings:,} readings,"
        f" in {observed_s:.1f} s (target 30 s together)"
    )
    return Line("fleet", text, met=built_s + observed_s <= 30.0)
