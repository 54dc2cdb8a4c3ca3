"""A database of the previous schema version, with data in it, keeps every row through the upgrade."""

from __future__ import annotations

import psycopg
from psycopg import sql

from sql.migrate import migrate_up
from sql.migration import load_migrations
from tests.integration.migrations.conftest import Registry

_VERSION = len(load_migrations())


def _contents(connection: psycopg.Connection, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    contents = {}
    for table, names in columns.items():
        query = sql.SQL("select row({})::text as line from {} order by line").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table)
        )
        contents[table] = [row[0] for row in connection.execute(query).fetchall()]
    return contents


def _columns(connection: psycopg.Connection) -> dict[str, list[str]]:
    rows = connection.execute(
        """
        select c.relname, array_agg(a.attname::text order by a.attnum)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and c.relname <> 'schema_migration'
        group by c.relname
        """
    ).fetchall()
    return dict(rows)


def _fill(connection: psycopg.Connection) -> None:
    registry = Registry(connection)
    keys = [registry.add_device(f"station-{number}", slots=3) for number in range(3)]
    connection.execute("select ensure_observation_partitions(now() - interval '3 days', now())")
    connection.execute(
        """
        insert into observation_set
        select now() - make_interval(mins => n), now(), key, array[n, 'NaN', -n]::float8[],
               case when mod(n, 5) = 0 then array[0, 0, 2]::smallint[] end
        from unnest(%s::integer[]) key, generate_series(1, 4000) n
        """,
        [keys],
    )
    connection.execute(
        """
        insert into latest
        select key, now(), now(), array[1, 'NaN', 2]::float8[], array[now(), '-infinity', now()]::timestamptz[],
               '{0,0,1}'
        from unnest(%s::integer[]) key
        """,
        [keys],
    )
    connection.execute("insert into device_status values (%s, 'offline', now())", [keys[0]])
    connection.execute(
        """
        insert into rejection (received_time, town_id, source, family, topic, reason, detail, readings, payload,
                               payload_bytes)
        values (now(), 'hoi-an', 'station-1', 'json', 'thubon/v1/hoi-an/station-1/telemetry', 'bad-json', 'no JSON', 1,
                '\\x7b00ff', 3)
        """
    )
    connection.execute(
        "insert into ledger_hour values (date_trunc('hour', now()), 'hoi-an', 'station-1', 'json', 5, 4, 1)"
    )
    connection.execute(
        """
        insert into batch_log (worker, hours, town_ids, sources, families, received, stored, duplicate, conflict,
                               rejected, missing, device_keys, times, status_device_keys)
        values ('w1', array[date_trunc('hour', now())], '{hoi-an}', '{station-1}', '{json}', '{3}', '{3}', '{0}', '{0}',
                '{0}', '{0}', %s, array[now(), now(), now()], '{}')
        """,
        [keys],
    )
    connection.execute("insert into live_change (device_keys) values (%s)", [keys])
    connection.execute("insert into ledger_adjustment values (date_trunc('hour', now()), 'station-1', 'merged', 2)")
    connection.execute("insert into retention_mark values ('rejection', now() - interval '90 days')")
    connection.execute("insert into former_gateway values (%s, %s)", keys[:2])
    connection.execute("insert into replay_request (reason) values ('clock-behind')")
    connection.execute("insert into broker_report values ('mqtt://broker:1883', 3, 5, now(), now())")
    connection.execute("insert into window_change (changes) values ('\\x00')")
    connection.execute("insert into aggregation_state values (%s, now(), now(), now())", [keys[0]])
    connection.execute(
        """
        insert into window_set (device_key, length_s, start_time, changed_time, computed_time, count, flagged, sum,
                                second_moment, min, min_time, max, max_time, first, first_time, last, last_time)
        select key, 900, date_bin('15 minutes', now(), 'epoch'), now(), now(), '{3}', '{1}', '{6}', '{2}', '{1}',
               array[now()], '{3}', array[now()], '{1}', array[now()], '{3}', array[now()]
        from unnest(%s::integer[]) key
        """,
        [keys],
    )
    connection.execute("insert into device_claim (device_key, code) values (%s, 'H012345678')", [keys[0]])
    connection.execute(
        "insert into knock values ('new-1', 'hoi-an', 'unknown-device', null, now(), now(), 1, 1, 'thubon/v1', '')"
    )
    connection.execute(
        "insert into site_ward select site_key, ward_id, 'declared' from site, (select ward_id from ward limit 1) w"
    )
    connection.execute("insert into rebuild_block values ('hoi-an', now(), 1)")
    connection.execute("insert into observation_sent values (%s, now(), 1, 0.1)", [keys[0]])
    connection.execute("insert into window_sketch values (%s, 900, now(), 1, '{7,9}', '{2,1}')", [keys[0]])
    connection.execute(
        "insert into device_credential (device_key, kind, salt, digest, issued_by)"
        " values (%s, 'password', decode(repeat('01', 16), 'hex'), decode(repeat('02', 32), 'hex'), 'an')",
        [keys[0]],
    )
    connection.execute("insert into broker_account (device_id, line) values ('station-0', 'a line')")
    connection.execute("insert into broker_account_check (checked_time) values (now())")
    _fill_people(connection)


def _fill_people(connection: psycopg.Connection) -> None:
    connection.execute("insert into account (name, display_name, password_hash) values ('an', 'An', 'argon2')")
    connection.execute("insert into account_grant select account_id, 'hoi-an', 'viewer' from account")
    connection.execute(
        "insert into page_session (session_hash, account_id, name, expires_time, address)"
        " select '\\x01', account_id, name, now(), '127.0.0.1' from account"
    )
    connection.execute("insert into openid_attempt values ('\\x01', 'nonce', 'verifier', now())")
    connection.execute(
        "insert into api_key (name, key_hash, beginning, created_by, expires_time)"
        " values ('k', '\\x01', 'b', 'an', now())"
    )
    connection.execute("insert into api_key_grant select key_id, null, 'viewer' from api_key")
    connection.execute("insert into audit (actor, action, outcome, subject) values ('an', 'a', 'done', 's')")


def test_rows_of_the_previous_version_survive_the_upgrade(empty_url: str) -> None:
    assert len(migrate_up(empty_url, to=_VERSION - 1)) == _VERSION - 1
    with psycopg.connect(empty_url, autocommit=True) as connection:
        _fill(connection)
        columns = _columns(connection)
        before = _contents(connection, columns)
    assert [table for table, rows in before.items() if not rows] == []
    assert len(before["observation_set"]) == 12_000

    assert len(migrate_up(empty_url)) == 1

    with psycopg.connect(empty_url) as connection:
        assert _contents(connection, columns) == before
        row = connection.execute("select count(*), count(*) filter (where quality = 2) from observation").fetchone()
    assert row == (24_000, 2_400)
