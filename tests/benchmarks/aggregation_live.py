"""Ingest and aggregator together: how fast readings are committed, what keeping statistics costs, how far it is behind.

`python -m tests.benchmarks.aggregation_live [--seconds 20] [--devices 1000]`

Gateway messages as fast as the broker takes them. Behind: how long ago the oldest change was committed at which the
aggregator has not looked yet; statistics served are never further behind than that. In the end every reading must be
in the windows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import psycopg

from tests.benchmarks import floors, machine
from tests.benchmarks.ingest_rate import EXPECTED_MESSAGES_S, ledger_total, register_fleet, running_worker, wait_ready
from tests.benchmarks.load import readings_a_message

_SETTLED = """
select not exists (select from window_change)
   and (select coalesce(sum(s), 0) from window_set w, unnest(w.count) s where length_s = 86400) = %s
"""


class Behind:
    """Watches the changes that wait."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._seen: deque[tuple[float, int]] = deque()
        self.longest_s = 0.0

    def look(self) -> None:
        """Note how old the oldest waiting change is."""
        now = time.perf_counter()
        row = self._connection.execute("select min(change_key), max(change_key) from window_change").fetchone()
        oldest, newest = row or (None, None)
        if oldest is None:
            self._seen.clear()
            return
        self._seen.append((now, newest))
        while self._seen[0][1] < oldest:
            self._seen.popleft()
        self.longest_s = max(self.longest_s, now - self._seen[0][0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--devices", type=int, default=1_000)
    arguments = parser.parse_args()
    messages = int(EXPECTED_MESSAGES_S["gateway"] * arguments.seconds / 2)
    count = messages * readings_a_message("gateway")
    with (
        tempfile.TemporaryDirectory() as folder,
        machine.broker(Path(folder)) as broker,
        machine.database() as (server, url),
    ):
        register_fleet(url, arguments.devices)
        port = machine.free_port()
        aggregator = subprocess.Popen(
            [sys.executable, "-m", "ingest", "aggregator"],
            env={**os.environ, "THUBON_DATABASE_URL": url, "THUBON_METRICS_PORT": str(port)},
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_ready(port)
            publisher = floors.start_load(broker.port, "gateway", messages, arguments.devices)
            behind = Behind(url)
            with (
                running_worker(broker, url, THUBON_INGEST_DEVICE_READINGS_A_MINUTE="1000000000"),
                psycopg.connect(url, autocommit=True) as asking,
            ):
                row = asking.execute(
                    "select pid from pg_stat_activity where application_name = 'thubon aggregator'"
                ).fetchone()
                assert row is not None
                session = server.host_pid(row[0])
                floors.line_of(publisher)
                before = machine.processor_s(aggregator.pid) + machine.processor_s(session)
                started = time.perf_counter()
                floors.go(publisher)
                while ledger_total(url) < count:
                    behind.look()
                    time.sleep(0.2)
                committed_s = time.perf_counter() - started
                while not asking.execute(_SETTLED, [count]).fetchone()[0]:
                    behind.look()
                    assert time.perf_counter() - started < 600, "the windows never held everything"
                    time.sleep(0.2)
                settled_s = time.perf_counter() - started - committed_s
                cost_s = machine.processor_s(aggregator.pid) + machine.processor_s(session) - before
            publisher.wait(30)
            behind.close()
        finally:
            aggregator.terminate()
            aggregator.wait(30)
    rate = count / committed_s
    print(
        f"{count} readings, {arguments.devices} devices: {rate:,.0f} readings/s committed, changes looked at within"
        f" {behind.longest_s:.1f} s, everything folded {settled_s:.1f} s after the last commit,"
        f" aggregator and its session {cost_s / count * 1e6:.2f} s/M"
    )
    ok = rate >= 400_000 and behind.longest_s <= 10
    print(
        f"T2b {rate:,.0f} readings/s, {behind.longest_s:.1f} s behind, over {committed_s:.0f} s"
        f" (target 400,000, 10 s) {'ok' if ok else 'short'}"
    )


if __name__ == "__main__":
    main()
