"""`python -m ingest aggregator` as a process: killed at any moment, it leaves statistics that are true in the end."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from tests.fix_worker import WorkerProcess, wait_until
from tests.integration.aggregation.history import PLAIN, Batch, commit, compare, random_batches, register

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fix_database import Database


@pytest.fixture
def aggregator(database: Database, tmp_path: Path) -> Iterator[WorkerProcess]:
    """The aggregator of this test's database, not started."""
    environment = {"PATH": os.environ["PATH"], "THUBON_DATABASE_URL": database.ingest_url}
    process = WorkerProcess(environment, tmp_path / "aggregator.log", command=("-m", "ingest", "aggregator"))
    yield process
    if process.process is not None and process.process.poll() is None:
        process.kill()


def _settled(database: Database) -> bool:
    with psycopg.connect(database.ingest_url) as connection:
        row = connection.execute(
            "select not exists (select from window_change)"
            " and not exists (select from aggregation_state where hours_time is not null or days_time is not null)"
            " and not exists (select from observation_set o left join aggregation_state s using (device_key)"
            "                 where o.phenomenon_time > coalesce(s.through_time, '-infinity'))"
        ).fetchone()
    return bool(row and row[0])


@pytest.mark.fault
def test_killed_again_and_again_while_data_comes_it_ends_true(
    database: Database, aggregator: WorkerProcess, fault_count: int
) -> None:
    devices = [(register(database.url, f"d-{number}", PLAIN), len(PLAIN)) for number in range(5)]
    random = np.random.default_rng(time.time_ns())
    batches = random_batches(random, devices, batches=20 * max(2, fault_count), span_us=50 * 3_600_000_000)
    aggregator.start()
    for number, batch in enumerate(batches):
        commit(database, batch)
        if number % 20 == 10:
            time.sleep(float(random.uniform(0, 0.6)))
            aggregator.kill()
            aggregator.start()
    wait_until(lambda: _settled(database), within_s=30, what="the end of folding")
    assert aggregator.stop() == 0
    assert compare(database) > 100


def test_a_late_reading_is_in_the_windows_within_two_seconds(database: Database, aggregator: WorkerProcess) -> None:
    key = register(database.url, "d-1", PLAIN)
    aggregator.start()
    hour_ago_us = time.time_ns() // 1_000 - 3_600_000_000
    values = [1.0] * len(PLAIN)
    commit(database, Batch([(key, hour_ago_us, values, None), (key, hour_ago_us + 2_000_000, values, None)]))
    wait_until(lambda: _settled(database), what="the end of folding")
    commit(database, Batch([(key, hour_ago_us + 1_000_000, values, None)]))
    wait_until(lambda: _settled(database), within_s=2.0, what="the repair")
    assert aggregator.stop() == 0
    compare(database)
