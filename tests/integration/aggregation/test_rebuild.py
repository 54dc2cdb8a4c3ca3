"""`rebuild` and `export`: in parallel, interrupted, over Parquet, and always what the live path gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.integration.aggregation.history import (
    NOON_US,
    PERIODS,
    PLAIN,
    Batch,
    commit,
    compare,
    keeper,
    random_batches,
    register,
    settle,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_database import Database

HOUR_US = 3_600_000_000
_WINDOWS = (
    "select device_key, length_s, start_time, changed_time, count, flagged, sum, second_moment, min, min_time::text,"
    " max, max_time::text, first, first_time::text, last, last_time::text, energy, east, north, weight,"
    " weight_by_value, held_value_s, held_s, increase, resets, state_s, transitions, flags, above, longest_run"
    " from window_set order by 1, 2, 3"
)
_CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""
_SKETCHES = "select * from window_sketch order by 1, 2, 3, 4"


@pytest.fixture
def folded(database: Database) -> Database:
    """Two days of devices of two kinds, all folded."""
    devices = [(register(database.url, f"d-{number}", PLAIN), len(PLAIN)) for number in range(3)]
    devices.append((register(database.url, "periods", PERIODS), len(PERIODS)))
    for batch in random_batches(np.random.default_rng(5), devices, batches=8, span_us=40 * HOUR_US):
        commit(database, batch)
    made, connection = keeper(database, NOON_US + 50 * HOUR_US)
    settle(made)
    connection.close()
    assert compare(database) > 100
    return database


def run(database: Database, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "THUBON_DATABASE_URL": database.ingest_url}
    return subprocess.Popen(
        [sys.executable, "-m", "ingest", *arguments], env=environment, stderr=subprocess.PIPE, text=True, **options
    )


def done(database: Database, *arguments: str) -> str:
    """Run to a good end; answers what it said."""
    with run(database, *arguments) as process:
        _, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    return said


def stored(database: Database) -> tuple[list[Any], list[Any]]:
    with psycopg.connect(database.url) as owner:
        return owner.execute(_WINDOWS).fetchall(), owner.execute(_SKETCHES).fetchall()


def same(actual: tuple[list[Any], list[Any]], expected: tuple[list[Any], list[Any]]) -> None:
    """Equal, but for the rounding of sums that were added in another order."""
    assert actual[1] == expected[1]
    assert len(actual[0]) == len(expected[0])
    for row, wanted in zip(actual[0], expected[0], strict=True):
        for value, right in zip(row, wanted, strict=True):
            if isinstance(right, list) and right and isinstance(right[0], float):
                np.testing.assert_allclose(value, right, rtol=1e-9, atol=1e-9)
            else:
                assert value == right, wanted[:3]


def spoil(database: Database) -> None:
    """As if no window had ever been folded, and none kept energies."""
    with psycopg.connect(database.url) as owner:
        owner.execute("delete from window_set where device_key = 1")
        owner.execute("update window_set set sum = array[0, 0, 0], energy = null, flags = null")
        owner.execute("delete from window_sketch")


def test_rebuilt_windows_equal_those_of_the_live_path_and_a_new_reduction_is_there_for_old_data(
    folded: Database,
) -> None:
    before = stored(folded)
    spoil(folded)
    done(folded, "rebuild", "--workers", "2")
    same(stored(folded), before)


def test_a_killed_rebuild_goes_on_where_it_was(folded: Database) -> None:
    before = stored(folded)
    spoil(folded)
    with psycopg.connect(folded.url, autocommit=True) as owner:
        (midnight,) = owner.execute("select min(start_time) from window_set where length_s = 86400").fetchone()
        owner.execute("insert into rebuild_block values ('all', %s, 1)", [midnight])
        assert "1 of 4 blocks were done before" in done(folded, "rebuild", "--workers", "1")
        assert owner.execute(
            "select count(*) from window_set where start_time = %s and device_key = 1", [midnight]
        ).fetchone() == (0,)
        process = run(folded, "rebuild", "--anew", "--workers", "1", start_new_session=True)
        for _ in range(300):
            if owner.execute("select count(*) from rebuild_block").fetchone() != (0,) or process.poll() is not None:
                break
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    done(folded, "rebuild", "--workers", "2")
    same(stored(folded), before)


def test_a_rebuild_beside_the_live_path_spoils_nothing(folded: Database) -> None:
    made, connection = keeper(folded, NOON_US + 50 * HOUR_US)
    process = run(folded, "rebuild", "--workers", "2")
    moment = NOON_US
    while process.poll() is None:
        moment += 7_000_000
        commit(folded, Batch([(1, moment, [20.0] * len(PLAIN), None)]))
        try:
            made.take_changes()
        except psycopg.errors.OperationalError:  # the rebuild wrote the window first
            connection.close()
            made, connection = keeper(folded, NOON_US + 50 * HOUR_US)
    _, said = process.communicate()
    assert process.returncode == 0, said
    settle(made)
    connection.close()
    compare(folded)


def test_a_cluster_gives_the_partials_of_one_process_and_of_the_database(folded: Database, tmp_path: Path) -> None:
    archive, alone, together = (str(tmp_path / name) for name in ("archive", "alone", "together"))
    done(folded, "export", "--into", archive)
    from_parquet = ("rebuild", "--from", "parquet", "--archive", archive)
    done(folded, *from_parquet, "--into", alone)
    # In a process of its own: it leaves threads behind.
    with subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as cluster:
        assert cluster.stdout is not None
        done(folded, *from_parquet, "--into", together, "--scheduler", cluster.stdout.readline().strip())
        cluster.communicate(timeout=60)
    assert files(tmp_path / "alone")
    assert files(tmp_path / "together") == files(tmp_path / "alone")

    order = [("device_key", "ascending"), ("length_s", "ascending"), ("start_time", "ascending")]
    windows, sketches = stored(folded)
    found = pa.concat_tables(
        [parquet.read_table(path, partitioning=None) for path in sorted((tmp_path / "alone").glob("*/devices-*"))],
        promote_options="default",
    ).sort_by(order)
    assert len(found) == len(windows)
    columns = {name: found[name].to_pylist() for name in ("count", "flagged", "min", "max", "first", "last", "sum")}
    for at, row in enumerate(windows):
        assert (columns["count"][at], columns["flagged"][at]) == (row[4], row[5])
        for name, place in (("min", 8), ("max", 10), ("first", 12), ("last", 14)):
            np.testing.assert_array_equal(columns[name][at], row[place])
        np.testing.assert_allclose(columns["sum"][at], row[6], rtol=1e-12, atol=1e-9)
    bins = pa.concat_tables(
        [parquet.read_table(path, partitioning=None) for path in sorted((tmp_path / "alone").glob("*/sketches-*"))]
    ).sort_by([*order, ("slot", "ascending")])
    assert [(row["bins"], row["counts"]) for row in bins.to_pylist()] == [row[4:] for row in sketches]


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its place there: NaN is not equal to itself, its bytes are."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_options_that_do_not_go_together_are_refused(database: Database) -> None:
    for arguments in (("--from", "parquet"), ("--scheduler", "tcp://127.0.0.1:1"), ("--archive", "a", "--into", "b")):
        with run(database, "rebuild", *arguments) as process:
            _, said = process.communicate()
        assert (process.returncode, "--from parquet" in said) == (2, True)
