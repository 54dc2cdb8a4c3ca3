"""How fast the operations views answer while readings come in.

`python -m tests.benchmarks.views [--devices 3000] [--hours 24] [--seconds 20] [--rate 5000]`

Three towns with so many devices each; a day of observations is written straight into the table and folded by the
aggregator. Then a broker, a worker, the aggregator and the API run as in an installation, devices of the fleet publish
at the rate, and one client asks view after view, without a pause.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from tests.benchmarks import machine
from tests.benchmarks.ingest_rate import ledger_total, running_worker, wait_ready
from tests.benchmarks.views_city import TOWNS, Member, register_city, values_of, write_day

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGETS_MS: Final = {"overview": (5.0, 25.0), "views": 50.0}
PROPERTIES: Final = ("pm25", "light-level", "vehicle-speed", "sound-level-equivalent", "rainfall")


@contextmanager
def program(*arguments: str, ready_port: int, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of our programs, ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], env={**os.environ, **settings}, stderr=subprocess.DEVNULL
    )
    try:
        wait_ready(ready_port)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def fold(url: str) -> float:
    """Let the aggregator fold everything; answers the seconds."""
    port = machine.free_port()
    started = time.perf_counter()
    with (
        program("ingest", "aggregator", ready_port=port, THUBON_DATABASE_URL=url, THUBON_METRICS_PORT=str(port)),
        psycopg.connect(url, autocommit=True) as connection,
    ):
        while True:
            row = connection.execute(
                "select not exists (select from window_change)"
                " and not exists (select from aggregation_state where hours_time is not null or days_time is not null)"
                " and (select count(*) from aggregation_state) = (select count(*) from latest)"
            ).fetchone()
            if row and row[0]:
                break
            time.sleep(0.5)
        connection.execute("vacuum analyze")
    return time.perf_counter() - started


class Sender(threading.Thread):
    """Devices of the fleet that publish at a rate of readings."""

    def __init__(self, port: int, members: list[Member], rate: float) -> None:
        super().__init__(daemon=True)
        self._port, self._members, self._rate = port, members, rate
        self._ended = threading.Event()
        self.readings = 0

    def run(self) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(20_000)
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        random = np.random.default_rng(3)
        started, number = time.perf_counter(), 0
        while not self._ended.is_set():
            ahead_s = started + self.readings / self._rate - time.perf_counter()
            if ahead_s > 0.002:
                time.sleep(ahead_s)
            member = self._members[number * 7919 % len(self._members)]
            number += 1
            row = values_of(member.profile, np.array([time.time()]), random)[0]
            values = {
                stream.name: round((value - stream.addend) / stream.factor, 4)
                for stream, value in zip(member.profile.datastreams, row.tolist(), strict=True)
            }
            body = json.dumps({"ts": time.time_ns() // 1_000_000, "values": values})
            client.publish(f"thubon/v1/{member.town}/{member.device_id}/telemetry", body, 1)
            self.readings += len(values)
        client.disconnect()
        client.loop_stop()

    def end(self) -> None:
        """Stop publishing."""
        self._ended.set()
        self.join(10)


def paths_of(members: list[Member]) -> dict[str, list[str]]:
    """What is asked, by view."""
    found: dict[str, list[str]] = defaultdict(list)
    for town in TOWNS:
        found["overview"].append(f"/v1/towns/{town}/overview")
        for domain in ("traffic", "lighting", "environment"):
            for view in ("", "/map", "/ranking", "/summary"):
                found[f"domain{view}"].append(f"/v1/towns/{town}/{domain}{view}")
        found["statistics"] += [f"/v1/statistics?property={name}&town={town}" for name in PROPERTIES]
    chosen = members[:: max(1, len(members) // 60)]
    found["site"] = [f"/v1/sites/site-{member.device_id}" for member in chosen if "river" not in member.device_id]
    return found


def ask(port: int, paths: dict[str, list[str]], seconds: float) -> dict[str, list[float]]:
    """Ask view after view without a pause; milliseconds by view."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken: dict[str, list[float]] = defaultdict(list)
    number, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        for view, several in paths.items():
            path = several[number % len(several)]
            started = time.perf_counter()
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            body = answer.read()
            taken[view].append((time.perf_counter() - started) * 1e3)
            assert answer.status == 200, (path, answer.status, body[:300])
        number += 1
    connection.close()
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=3_000, help="of each town")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=5_000.0, help="readings a second")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        machine.broker(Path(folder)) as broker,
        machine.database() as (_, url),
    ):
        members = register_city(url, arguments.devices)
        started = time.perf_counter()
        readings = write_day(url, members, arguments.hours)
        print(
            f"{len(members)} devices, {readings:,} readings written in {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        print(f"folded in {fold(url):.0f} s", flush=True)
        _measure(url, broker.port, members, arguments.seconds, arguments.rate)


def _measure(url: str, broker_port: int, members: list[Member], seconds: float, rate: float) -> None:
    port, metrics = machine.free_port(), machine.free_port()
    sender = Sender(broker_port, members, rate)
    broker = machine.Container("", broker_port)
    api = {"THUBON_READ_DATABASE_URL": url, "THUBON_HTTP_PORT": str(port), "THUBON_OPEN_VIEWER": "yes"}
    with (
        program("ingest", "aggregator", ready_port=metrics, THUBON_DATABASE_URL=url, THUBON_METRICS_PORT=str(metrics)),
        running_worker(broker, url, THUBON_INGEST_DEVICE_READINGS_A_MINUTE="1000000"),
        program("api", ready_port=port, **api),
    ):
        before = ledger_total(url)
        sender.start()
        paths = paths_of(members)
        ask(port, paths, min(5.0, seconds))  # somebody has the page open already
        overview = ask(port, {"overview": paths.pop("overview")}, seconds)["overview"]
        taken = ask(port, paths, seconds)
        sender.end()
        stored = ledger_total(url) - before
    print(f"{sender.readings:,} readings sent meanwhile, {stored:,} stored", flush=True)
    p50, p99 = np.percentile(overview, [50, 99])
    wanted50, wanted99 = TARGETS_MS["overview"]
    met = "ok" if p50 <= wanted50 and p99 <= wanted99 else "short"
    print(f"T10 overview p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(overview)} asked (target 5 ms, 25 ms) {met}")
    for view, several in taken.items():
        p50, p95 = np.percentile(several, [50, 95])
        met = "ok" if p95 <= TARGETS_MS["views"] else "short"
        print(f"T10 {view} p50 {p50:.1f} ms, p95 {p95:.1f} ms, {len(several)} asked (target p95 50 ms) {met}")


if __name__ == "__main__":
    main()
