"""The migrator on a real server: order, once only, one at a time, nothing half done, history unchanged."""

from __future__ import annotations

import os
import secrets
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from sql.migrate import inspect, main, migrate_up, rehearse
from sql.migration import Comparison, MigrationError, load_migrations
from tests.fix_database import url_with

if TYPE_CHECKING:
    from pathlib import Path

_ALL = [str(migration) for migration in load_migrations()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small migrations of a test's own."""
    (tmp_path / "0001_first.sql").write_text("create table first (a integer);")
    (tmp_path / "0002_second.sql").write_text("create table second (a integer); insert into second values (1);")
    return tmp_path


def _tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return {row[0] for row in rows}


def test_a_second_run_changes_nothing(empty_url: str) -> None:
    assert migrate_up(empty_url) == _ALL
    with psycopg.connect(empty_url) as connection:
        before = connection.execute("select * from schema_migration order by version").fetchall()
    assert migrate_up(empty_url) == []
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("select * from schema_migration order by version").fetchall() == before
    assert inspect(empty_url) == Comparison(pending=(), changed=(), unknown=())


def test_two_runs_at_once_run_each_migration_once(empty_database_url: str) -> None:
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(migrate_up(empty_database_url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [[], _ALL]


def test_a_run_stops_at_the_version_asked_for_and_goes_on_later(empty_database_url: str, folder: Path) -> None:
    assert migrate_up(empty_database_url, to=1, folder=folder) == ["0001_first"]
    assert _tables(empty_database_url) == {"schema_migration", "first"}
    assert migrate_up(empty_database_url, folder=folder) == ["0002_second"]


def test_a_changed_file_is_refused_and_nothing_runs(empty_database_url: str, folder: Path) -> None:
    migrate_up(empty_database_url, to=1, folder=folder)
    (folder / "0001_first.sql").write_text("create table first (a bigint);")
    for run in (migrate_up, rehearse):
        with pytest.raises(MigrationError, match="changed after it ran on this database: 0001_first"):
            run(empty_database_url, folder=folder)
    assert _tables(empty_database_url) == {"schema_migration", "first"}


def test_a_newer_database_is_refused(empty_database_url: str, folder: Path) -> None:
    migrate_up(empty_database_url, folder=folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationError, match="does not know: 0002_second"):
        migrate_up(empty_database_url, folder=folder)


def test_a_failing_migration_leaves_no_trace_and_those_before_it_stand(empty_database_url: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("create table second (a integer); insert into nowhere values (1);")
    with pytest.raises(psycopg.errors.UndefinedTable) as failure:
        migrate_up(empty_database_url, folder=folder)
    assert failure.value.__notes__ == ["in migration 0002_second"]
    assert _tables(empty_database_url) == {"schema_migration", "first"}
    assert [str(migration) for migration in inspect(empty_database_url, folder=folder).pending] == ["0002_second"]


def test_a_rehearsal_runs_everything_and_leaves_nothing(empty_url: str) -> None:
    assert rehearse(empty_url) == _ALL
    assert _tables(empty_url) == set()
    assert migrate_up(empty_url) == _ALL


def test_a_rehearsal_shows_a_failure(empty_database_url: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("insert into nowhere values (1);")
    with pytest.raises(psycopg.errors.UndefinedTable):
        rehearse(empty_database_url, folder=folder)
    assert _tables(empty_database_url) == set()


def test_the_wait_for_another_migrator_is_bounded(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", empty_database_url)
    monkeypatch.setenv("THUBON_MIGRATE_LOCK_WAIT_S", "0.2")
    with psycopg.connect(empty_database_url) as other:
        other.execute("select pg_advisory_lock(hashtext('thubon schema_migration'))")
        assert main(["up"]) == 1
        assert "THUBON_MIGRATE_LOCK_WAIT_S" in capsys.readouterr().err
    assert main(["up", "--to", "1"]) == 0


def test_the_command_plans_runs_and_verifies(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", empty_database_url)
    assert main(["verify"]) == 1
    assert capsys.readouterr().out.splitlines() == [f"pending: {name}" for name in _ALL]
    assert main(["plan"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"would run {name}" for name in _ALL]
    assert main(["plan", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"ran and rolled back {name}" for name in _ALL]
    assert _tables(empty_database_url) == set()
    assert main(["up"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"ran {name}" for name in _ALL]
    for command in (["up"], ["plan"], ["plan", "--dry-run"]):
        assert main(command) == 0
        assert capsys.readouterr().out == "nothing to run\n"
    assert main(["verify"]) == 0
    assert capsys.readouterr().out == "up to date\n"


def test_verify_fails_on_changed_and_unknown_migrations(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("update schema_migration set checksum = 'other' where version = 2")
        connection.execute("insert into schema_migration values (9999, 'from_tomorrow', 'x')")
    monkeypatch.setenv("THUBON_DATABASE_URL", database_url)
    assert main(["verify"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"changed after it ran: {_ALL[1]}",
        "unknown to this program: 9999_from_tomorrow",
    ]
    assert main(["up"]) == 1


def test_a_member_of_the_owner_role_runs_later_migrations_without_being_superuser(
    empty_database_url: str, tmp_path: Path
) -> None:
    for migration in load_migrations():
        (tmp_path / f"{migration}.sql").write_bytes(migration.text)
    migrate_up(empty_database_url, folder=tmp_path)
    later = f"{len(_ALL) + 1:04d}_later"
    (tmp_path / f"{later}.sql").write_text("set local role thubon_owner;\nalter table observation_set add later text;")
    keeper, password = f"thubon_test_keeper_{os.getpid()}", secrets.token_urlsafe(12)
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create role {} login password {} in role thubon_owner").format(
                sql.Identifier(keeper), sql.Literal(password)
            )
        )
        try:
            assert migrate_up(url_with(empty_database_url, login=(keeper, password)), folder=tmp_path) == [later]
        finally:
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(keeper)))
