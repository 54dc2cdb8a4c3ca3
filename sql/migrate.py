"""Brings a database to the schema this program needs: `python -m sql.migrate up|plan|verify`.

Each file `sql/migrations/NNNN_name.sql` runs once, in order, in a transaction of its own that also records it.
A file that has run must never change again: its sha256 is kept and compared.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sql import load_queries
from sql.migration import Applied, Comparison, Migration, MigrationError, compare, load_migrations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

_LOCK_WAIT_S = 60.0


def migrate_up(
    dsn: str, to: int | None = None, *, folder: Traversable | None = None, lock_wait_s: float = _LOCK_WAIT_S
) -> list[str]:
    """Run every pending migration, each in its own transaction; blocks until done.

    Args:
        dsn: database, as a login that may create roles and extensions (the first time) and owns the tables (later).
        to: last version to run; by default all of them.
        folder: where the files are; by default those of this package.
        lock_wait_s: seconds to wait for another migrator, and for any lock a migration needs, before giving up.

    Returns:
        What ran now, as `NNNN_name`; empty when the database was up to date.

    Raises:
        MigrationError: a file changed after it ran, or the database is newer than this program.
        ValueError: `to` is no version of ours.
        psycopg.Error: a migration failed (it and what follows left no trace), or a lock was not free in time.
    """
    migrations = load_migrations(folder)
    if to is not None and not 0 <= to <= len(migrations):
        raise ValueError(f"there is no migration {to}: the newest is {len(migrations)}")
    queries = load_queries("migrate")
    done = []
    with psycopg.connect(dsn, autocommit=True, application_name="thubon migrate") as connection:
        _lock(connection, lock_wait_s)
        connection.execute(queries["create_table"])
        comparison = _compare_with(connection, migrations)
        comparison.refuse_if_unsafe()
        for migration in comparison.pending:
            if to is not None and migration.version > to:
                break
            with connection.transaction():
                _run(connection, migration)
            done.append(str(migration))
    return done


def inspect(dsn: str, *, folder: Traversable | None = None) -> Comparison:
    """Compare a database with the files; changes nothing."""
    with psycopg.connect(dsn, autocommit=True, application_name="thubon migrate") as connection:
        return _compare_with(connection, load_migrations(folder))


def rehearse(dsn: str, *, folder: Traversable | None = None, lock_wait_s: float = _LOCK_WAIT_S) -> list[str]:
    """Run every pending migration in one transaction and roll it back; answers what ran.

    Holds the locks of a real run until the roll-back.

    Raises:
        MigrationError, psycopg.Error: as `migrate_up` would.
    """
    queries = load_queries("migrate")
    with psycopg.connect(dsn, autocommit=True, application_name="thubon migrate") as connection:
        _lock(connection, lock_wait_s)
        with connection.transaction(force_rollback=True):
            connection.execute(queries["create_table"])
            comparison = _compare_with(connection, load_migrations(folder))
            comparison.refuse_if_unsafe()
            for migration in comparison.pending:
                _run(connection, migration)
    return [str(migration) for migration in comparison.pending]


def _lock(connection: psycopg.Connection, wait_s: float) -> None:
    queries = load_queries("migrate")
    connection.execute(queries["bound_lock_waits"], {"wait_ms": int(wait_s * 1000)})
    connection.execute(queries["take_lock"])


def _compare_with(connection: psycopg.Connection, migrations: Sequence[Migration]) -> Comparison:
    queries = load_queries("migrate")
    exists = connection.execute(queries["table_exists"]).fetchone()
    rows = connection.execute(queries["applied"]).fetchall() if exists and exists[0] else []
    return compare(migrations, [Applied(*row) for row in rows])


def _run(connection: psycopg.Connection, migration: Migration) -> None:
    try:
        connection.execute(migration.text)
    except psycopg.Error as error:
        error.add_note(f"in migration {migration}")
        raise
    connection.execute(
        load_queries("migrate")["record"],
        {"version": migration.version, "name": migration.name, "checksum": migration.checksum},
    )


def _parsable(url: SecretStr) -> SecretStr:
    try:
        conninfo_to_dict(url.get_secret_value())
    except psycopg.Error:
        # Not its text: it may repeat the password.
        raise ValueError("is not a PostgreSQL address such as postgresql://user:password@host:5432/name") from None
    return url


class MigrateSettings(BaseSettings):
    """Settings of the migrator, from the environment or from files of secrets."""

    model_config = SettingsConfigDict(env_prefix="THUBON_", frozen=True)

    database_url: Annotated[SecretStr, AfterValidator(_parsable)]
    migrate_lock_wait_s: float = Field(default=_LOCK_WAIT_S, gt=0, le=86_400)


def _read_settings() -> MigrateSettings:
    secrets = Path(os.environ.get("THUBON_SECRETS_DIR", "/run/secrets"))
    # Under mypy the class wants its fields by name, the environment gives them.
    return MigrateSettings(_secrets_dir=secrets if secrets.is_dir() else None)  # type: ignore[call-arg]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _up(settings: MigrateSettings, to: int | None) -> int:
    done = migrate_up(settings.database_url.get_secret_value(), to, lock_wait_s=settings.migrate_lock_wait_s)
    _say("\n".join([f"ran {name}" for name in done] or ["nothing to run"]))
    return 0


def _plan(settings: MigrateSettings, *, dry_run: bool) -> int:
    dsn = settings.database_url.get_secret_value()
    if dry_run:
        lines = [f"ran and rolled back {name}" for name in rehearse(dsn, lock_wait_s=settings.migrate_lock_wait_s)]
    else:
        comparison = inspect(dsn)
        comparison.refuse_if_unsafe()
        lines = [f"would run {migration}" for migration in comparison.pending]
    _say("\n".join(lines or ["nothing to run"]))
    return 0


def _verify(settings: MigrateSettings) -> int:
    comparison = inspect(settings.database_url.get_secret_value())
    lines = [f"pending: {migration}" for migration in comparison.pending]
    lines += [f"changed after it ran: {row}" for row in comparison.changed]
    lines += [f"unknown to this program: {row}" for row in comparison.unknown]
    _say("\n".join(lines or ["up to date"]))
    return 1 if lines else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sql.migrate",
        description="Bring the database of THUBON_DATABASE_URL to the schema this program needs.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="run what is pending, each file in its own transaction")
    up.add_argument("--to", type=int, metavar="N", help="stop after version N")
    plan = commands.add_parser("plan", help="show what would run")
    plan.add_argument("--dry-run", action="store_true", help="run it and roll it back")
    commands.add_parser("verify", help="exit 1 if anything is pending, changed or unknown")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit status: 0 done, 1 failed, 2 wrong settings or usage."""
    options = _parser().parse_args(arguments)
    try:
        settings = _read_settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"THUBON_{name}: {problem['msg'].removeprefix('Value error, ')}\n")
        return 2
    try:
        if options.command == "up":
            return _up(settings, options.to)
        if options.command == "plan":
            return _plan(settings, dry_run=options.dry_run)
        return _verify(settings)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except psycopg.errors.LockNotAvailable:
        sys.stderr.write(
            f"another session kept a lock for {settings.migrate_lock_wait_s:g} s (THUBON_MIGRATE_LOCK_WAIT_S); "
            "another migrator may be running\n"
        )
    except (MigrationError, psycopg.Error) as error:
        sys.stderr.write("\n".join([str(error).strip(), *getattr(error, "__notes__", [])]) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
