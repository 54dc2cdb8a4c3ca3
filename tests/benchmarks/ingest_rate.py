"""How fast readings become committed rows: broker, worker, database and publisher on this machine.

`python -m tests.benchmarks.ingest_rate [--shape gateway|device|single] [--seconds 20] [--devices 1000]`
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.benchmarks import floors, machine
from tests.benchmarks.load import DEVICES_A_GATEWAY, NAMES, readings_a_message
from tests.fleet import register

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPECTED_MESSAGES_S = {"gateway": 25_000, "device": 70_000, "single": 75_000}
"""What two cores do; on a slower machine a run takes longer and is as exact."""
_WARM_UP_S = 5.0


def register_fleet(url: str, devices: int) -> None:
    """Devices dev-1 ... behind gateways gw-1 ..., eight each."""
    gateways = devices // DEVICES_A_GATEWAY
    register(url, devices=gateways, prefix="gw", names=("battery",))
    register(url, devices=devices, prefix="dev", names=NAMES)
    with psycopg.connect(url) as connection:
        connection.execute(
            "update device d set gateway_key = g.device_key from device g"
            " where d.device_id like 'dev-%%'"
            "   and g.device_id = 'gw-' || ((substr(d.device_id, 5)::integer - 1) / %s + 1)",
            [DEVICES_A_GATEWAY],
        )


def wait_ready(port: int) -> None:
    """Until the worker's /readyz is well."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except (OSError, urllib.error.HTTPError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def stored(url: str) -> int:
    """Readings in the table."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select coalesce(sum(cardinality(array_remove(value_by_slot, 'NaN'))), 0) from observation_set"
        ).fetchone()
        assert row is not None
        return int(row[0])


def ledger_total(url: str) -> int:
    """Stored readings by the ledger: cheap enough to ask while running."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select coalesce(sum(stored), 0) from ledger where family <> 'status'").fetchone()
        assert row is not None
        return int(row[0])


@dataclass(frozen=True, slots=True)
class Rate:
    """One measured run, after its warm-up; processor seconds are for a million readings."""

    shape: str
    readings: int
    seconds: float
    messages_s: float
    readings_s: float
    broker_s: float
    worker_s: float
    database_s: float
    bytes_a_reading: float
    worker_memory_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.shape}: {self.messages_s:,.0f} msg/s, {self.readings_s:,.0f} readings/s committed"
            f" ({self.readings:,} in {self.seconds:.1f} s); CPU s/M readings: broker {self.broker_s:.2f},"
            f" worker {self.worker_s:.2f}, database {self.database_s:.2f}; {self.bytes_a_reading:.1f} B/reading;"
            f" worker memory {self.worker_memory_bytes / 1e6:.0f} MB"
        )


def stored_by_worker(port: int) -> int:
    """Readings a worker stored since it started, by its metrics: asking the database costs a tenth of a core."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.search(r'^thubon_ingest_readings_total{outcome="stored"} (\S+)$', text, re.MULTILINE)
    return int(float(found[1])) if found else 0


@contextmanager
def running_worker(
    broker: machine.Container, url: str, *, port: int | None = None, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A ready worker of this broker and database; `port` is where its metrics are."""
    port = port or machine.free_port()
    worker = subprocess.Popen(
        [sys.executable, "-m", "ingest", "worker"],
        env={
            **os.environ,
            "THUBON_DATABASE_URL": url,
            "THUBON_BROKER_URL": f"mqtt://127.0.0.1:{broker.port}",
            "THUBON_METRICS_PORT": str(port),
            **settings,
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_ready(port)
        yield worker
    finally:
        worker.terminate()
        worker.wait(30)


def measure(
    broker: machine.Container, database: machine.Container, url: str, shape: str, seconds: float, devices: int
) -> Rate:
    """Publish as fast as the broker takes it and wait until all is committed; the fleet must be registered.

    Some seconds of warm-up come before what is measured. Everything sent must stand in the table, once.
    """
    warm_up_s = min(_WARM_UP_S, seconds / 4)
    messages = int(EXPECTED_MESSAGES_S[shape] * (warm_up_s + seconds))
    count = messages * readings_a_message(shape)
    warm = int(count * warm_up_s / (warm_up_s + seconds))
    publisher = floors.start_load(broker.port, shape, messages, devices)
    stored_before, bytes_before = stored(url), _bytes(url)
    port = machine.free_port()
    with running_worker(broker, url, port=port) as worker:

        def spent() -> tuple[float, float, float]:
            return broker.processor_s(), machine.processor_s(worker.pid), database.processor_s()

        floors.line_of(publisher)
        begun = time.perf_counter()
        floors.go(publisher)
        while (done := stored_by_worker(port)) < warm:
            assert time.perf_counter() - begun < 600, f"{done} of {count} stored"
            time.sleep(0.05)
        measured, before, started = count - done, spent(), time.perf_counter()
        while (done := stored_by_worker(port)) < count:
            assert time.perf_counter() - started < 1_200, f"{done} of {count} stored"
            time.sleep(0.1)
        elapsed = time.perf_counter() - started
        after = spent()
        memory = machine.resident_bytes(worker.pid)
    publisher.wait(30)
    in_table = stored(url) - stored_before
    assert in_table == count, f"{in_table} in the table, {count} sent"
    cost = [1e6 * (end - begin) / measured for begin, end in zip(before, after, strict=True)]
    return Rate(
        shape=shape,
        readings=measured,
        seconds=elapsed,
        messages_s=measured / readings_a_message(shape) / elapsed,
        readings_s=measured / elapsed,
        broker_s=cost[0],
        worker_s=cost[1],
        database_s=cost[2],
        bytes_a_reading=(_bytes(url) - bytes_before) / count,
        worker_memory_bytes=memory,
    )


def _bytes(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select hypertable_size('observation_set')").fetchone()
        assert row is not None
        return int(row[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=list(EXPECTED_MESSAGES_S), default="gateway")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--devices", type=int, default=1_000)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        machine.broker(Path(folder)) as broker_,
        machine.database() as (box, url_),
    ):
        register_fleet(url_, arguments.devices)
        print(measure(broker_, box, url_, arguments.shape, arguments.seconds, arguments.devices))
