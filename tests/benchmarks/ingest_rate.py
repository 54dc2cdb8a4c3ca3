"""How fast readings become committed rows: broker, worker, database and publisher on this machine.

`python -m tests.benchmarks.ingest_rate [--shape gateway|device|single] [--seconds 20] [--devices 1000]`
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from tests.benchmarks import machine
from tests.benchmarks.load import DEVICES_A_GATEWAY, NAMES, readings_a_message
from tests.fleet import register

_EXPECTED_MESSAGES_S = {"gateway": 20_000, "device": 45_000, "single": 50_000}


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
    import urllib.error
    import urllib.request

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


def run(shape: str, seconds: float, devices: int) -> None:
    """One measurement, printed as one line."""
    messages = int(_EXPECTED_MESSAGES_S[shape] * seconds)
    with tempfile.TemporaryDirectory() as folder, machine.broker(Path(folder)) as broker, machine.database() as place:
        database, url = place
        register_fleet(url, devices)
        publisher = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.load", str(broker.port), shape, str(messages), str(devices)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert publisher.stdin is not None
        assert publisher.stdout is not None
        port = machine.free_port()
        worker = subprocess.Popen(
            [sys.executable, "-m", "ingest", "worker"],
            env={
                **os.environ,
                "THUBON_DATABASE_URL": url,
                "THUBON_BROKER_URL": f"mqtt://127.0.0.1:{broker.port}",
                "THUBON_METRICS_PORT": str(port),
                # The load's devices observe a thousand times as often as any device does.
                "THUBON_INGEST_DEVICE_READINGS_A_MINUTE": "1000000000",
            },
        )
        try:
            wait_ready(port)
            publisher.stdout.readline()
            before = (broker.processor_s(), machine.processor_s(worker.pid), database.processor_s())
            started = time.perf_counter()
            publisher.stdin.write("go\n")
            publisher.stdin.flush()
            count = messages * readings_a_message(shape)
            while ledger_total(url) < count:
                assert time.perf_counter() - started < 20 * seconds + 60, f"{ledger_total(url)} of {count} stored"
                time.sleep(0.1)
            elapsed = time.perf_counter() - started
            after = (broker.processor_s(), machine.processor_s(worker.pid), database.processor_s())
            in_table = stored(url)
            assert in_table == count, f"{in_table} in the table, {count} sent"
            size = _bytes(url)
            cost = [1e6 * (end - begin) / count for begin, end in zip(before, after, strict=True)]
            print(
                f"{shape}: {messages / elapsed:,.0f} msg/s, {count / elapsed:,.0f} readings/s committed"
                f" ({count:,} in {elapsed:.1f} s); CPU s/M readings: broker {cost[0]:.2f}, worker {cost[1]:.2f},"
                f" database {cost[2]:.2f}; {size / count:.1f} B/reading;"
                f" worker memory {machine.resident_bytes(worker.pid) / 1e6:.0f} MB"
            )
        finally:
            worker.terminate()
            worker.wait(30)
            publisher.kill()
            publisher.wait()


def _bytes(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select hypertable_size('observation_set')").fetchone()
        assert row is not None
        return int(row[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=list(_EXPECTED_MESSAGES_S), default="gateway")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--devices", type=int, default=1_000)
    arguments = parser.parse_args()
    run(arguments.shape, arguments.seconds, arguments.devices)
