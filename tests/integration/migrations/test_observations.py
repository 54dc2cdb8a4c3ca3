"""Rows of observations on both editions: the narrow view, partitions, retention."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.fix_database import Database
    from tests.integration.migrations.conftest import Registry

_NAN = float("nan")
_TIME = datetime(2025, 11, 23, 5, 0, tzinfo=UTC)
_DAY = timedelta(days=1)


def _values(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "select phenomenon_time, datastream_id, value, quality from observation order by phenomenon_time, datastream_id"
    ).fetchall()


def _pieces(connection: psycopg.Connection, edition: str) -> int:
    query = (
        "select count(*) from timescaledb_information.chunks"
        if edition == "timescaledb"
        else "select count(*) from pg_inherits where inhparent = 'observation_set'::regclass"
    )
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_the_view_has_the_narrow_face_of_the_contract(admin: psycopg.Connection, registry: Registry) -> None:
    registry.observe(registry.add_device("air-1", slots=1), _TIME, [31.5])
    cursor = admin.execute("select * from observation")
    assert [column.name for column in cursor.description or []] == [
        *("phenomenon_time", "received_time", "town_id", "device_id", "datastream_id", "property", "value", "quality")
    ]
    assert cursor.fetchall() == [(_TIME, _TIME, "hoi-an", "air-1", "air-1:s1", "pm25", 31.5, 0)]


def test_slots_without_a_reading_are_left_out_and_zero_is_not_missing(
    admin: psycopg.Connection, registry: Registry
) -> None:
    registry.observe(registry.add_device("air-1", slots=3), _TIME, [0.0, _NAN, -0.0])
    assert _values(admin) == [(_TIME, "air-1:s1", 0.0, 0), (_TIME, "air-1:s3", -0.0, 0)]


def test_a_slot_added_later_has_no_observations_before_it_was(admin: psycopg.Connection, registry: Registry) -> None:
    key = registry.add_device("air-1", slots=1)
    registry.observe(key, _TIME, [1.0])
    registry.add_datastreams(key, range(2, 4))
    registry.observe(key, _TIME + _DAY, [2.0, _NAN, 4.0])
    assert _values(admin) == [
        (_TIME, "air-1:s1", 1.0, 0),
        (_TIME + _DAY, "air-1:s1", 2.0, 0),
        (_TIME + _DAY, "air-1:s3", 4.0, 0),
    ]


def test_each_value_has_its_own_quality(admin: psycopg.Connection, registry: Registry) -> None:
    key = registry.add_device("air-1", slots=3)
    registry.observe(key, _TIME, [1.0, 2.0, 3.0], [0, 2, 1])
    registry.observe(key, _TIME + _DAY, [1.0, 2.0, 3.0], [2])
    assert [row[3] for row in _values(admin)] == [0, 2, 1, 2, 0, 0]


def test_a_device_has_one_row_at_a_time(registry: Registry) -> None:
    key = registry.add_device("air-1")
    registry.observe(key, _TIME, [1.0, 2.0])
    with pytest.raises(psycopg.errors.UniqueViolation):
        registry.observe(key, _TIME, [3.0, 4.0])


def test_the_history_of_one_datastream_comes_from_the_index(admin: psycopg.Connection, registry: Registry) -> None:
    for number in range(20):
        registry.observe(registry.add_device(f"air-{number}"), _TIME, [1.0, 2.0])
    admin.execute("set enable_seqscan = off")
    plan = admin.execute(
        "explain select value from observation where datastream_id = 'air-7:s1' and phenomenon_time >= %s"
        " and phenomenon_time < %s",
        [_TIME, _TIME + _DAY],
    ).fetchall()
    text = "\n".join(row[0] for row in plan)
    assert "device_key" in text
    assert "Seq Scan" not in text, text


def test_retention_drops_whole_days_and_keeps_the_rest(
    admin: psycopg.Connection, registry: Registry, edition: str
) -> None:
    key = registry.add_device("air-1", slots=1)
    for day in range(5):
        registry.observe(key, _TIME + day * _DAY, [float(day)])
    assert _pieces(admin, edition) == 5
    # The limit falls into the third day: two days are wholly older.
    dropped = admin.execute("select drop_observations_before(%s)", [_TIME + 2 * _DAY]).fetchall()
    assert len(dropped) == 2
    assert _pieces(admin, edition) == 3
    assert [row[2] for row in _values(admin)] == [2.0, 3.0, 4.0]
    assert admin.execute("select drop_observations_before(%s)", [_TIME + 2 * _DAY]).fetchall() == []


def test_ingest_makes_partitions_and_drops_old_ones_without_owning_them(
    edition_database: Database, admin: psycopg.Connection, registry: Registry, edition: str
) -> None:
    key = registry.add_device("air-1", slots=1)
    with psycopg.connect(edition_database.ingest_url, autocommit=True) as ingest:
        ingest.execute("select ensure_observation_partitions(%s, %s)", [_TIME, _TIME + 2 * _DAY])
        for day in range(3):
            time = _TIME + day * _DAY
            ingest.execute("insert into observation_set values (%s, %s, %s, '{1}')", [time, time, key])
        assert len(ingest.execute("select drop_observations_before(%s)", [_TIME + _DAY]).fetchall()) == 1
    assert _pieces(admin, edition) == 2


def test_partitions_are_days_of_utc_and_made_once(plain_database_url: str) -> None:
    with psycopg.connect(plain_database_url, autocommit=True) as connection:
        connection.execute("set timezone = 'Asia/Ho_Chi_Minh'")
        last = datetime(2025, 11, 24, 23, 59, 59, 999999, tzinfo=UTC)
        for _ in range(2):
            connection.execute("select ensure_observation_partitions(%s, %s)", [_TIME, last])
        rows = connection.execute(
            "select relname from pg_class where relname ~ '^observation_set_\\d{8}$' order by relname"
        ).fetchall()
        assert rows == [("observation_set_20251123",), ("observation_set_20251124",)]
        connection.execute("insert into observation_set values (%s, now(), 1, '{1}')", [last])
        with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
            connection.execute("insert into observation_set values (%s, now(), 1, '{1}')", [last + _DAY])


def _at_once(url: str, query: str, parameters: list[object], count: int) -> list[object]:
    """Run one statement on several connections at the same moment; answers the errors."""
    barrier = threading.Barrier(count)
    errors: list[object] = []

    def run() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            barrier.wait(10)
            try:
                connection.execute(query.encode(), parameters)
            except psycopg.Error as error:
                errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return errors


def test_many_may_make_and_drop_the_same_pieces_at_once(
    edition_database: Database, admin: psycopg.Connection, registry: Registry, edition: str
) -> None:
    key = registry.add_device("air-1", slots=1)
    assert not _at_once(
        edition_database.ingest_url, "select ensure_observation_partitions(%s, %s)", [_TIME, _TIME + 9 * _DAY], 4
    )
    for day in range(10):
        registry.observe(key, _TIME + day * _DAY, [1.0])
    assert _pieces(admin, edition) == 10
    assert not _at_once(edition_database.ingest_url, "select drop_observations_before(%s)", [_TIME + 8 * _DAY], 4)
    assert _pieces(admin, edition) == 2


def test_a_reader_does_not_hold_up_a_new_partition(plain_database: Database, plain_database_url: str) -> None:
    with psycopg.connect(plain_database.reader_of_all_url) as reader, psycopg.connect(plain_database_url) as other:
        reader.execute("select count(*) from observation_set")
        other.execute("set lock_timeout = '2s'")
        other.execute("select ensure_observation_partitions(%s, %s)", [_TIME, _TIME])
