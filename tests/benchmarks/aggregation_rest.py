"""Statistics at rest on a real database: what keeping them costs, how fast they are repaired and read.

`python -m tests.benchmarks.aggregation_rest [--devices 1000] [--interval-s 60] [--hours 12] [--sketches]`

Observations are written as the worker's writer does it, a batch each simulated minute, with the changes it names; the
aggregator's steps run after every batch as the service runs them, with the clock of the simulation. What keeping the
statistics costs is the processor time of the keeper's process and of its own database session, and what it takes the
writer and its session to name the changes. PostgreSQL and the bench run on this machine, so figures move with it;
ratios within a run do not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import psycopg
from psycopg.rows import dict_row

from api.parts import Kept, windows_of
from devices.reductions.rows import Options
from ingest import copy_binary
from ingest.aggregation.keeper import Keeper
from ingest.changes import changes_of
from ingest.records import Block
from ingest.storage import connect
from sql import load_queries
from tests.benchmarks import machine
from tests.fleet import register

if TYPE_CHECKING:
    from collections.abc import Callable

SLOTS = 6
PLAIN = ("pm25", "pm10", "no2", "air-temperature", "relative-humidity", "o3")
WITH_SKETCHES = ("sound-level-equivalent", "sound-level-maximum", *PLAIN[2:])
START_US = 1_763_856_000_000_000  # 2025-11-23T00:00:00Z


def block_of(devices: int, times_us: np.ndarray, random: np.random.Generator) -> tuple[Block, np.ndarray]:
    """Rows of all devices at these times, sorted by (device, time), and their device keys."""
    n = devices * len(times_us)
    device = np.repeat(np.arange(devices, dtype=np.int32), len(times_us))
    jitter = np.repeat(np.arange(devices) % 1_000 * 7_000, len(times_us))
    time_us = np.tile(times_us, devices) + jitter
    value = np.round(random.normal(25, 5, (n, SLOTS)), 2)
    zeros = np.zeros(n, dtype=np.int32)
    block = Block(
        layout=0,
        message=zeros,
        device=device,
        time_us=time_us,
        received_us=time_us + 1_000_000,
        value=value,
        quality=np.zeros((n, SLOTS), dtype=np.int16),
    )
    return block, device + 1


class Bench:
    """A database with a fleet, a writer and a keeper whose clock we move."""

    def __init__(self, server: machine.Container, url: str, devices: int, *, sketches: bool = False) -> None:
        self.url = url
        self.devices = devices
        register(url, devices=devices, names=WITH_SKETCHES if sketches else PLAIN)
        self.random = np.random.default_rng(1)
        self.writer = psycopg.connect(url, autocommit=True)
        self.writing = server.host_pid(self.writer.info.backend_pid)
        self.named_s = 0.0  # processor seconds for naming changes
        self.session = connect(url, application="bench keeper")
        self.now_us = START_US
        self.keeper = Keeper(self.session, now_us=lambda: self.now_us)
        self.keeper.lead()
        self.keeper.recall()
        self.backend = server.host_pid(self.session.info.backend_pid)

    def write(self, block: Block, key: np.ndarray) -> None:
        """One batch, one transaction."""
        with self.writer.transaction():
            with self.writer.cursor().copy(load_queries("ingest")["copy_observations"]) as copy:
                copy.write(b"".join((copy_binary.HEADER, copy_binary.encode(block, key), copy_binary.TRAILER)))
            before = time.process_time() + machine.processor_s(self.writing)
            self.writer.execute("insert into window_change (changes) values (%s)", [changes_of(key, block.time_us)])
            self.named_s += time.process_time() + machine.processor_s(self.writing) - before

    def step(self, *, quiet: bool = False) -> None:
        """Everything that is to do at this moment."""
        while self.keeper.take_changes():
            pass
        while self.keeper.fold_due(quiet=quiet) or self.keeper.roll_due(quiet=quiet):
            pass

    def processor_s(self) -> tuple[float, float]:
        """Seconds so far of this process and of the keeper's session."""
        return time.process_time(), machine.processor_s(self.backend)


def keep(bench: Bench, interval_s: int, hours: float) -> None:
    """T9: what keeping statistics costs."""
    rows_a_batch = max(1, 60 // interval_s)
    batches = int(hours * 3600 / max(60, interval_s))
    readings, own_s, session_s, steps = 0, 0.0, 0.0, []
    for number in range(batches):
        first = START_US + number * max(60, interval_s) * 1_000_000
        block, key = block_of(bench.devices, first + np.arange(rows_a_batch) * interval_s * 1_000_000, bench.random)
        bench.write(block, key)
        readings += block.value.size
        bench.now_us = first + max(60, interval_s) * 1_000_000
        before, started = bench.processor_s(), time.perf_counter()
        bench.step()
        steps.append(time.perf_counter() - started)
        after = bench.processor_s()
        own_s, session_s = own_s + after[0] - before[0], session_s + after[1] - before[1]
    before = bench.processor_s()
    bench.step(quiet=True)
    after = bench.processor_s()
    own_s, session_s = own_s + after[0] - before[0], session_s + after[1] - before[1]
    per_million = (own_s + session_s + bench.named_s) / readings * 1e6
    print(
        f"{readings} readings of {bench.devices * SLOTS} datastreams, one each {interval_s} s, {hours:g} h:"
        f" aggregator {own_s / readings * 1e6:.2f} s/M, its session {session_s / readings * 1e6:.2f} s/M,"
        f" the writer's naming of changes {bench.named_s / readings * 1e6:.2f} s/M,"
        f" longest pass {max(steps):.2f} s"
    )
    print(f"T9 {per_million:.2f} CPU-s/M, {interval_s} s interval (target 1.0) {'ok' if per_million <= 1 else 'short'}")


def percentile_ms(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median and 95th percentile, milliseconds."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(taken), float(np.percentile(taken, 95))


def repair(bench: Bench, devices: int) -> None:
    """Six hours of a thousand devices come late, in minutes' batches."""
    start_us = START_US + 30_000_000  # between the rows that stand
    batches = [
        block_of(devices, start_us + (part * 30 + np.arange(30)) * 60_000_000, bench.random) for part in range(12)
    ]
    for block, key in batches:
        bench.write(block, key)
    started = time.perf_counter()
    bench.step()
    seconds = time.perf_counter() - started
    readings = sum(block.value.size for block, _ in batches)
    print(f"repair after a back-fill of six hours of {devices} devices ({readings} readings): {seconds:.2f} s")


def read(bench: Bench) -> None:
    """T11: a day of quarters of 1,000 datastreams; a year of hours of one."""
    api = load_queries("api_statistics")["parts"]
    end = START_US + 86_400_000_000
    with psycopg.connect(bench.url, autocommit=True, row_factory=dict_row) as connection:
        keys = list(range(1, 1_001 // SLOTS + 2))

        def quarters() -> int:
            rows = connection.execute(
                """select device_key, start_time, count, sum, min, max from window_set
                where device_key = any(%(keys)s) and length_s = 900
                  and start_time >= to_timestamp(%(first)s) and start_time < to_timestamp(%(last)s)""",
                {"keys": keys, "first": START_US / 1e6, "last": end / 1e6},
                binary=True,
            )
            return sum(1 for _ in rows)

        def raw_quarters() -> int:
            rows = connection.execute(
                """select device_key, date_bin('15 minutes', phenomenon_time, timestamptz '1970-01-01 00:00Z'), s,
                count(*), sum(value_by_slot[s]), min(value_by_slot[s]), max(value_by_slot[s])
                from observation_set, generate_series(1, 6) s
                where device_key = any(%(keys)s) and phenomenon_time >= to_timestamp(%(first)s)
                  and phenomenon_time < to_timestamp(%(last)s) and value_by_slot[s] <> 'NaN' group by 1, 2, 3""",
                {"keys": keys, "first": START_US / 1e6, "last": end / 1e6},
                binary=True,
            )
            return sum(1 for _ in rows)

        quarters()
        p50, p95 = percentile_ms(quarters, 20)
        raw50, _ = percentile_ms(raw_quarters, 3)
        print(
            f"a day of quarters of {len(keys) * SLOTS} datastreams: p50 {p50:.1f} ms; from the raw rows {raw50:.0f} ms"
        )
        print(f"T11 {p95:.1f} ms p95 a day of 15-minute statistics (target 50) {'ok' if p95 <= 50 else 'short'}")
        year_us = START_US - 365 * 86_400_000_000
        connection.execute(
            """insert into window_set (device_key, length_s, start_time, changed_time, computed_time, count, flagged,
              sum, second_moment, min, min_time, max, max_time, first, first_time, last, last_time)
            select w.device_key, 3600, h, h, h, w.count, w.flagged, w.sum, w.second_moment, w.min, w.min_time, w.max,
              w.max_time, w.first, w.first_time, w.last, w.last_time
            from generate_series(to_timestamp(%(first)s), to_timestamp(%(last)s), interval '1 hour') h,
              (select distinct on (device_key) * from window_set where length_s = 3600 and device_key <= 20
               order by device_key, start_time) w
            on conflict do nothing""",
            {"first": year_us / 1e6, "last": START_US / 1e6},
        )
        connection.execute("analyze window_set")

        nothing_more = Kept((), 0, Options(hold_us=180_000_000))
        starts_us = np.arange(year_us, START_US, 3_600_000_000)

        def hours(device: int) -> int:
            row = connection.execute(
                api,
                {
                    "device_key": device,
                    "slot": 3,
                    "keeps": [],
                    "shift_s": 0,
                    "length_s": 3600,
                    "first": datetime.fromtimestamp(year_us / 1e6, UTC),
                    "last": datetime.fromtimestamp(START_US / 1e6, UTC),
                },
                binary=True,
            ).fetchone()
            return len(windows_of(row or {}, nothing_more, starts_us).place)

        found = hours(1)
        p50, p95 = percentile_ms(lambda: hours(int(bench.random.integers(1, 21))), 40)
        print(f"a year of hours of one datastream ({found} windows): p50 {p50:.1f} ms")
        print(f"T11 {p95:.1f} ms p95 a year of hours (target 20) {'ok' if p95 <= 20 else 'short'}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--interval-s", type=int, default=60)
    parser.add_argument("--hours", type=float, default=12)
    parser.add_argument("--sketches", action="store_true", help="two of the six datastreams keep a quantile sketch")
    parser.add_argument("--only-keep", action="store_true", help="leave out repair and reading")
    arguments = parser.parse_args()
    with machine.database() as (server, url):
        bench = Bench(server, url, arguments.devices, sketches=arguments.sketches)
        keep(bench, arguments.interval_s, arguments.hours)
        if not arguments.only_keep:
            repair(bench, min(1_000, arguments.devices))
            read(bench)
        bench.writer.close()
        bench.session.close()


if __name__ == "__main__":
    os.environ.setdefault("PGOPTIONS", "-c timezone=UTC")
    main()
