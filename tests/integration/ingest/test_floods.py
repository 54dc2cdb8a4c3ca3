"""Floods on real servers: samples with exact counts, limits that spare the others, refusals deleted in time."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
from pydantic import SecretStr

from ingest.housekeeping import Housekeeper
from ingest.settings import WorkerSettings
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register
from tests.integration.ingest.test_ledger_check import THEN_US, differences
from tests.integration.ingest.test_way import Publisher

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database

Ask = Callable[..., list[tuple[object, ...]]]


def test_a_flood_of_strangers_leaves_few_rows_and_every_count_while_a_device_is_stored_whole(
    worker: WorkerProcess, database: Database, broker: Broker, rows: Ask
) -> None:
    register(database.url, devices=2)
    worker.start(THUBON_INGEST_SAMPLE_AFTER="5")
    publisher = Publisher(broker)
    now = int(time.time() * 1000)
    for number in range(300):
        publisher.send("thubon/v1/hoi-an/stranger/telemetry", {"ts": now, "values": {"a": number, "b": 1}})
        publisher.send("thubon/v1/hoi-an/dev-2/telemetry", b"{ not json")
        publisher.send("thubon/v1/hoi-an/dev-1/telemetry", {"ts": now + number, "values": {"pm25": 1, "x": 2}})
    publisher.close()
    wait_until(lambda: rows("select sum(received) from ledger") == [(1_500,)])
    assert rows("select sum(stored), sum(rejected) from ledger") == [(300, 1_200)]
    assert rows("select reason, sum(readings) from rejection group by 1 order by 1") == [
        ("not-json", 300), ("unknown-datastream", 300), ("unknown-device", 600),
    ]  # fmt: skip
    assert rows("select count(*), sum(unkept) from rejection where reason = 'unknown-datastream'") == [(300, 0)]
    unkept = rows("select sum(unkept) from rejection")[0][0]
    assert isinstance(unkept, int)
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics", timeout=5) as answer:
        assert f"thubon_ingest_sampled_readings_total {unkept}.0" in answer.read().decode()
    assert differences(database) == []


def test_one_flooding_device_is_limited_and_a_back_fill_is_not(
    worker: WorkerProcess, database: Database, broker: Broker, rows: Ask
) -> None:
    register(database.url, devices=2)
    worker.start(THUBON_INGEST_DEVICE_READINGS_A_MINUTE="10")
    publisher = Publisher(broker)
    minute = THEN_US // 60_000_000 * 60_000
    flood = [{"ts": minute + n, "values": {"pm25": 1, "no2": 1}} for n in range(40)]
    for at in range(0, 40, 10):
        publisher.send("thubon/v1/hoi-an/dev-1/telemetry", flood[at : at + 10])
    publisher.send(
        "thubon/v1/hoi-an/dev-2/telemetry",
        [{"ts": minute - n * 60_000, "values": {"pm25": 1, "no2": 1, "o3": 1}} for n in range(600)],
    )
    publisher.close()
    wait_until(lambda: rows("select sum(received) from ledger") == [(1_880,)])
    assert rows("select source, stored, rejected from ledger order by 1") == [("dev-1", 10, 70), ("dev-2", 1800, 0)]
    assert rows("select reason, device_id, sum(readings) from rejection group by 1, 2") == [
        ("rate-limited", "dev-1", 70)
    ]
    assert differences(database) == []


def test_refusals_are_deleted_after_their_time_and_the_check_says_from_when_on_it_holds(
    database: Database, rows: Ask
) -> None:
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute(
            "insert into rejection (received_time, town_id, source, family, topic, reason, detail, readings, payload,"
            " payload_bytes) select now() - n * interval '1 minute', '-', 'x', 'telemetry', 't', 'not-json', 'd', 1,"
            " '', 0 from generate_series(1, 25000) n"
        )
    settings = WorkerSettings(
        database_url=SecretStr(database.ingest_url), broker_url=SecretStr("mqtt://nowhere"), rejection_days=1
    )
    keeper = Housekeeper(dsn=database.ingest_url, settings=settings)
    keeper.retain()
    keeper.close()
    assert rows("select count(*) between 1438 and 1440 from rejection") == [(True,)]
    assert rows("select what, until < now() - interval '1 day' from retention_mark") == [("rejection", True)]
