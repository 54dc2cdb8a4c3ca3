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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.benchmarks import floors, machine
from tests.benchmarks.ingest_rate import EXPECTED_MESSAGES_S, ledger_total, register_fleet, running_worker, wait_ready
from tests.benchmarks.load import readings_a_message

if TYPE_CHECKING:
    from collections.abc import Callable

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


@dataclass(frozen=True, slots=True)
class Together:
    """What a run of worker and aggregator came to."""

    readings: int
    devices: int
    committed_s: float
    settled_s: float  # from the last commit until all was in the windows
    behind_s: float
    aggregator_s: float  # processor seconds of the aggregator and its session

    def lines(self) -> str:
        """The two lines of T2b."""
        rate = self.readings / self.committed_s
        ok = rate >= 400_000 and self.behind_s <= 10
        return (
            f"{self.readings} readings, {self.devices} devices: {rate:,.0f} readings/s committed,"
            f" changes looked at within {self.behind_s:.1f} s,"
            f" everything folded {self.settled_s:.1f} s after the last commit,"
            f" aggregator and its session {self.aggregator_s / self.readings * 1e6:.2f} s/M\n"
            f"T2b {rate:,.0f} readings/s, {self.behind_s:.1f} s behind, over {self.committed_s:.0f} s"
            f" (target 400,000, 10 s) {'ok' if ok else 'short'}"
        )


def run(
    messages: int, devices: int, *options: str, watch: Callable[[dict[str, float]], None] | None = None
) -> Together:
    """Publish gateway messages, with options of the publisher, until all is stored and in the windows.

    `watch` is called several times a second with the resident memory of each part, in MB.
    """
    count = messages * readings_a_message("gateway")
    with (
        tempfile.TemporaryDirectory() as folder,
        machine.broker(Path(folder)) as broker,
        machine.database() as (server, url),
    ):
        register_fleet(url, devices)
        port = machine.free_port()
        aggregator = subprocess.Popen(
            [sys.executable, "-m", "ingest", "aggregator"],
            env={**os.environ, "THUBON_DATABASE_URL": url, "THUBON_METRICS_PORT": str(port)},
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_ready(port)
            publisher = floors.start_load(broker.port, "gateway", messages, devices, *options)
            behind = Behind(url)
            with (
                running_worker(broker, url, THUBON_INGEST_DEVICE_READINGS_A_MINUTE="1000000000") as worker,
                psycopg.connect(url, autocommit=True) as asking,
            ):
                row = asking.execute(
                    "select pid from pg_stat_activity where application_name = 'thubon aggregator'"
                ).fetchone()
                assert row is not None
                session = server.host_pid(row[0])
                parts = {"worker": worker.pid, "aggregator": aggregator.pid, "broker": broker.main_pid()}

                def look() -> None:
                    behind.look()
                    if watch is not None:
                        watch({part: machine.resident_bytes(pid) / 1e6 for part, pid in parts.items()})
                    time.sleep(0.2)

                floors.line_of(publisher)
                look()
                before = machine.processor_s(aggregator.pid) + machine.processor_s(session)
                started = time.perf_counter()
                floors.go(publisher)
                while ledger_total(url) < count:
                    look()
                    assert publisher.poll() in (None, 0), "the publisher failed"
                committed_s = time.perf_counter() - started
                while not asking.execute(_SETTLED, [count]).fetchone()[0]:
                    look()
                    assert time.perf_counter() - started < committed_s + 600, "the windows never held everything"
                settled_s = time.perf_counter() - started - committed_s
                cost_s = machine.processor_s(aggregator.pid) + machine.processor_s(session) - before
            publisher.wait(30)
            behind.close()
        finally:
            aggregator.terminate()
            aggregator.wait(30)
    return Together(
        readings=count,
        devices=devices,
        committed_s=committed_s,
        settled_s=settled_s,
        behind_s=behind.longest_s,
        aggregator_s=cost_s,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--devices", type=int, default=1_000)
    arguments = parser.parse_args()
    print(run(int(EXPECTED_MESSAGES_S["gateway"] * arguments.seconds), arguments.devices).lines())
