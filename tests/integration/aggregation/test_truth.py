"""Windows equal the plain SQL aggregate, however the data came and wherever the aggregator was killed."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from ingest.aggregation.keeper import Keeper
from tests.integration.aggregation.history import (
    NOON_US,
    PERIODS,
    PLAIN,
    STARTS,
    Batch,
    commit,
    compare,
    keeper,
    random_batches,
    register,
    settle,
    write,
)

if TYPE_CHECKING:
    from tests.fix_database import Database

HOUR_US = 3_600_000_000


@pytest.fixture
def devices(database: Database) -> list[tuple[int, int]]:
    """Devices of three kinds: (key, slots)."""
    kinds = [("plain-1", PLAIN), ("plain-2", PLAIN), ("periods", PERIODS), ("starts", STARTS)]
    return [(register(database.url, name, streams), len(streams)) for name, streams in kinds]


def test_an_empty_database_keeps_nothing(database: Database) -> None:
    made, connection = keeper(database, NOON_US)
    with connection:
        settle(made)
    assert compare(database) == 0


@pytest.mark.parametrize("seed", range(4))
def test_random_histories_are_kept_exactly_through_kills(
    database: Database, devices: list[tuple[int, int]], seed: int
) -> None:
    random = np.random.default_rng(seed)
    span_us = int(random.choice([HOUR_US, 6 * HOUR_US, 60 * HOUR_US]))
    batches = random_batches(random, devices, batches=16, span_us=span_us)
    now_us = NOON_US + span_us // 2
    made, connection = keeper(database, now_us)
    for batch in batches:
        commit(database, batch)
        for _ in range(int(random.integers(0, 4))):
            step = random.choice(["take", "fold", "fold quietly", "roll", "roll quietly", "kill"])
            if step == "take":
                made.take_changes()
            elif step.startswith("fold"):
                made.fold_due(quiet=step.endswith("quietly"))
            elif step.startswith("roll"):
                made.roll_due(quiet=step.endswith("quietly"))
            else:
                connection.close()
                made, connection = keeper(database, now_us)
    settle(made)
    connection.close()
    assert compare(database) > 50


def test_plain_postgresql_keeps_the_same(plain_database: Database) -> None:
    devices = [(register(plain_database.url, "plain", PLAIN), len(PLAIN))]
    days = [NOON_US - 48 * HOUR_US, NOON_US + 48 * HOUR_US]
    with psycopg.connect(plain_database.ingest_url) as ingest:
        ingest.execute(
            "select ensure_observation_partitions(to_timestamp(%s), to_timestamp(%s))", [us / 1e6 for us in days]
        )
    made, connection = keeper(plain_database, NOON_US)
    for batch in random_batches(np.random.default_rng(7), devices, batches=8, span_us=20 * HOUR_US):
        commit(plain_database, batch)
        made.take_changes()
    settle(made)
    connection.close()
    assert compare(plain_database) > 50


def test_windows_whose_observations_went_are_sealed(database: Database, devices: list[tuple[int, int]]) -> None:
    key, slots = devices[0]
    made, connection = keeper(database, NOON_US + 48 * HOUR_US)
    commit(database, Batch([(key, NOON_US + hour * HOUR_US, [5.0] * slots, None) for hour in range(0, 72, 5)]))
    settle(made)
    with psycopg.connect(database.reader_of_all_url) as reader:
        before = reader.execute("select datastream_id, length_s, start_time, sum from window_statistics").fetchall()
    with psycopg.connect(database.ingest_url) as ingest:
        ingest.execute("select drop_observations_before(to_timestamp(%s))", [(NOON_US + 40 * HOUR_US) / 1e6]).fetchall()
    commit(database, Batch([(key, NOON_US + 1_000_000, [9.0] * slots, None)]))
    settle(made)
    connection.close()
    with psycopg.connect(database.reader_of_all_url) as reader:
        after = reader.execute("select datastream_id, length_s, start_time, sum from window_statistics").fetchall()
        sealed = reader.execute("select count(*) from window_statistics where sealed").fetchone()
    assert sorted(after) == sorted(before)
    assert sealed is not None
    assert sealed[0] > 0


@pytest.mark.fault
def test_a_session_cut_in_the_middle_of_a_step_leaves_no_half_step(
    database: Database, devices: list[tuple[int, int]], fault_count: int
) -> None:
    random = np.random.default_rng(time.time_ns())
    batches = random_batches(random, devices, batches=6 * max(2, fault_count), span_us=30 * HOUR_US)
    with psycopg.connect(database.url, autocommit=True) as administrator:
        for number, batch in enumerate(batches):
            commit(database, batch)
            if number % 3:
                continue
            made, connection = keeper(database, NOON_US + 30 * HOUR_US)
            cut = threading.Timer(
                float(random.uniform(0, 0.05)),
                administrator.execute,
                ["select pg_terminate_backend(%s)", [connection.info.backend_pid]],
            )
            cut.start()
            with contextlib.suppress(psycopg.OperationalError, psycopg.InterfaceError):
                settle(made)
            cut.join()
            connection.close()
    made, connection = keeper(database, NOON_US + 30 * HOUR_US)
    settle(made)
    connection.close()
    assert compare(database) > 50


def test_a_batch_that_commits_after_the_fold_passed_its_time_is_not_lost(
    database: Database, devices: list[tuple[int, int]]
) -> None:
    key, slots = devices[0]
    made, connection = keeper(database, NOON_US + HOUR_US)
    commit(database, Batch([(key, NOON_US, [3.0] * slots, None)]))  # makes the chunk, for which the next two would wait
    slow = psycopg.connect(database.ingest_url)
    write(slow, Batch([(key, NOON_US + 10_000_000, [5.0] * slots, None)]))
    commit(database, Batch([(key, NOON_US + 20_000_000, [7.0] * slots, None)]))
    settle(made)
    slow.commit()
    slow.close()
    commit(database, Batch([(key, NOON_US + 5_000_000, [1.0] * slots, None)]))
    settle(made)
    connection.close()
    compare(database)


def test_a_device_registered_and_grown_while_the_aggregator_runs_is_kept(database: Database) -> None:
    made, connection = keeper(database, NOON_US + HOUR_US)
    key = register(database.url, "new", STARTS)
    commit(database, Batch([(key, NOON_US, [5.0], None)]))
    settle(made)
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "insert into datastream (datastream_id, device_key, slot, name, property, unit, lower_bound, upper_bound,"
            " interval_s) values ('new:s2', %s, 2, 's2', 'pm25', '1', 0, 1000, 60)",
            [key],
        )
    commit(database, Batch([(key, NOON_US + 1_000_000, [6.0, 30.0], None), (key, NOON_US - 1, [1.0, 31.0], None)]))
    settle(made)
    connection.close()
    compare(database)


def test_only_one_aggregator_leads(database: Database) -> None:
    made, connection = keeper(database, NOON_US)
    with psycopg.connect(database.ingest_url, autocommit=True, row_factory=psycopg.rows.dict_row) as other:
        second = Keeper(other)
        assert made.lead()
        assert not second.lead()
        connection.close()
        deadline = time.monotonic() + 5
        while not second.lead():
            assert time.monotonic() < deadline
            time.sleep(0.05)
