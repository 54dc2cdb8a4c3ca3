"""Measures the layouts readings could have on disk: `python -m tests.benchmarks.layout`.

Starts a throw-away TimescaleDB container, migrates it, puts the rival layouts beside the schema's own table, writes the
same readings into all of them in turn and prints the tables of docs/decisions/0002-physical-layout.md as Markdown.
Ratios within one run are what counts; absolute figures move with the machine and what else it does.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import psycopg

from sql.migrate import migrate_up
from tests.benchmarks.layout_cases import IRREGULAR_DEVICES, STEADY_DEVICES, STEADY_FIRST_US, Bench, Table
from tests.benchmarks.layout_fleet import FIRST_US, irregular, steady
from tests.benchmarks.layout_reads import VIEW_HEAD, reads, view_reads
from tests.benchmarks.layout_server import Server, database
from tests.benchmarks.layout_store import Store, layouts, load

if TYPE_CHECKING:
    from collections.abc import Sequence

_WRITE = ("way", "readings/s", "server s/M", "client s/M")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; exit status 0 when every check of the answers held."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.layout", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--image", default="thubon-timescaledb", help="image of the database (tools/docker_images.sh)")
    parser.add_argument("--port", type=int, default=21400, help="free TCP port of loopback")
    parser.add_argument("--minutes", type=int, default=1_680, help="minutes of 1,000 devices x 6 (more than 1,440)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each write is done; medians are printed")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a server setting of PostgreSQL"
    )
    parser.add_argument("--chunk-hours", type=int, default=24, help="with --fill: hours of phenomenon time in a chunk")
    parser.add_argument("--fill", action="store_true", help="only: 100,000 devices fill one chunk with 100 M readings")
    given = parser.parse_args(arguments)
    if given.minutes <= 24 * 60:
        parser.error("--minutes must be more than 1440: a day is read")
    started = time.monotonic()
    with database(given.image, given.port, given.set) as server:
        if given.fill:
            _fill(server, given.chunk_hours)
        else:
            _run(server, given.minutes, given.rounds)
    print(f"\n{time.monotonic() - started:.0f} s in all")
    return 0


def _run(server: Server, minutes: int, rounds: int) -> None:
    migrate_up(server.dsn)
    # Custom plans always: a generic one would not know which chunks a question is about.
    with psycopg.connect(server.dsn, autocommit=True, prepare_threshold=None) as connection:
        bench = _prepare(server, connection, minutes, rounds)
        rng = np.random.default_rng(1)
        whole = steady(STEADY_DEVICES, minutes, STEADY_FIRST_US, rng)
        uneven = irregular(IRREGULAR_DEVICES, STEADY_DEVICES + 1, 10, FIRST_US, rng)
        disk = [bench.disk()]
        for name, rows in (("steady fleet", whole), ("irregular fleet with missing values", uneven)):
            _print(f"Direct COPY, sorted batches: {name}, {rows.readings:,} readings", _WRITE, bench.load(rows, rounds))
            disk.append(bench.disk())
        sizes = _bytes_a_reading(disk, (whole.readings, uneven.readings))
        _print("Disk, bytes a reading", ("layout", *("heap", "index", "all") * 2), sizes)
        connection.execute(bench.queries["years_of_chunks"])
        connection.execute(bench.queries["tidy"])
        _print("Reads, ms", ("question", *bench.layouts), reads(bench, 2 * rounds - 1))
        _print("Through the view", VIEW_HEAD, view_reads(bench, 2 * rounds - 1))
        _print("10 % redelivered", _WRITE, bench.duplicates())
        _print("All redelivered, identical", _WRITE, bench.redelivered())
        _print("Late data, 100,000 readings over old times", _WRITE, bench.late())
        _print("Two messages of one device and time", _WRITE, bench.merges())
        _print("Disk added by merging, bytes a reading", ("step", "added"), bench.merge_bloat())
        _print("Quality flags", (*_WRITE, "bytes/reading"), bench.flags())
        _print("A profile grows", ("step", "took"), bench.growth())
        bench.check_totals()
        _print("100,000 devices x 6, 17 minutes", (*_WRITE, "bytes/reading"), bench.many_devices(100_000, 17))


def _fill(server: Server, chunk_hours: int) -> None:
    migrate_up(server.dsn)
    with psycopg.connect(server.dsn, autocommit=True, prepare_threshold=None) as connection:
        bench = _prepare(server, connection, 0, 1)
        connection.execute(bench.queries["chunk_interval"], {"hours": chunk_hours})
        names = ("float8[]", "float8[], key (time, device)")
        head = ("readings in the chunk", *(f"{name}: readings/s, server s/M" for name in names))
        _print("100,000 devices fill a chunk", head, bench.filling(100_000, 21, 8))


def _prepare(server: Server, connection: psycopg.Connection, minutes: int, rounds: int) -> Bench:
    connection.execute(load()["rivals"])
    connection.execute(load()["views"])
    store = Store(connection)
    fleet = {"steady": STEADY_DEVICES, "devices": STEADY_DEVICES + IRREGULAR_DEVICES}
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        cursor.execute(store.queries["registry"], fleet)
    # Keys for more devices than the registry knows: the narrow table does not refer to it.
    key = np.full((100_001, 8), 0, np.int32)
    key[1:, :6] = np.arange(100_000 * 6).reshape(-1, 6) + 1_000_000
    for device, slot, datastream in connection.execute("select device_key, slot, datastream_key from datastream"):
        key[device, slot - 1] = datastream
    return Bench(server, store, layouts(key), minutes, rounds)


def _bytes_a_reading(disk: list[dict[str, tuple[int, int]]], readings: tuple[int, ...]) -> Table:
    """Heap, index and both, for each load one after the other."""
    table = []
    for name in disk[0]:
        cells = []
        for before, after, count in zip(disk, disk[1:], readings, strict=False):
            heap, index = ((new - old) / count for new, old in zip(after[name], before[name], strict=True))
            cells += [f"{heap:.1f}", f"{index:.1f}", f"{heap + index:.1f}"]
        table.append((name, *cells))
    return table


def _print(title: str, head: Sequence[str], table: Table) -> None:
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    for row in table:
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
