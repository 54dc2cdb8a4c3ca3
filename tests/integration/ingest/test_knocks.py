"""Devices nobody registered are listed as they knock; a device that moved is heard on its old topic for a while."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from devices.changes import NewDevice
from devices.knocks import accept_knock
from devices.profiles import load_catalogue
from devices.steps import run
from ingest.fold import Folder
from ingest.knocks import KNOCKS_KEPT
from tests.fleet import register
from tests.integration.ingest.pipeline import Pipeline
from tests.integration.ingest.test_ledger_check import THEN_US, differences, ingest, ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fix_database import Database

    Ask = Callable[..., list[tuple[object, ...]]]

TELEMETRY = {"ts": ms(THEN_US), "values": {"pm25": 1.5}}
KNOCKS = "select device_id, town_id, reason, gateway_id, messages, readings from knock order by device_id, town_id"


@pytest.fixture
def pipeline(database: Database) -> Iterator[Pipeline]:
    register(database.url, devices=2)
    pipeline = Pipeline(database.ingest_url)
    yield pipeline
    pipeline.writer.close()


def execute(database: Database, query: str, *parameters: object) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(query.encode(), parameters)


def test_who_is_not_registered_is_listed_by_device_and_town_with_what_it_sent(pipeline: Pipeline, rows: Ask) -> None:
    pipeline.store([("hoi-an/new-1/telemetry", TELEMETRY, THEN_US), ("hoi-an/new-1/status", b"online", THEN_US + 1)])
    pipeline.store([
        ("hoi-an/new-1/telemetry", TELEMETRY, THEN_US + 60_000_000),
        ("tam-ky/new-1/telemetry", TELEMETRY, THEN_US),
        ("tam-ky/dev-1/telemetry", TELEMETRY, THEN_US),
        ("atlantis/new-2/telemetry", TELEMETRY, THEN_US),
        ("hoi-an/dev-1/telemetry", TELEMETRY, THEN_US),
    ])  # fmt: skip

    assert rows(KNOCKS) == [
        ("dev-1", "tam-ky", "wrong-town", None, 1, 1),
        ("new-1", "hoi-an", "unknown-device", None, 3, 3),
        ("new-1", "tam-ky", "unknown-device", None, 1, 1),
    ]
    ((sample, span_s),) = rows(
        "select sample, extract(epoch from last_time - first_time)::float8 from knock where town_id = 'hoi-an'"
    )
    assert (json.loads(bytes(sample)), span_s) == (TELEMETRY, 60.0)  # type: ignore[arg-type]


def test_a_device_unknown_behind_a_gateway_knocks_through_it(pipeline: Pipeline, rows: Ask) -> None:
    pipeline.store([("hoi-an/dev-1/gateway", {"new-7": [TELEMETRY], "not an id": [TELEMETRY]}, THEN_US)])

    assert rows(KNOCKS) == [("new-7", "hoi-an", "unknown-device", "dev-1", 1, 1)]


def test_a_device_taken_in_from_behind_a_gateway_stands_behind_it_and_gets_its_history(
    database: Database, pipeline: Pipeline, rows: Ask
) -> None:
    message = {"new-7": [TELEMETRY], "dev-2": [TELEMETRY]}
    execute(
        database,
        "update device set gateway_key = (select device_key from device where device_id = 'dev-1')"
        " where device_id = 'dev-2'",
    )
    pipeline.store([("hoi-an/dev-1/gateway", message, THEN_US)])
    new = NewDevice(device_id="new-7", site_id="site-hoi-an", profile_id="air-station", name="Trạm")

    with psycopg.connect(database.owner_url) as connection:
        run(connection, accept_knock("hoi-an", new, load_catalogue()))
    status, said = ingest(database, "rejections", "replay")

    assert status == 0, said
    assert rows("select device_id from observation order by 1") == [("dev-2",), ("new-7",)]
    assert rows("select sum(readings - replayed)::int from rejection") == [(0,)]
    assert differences(database) == []


def test_a_retired_device_does_not_knock(database: Database, pipeline: Pipeline, rows: Ask) -> None:
    execute(database, "update device set retired_time = now() where device_id = 'dev-1'")

    pipeline.store([("hoi-an/dev-1/telemetry", TELEMETRY, THEN_US)])

    assert rows(KNOCKS) == []
    assert rows("select reason from rejection") == [("unknown-device",)]


def test_a_flood_is_counted_exactly_though_few_of_its_messages_are_kept(database: Database, rows: Ask) -> None:
    pipeline = Pipeline(database.ingest_url, sample_after=2)
    for _ in range(2):
        pipeline.store([(f"hoi-an/new-{n % 3}/telemetry", TELEMETRY, THEN_US) for n in range(30)])
    pipeline.writer.close()

    assert [row[4:] for row in rows(KNOCKS)] == [(20, 20)] * 3
    assert rows("select sum(readings - unkept)::int, sum(readings)::int from rejection")[0][1] == 60


def test_invented_names_fill_the_list_to_its_bound_and_no_further(
    database: Database, pipeline: Pipeline, rows: Ask
) -> None:
    execute(
        database,
        "insert into knock select 'old-' || n, 'hoi-an', 'unknown-device', null, now(), now(), 1, 1, 't' from"
        " generate_series(1, %s) n",
        KNOCKS_KEPT - 5,
    )

    pipeline.store([(f"hoi-an/new-{n}/telemetry", TELEMETRY, THEN_US) for n in range(30)])
    pipeline.store([("hoi-an/old-1/telemetry", TELEMETRY, THEN_US)])

    assert rows("select count(*)::int from knock") == [(KNOCKS_KEPT,)]
    assert rows("select messages from knock where device_id = 'old-1'") == [(2,)]


def test_a_moved_device_is_taken_on_both_topics_until_its_grace_is_over(
    database: Database, pipeline: Pipeline, rows: Ask
) -> None:
    register(database.url, devices=1, town="tam-ky", prefix="other")
    now_us = time.time_ns() // 1_000
    execute(
        database,
        "update device set town_id = 'tam-ky', site_key = (select site_key from site where site_id = 'site-tam-ky')"
        " where device_id = 'dev-1'",
    )
    execute(
        database, "update device_placement set accepted_until = now() + interval '1 h' where until_time < 'infinity'"
    )
    values = {"pm25": 1.0}

    def send(*sent: tuple[str, int]) -> None:
        for town, received_us in sent:
            pipeline.store([(f"{town}/dev-1/telemetry", {"ts": ms(received_us), "values": values}, received_us)])

    send(("hoi-an", now_us + 1_000), ("tam-ky", now_us + 2_000), ("hoi-an", now_us + 3_700_000_000))

    assert rows("select count(*)::int from observation where device_id = 'dev-1'") == [(2,)]
    assert rows("select reason, town_id from rejection") == [("wrong-town", "tam-ky")]
    assert rows("select town_id, until_time = 'infinity' from device_placement where device_key = 1 order by 2") == [
        ("hoi-an", False),
        ("tam-ky", True),
    ]
    assert differences(database) == []


def test_a_move_there_and_back_in_one_transaction_leaves_no_trace_of_the_detour(database: Database, rows: Ask) -> None:
    register(database.url, devices=1)
    register(database.url, devices=1, town="tam-ky", prefix="other")
    with psycopg.connect(database.url) as connection:
        for town in ("tam-ky", "hoi-an", "tam-ky"):
            connection.execute(
                "update device set town_id = %(town)s, site_key = (select site_key from site where town_id = %(town)s)"
                " where device_id = 'dev-1'",
                {"town": town},
            )

    assert rows("select town_id, version from device where device_id = 'dev-1'") == [("tam-ky", 4)]
    spans = rows(
        "select p.town_id, lower(range) = '-infinity', upper(range) = 'infinity' from device_placement p"
        " join device d using (device_key), tstzrange(p.from_time, p.until_time) range"
        " where d.device_id = 'dev-1' order by range"
    )
    assert spans == [("hoi-an", True, False), ("tam-ky", False, True)]


def test_a_device_never_stands_behind_itself(database: Database) -> None:
    register(database.url, devices=3)
    link = "update device set gateway_key = (select device_key from device where device_id = %s) where device_id = %s"
    execute(database, link, "dev-2", "dev-1")
    execute(database, link, "dev-3", "dev-2")
    for upper in ("dev-1", "dev-3"):
        with pytest.raises(psycopg.errors.CheckViolation, match="behind itself"):
            execute(database, link, upper, "dev-3")


def test_online_since_is_the_first_message_after_a_silence(database: Database, pipeline: Pipeline, rows: Ask) -> None:
    folder = Folder(dsn=database.ingest_url, worker="test")
    start_us = time.time_ns() // 1_000 - 600_000_000
    for second in (0, 60, 120, 420, 480):
        at_us = start_us + second * 1_000_000
        pipeline.store([("hoi-an/dev-1/telemetry", {"ts": ms(at_us), "values": {"pm25": 1}}, at_us)])
        folder.fold()
    folder.close()

    ((since,),) = rows("select (extract(epoch from online_since) * 1000000)::bigint from latest")
    assert since == start_us + 420_000_000
