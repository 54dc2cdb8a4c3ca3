"""`sql/schema.sql`, for reading, and the migrations, for running, make the same database."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_database import Database

_HERE = Path(__file__).parent


def _facts(connection: psycopg.Connection) -> list[tuple[str, str, str | None]]:
    connection.execute("set search_path = public")
    facts = connection.execute((_HERE / "snapshot.sql").read_bytes()).fetchall()
    if ("extension", "timescaledb", None) in facts:
        facts += connection.execute((_HERE / "snapshot_timescaledb.sql").read_bytes()).fetchall()
    return facts


@pytest.fixture
def read_schema(empty_url: str) -> Iterator[psycopg.Connection]:
    """A database built from the file people read."""
    with psycopg.connect(empty_url) as connection:
        connection.execute((files("sql") / "schema.sql").read_bytes())
        connection.commit()
        yield connection


def test_the_readable_schema_equals_the_migrations(
    read_schema: psycopg.Connection, edition_database: Database, edition: str
) -> None:
    with psycopg.connect(edition_database.url) as connection:
        migrated = _facts(connection)
    assert _facts(read_schema) == migrated
    kinds = {kind for kind, _, _ in migrated}
    expected = {"relation", "column", "constraint", "index", "view", "function", "grant", "comment", "row"}
    assert expected <= kinds
    assert {"hypertable", "dimension"} <= kinds or edition == "postgresql"


_CHANGES = [
    "alter table site add note text",
    "alter table site alter name drop not null",
    "alter table device alter commissioned_time set default clock_timestamp()",
    "alter table datastream drop constraint datastream_check",
    "drop index site_town_idx",
    "alter view ledger rename column received to came",
    "alter table ledger_hour reset (fillfactor)",
    "alter view device_live reset (security_barrier)",
    "alter table window_change alter column changes set compression pglz",
    "grant delete on latest to thubon_read",
    "grant execute on function drop_observations_before(timestamptz) to public",
    "alter function ensure_observation_partitions(timestamptz, timestamptz) security invoker",
    "alter table latest owner to thubon_ingest",
    "comment on column observation_set.quality_by_slot is null",
    "update town set position = 9 where town_id = 'tam-ky'",
    "alter table audit disable row level security",
    "drop policy device_read on device",
    "alter view granted.observation_set reset (security_barrier)",
    "grant update on audit to thubon_api",
    "select set_chunk_time_interval('observation_set', interval '7 days')",
]


def test_no_difference_escapes_the_comparison(database_url: str) -> None:
    escaped = []
    with psycopg.connect(database_url) as connection:
        before = _facts(connection)
        for change in _CHANGES:
            with connection.transaction(force_rollback=True):
                connection.execute(change.encode())
                if _facts(connection) == before:
                    escaped.append(change)
    assert escaped == []
