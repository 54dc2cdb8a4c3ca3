"""Databases for tests: a real server, a template migrated once, a clone of it for each test."""

from __future__ import annotations

import itertools
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from sql.migrate import migrate_up
from tests.containers import Server, need_engine, remove_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator

_IMAGE = "thubon-timescaledb"
# Hundreds of tests make and drop a database; only those with `killable_database` end PostgreSQL, none the machine.
_UNSAFE = "postgres -c fsync=off"
_numbers = itertools.count(1)


def url_with(url: str, *, database: str | None = None, login: tuple[str, str] | None = None) -> str:
    """The same address with another database, or another (user, password)."""
    parts = urlsplit(url)
    place = parts.netloc
    if login is not None:
        user, password = (quote(part, safe="") for part in login)
        place = f"{user}:{password}@{place.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=place, path=parts.path if database is None else f"/{database}"))


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one test, gone after it."""

    url: str  # as the server's administrator
    owner_url: str  # as a login in the role thubon_owner, which keeps the registry
    ingest_url: str  # as a login in the role thubon_ingest
    read_url: str  # as a login in the role thubon_read
    identity_url: str  # as a login in the role thubon_identity, which keeps the broker's accounts
    api_url: str  # as a login in the role thubon_api
    name: str
    server: DatabaseServer

    @property
    def reader_of_all_url(self) -> str:
        """As the same login, asking for every town as the API does."""
        return f"{self.read_url}?options={quote('-c search_path=granted,public -c thubon.towns=*')}"


class DatabaseServer:
    """A PostgreSQL server, in a container of ours or at an address the tests were given."""

    def __init__(self, admin_url: str, container: Server | None) -> None:
        self.admin_url = admin_url
        self._container = container
        self._template: str | None = None
        self._made: list[str] = []
        suffix = f"{os.getpid()}_{next(_numbers)}"
        self._logins = {
            role: (f"thubon_test_{role}_{suffix}", secrets.token_urlsafe(12))
            for role in ("owner", "ingest", "read", "identity", "api")
        }

    @property
    def container(self) -> Server:
        """The container, for tests that kill or pause it."""
        if self._container is None:
            pytest.fail("this test ends the server: it needs a container, take `killable_database`", pytrace=False)
        return self._container

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self.container.kill()

    def stop(self) -> None:
        """End it in order."""
        self.container.stop()

    def start(self) -> None:
        """Start it again with its data; returns when it answers."""
        self.container.start()

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.container.restart()

    def clone(self) -> Database:
        """A new database with the present schema and no devices."""
        return self._create(self._migrated_template())

    def empty(self) -> Database:
        """A new database with nothing in it."""
        return self._create("template0")

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        with self._admin() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        self._made.remove(name)

    def close(self) -> None:
        """Remove everything made here; a container goes whole."""
        if self._container is not None:
            self._container.remove()
            return
        for name in [*self._made]:
            self.drop(name)
        with self._admin() as connection:
            for user, _ in self._logins.values():
                connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(user)))

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self.admin_url, autocommit=True, connect_timeout=10)

    def _create(self, template: str) -> Database:
        name = f"thubon_test_{os.getpid()}_{next(_numbers)}"
        with self._admin() as connection:
            connection.execute(
                sql.SQL("create database {} template {} encoding 'UTF8'").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        self._made.append(name)
        url = url_with(self.admin_url, database=name)
        return Database(
            url=url,
            owner_url=url_with(url, login=self._logins["owner"]),
            ingest_url=url_with(url, login=self._logins["ingest"]),
            read_url=url_with(url, login=self._logins["read"]),
            identity_url=url_with(url, login=self._logins["identity"]),
            api_url=url_with(url, login=self._logins["api"]),
            name=name,
            server=self,
        )

    def _migrated_template(self) -> str:
        if self._template is None:
            template = self.empty()
            migrate_up(template.url)
            with self._admin() as connection:
                for role, (user, password) in self._logins.items():
                    connection.execute(
                        sql.SQL("create role {} login password {} in role {}").format(
                            sql.Identifier(user), sql.Literal(password), sql.Identifier(f"thubon_{role}")
                        )
                    )
                # A database with a session in it cannot be cloned, and TimescaleDB keeps one in each that lets it in.
                name = sql.Identifier(template.name)
                connection.execute(sql.SQL("alter database {} allow_connections false").format(name))
                connection.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", [template.name]
                )
            self._template = template.name
        return self._template


def _answers(server: Server) -> None:
    with psycopg.connect(
        host=server.host, port=server.port, user="postgres", password="postgres", connect_timeout=2
    ) as connection:
        connection.execute("select 1")


def start_database_server(command: str | None = None, **options: Any) -> DatabaseServer:
    """A server of its own in a container (`options`: of `docker run`); `close` it."""
    need_engine()
    remove_orphans()
    container = Server(
        _IMAGE,
        5432,
        _answers,
        environment={"POSTGRES_PASSWORD": "postgres"},
        command=command,
        shm_size="512m",
        **options,
    )
    return DatabaseServer(f"postgresql://postgres:postgres@{container.host}:{container.port}/postgres", container)


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """The TimescaleDB server of this run: THUBON_TEST_DATABASE_URL (an administrator), else a container."""
    url = os.environ.get("THUBON_TEST_DATABASE_URL")
    server = DatabaseServer(url, None) if url else start_database_server(_UNSAFE)
    yield server
    server.close()


@pytest.fixture(scope="session")
def _killable_database_server() -> Iterator[DatabaseServer]:
    server = start_database_server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def plain_database_server() -> Iterator[DatabaseServer]:
    """A PostgreSQL server that does not offer TimescaleDB."""
    server = start_database_server(f"{_UNSAFE} -c shared_preload_libraries=")
    yield server
    server.close()


@pytest.fixture
def database(database_server: DatabaseServer) -> Iterator[Database]:
    """This test's own database on TimescaleDB, migrated, with the three towns and no devices."""
    database = database_server.clone()
    yield database
    database_server.drop(database.name)


@pytest.fixture
def database_url(database: Database) -> str:
    """Address of this test's database as administrator."""
    return database.url


@pytest.fixture
def owner_database_url(database: Database) -> str:
    """Address of the same database as a login in the role thubon_owner, which keeps the registry."""
    return database.owner_url


@pytest.fixture
def ingest_database_url(database: Database) -> str:
    """Address of the same database as a login in the role thubon_ingest."""
    return database.ingest_url


@pytest.fixture
def read_database_url(database: Database) -> str:
    """Address of the same database as a login in the role thubon_read."""
    return database.read_url


@pytest.fixture
def empty_database_url(database_server: DatabaseServer) -> Iterator[str]:
    """A database on TimescaleDB without any schema, for the migrations."""
    database = database_server.empty()
    yield database.url
    database_server.drop(database.name)


@pytest.fixture
def plain_database(plain_database_server: DatabaseServer) -> Iterator[Database]:
    """This test's own database on plain PostgreSQL, migrated."""
    database = plain_database_server.clone()
    yield database
    plain_database_server.drop(database.name)


@pytest.fixture
def plain_database_url(plain_database: Database) -> str:
    """Address of this test's plain PostgreSQL database as administrator."""
    return plain_database.url


@pytest.fixture
def plain_empty_database_url(plain_database_server: DatabaseServer) -> Iterator[str]:
    """A database on plain PostgreSQL without any schema."""
    database = plain_database_server.empty()
    yield database.url
    plain_database_server.drop(database.name)


@pytest.fixture
def killable_database(_killable_database_server: DatabaseServer) -> Iterator[Database]:
    """This test's own database, on a server that it may kill, pause and start: `killable_database.server.kill()`."""
    server = _killable_database_server
    database = server.clone()
    yield database
    server.container.make_ready()
    server.drop(database.name)
