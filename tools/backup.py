"""Saves the whole database into a file and puts it back: behind `make backup` and `make restore`.

Speaks to the database of `make up`, or to the one of THUBON_DATABASE_URL (as its administrator). The PostgreSQL tools
come from the database's own container, from this machine where they have its version, else from an image of ours.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).parent.parent
IMAGE = os.environ.get("TIMESCALEDB_IMAGE", "thubon-timescaledb")
PG_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "sslmode": "PGSSLMODE"}
# Its keys are numbers of this server's transactions, which another server gives out anew: kept, they would collide.
FOREIGN_ELSEWHERE = "live_change"

ROLES = """
do $$
declare
  role text;
begin
  foreach role in array array['thubon_owner', 'thubon_ingest', 'thubon_read', 'thubon_api', 'thubon_identity'] loop
    if not exists (select from pg_roles where rolname = role) then
      execute format('create role %I nologin', role);
    end if;
  end loop;
  -- As migration 0011 does: a membership belongs to the server, too.
  grant thubon_read to thubon_api;
end
$$;
"""
TABLES = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"


class BackupError(Exception):
    """What a person must know and can mend."""


class Database:
    """Where the PostgreSQL tools run and which database they speak to."""

    def __init__(self, prefix: list[str], name: str, environment: dict[str, str]) -> None:
        self.name = name
        self._prefix = prefix
        self._environment = environment

    def run(self, *command: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> bytes:
        """Run a tool to its end; answers what it wrote unless that goes to `stdout`."""
        done = subprocess.run(
            [*self._prefix, *command],
            check=False,
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self._environment},
            cwd=ROOT,
        )
        if done.returncode:
            raise BackupError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout or b""

    def ask(self, *statements: str, at: str | None = None) -> str:
        """Run SQL statements, each on its own; answers what they put out, without decoration."""
        command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]
        command += [f"--command={statement}" for statement in statements]
        return self.run(*command, "--dbname", at or self.name).decode().strip()


def find_database() -> Database:
    """The database of THUBON_DATABASE_URL, else the one of compose."""
    url = os.environ.get("THUBON_DATABASE_URL")
    if not url:
        service = [str(ROOT / "tools" / "compose.sh"), "exec", "-T", "timescaledb"]
        return Database([*service, "env", "PGUSER=postgres"], "thubon", {})
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise BackupError("THUBON_DATABASE_URL is not the address of a PostgreSQL database") from error
    # Not on the command line: every user of this machine could read the password there.
    environment = {PG_VARIABLES[key]: str(value) for key, value in parts.items() if key in PG_VARIABLES}
    name = str(parts.get("dbname", "thubon"))
    with psycopg.connect(url, dbname="postgres", connect_timeout=10) as connection:
        server_major = connection.info.server_version // 10_000
    folder = local_tools(server_major)
    if folder is not None:
        return Database([], name, {**environment, "PATH": f"{folder}:{os.environ.get('PATH', '')}"})
    if shutil.which("docker") is None:
        raise BackupError(f"needs pg_dump and pg_restore of PostgreSQL {server_major}: install postgresql-client")
    passed = [f"--env={variable}" for variable in environment]
    return Database(
        ["docker", "run", "--rm", "-i", "--network=host", *passed, "--entrypoint=env", IMAGE], name, environment
    )


def local_tools(server_major: int) -> Path | None:
    """The directory of this machine's PostgreSQL tools of the server's own version, if any.

    An older pg_dump refuses the server, and what a newer one writes the server may not take back.
    """
    on_path = shutil.which("pg_dump")
    folders = [Path(f"/usr/lib/postgresql/{server_major}/bin"), *([Path(on_path).parent] if on_path else [])]
    for folder in folders:
        if not (folder / "pg_dump").exists():
            continue
        version = subprocess.run([folder / "pg_dump", "--version"], check=False, capture_output=True, text=True).stdout
        found = re.search(r"(\d+)", version)
        if found and int(found[1]) == server_major:
            return folder
    return None


def save(database: Database, file: Path) -> None:
    """Write a whole, readable backup into `file`, or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    # Rejected payloads and everybody's observations are in it.
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:  # noqa: PTH123 (mode)
        command = ["pg_dump", "--format=custom", "--compress=zstd", f"--exclude-table-data={FOREIGN_ELSEWHERE}"]
        database.run(*command, "--dbname", database.name, stdout=target)
        os.fsync(target.fileno())
    contents(database, part)
    part.rename(file)
    print(f"{file}: {file.stat().st_size:,} bytes")


def contents(database: Database, file: Path) -> str:
    """The list of what a backup holds; raises where it cannot be read."""
    with file.open("rb") as source:
        return database.run("pg_restore", "--list", stdin=source).decode()


def restore(database: Database, file: Path, *, replace: bool) -> None:
    """Put a backup in the place of a database that is empty, missing or (`replace`) given up.

    It is read into a database beside it first: what stands goes only when all of the backup has come.
    """
    listing = contents(database, file)
    name = database.name
    exists = database.ask(f"select count(*) from pg_database where datname = {literal(name)}", at="postgres") == "1"
    if exists and not replace and database.ask(TABLES) != "0":
        raise BackupError(f"the database {name} is not empty; `make restore REPLACE=yes` gives up what is in it")
    beside = f"{name}_restoring"
    drop_beside = f"drop database if exists {quoted(beside)} with (force)"
    # Roles belong to the server, so no backup of a database holds them.
    create = f"create database {quoted(beside)} template template0 encoding 'UTF8'"
    database.ask(ROLES, drop_beside, create, at="postgres")
    try:
        fill(database, beside, file, timescale="EXTENSION - timescaledb" in listing)
    except BackupError:
        database.ask(drop_beside, at="postgres")
        raise
    database.ask(
        # No name changes under a session, and TimescaleDB keeps one in every database that lets it in.
        f"alter database {quoted(beside)} allow_connections false",
        f"select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = {literal(beside)}",
        f"drop database if exists {quoted(name)} with (force)",
        f"alter database {quoted(beside)} rename to {quoted(name)}",
        f"revoke connect on database {quoted(name)} from public",
        f"grant connect on database {quoted(name)} to thubon_owner, thubon_ingest, thubon_read, thubon_api,"
        " thubon_identity",
        f"alter database {quoted(name)} allow_connections true",
        at="postgres",
    )
    print(f"{name}: restored from {file}")


def fill(database: Database, name: str, file: Path, *, timescale: bool) -> None:
    """Read a backup into a fresh database."""
    if timescale:
        database.ask("create extension timescaledb", "select timescaledb_pre_restore()", at=name)
    with file.open("rb") as source:
        database.run("pg_restore", "--single-transaction", "--exit-on-error", "--dbname", name, stdin=source)
    finish = ["select timescaledb_post_restore()"] if timescale else []
    database.ask(*finish, "analyze", at=name)


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def main() -> int:
    """Run one command; answers the exit status: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(description="Save the whole database into a file, or put it back.")
    commands = parser.add_subparsers(dest="command", required=True)
    saver = commands.add_parser("save", help="write a backup")
    saver.add_argument("file", nargs="?", type=Path, help="default: backups/thubon-<UTC time>.dump")
    restorer = commands.add_parser("restore", help="read a backup into an empty database")
    restorer.add_argument("file", type=Path)
    restorer.add_argument("--replace", action="store_true", help="delete what the database holds")
    options = parser.parse_args()
    try:
        database = find_database()
        if options.command == "save":
            now = datetime.now(UTC)
            save(database, options.file or Path("backups", f"thubon-{now:%Y%m%dT%H%M%SZ}.dump"))
        else:
            restore(database, options.file, replace=options.replace)
    except (BackupError, OSError, psycopg.OperationalError) as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
