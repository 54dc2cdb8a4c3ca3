"""`ledger check` finds nothing where all is well, whatever happened, and everything that was tampered with."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import psycopg
import pytest

from ingest.__main__ import main
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register
from tests.integration.ingest.pipeline import Pipeline
from tests.integration.ingest.test_way import Publisher

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database

Ask = Callable[..., list[tuple[object, ...]]]
HOUR_US = 3_600_000_000
THEN_US = (time.time_ns() // 1_000 // HOUR_US - 30) * HOUR_US
"""A full hour, a day ago."""


@pytest.fixture
def pipeline(database: Database) -> Iterator[Pipeline]:
    register(database.url, devices=3)
    pipeline = Pipeline(database.ingest_url)
    yield pipeline
    pipeline.writer.close()


def ingest(database: Database, *arguments: str) -> tuple[int, str]:
    """Run a command as `python -m ingest` does, in this process; its exit status and what it printed."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
        patch.setenv("THUBON_DATABASE_URL", database.ingest_url)
        try:
            status = main(list(arguments))
        except SystemExit as end:  # argparse's word on wrong usage
            status = int(end.code or 0)
    return status, out.getvalue()


def differences(database: Database) -> list[str]:
    status, said = ingest(database, "ledger", "check")
    lines = said.splitlines()
    assert status == (0 if lines[-1].endswith(": equal") else 1)
    return [line for line in lines if " in the ledger, " in line]


def ms(us: int) -> int:
    return us // 1_000


def test_a_running_worker_s_account_is_equal_and_can_be_shown(
    worker: WorkerProcess, database: Database, broker: Broker, rows: Ask
) -> None:
    register(database.url, devices=2, prefix="gw")
    register(database.url, devices=2, gateway="gw-1")
    worker.start()
    publisher = Publisher(broker)
    now = int(time.time() * 1000)
    good = {"ts": now, "values": {"pm25": 1, "no2": 2, "o3": None}}
    publisher.send("thubon/v1/hoi-an/dev-1/telemetry", good)
    publisher.send("thubon/v1/hoi-an/dev-1/telemetry", good)
    publisher.send("thubon/v1/hoi-an/dev-1/telemetry", {"ts": now, "values": {"pm25": 9, "pm10": 1}})
    publisher.send("thubon/v1/hoi-an/dev-2/telemetry", b"{")
    publisher.send("thubon/v1/hoi-an/dev-2/telemetry", {"ts": now, "values": {"pm25": 5_000, "x": 1, "no2": 1}})
    publisher.send("thubon/v1/hoi-an/gw-1/gateway", {"dev-1": [{"ts": now + 1, "values": {"o3": 1}}], "dev-9": [good]})
    publisher.send("thubon/v1/hoi-an/gw-2/gateway", {"dev-2": [good]})
    publisher.send("thubon/v1/hoi-an/nobody/telemetry", good)
    publisher.send("thubon/v1/hoi-an/dev-1/status", b"online")
    publisher.send("thubon/v1/hoi-an/dev-1/status", b"Online!")
    publisher.send("thubon/v1/hoi-an/nobody/status", b"online")
    publisher.close()
    wait_until(lambda: rows("select sum(received) from ledger where family = 'status'") == [(3,)])

    assert differences(database) == []
    status, said = ingest(database, "ledger", "show", "--town", "hoi-an")
    assert status == 0
    shown = {tuple(line.split()[1:4]): line.split()[4:] for line in said.splitlines()[1:]}
    assert shown["hoi-an", "dev-1", "telemetry"] == ["8", "3", "2", "1", "0", "2"]
    assert shown["hoi-an", "gw-1", "gateway"] == ["4", "1", "0", "0", "3", "0"]
    assert shown["hoi-an", "dev-1", "status"] == ["2", "1", "0", "0", "1", "0"]
    assert ("-", "-", "telemetry") not in shown


def test_readings_merged_over_the_hour_and_moved_gateways_leave_the_account_equal(
    pipeline: Pipeline, database: Database, rows: Ask
) -> None:
    register(database.url, devices=2, prefix="gw")
    ts = ms(THEN_US)
    before, after = THEN_US - 1, THEN_US + 1
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute("update device set gateway_key = (select device_key from device where device_id = 'gw-1')"
                      " where device_id = 'dev-3'")  # fmt: skip
        pipeline.store([("hoi-an/gw-1/gateway", {"dev-3": [{"ts": ts, "values": {"pm25": 1}}]}, before)])
        admin.execute("update device set gateway_key = (select device_key from device where device_id = 'gw-2')"
                      " where device_id = 'dev-3'")  # fmt: skip
    pipeline.store([
        ("hoi-an/dev-1/telemetry", {"ts": ts, "values": {"pm25": 1}}, before),
        ("hoi-an/dev-1/telemetry", {"ts": ts, "values": {"pm10": 2, "o3": 3}}, after),
        ("hoi-an/dev-2/telemetry", {"ts": ts, "values": {"pm25": 1}}, before),
    ])  # fmt: skip
    pipeline.store([
        ("hoi-an/dev-2/telemetry", {"ts": ts, "values": {"pm25": 2, "no2": 4}}, after),
        ("hoi-an/gw-2/gateway", {"dev-3": [{"ts": ts, "values": {"pm10": 1}}]}, after),
    ])  # fmt: skip
    assert rows("select count(*) from observation_set") == [(3,)]
    assert rows("select device_id, sum(readings), max(readings) from ledger_adjustment group by 1 order by 1") == [
        ("dev-1", 0, 2), ("dev-2", 0, 1), ("dev-3", 0, 1),
    ]  # fmt: skip
    assert differences(database) == []


def test_what_retention_drops_and_deletes_stays_accounted_for(pipeline: Pipeline, database: Database) -> None:
    retain(pipeline, database)


def test_so_it_does_on_plain_postgresql(plain_database: Database) -> None:
    register(plain_database.url, devices=3)
    pipeline = Pipeline(plain_database.ingest_url)
    retain(pipeline, plain_database)
    pipeline.writer.close()


def retain(pipeline: Pipeline, database: Database) -> None:
    day_us = 24 * HOUR_US
    batch = []
    for back in (9, 6, 1):
        at = THEN_US - back * day_us
        batch += [
            (f"hoi-an/dev-{number}/telemetry", {"ts": ms(at), "values": {"pm25": 1, "no2": None, "x": 1}}, at)
            for number in (1, 2)
        ]
    # Late: received just now, of a day that will be dropped.
    batch.append(("hoi-an/dev-3/telemetry", {"ts": ms(THEN_US - 8 * day_us), "values": {"pm25": 1, "o3": 2}}, THEN_US))
    pipeline.store(batch)
    assert differences(database) == []
    with psycopg.connect(database.ingest_url, autocommit=True) as connection:
        dropped = connection.execute("select drop_observations_before(now() - interval '5 days')").fetchall()
        assert len(dropped) >= 2
        assert connection.execute("select count(*) from observation_set").fetchone() == (2,)
    assert differences(database) == []
    with psycopg.connect(database.ingest_url, autocommit=True) as connection:
        connection.execute(
            "with gone as (delete from rejection where received_time < now() - interval '5 days'"
            "              returning received_time)"
            " insert into retention_mark select 'rejection', max(received_time) from gone"
        )
    assert differences(database) == []
    assert "are deleted and not compared" in ingest(database, "ledger", "check")[1]


_TAMPERED = [
    "delete from observation_set where device_key = (select device_key from device where device_id = 'dev-1')",
    "update observation_set set value_by_slot[1] = 'NaN'",
    (
        "insert into observation_set select phenomenon_time + interval '1 s', received_time, device_key, value_by_slot"
        " from observation_set limit 1"
    ),
    "delete from rejection",
    "update rejection set readings = readings + 1 where reason = 'conflict'",
    "update batch_log set received[1] = received[1] + 1",
    "delete from batch_log",
]


@pytest.mark.parametrize("statement", _TAMPERED)
def test_every_loss_and_every_double_is_found(pipeline: Pipeline, database: Database, statement: str) -> None:
    pipeline.store([
        ("hoi-an/dev-1/telemetry", {"ts": ms(THEN_US), "values": {"pm25": 1, "x": 3, "pm10": 2}}, THEN_US),
        ("hoi-an/dev-1/telemetry", {"ts": ms(THEN_US), "values": {"pm25": 2}}, THEN_US),
    ])  # fmt: skip
    assert differences(database) == []
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute(statement.encode())
    assert differences(database) != []


def test_wrong_usage_and_wrong_settings_end_with_2(database: Database) -> None:
    assert ingest(database, "ledger", "show", "--from", "2026-11-23T08:00:00")[0] == 2
    assert ingest(database, "rejections", "why", "Dev 1")[0] == 2
    done = subprocess.run(
        [sys.executable, "-m", "ingest", "ledger", "check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "THUBON_DATABASE_URL" in done.stderr


def test_a_server_that_is_away_ends_a_command_with_1(database: Database) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ingest", "ledger", "check"],
        env={**os.environ, "THUBON_DATABASE_URL": "postgresql://nobody@127.0.0.1:22099/none"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
