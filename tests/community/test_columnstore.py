"""What the way in, the statistics and retention do with chunks that are compressed already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from ingest.fold import Folder
from ingest.ledger_check import check
from tests.fleet import register
from tests.integration.aggregation.history import PLAIN, Batch, commit, compare, keeper, settle
from tests.integration.aggregation.history import register as register_streams
from tests.integration.ingest.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_database import Database

NOW = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
OLD = NOW - timedelta(days=20)


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1_000)


def _us(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000)


def compress(database: Database) -> int:
    """Compress every chunk there is; answers how many are compressed now."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("select compress_chunk(c, if_not_compressed => true) from show_chunks('observation_set') c")
        row = connection.execute(
            "select count(*) from timescaledb_information.chunks"
            " where hypertable_name = 'observation_set' and is_compressed"
        ).fetchone()
        assert row is not None
        return int(row[0])


def values(database: Database) -> dict[tuple[datetime, str], float]:
    """Every observation by time and datastream."""
    with psycopg.connect(database.url) as connection:
        rows = connection.execute("select phenomenon_time, datastream_id, value from observation").fetchall()
    assert len({row[:2] for row in rows}) == len(rows)
    return {(time.astimezone(UTC), name): value for time, name, value in rows}


@pytest.fixture
def pipeline(community: Database) -> Iterator[Pipeline]:
    """Two devices with an hour of readings of twenty days ago, in chunks that are compressed."""
    register(community.url, devices=2)
    way = Pipeline(community.ingest_url)
    for device in (1, 2):
        items = [
            {"ts": _ms(OLD + timedelta(minutes=minute)), "values": {"pm25": float(minute), "o3": 40.0}}
            for minute in range(60)
        ]
        assert way.store([(f"hoi-an/dev-{device}/telemetry", items, _us(NOW))]).stored == 120
    assert compress(community) >= 1
    yield way
    way.writer.close()


def test_the_policy_that_compresses_stands(community: Database) -> None:
    with psycopg.connect(community.url) as connection:
        row = connection.execute(
            "select count(*) from timescaledb_information.jobs"
            " where proc_name = 'policy_compression' and hypertable_name = 'observation_set'"
        ).fetchone()
    assert row == (1,)


def test_late_readings_for_a_compressed_chunk_are_stored_once(community: Database, pipeline: Pipeline) -> None:
    topic = "hoi-an/dev-1/telemetry"
    late = OLD + timedelta(minutes=30, seconds=30)
    same = {"ts": _ms(OLD), "values": {"pm25": 0.0, "o3": 40.0}}
    other = {"ts": _ms(OLD + timedelta(minutes=1)), "values": {"pm25": 99.0}}
    more = {"ts": _ms(OLD + timedelta(minutes=2)), "values": {"no2": 7.0}}
    sent = [(topic, body, _us(NOW)) for body in ({"ts": _ms(late), "values": {"pm25": 5.5}}, same, other, more)]

    first = pipeline.store(sent)
    again = pipeline.store(sent)

    assert (first.stored, first.duplicate, first.conflict) == (2, 2, 1)
    assert (again.stored, again.duplicate, again.conflict) == (0, 4, 1)
    found = values(community)
    assert found[late, "dev-1:pm25"] == 5.5
    assert found[OLD + timedelta(minutes=1), "dev-1:pm25"] == 1.0
    assert found[OLD + timedelta(minutes=2), "dev-1:no2"] == 7.0
    assert len(found) == 242
    folder = Folder(dsn=community.ingest_url, worker="test")
    while folder.fold():
        pass
    folder.close()
    with psycopg.connect(community.url, row_factory=dict_row) as connection:
        assert check(connection, NOW - timedelta(hours=2), NOW + timedelta(hours=2)).differences == []


def test_statistics_are_repaired_from_a_compressed_chunk(community: Database) -> None:
    key = register_streams(community.url, "plain", PLAIN)
    row = [float(slot) for slot in range(len(PLAIN))]
    start = _us(OLD)
    commit(community, Batch([(key, start + minute * 60_000_000, row, None) for minute in range(90)]))
    made, connection = keeper(community, _us(NOW))
    with connection:
        settle(made)
        assert compress(community) >= 1
        commit(community, Batch([(key, start + 30_000_000, [9.0] * len(PLAIN), None)]))
        settle(made)
    assert compare(community) > 0


def test_retention_drops_compressed_chunks_and_counts_what_they_held(community: Database, pipeline: Pipeline) -> None:
    with psycopg.connect(community.url, autocommit=True) as connection:
        dropped = connection.execute("select drop_observations_before(%s)", [NOW - timedelta(days=10)]).fetchall()
        counted = connection.execute("select sum(readings) from ledger_adjustment where cause = 'dropped'").fetchone()
    assert dropped
    assert counted == (240,)
    assert values(community) == {}
