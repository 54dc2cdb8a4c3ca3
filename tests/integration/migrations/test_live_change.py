"""Live push reads changes in an order that no open transaction can still break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from sql import load_queries

if TYPE_CHECKING:
    from tests.fix_database import Database

_SAFE = (
    "select device_keys from live_change where xid > %s::xid8 and xid < pg_snapshot_xmin(pg_current_snapshot())"
    " order by xid"
)


def _safe(connection: psycopg.Connection, after: str = "0") -> list[list[int]]:
    return [row[0] for row in connection.execute(_SAFE, [after]).fetchall()]


def _announce(connection: psycopg.Connection, key: int) -> None:
    connection.execute("insert into live_change (device_keys) values (%s)", [[key]])


def test_a_change_waits_for_an_older_transaction_that_is_still_open(edition_database: Database) -> None:
    url = edition_database.ingest_url
    with (
        psycopg.connect(edition_database.read_url, autocommit=True) as reader,
        psycopg.connect(url) as early,
        psycopg.connect(url) as late,
    ):
        _announce(early, 1)
        _announce(late, 2)
        late.commit()
        assert _safe(reader) == []
        early.commit()
        assert _safe(reader) == [[1], [2]]
        position = reader.execute("select max(xid)::text from live_change").fetchone()
        assert position is not None
        _announce(early, 3)
        early.commit()
        assert _safe(reader, position[0]) == [[3]]


def test_a_change_that_was_rolled_back_holds_up_nobody(edition_database: Database) -> None:
    url = edition_database.ingest_url
    with psycopg.connect(edition_database.read_url, autocommit=True) as reader, psycopg.connect(url) as writer:
        _announce(writer, 1)
        writer.rollback()
        _announce(writer, 2)
        writer.commit()
        assert _safe(reader) == [[2]]


def test_the_position_of_changes_waits_for_those_who_announce_alone(edition_database: Database) -> None:
    query = load_queries("api_live")["live_position_of_changes"]
    url = edition_database.ingest_url
    with (
        psycopg.connect(edition_database.read_url, autocommit=True) as reader,
        psycopg.connect(url) as other,
        psycopg.connect(url) as folding,
        psycopg.connect(url) as late,
    ):

        def position() -> int:
            return int(reader.execute(query).fetchone()[0])

        other.execute("select pg_current_xact_id()")
        folding.execute("delete from batch_log")
        number = int(folding.execute("select pg_current_xact_id()::text").fetchone()[0])
        _announce(late, 2)
        late.commit()
        assert position() == number - 1
        folding.commit()
        newest = int(reader.execute("select max(xid)::text from live_change").fetchone()[0])
        assert number - 1 < newest <= position()
        assert _safe(reader) == []  # the other one is still open


def test_a_long_read_holds_up_no_change(edition_database: Database) -> None:
    with (
        psycopg.connect(edition_database.read_url) as backup,
        psycopg.connect(edition_database.read_url, autocommit=True) as reader,
        psycopg.connect(edition_database.ingest_url) as writer,
    ):
        backup.execute("set transaction isolation level repeatable read")
        backup.execute("select count(*) from device")
        _announce(writer, 1)
        writer.commit()
        assert _safe(reader) == [[1]]
