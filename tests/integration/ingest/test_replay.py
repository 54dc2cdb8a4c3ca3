"""Refused messages go the way again after the cause was mended: once, exactly, however often it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from pydantic import SecretStr

from ingest.replay import Replay
from ingest.settings import StorageSettings
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register
from tests.integration.ingest.pipeline import Pipeline
from tests.integration.ingest.test_ledger_check import THEN_US, differences, ingest, ms

if TYPE_CHECKING:
    from tests.fix_database import Database

Ask = Callable[..., list[tuple[object, ...]]]
TS = ms(THEN_US)


@pytest.fixture
def pipeline(database: Database) -> Iterator[Pipeline]:
    register(database.url, devices=1)
    pipeline = Pipeline(database.ingest_url)
    yield pipeline
    pipeline.writer.close()


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield connection


def add_datastream(admin: psycopg.Connection, name: str, *, device: str = "dev-1", bound: float = 1000) -> None:
    admin.execute(
        "insert into datastream (datastream_id, device_key, slot, name, property, unit, lower_bound, upper_bound,"
        " interval_s) select device_id || ':' || %(name)s, device_key,"
        " (select max(slot) + 1 from datastream s where s.device_key = d.device_key), %(name)s, 'x', '1', 0, %(bound)s,"
        " 60 from device d where device_id = %(device)s",
        {"name": name, "device": device, "bound": bound},
    )


def replayed(database: Database, *arguments: str) -> dict[str, int]:
    status, said = ingest(database, "rejections", "replay", *arguments)
    assert status == 0, said
    return {name: int(value) for name, value in (pair.split("=") for pair in said.split(": ", 1)[1].split())}


LEDGER = (
    "select town_id, source, family, received, stored, duplicate, conflict, rejected, missing from ledger order by 2, 3"
)
NOTHING = {"messages": 0, "mended": 0, "stored": 0, "duplicate": 0, "conflict": 0, "missing": 0, "refused": 0}


def test_readings_of_a_registered_stranger_are_stored_once_with_their_own_times(
    pipeline: Pipeline, database: Database, admin: psycopg.Connection, rows: Ask
) -> None:
    stamped = {"ts": TS - 5_000, "values": {"pm25": 1, "no2": 2, "o3": None}}
    pipeline.store([
        ("hoi-an/new-1/telemetry", stamped, THEN_US),
        ("hoi-an/new-1/telemetry", {"temperature": 29}, THEN_US),
        ("hoi-an/new-1/telemetry", {"temperature": 30}, THEN_US),
        ("hoi-an/new-1/telemetry", stamped, THEN_US + 5),
        ("hoi-an/other/telemetry", stamped, THEN_US),
        ("hoi-an/new-1/status", b"offline", THEN_US),
    ])  # fmt: skip
    register(database.url, devices=1, prefix="new")
    assert replayed(database, "--device", "new-1", "--dry-run") == {
        "messages": 4, "mended": 8, "stored": 4, "duplicate": 2, "conflict": 0, "missing": 2, "refused": 0,
    }  # fmt: skip
    assert rows("select count(*) from observation") == [(0,)]
    assert rows("select count(*) from rejection where replayed > 0") == [(0,)]

    assert replayed(database, "--device", "new-1")["stored"] == 4
    assert rows("select datastream_id, value, phenomenon_time, received_time from observation order by 1, 3") == rows(
        "select * from (values ('new-1:no2', 2.0, %(then)s - interval '5 s', %(then)s),"
        " ('new-1:pm25', 1.0, %(then)s - interval '5 s', %(then)s), ('new-1:temperature', 29.0, %(then)s, %(then)s),"
        " ('new-1:temperature', 30.0, %(then)s + interval '1 us', %(then)s)) v"
        .replace("%(then)s", f"(timestamptz 'epoch' + {THEN_US} * interval '1 us')")
    )  # fmt: skip
    assert rows(LEDGER) == [("-", "-", "status", 1, 0, 0, 0, 1, 0), ("-", "-", "telemetry", 11, 4, 2, 0, 3, 2)]
    assert differences(database) == []
    assert rows("select count(*) from rejection where replayed_time is not null") == [(4,)]
    assert rows("select count(*) from device_status") == [(0,)]

    assert replayed(database, "--device", "new-1") == NOTHING
    assert replayed(database)["mended"] == 0
    assert differences(database) == []


def test_only_what_was_refused_counts_and_what_is_still_bad_stays(
    pipeline: Pipeline, database: Database, admin: psycopg.Connection, rows: Ask
) -> None:
    pipeline.store([
        ("hoi-an/dev-1/telemetry", {"ts": TS, "values": {"pm25": 1, "no2": 2, "new": 3, "newer": 4}}, THEN_US),
        ("hoi-an/dev-1/telemetry", {"pm10": 1, "new": 7, "o3": 5_000}, THEN_US + 7),
        ("hoi-an/dev-1/telemetry", {"ts": TS, "values": {"pm25": 9, "no2": 2, "new": None}}, THEN_US),
    ])  # fmt: skip
    before = rows("select datastream_id, value, phenomenon_time from observation order by 1, 2")
    assert rows(LEDGER) == [("hoi-an", "dev-1", "telemetry", 10, 3, 1, 1, 5, 0)]
    assert replayed(database) == {**NOTHING, "messages": 3, "refused": 5}
    assert rows("select count(*) from rejection where replayed_time is not null") == [(0,)]

    add_datastream(admin, "new")
    done = replayed(database, "--reason", "unknown-datastream")
    assert done == {**NOTHING, "messages": 3, "mended": 3, "stored": 2, "missing": 1, "refused": 2}
    assert rows("select value from observation where datastream_id = 'dev-1:new' order by 1") == [(3.0,), (7.0,)]
    assert (
        rows(
            "select datastream_id, value, phenomenon_time from observation where datastream_id <> 'dev-1:new'"
            " order by 1, 2"
        )
        == before
    )
    # The unstamped message's readings stand in one row: it got the same time again.
    assert rows("select count(*) from observation_set") == [(2,)]
    assert rows(LEDGER) == [("hoi-an", "dev-1", "telemetry", 10, 5, 1, 1, 2, 1)]
    assert differences(database) == []
    assert replayed(database) == {**NOTHING, "messages": 2, "refused": 2}

    add_datastream(admin, "newer")
    admin.execute("update datastream set upper_bound = 10000 where name = 'o3'")
    assert replayed(database) == {**NOTHING, "messages": 2, "mended": 2, "stored": 2}
    assert rows(LEDGER) == [("hoi-an", "dev-1", "telemetry", 10, 7, 1, 1, 0, 1)]
    assert differences(database) == []
    assert replayed(database) == NOTHING


def test_readings_that_meet_another_refusal_or_another_value_are_counted_so(
    pipeline: Pipeline, database: Database, admin: psycopg.Connection, rows: Ask
) -> None:
    pipeline.store([("hoi-an/dev-1/telemetry", {"ts": TS, "values": {"a": 1, "b": 5_000, "pm25": 1}}, THEN_US)])
    add_datastream(admin, "a")
    add_datastream(admin, "b")
    # Meanwhile the device sends another value for the same time.
    pipeline.store([("hoi-an/dev-1/telemetry", {"ts": TS, "values": {"a": 2}}, THEN_US + 5_000_000)])

    done = replayed(database)
    assert done == {**NOTHING, "messages": 1, "mended": 2, "conflict": 1, "refused": 1}
    assert rows("select reason, readings, replayed from rejection order by rejection_key") == [
        ("unknown-datastream", 2, 2), ("out-of-bounds", 1, 0), ("conflict", 1, 0),
    ]  # fmt: skip
    assert rows(LEDGER) == [("hoi-an", "dev-1", "telemetry", 4, 2, 0, 1, 1, 0)]
    assert differences(database) == []
    assert replayed(database) == {**NOTHING, "messages": 1, "refused": 1}
    assert rows("select count(*) from rejection") == [(3,)]


def test_readings_stored_before_stay_stored_where_the_registry_became_stricter(
    pipeline: Pipeline, database: Database, admin: psycopg.Connection, rows: Ask
) -> None:
    pipeline.store([("hoi-an/dev-1/telemetry", {"ts": TS, "values": {"a": 1, "pm25": 500, "pm10": 1}}, THEN_US)])
    add_datastream(admin, "a")
    admin.execute("update datastream set upper_bound = 10 where name = 'pm25'")
    assert replayed(database) == {**NOTHING, "messages": 1, "mended": 1, "stored": 1}
    assert rows(LEDGER) == [("hoi-an", "dev-1", "telemetry", 3, 3, 0, 0, 0, 0)]
    assert rows("select count(*) from observation") == [(3,)]
    assert differences(database) == []


def test_devices_behind_a_gateway_that_was_a_stranger_itself(
    pipeline: Pipeline, database: Database, admin: psycopg.Connection, rows: Ask
) -> None:
    item = {"ts": TS, "values": {"pm25": 1, "x": 2}}
    pipeline.store([
        ("hoi-an/gw-1/gateway", {"dev-1": [item], "late-1": [item]}, THEN_US),
        ("hoi-an/gw-1/telemetry", b'{"ts": 1, "values"', THEN_US),
    ])  # fmt: skip
    register(database.url, devices=1, prefix="gw")
    admin.execute("update device set gateway_key = (select device_key from device where device_id = 'gw-1')"
                  " where device_id = 'dev-1'")  # fmt: skip
    assert replayed(database)["stored"] == 1
    assert differences(database) == []
    left = rows("select reason, device_id, readings - replayed from rejection where readings > replayed order by 1, 2")
    assert left == [
        ("not-json", "gw-1", 1), ("unknown-datastream", "dev-1", 1), ("unknown-device", "late-1", 2),
    ]  # fmt: skip
    register(database.url, devices=1, prefix="late", gateway="gw-1")
    add_datastream(admin, "x", device="late-1")
    assert replayed(database)["stored"] == 2
    assert differences(database) == []
    assert rows("select count(*) from observation") == [(3,)]
    admin.execute("update device set gateway_key = null")
    assert differences(database) == []


def test_a_message_that_was_too_large_counts_its_readings_when_it_is_read(
    pipeline: Pipeline, database: Database, rows: Ask
) -> None:
    items = [{"ts": TS + n, "values": {"pm25": 1, "o3": None}} for n in range(9_000)]
    pipeline.store([("hoi-an/dev-1/telemetry", items, THEN_US + 60_000_000)])
    assert rows(LEDGER) == [("hoi-an", "dev-1", "telemetry", 1, 0, 0, 0, 1, 0)]
    os.environ["THUBON_INGEST_PAYLOAD_BYTES"] = "1000000"
    os.environ["THUBON_INGEST_MESSAGE_READINGS"] = "20000"
    try:
        assert replayed(database)["stored"] == 9_000
    finally:
        del os.environ["THUBON_INGEST_PAYLOAD_BYTES"], os.environ["THUBON_INGEST_MESSAGE_READINGS"]
    assert rows(LEDGER) == [("hoi-an", "dev-1", "telemetry", 18_000, 9_000, 0, 0, 0, 9_000)]
    assert differences(database) == []


def test_a_sample_replays_its_own_readings_and_the_rest_stays_counted(database: Database, rows: Ask) -> None:
    pipeline = Pipeline(database.ingest_url, sample_after=2)
    flood = [("hoi-an/dev-1/telemetry", {"ts": TS + n, "values": {"pm25": n, "o3": 1}}, THEN_US) for n in range(50)]
    pipeline.store(flood)
    pipeline.writer.close()
    assert rows("select readings, unkept from rejection order by 1") == [(2, 0), (2, 0), (96, 94)]
    assert differences(database) == []
    register(database.url, devices=1)
    assert replayed(database)["stored"] == 6
    assert rows(LEDGER) == [("-", "-", "telemetry", 100, 6, 0, 0, 94, 0)]
    assert differences(database) == []
    assert replayed(database) == NOTHING


def test_readings_that_retention_is_about_to_drop_are_not_stored_again(
    pipeline: Pipeline, database: Database, admin: psycopg.Connection, rows: Ask
) -> None:
    old_us = THEN_US - 399 * 86_400_000_000
    pipeline.store([("hoi-an/dev-1/telemetry", {"ts": ms(old_us), "values": {"a": 1, "pm25": 1}}, old_us + 1_000_000)])
    admin.execute("select drop_observations_before(now() - interval '300 days')")
    add_datastream(admin, "a")
    assert replayed(database)["stored"] == 0
    assert rows("select count(*) from observation_set") == [(0,)]
    assert rows(LEDGER) == [("hoi-an", "dev-1", "telemetry", 2, 1, 0, 0, 1, 0)]
    assert rows("select reason from rejection where readings > replayed") == [("too-old",)]
    assert differences(database) == []


def test_why_a_device_was_refused_is_told_with_the_cure(pipeline: Pipeline, database: Database) -> None:
    pipeline.store([("hoi-an/dev-1/telemetry", {"ts": 1_763_900_000, "values": {"pm25": 1}}, THEN_US)] * 3)
    status, said = ingest(database, "rejections", "why", "dev-1")
    assert status == 0
    assert "timestamp-in-seconds: 3 readings in 3 refusals" in said
    assert "Nhân thời điểm với 1000" in said
    assert "Multiply the time by 1000" in said
    assert json.dumps(1_763_900_000) in said
    assert "dev-1 timestamp-in-seconds 1 " in ingest(database, "rejections", "list", "--device", "dev-1")[1]
    assert ingest(database, "rejections", "why", "dev-2")[1] == "nothing of dev-2 was refused\n"


def test_a_worker_fulfils_a_wish_within_a_second_and_tells_how_far_it_is(
    pipeline: Pipeline, worker: WorkerProcess, database: Database, rows: Ask
) -> None:
    pipeline.store([
        ("hoi-an/new-1/telemetry", {"ts": TS + n, "values": {"pm25": n % 100}}, THEN_US) for n in range(1_200)
    ])  # fmt: skip
    register(database.url, devices=1, prefix="new")
    worker.start()
    with psycopg.connect(database.api_url) as reader:
        reader.execute("select request_replay('unknown-device', 'new-1', null, null, null)")
    wait_until(lambda: rows("select state from replay_request") == [("done",)], what="the replay")
    assert rows("select messages, mended, stored, refused, error from replay_request") == [(1200, 1200, 1200, 0, None)]
    wait_until(lambda: rows("select value from latest_observation") == [(99.0,)], what="latest")
    assert differences(database) == []


def test_two_replays_at_once_move_each_reading_once(pipeline: Pipeline, database: Database, rows: Ask) -> None:
    pipeline.store([
        ("hoi-an/new-1/telemetry", {"ts": TS + n, "values": {"pm25": 1, "o3": 2}}, THEN_US) for n in range(2_000)
    ])  # fmt: skip
    register(database.url, devices=1, prefix="new")
    command = [sys.executable, "-m", "ingest", "rejections", "replay"]
    environment = {**os.environ, "THUBON_DATABASE_URL": database.ingest_url}
    replays = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert 0 in [replay.wait(60) for replay in replays]
    assert rows(LEDGER) == [("-", "-", "telemetry", 4_000, 4_000, 0, 0, 0, 0)]
    assert differences(database) == []


def test_a_replay_goes_on_with_another_worker_when_its_own_is_gone(
    pipeline: Pipeline, database: Database, admin: psycopg.Connection, rows: Ask
) -> None:
    pipeline.store([
        ("hoi-an/new-1/telemetry", {"ts": TS + n, "values": {"pm25": 1}}, THEN_US) for n in range(1_200)
    ])  # fmt: skip
    register(database.url, devices=1, prefix="new")
    admin.execute("select request_replay(null, null, null, null, null)")
    settings = StorageSettings(database_url=SecretStr(database.ingest_url))
    first = Replay(dsn=database.ingest_url, worker="first", settings=settings)
    second = Replay(dsn=database.ingest_url, worker="second", settings=settings)
    try:
        assert first.serve() is not None
        assert second.serve() is None
        assert rows("select messages, state, worker from replay_request") == [(500, "running", "first")]
        admin.execute("update replay_request set alive_time = now() - interval '61 s'")
        while second.serve() is not None:
            assert first.serve() is None
    finally:
        first.close()
        second.close()
    assert rows("select messages, stored, state, worker from replay_request") == [(1200, 1200, "done", "second")]
    assert rows(LEDGER) == [("-", "-", "telemetry", 1_200, 1_200, 0, 0, 0, 0)]
    assert differences(database) == []
