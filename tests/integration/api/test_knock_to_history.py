"""The whole way of an unknown device: it knocks over MQTT, is taken in over HTTP, and what it sent is history, once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import psycopg

from tests.fix_worker import wait_until
from tests.integration.api.test_registry import DEVICE, PLACE, SITE
from tests.integration.ingest.test_ledger_check import differences
from tests.integration.ingest.test_way import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_worker import WorkerProcess

    Ask = Callable[..., list[tuple[object, ...]]]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def until(ask: Callable[[], object], what: str, within_s: float = 20.0) -> None:
    await asyncio.to_thread(wait_until, ask, within_s=within_s, what=what)


async def test_what_an_unknown_device_sent_is_stored_exactly_once_after_it_was_taken_in(
    client: httpx.AsyncClient, worker: WorkerProcess, database: Database, broker: Broker, rows: Ask
) -> None:
    await client.post("/v1/sites", json=SITE)
    await asyncio.to_thread(worker.start)
    publisher = Publisher(broker)
    start = now_ms() - 10_000

    def send(number: int) -> None:
        publisher.send(
            "thubon/v1/hoi-an/ha-new/telemetry", {"ts": start + number, "values": {"pm25": number, "no2": 4}}
        )

    for number in range(3):
        await asyncio.to_thread(send, number)
    await until(lambda: rows("select readings from knock") == [(6,)], "the knock")
    (knock,) = (await client.get("/v1/knocks")).json()["items"]
    assert (knock["device"], knock["kept"]) == ("ha-new", 3)
    wish = {"town": "hoi-an", "site": "ha-bridge", "profile": knock["guesses"][0]["profile"], "name": "Trạm mới"}

    assert (await client.post("/v1/knocks/ha-new/accept", json=wish)).status_code == 201
    # Workers have not learnt of it yet: what is refused until they have goes the way again too.
    accepted = time.monotonic()
    await asyncio.to_thread(send, 3)
    await until(lambda: b"Registry version" in worker.log.read_bytes(), "the worker's new registry", within_s=2.0)
    assert time.monotonic() - accepted < 2.0
    await asyncio.to_thread(send, 4)
    await until(lambda: rows("select state from replay_request") == [("done",)], "the replay")
    await until(lambda: rows("select count(*)::int from observation") == [(10,)], "all readings")

    assert rows("select count(distinct (datastream_id, phenomenon_time))::int from observation") == [(10,)]
    assert rows("select sum(readings - replayed)::int from rejection") == [(0,)]
    assert (await client.get("/v1/knocks")).json()["items"] == []
    assert (await client.get("/v1/devices/ha-new/installation")).json()["step"] == "done"
    publisher.close()
    assert await asyncio.to_thread(worker.stop) == 0
    with psycopg.connect(database.url, autocommit=True) as admin:  # a check looks at whole hours that have passed
        for table, column in (("ledger_hour", "hour"), ("observation_set", "received_time")):
            admin.execute(f"update {table} set {column} = {column} - interval '3 hours'".encode())
        admin.execute("update ledger_adjustment set hour = hour - interval '3 hours'")
        admin.execute("update rejection set received_time = received_time - interval '3 hours'")
    assert await asyncio.to_thread(differences, database) == []


async def test_a_moved_device_is_heard_on_both_topics_and_after_the_grace_on_the_new_one_alone(
    client: httpx.AsyncClient, worker: WorkerProcess, broker: Broker, rows: Ask
) -> None:
    for site in (SITE, {**SITE, "id": "tk-bridge", "town": "tam-ky", **PLACE}):
        await client.post("/v1/sites", json=site)
    created = await client.post("/v1/devices", json={**DEVICE, "commissioned": "2025-01-01T00:00:00Z"})
    await asyncio.to_thread(worker.start)
    publisher = Publisher(broker)

    async def send(town: str) -> None:
        message = {"ts": now_ms(), "values": {"pm25": 1}}
        await asyncio.to_thread(publisher.send, f"thubon/v1/{town}/ha-air/telemetry", message)

    await send("tam-ky")
    await until(lambda: rows("select reason from knock") == [("wrong-town",)], "the refusal")
    grace_s = 6.0
    moved = await client.post(
        "/v1/devices/ha-air/move",
        json={"site": "tk-bridge", "grace_hours": grace_s / 3600},
        headers={"If-Match": created.headers["ETag"]},
    )
    assert moved.status_code == 200, moved.text
    moved_at = time.monotonic()
    await until(lambda: b"Registry version" in worker.log.read_bytes(), "the worker's new registry", within_s=2.0)
    await send("hoi-an")
    await send("tam-ky")
    await until(lambda: rows("select count(*)::int from observation") == [(2,)], "both", within_s=3.0)
    assert time.monotonic() - moved_at < grace_s
    await until(lambda: rows("select count(*)::int from observation") == [(3,)], "what was refused before the move")
    await asyncio.sleep(max(0.0, moved_at + grace_s + 0.1 - time.monotonic()))
    await send("hoi-an")
    await until(lambda: rows("select count(*)::int from rejection") == [(2,)], "the refusal after the grace")
    await send("tam-ky")
    await until(lambda: rows("select count(*)::int from observation") == [(4,)], "the new topic")

    answer = await client.get("/v1/devices/ha-air/rejections")
    assert answer.json()["items"][0]["reason"] == "wrong-town"
    publisher.close()
    assert await asyncio.to_thread(worker.stop) == 0
