"""A backup restored into an empty server holds the same registry and the same observations, and works on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from sql.migrate import inspect
from tests.fix_database import start_database_server, url_with

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_database import Database, DatabaseServer

_TOOL = Path(__file__).parent.parent.parent / "tools" / "backup.py"

_FILL = """
insert into site (site_id, town_id, name, kind, latitude, longitude)
  select 'pole-' || n, 'hoi-an', 'Cột đèn ' || n, 'pole', 15.88, 108.33 from generate_series(1, 5) n;
insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s)
  select 'lamp-' || site_key, 'hoi-an', site_key, 'lighting', 'lamp-controller', 'Đèn ' || site_key, 60 from site;
insert into datastream (datastream_id, device_key, slot, name, property, unit, lower_bound, upper_bound, interval_s)
  select device_id || ':' || word, device_key, slot, word, word, 'W', 0, 1000, 60
  from device, (values (1, 'power'), (2, 'dimming')) s (slot, word);
insert into observation_set (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot)
  select t, t + interval '1 s', device_key, array[device_key + extract(minute from t), 'NaN']::float8[],
         case when extract(minute from t) = 10 then array[2, 0]::smallint[] end
  from device, generate_series(timestamptz '2026-05-01', '2026-05-04', interval '10 min') t;
insert into rejection (received_time, town_id, source, family, topic, reason, detail, readings, payload, payload_bytes)
  values ('2026-05-01', 'hoi-an', 'lamp-1', 'thubon', 'thubon/v1', 'bad-json', 'x', 1, '\\xff00', 2);
insert into ledger_hour (hour, town_id, source, family, received, stored)
  values ('2026-05-01', 'hoi-an', 'lamp-1', 'thubon', 9223372036854775807, 7);
insert into live_change (device_keys) values ('{1}');
"""

_CONTENTS = {
    "town": "select * from town order by town_id",
    "site": "select * from site order by site_key",
    "device": "select * from device order by device_key",
    "datastream": "select * from datastream order by datastream_key",
    "observations": "select * from observation_set order by device_key, phenomenon_time",
    "observation view": "select * from observation order by datastream_id, phenomenon_time",
    "rejection": "select * from rejection order by rejection_key",
    "ledger": "select * from ledger order by hour, source",
    "migrations": "select * from schema_migration order by version",
    "rights": "select table_name, grantee, privilege_type from information_schema.role_table_grants"
    " where grantee like 'thubon%' and table_schema = 'public' order by 1, 2, 3",
    "owners": "select relname, relowner::regrole::text from pg_class"
    " where relnamespace = 'public'::regnamespace order by 1",
}


def _contents(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        # As text: NaN is equal to NaN there.
        return {name: repr(connection.execute(query.encode()).fetchall()) for name, query in _CONTENTS.items()}


def _run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, _TOOL, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "THUBON_DATABASE_URL": url},
    )


@pytest.fixture
def backup(database: Database, tmp_path: Path) -> Path:
    with psycopg.connect(database.url) as connection:
        connection.execute(_FILL)
    file = tmp_path / "thubon.dump"
    done = _run(database.url, "save", str(file))
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture
def empty_server() -> Iterator[DatabaseServer]:
    server = start_database_server()
    yield server
    server.close()


def test_a_backup_restored_into_an_empty_server_holds_the_same(
    database: Database, backup: Path, empty_server: DatabaseServer
) -> None:
    restored_url = url_with(empty_server.admin_url, database="thubon")
    done = _run(restored_url, "restore", str(backup))
    assert done.returncode == 0, done.stderr

    assert _contents(restored_url) == _contents(database.url)
    comparison = inspect(restored_url)
    assert (comparison.pending, comparison.changed, comparison.unknown) == ((), (), ())
    with psycopg.connect(restored_url) as connection:
        chunks = connection.execute("select count(*) from timescaledb_information.chunks").fetchone()
        assert chunks is not None
        assert chunks[0] >= 4, "the observations must be in a hypertable again"
        connection.execute("set role thubon_ingest")
        connection.execute(
            "insert into observation_set select phenomenon_time + interval '30 days', received_time, device_key,"
            " value_by_slot, quality_by_slot from observation_set"
        )
        connection.execute("insert into live_change (device_keys) values ('{1}')")


def test_a_restore_deletes_nothing_unless_told_so(database: Database, backup: Path) -> None:
    before = _contents(database.url)
    refused = _run(database.url, "restore", str(backup))
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
    assert _contents(database.url) == before

    with psycopg.connect(database.url) as connection:
        connection.execute("delete from observation_set")
    done = _run(database.url, "restore", "--replace", str(backup))
    assert done.returncode == 0, done.stderr
    assert _contents(database.url) == before


@pytest.mark.parametrize("kept", [17, 0.9])
def test_a_backup_that_is_cut_off_changes_nothing(database: Database, backup: Path, kept: float) -> None:
    whole = backup.read_bytes()
    backup.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    before = _contents(database.url)
    done = _run(database.url, "restore", "--replace", str(backup))
    assert done.returncode == 1
    assert "pg_restore failed" in done.stderr
    assert _contents(database.url) == before


def test_a_failed_backup_leaves_no_file(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "thubon.dump"
    done = _run(url_with(database.url, database="no_such_database"), "save", str(file))
    assert done.returncode == 1
    assert "no_such_database" in done.stderr
    assert not file.exists()
