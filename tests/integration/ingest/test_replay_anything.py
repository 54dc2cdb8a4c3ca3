"""Whatever was sent and whatever is mended, the account stays equal and no reading moves twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest
from pydantic import SecretStr

from ingest.ledger_check import EVER, check
from ingest.replay import Choice, Replay
from ingest.settings import StorageSettings
from ingest.storage import connect
from tests.fleet import register
from tests.integration.ingest.pipeline import Pipeline, Sent
from tests.integration.ingest.test_ledger_check import THEN_US, ms
from tests.integration.ingest.test_replay import add_datastream

if TYPE_CHECKING:
    from tests.fix_database import Database

Ask = Callable[..., list[tuple[object, ...]]]
NAMES = ("pm25", "no2", "o3", "new-a", "new-b", "never")
SOURCES = ("dev-1", "dev-2", "late-1", "late-2", "nobody")


def anything(random_: random.Random) -> list[Sent]:
    """Messages of known and unknown sources, with good, null, wild and unknown readings, over an hour's end."""
    sent: list[Sent] = []
    for number in range(120):
        received_us = THEN_US + (number - 60) * 1_000
        values = {
            name: random_.choice([1, 1, 2, None, 5_000, "word"])
            for name in random_.sample(NAMES, random_.randint(1, 4))
        }
        ts = ms(THEN_US) - random_.randint(0, 20) * 1_000
        item = random_.choice([{"ts": ts, "values": values}, {"ts": ts, "values": values}, {"ts": 5, "values": values}])
        source = random_.choice(SOURCES)
        if random_.random() < 0.3:
            body: object = {random_.choice(SOURCES): [item], random_.choice(SOURCES): [{"ts": ts, "values": values}]}
            sent.append((f"hoi-an/{random_.choice(['gw-1', 'gw-2'])}/gateway", body, received_us))
        elif random_.random() < 0.2:
            sent.append((f"hoi-an/{source}/telemetry", values, received_us))
        else:
            town = random_.choice(["hoi-an", "hoi-an", "hoi-an", "tam-ky"])
            body = random_.choice([item, [item, {"ts": ts + 1, "values": values}], b"{", item])
            sent.append((f"{town}/{source}/telemetry", body, received_us))
    return sent


def mends(database: Database) -> list[Callable[[psycopg.Connection], object]]:
    return [
        lambda admin: add_datastream(admin, "new-a"),
        lambda admin: add_datastream(admin, "new-b", device="dev-2"),
        lambda admin: admin.execute("update datastream set upper_bound = 1e6 where name in ('pm25', 'new-a')"),
        lambda _: register(database.url, devices=1, prefix="late"),
        lambda admin: admin.execute(
            "update device set gateway_key = (select device_key from device where device_id = 'gw-1')"
            " where device_id in ('dev-1', 'late-1')"
        ),
        lambda admin: admin.execute("update datastream set upper_bound = 1.5 where name = 'no2'"),
        lambda admin: admin.execute("update device set gateway_key = null where device_id = 'dev-1'"),
    ]


@pytest.fixture
def leave() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("seed", range(6))
def test_the_account_is_equal_after_every_mend_and_every_replay(
    database: Database, rows: Ask, leave: ExitStack, seed: int
) -> None:
    random_ = random.Random(seed)
    register(database.url, devices=2)
    register(database.url, devices=1, prefix="gw")
    settings = StorageSettings(database_url=SecretStr(database.ingest_url))
    pipeline = Pipeline(database.ingest_url, sample_after=10)
    replay = Replay(dsn=database.ingest_url, worker="test", settings=settings)
    account = connect(database.ingest_url, application="test")
    for closable in (pipeline.writer, replay, account):
        leave.callback(closable.close)
    sent = anything(random_)
    for at in range(0, len(sent), 40):
        pipeline.store(sent[at : at + 40])
    received = rows("select sum(received) from ledger")
    steps = mends(database)
    random_.shuffle(steps)
    with psycopg.connect(database.url, autocommit=True) as admin:
        for mend in steps:
            mend(admin)
            if random_.random() < 0.5:
                pipeline.store(random_.sample(sent, 10))
                received = rows("select sum(received) from ledger")
            before = rows("select datastream_id, phenomenon_time, value from observation")
            asked = rows("select clock_timestamp()")[0][0]
            reason = random_.choice([None, None, "unknown-device", "unknown-datastream"])
            done = replay.run(Choice(asked=asked, reason=reason))  # type: ignore[arg-type]
            assert check(account, *EVER).differences == []
            assert rows("select sum(received) from ledger") == received
            after = rows("select datastream_id, phenomenon_time, value from observation")
            assert set(before) <= set(after)
            assert len(after) - len(before) == done.stored
            asked = rows("select clock_timestamp()")[0][0]
            again = replay.run(Choice(asked=asked, reason=reason))  # type: ignore[arg-type]
            assert (again.mended, again.stored, again.conflict, again.duplicate, again.missing) == (0, 0, 0, 0, 0)
            assert check(account, *EVER).differences == []
