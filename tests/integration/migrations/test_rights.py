"""What each role may do: readers read, ingest adds, only the owner changes what stands."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.fix_database import Database

_TABLES: list[LiteralString] = [
    *("town", "site", "device", "datastream", "registry_version", "schema_migration"),
    *("observation_set", "latest", "device_status", "rejection", "ledger_hour", "batch_log", "live_change"),
    *("ledger_adjustment", "retention_mark", "former_gateway", "replay_request", "broker_report"),
    *("ward", "ward_successor", "site_ward", "device_placement", "device_claim", "knock", "observation_sent"),
    *("window_change", "window_set", "window_sketch", "aggregation_state", "statistics_seal", "rebuild_block"),
    *("account", "account_grant", "page_session", "openid_attempt", "api_key", "api_key_grant", "audit"),
]
# What devices log in with, if but as hashes: for the owner, and for who keeps the broker's accounts.
_SECRET: list[LiteralString] = [
    *("device_credential", "broker_account", "broker_account_check"),
    *("broker_account_wanted", "broker_account_pending"),
]
_VIEWS: list[LiteralString] = ["observation", "latest_observation", "device_live", "ledger", "window_statistics"]

_PEOPLES: list[LiteralString] = [
    *("account", "account_grant", "page_session", "openid_attempt", "api_key", "api_key_grant", "audit"),
]
"""Of the API alone."""
_BEHIND_VIEWS: list[LiteralString] = [
    *("observation_set", "latest", "device_status", "window_set", "window_sketch"),
    *("ledger_hour", "batch_log", "ledger_adjustment", "former_gateway", "window_change"),
]
"""What readers see through the views of the schema `granted`, or not at all."""


def _allowed(url: str, queries: list[LiteralString]) -> list[str]:
    """Those of the queries that the login may run."""
    allowed: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        for query in queries:
            try:
                connection.execute(query)
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState):
                continue  # the second one: a view that nobody can write through
            allowed.append(query)
    return allowed


def test_ingest_reads_everything_but_people(database: Database) -> None:
    queries: list[LiteralString] = ["select * from " + table for table in _TABLES + _VIEWS]
    expected = [f"select * from {table}" for table in _TABLES + _VIEWS if table not in _PEOPLES]
    assert _allowed(database.ingest_url, queries) == expected


def test_a_reader_reads_what_bears_towns_and_the_rest_through_views(database: Database) -> None:
    queries: list[LiteralString] = ["select * from " + table for table in _TABLES + _VIEWS]
    closed = {*_PEOPLES, *_BEHIND_VIEWS, *_VIEWS}
    expected = [f"select * from {table}" for table in _TABLES if table not in closed]
    assert _allowed(database.read_url, queries) == expected
    granted: list[LiteralString] = [f"select * from granted.{view}" for view in [*_BEHIND_VIEWS[:5], *_VIEWS]]
    assert _allowed(database.read_url, granted) == granted


def test_the_api_adds_to_the_audit_and_changes_nothing_in_it(database: Database) -> None:
    queries: list[LiteralString] = [
        "update audit set actor = 'x'",
        "delete from audit",
        "truncate audit",
        "alter table audit disable row level security",
        "drop table audit",
        "delete from account",
        "delete from api_key",
        "update api_key set key_hash = '\\x00'",
        "update page_session set expires_time = 'infinity'",
        "delete from device",
        "delete from observation_set",
        "select * from observation_set",
        "set role thubon_owner",
        "set role thubon_ingest",
        "create table mine (a integer)",
    ]
    assert _allowed(database.api_url, queries) == []
    added: list[LiteralString] = ["insert into audit (actor, action, outcome, subject) values ('x', 'x', 'done', 'x')"]
    assert _allowed(database.api_url, added) == added


def test_who_was_granted_one_town_keeps_none_and_nobody_deletes_one(database: Database) -> None:
    with psycopg.connect(database.api_url, autocommit=True) as connection:
        new = (
            "insert into town (town_id, name_vi, name_en, latitude, longitude, west, south, east, north, position)"
            " values ('new', 'x', 'x', 15, 108, 107, 14, 109, 16, 4)"
        )
        for towns in ("", "hoi-an", "hoi-an,tam-ky,dien-ban"):
            connection.execute("select set_config('thubon.towns', %s, false)", [towns])
            assert connection.execute("update town set position = 9").rowcount == 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(new)
        connection.execute("set thubon.towns = '*'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from town")
        assert connection.execute(new).rowcount == 1
        assert connection.execute("update town set position = position").rowcount == 4


def test_the_list_of_tables_is_complete(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')"
        ).fetchall()
    assert {row[0] for row in rows} == {*_TABLES, *_VIEWS, *_SECRET}


def test_only_the_keeper_of_the_broker_s_accounts_reads_secrets_and_it_changes_no_credential(
    database: Database,
) -> None:
    reads: list[LiteralString] = ["select * from " + table for table in _SECRET]
    for url in (database.read_url, database.ingest_url):
        assert _allowed(url, reads) == []
    assert _allowed(database.identity_url, reads) == [each for each in reads if "device_credential" not in each]
    others: list[LiteralString] = ["select * from " + table for table in _TABLES + _VIEWS]
    changes: list[LiteralString] = [f"delete from {table}" for table in _TABLES]
    changes += [
        "insert into device_credential default values",
        "update device_credential set revoked_time = null",
        "delete from device_credential",
        "select salt from device_credential",
        "set role thubon_owner",
        "create table mine (a integer)",
    ]
    assert _allowed(database.identity_url, others + changes) == []
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("set role thubon_api")
        for forbidden in (
            "select digest from device_credential",
            "select salt from device_credential",
            "select line from broker_account_wanted",
            "delete from device_credential",
            "update device_credential set digest = ''",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)


def test_a_reader_writes_nothing(database: Database) -> None:
    queries: list[LiteralString] = [f"delete from {table}" for table in _TABLES + _VIEWS]
    queries += [f"insert into {table} default values" for table in _TABLES + _VIEWS]
    queries += [f"truncate {table}" for table in _TABLES]
    queries += [f"drop table {table}" for table in _TABLES]
    queries += [f"drop view {view}" for view in _VIEWS]
    queries += [
        "select drop_observations_before(now())",
        "select ensure_observation_partitions(now(), now())",
        "create table mine (a integer)",
        "set role thubon_ingest",
        "copy (select 1) to program 'cat'",
    ]
    assert _allowed(database.read_url, queries) == []


def test_ingest_cannot_drop_nor_change_the_registry(database: Database) -> None:
    registry: list[LiteralString] = ["town", "site", "device", "datastream", "registry_version", "schema_migration"]
    registry += ["ward", "ward_successor", "site_ward", "device_placement", "device_claim"]
    queries: list[LiteralString] = [f"delete from {table}" for table in registry]
    queries += [f"insert into {table} default values" for table in registry]
    queries += [f"drop table {table}" for table in _TABLES]
    queries += [f"truncate {table}" for table in _TABLES]
    queries += [f"alter table {table} add x integer" for table in _TABLES]
    queries += [f"drop view {view}" for view in _VIEWS]
    queries += [
        "delete from observation_set",
        "delete from latest",
        "update device set profile = 'other'",
        "create table mine (a integer)",
        "set role thubon_owner",
    ]
    assert _allowed(database.ingest_url, queries) == []


def test_the_free_bytes_are_those_that_df_tells(plain_database: Database) -> None:
    said = plain_database.server.container.execute("sh", "-c", "df -Pk /var/lib/postgresql | tail -n 1")
    expected = int(said.split()[3]) * 1024
    for url in (plain_database.read_url, plain_database.ingest_url):
        with psycopg.connect(url) as connection:
            for _ in range(2):
                row = connection.execute("select database_disk_free_bytes()").fetchone()
                assert row is not None
                assert row[0] == pytest.approx(expected, rel=0.05)
                assert row[0] <= shutil.disk_usage("/").total


def test_the_free_bytes_are_null_where_the_server_does_not_let_us_ask(database: Database) -> None:
    with psycopg.connect(database.read_url) as connection:
        connection.execute("set transaction read only")
        assert connection.execute("select database_disk_free_bytes()").fetchone() == (None,)
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute("grant create on schema public to thubon_read")
        admin.execute("alter function database_disk_free_bytes() owner to thubon_read")
    with psycopg.connect(database.read_url) as connection:
        assert connection.execute("select database_disk_free_bytes()").fetchone() == (None,)


def test_a_trap_in_a_temporary_table_does_not_catch_the_superuser(database: Database) -> None:
    with psycopg.connect(database.read_url, autocommit=True) as reader:
        reader.execute("create temporary table thubon_disk_free (line text)")
        reader.execute(
            "create function pg_temp.trap() returns trigger language plpgsql as"
            " $$ begin raise exception 'caught %', current_user; end $$"
        )
        reader.execute(
            "create trigger trap before insert on thubon_disk_free for each row execute function pg_temp.trap()"
        )
        row = reader.execute("select database_disk_free_bytes()").fetchone()
        assert row is not None
        assert row[0] > 0


def test_views_do_not_leak_rows_to_a_reader_s_cheap_function(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "select relname from pg_class where relkind = 'v'"
            " and relnamespace::regnamespace::text in ('public', 'granted')"
            " and not coalesce(reloptions @> '{security_barrier=true}' or reloptions @> '{security_barrier}', false)"
        ).fetchall()
    # These two are for who may read their tables; readers have barriers of the same names in the schema granted.
    assert sorted(rows) == [("latest_observation",), ("observation",)]


def test_no_definer_function_trusts_the_caller_s_search_path(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "select proname from pg_proc where prosecdef and pronamespace::regnamespace::text in ('public', 'granted')"
            " and not coalesce(array_to_string(proconfig, ',') ~ 'search_path=.*, pg_temp', false)"
        ).fetchall()
    assert rows == []
