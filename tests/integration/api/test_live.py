from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from pydantic import TypeAdapter

from api import schemas
from api.live import QUEUED_EVENTS
from tests.integration.api.conftest import client_of, make_settings, serve
from tests.integration.api.people import add_account, open_session
from tests.integration.api.seed import Seed, ago, now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx
    import pytest
    from fastapi import FastAPI

    from api.settings import ApiSettings
    from tests.fix_database import Database


@dataclass
class Event:
    name: str | None  # None: an id alone
    data: Any
    event_id: str | None


class Stream:
    """An event stream, read as a browser reads it."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines = response.aiter_lines()

    async def next(self, within_s: float = 10.0) -> Event:
        """The next event."""
        async with asyncio.timeout(within_s):
            fields: dict[str, str] = {}
            async for line in self.lines:
                if not line and ("event" in fields or "id" in fields):
                    data = json.loads(fields["data"]) if "data" in fields else None
                    return Event(fields.get("event"), data, fields.get("id"))
                name, _, value = line.partition(": ")
                fields[name] = value
        raise EOFError("the stream ended")

    async def devices(self, within_s: float = 10.0) -> tuple[list[str], Event]:
        """The next `change` and the ids of its devices."""
        event = await self.next(within_s)
        while event.name is None:
            event = await self.next(within_s)
        assert event.name == "change", event
        TypeAdapter(schemas.Change).validate_json(json.dumps(event.data), extra="forbid")
        return [device["id"] for device in event.data["devices"]], event


@asynccontextmanager
async def following(
    client: httpx.AsyncClient, query: str = "", last_event_id: str | None = None
) -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with client.stream("GET", f"/v1/live{query}", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        stream = Stream(response)
        async with aclosing(stream.lines):
            yield stream


def two_devices(seed: Seed) -> None:
    seed.device("air", "air-station")
    seed.device("lamp", "lamp-controller", town="tam-ky")


async def test_a_commit_reaches_a_listener_at_once_with_its_values(client: httpx.AsyncClient, seed: Seed) -> None:
    two_devices(seed)
    async with following(client) as stream:
        hello = await stream.next()
        began = now()
        seed.observe("air", began, {"pm25": 31.5})
        devices, event = await stream.devices(within_s=2)

    assert hello.name == "hello"
    assert hello.data == {"id": hello.event_id}
    assert devices == ["air"]
    device = event.data["devices"][0]
    assert (device["town"], device["domain"], device["state"]) == ("hoi-an", "environment", "online")
    (value,) = device["latest"]
    assert (value["datastream"], value["value"], value["unit"]) == ("air:pm25", 31.5, "ug/m3")
    assert event.event_id is not None
    assert event.event_id != hello.event_id


async def test_a_listener_hears_only_what_it_asked_for(client: httpx.AsyncClient, seed: Seed) -> None:
    two_devices(seed)
    queries = ("?town=tam-ky", "?domain=lighting", "?device=lamp", "?town=tam-ky&domain=lighting&device=lamp")
    for query in queries:
        async with following(client, query) as stream:
            await stream.next()
            seed.observe("air", now(), {"pm25": 1.0})
            await asyncio.sleep(0.2)
            seed.observe("lamp", now(), {"power": 1.0})

            devices, _ = await stream.devices()

        assert devices == ["lamp"], query


async def test_a_listener_that_comes_back_gets_what_it_missed_and_nothing_else(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    two_devices(seed)
    async with following(client) as stream:
        await stream.next()
        seed.observe("air", ago(seconds=9), {"pm25": 1.0})
        _, event = await stream.devices()
    seed.observe("lamp", ago(seconds=8), {"power": 1.0})
    seed.observe("lamp", ago(seconds=7), {"power": 2.0})
    await asyncio.sleep(1.5)  # the hub has moved on without listeners

    async with following(client, last_event_id=event.event_id) as stream:
        hello = await stream.next()
        missed, caught_up = await stream.devices()
        seed.observe("air", ago(seconds=6), {"pm25": 3.0})
        new, _ = await stream.devices()

    assert hello.data["id"] == event.event_id
    assert missed == ["lamp"]
    assert caught_up.data["devices"][0]["latest"][0]["value"] == 2.0
    assert new == ["air"]


async def test_an_id_given_by_hello_alone_is_enough_to_resume(client: httpx.AsyncClient, seed: Seed) -> None:
    two_devices(seed)
    async with following(client) as stream:
        hello = await stream.next()
    seed.observe("air", now(), {"pm25": 1.0})

    async with following(client, last_event_id=hello.event_id) as stream:
        await stream.next()
        devices, _ = await stream.devices()

    assert devices == ["air"]


async def test_an_id_survives_a_restart_of_the_api(settings: ApiSettings, seed: Seed) -> None:
    two_devices(seed)
    seed.observe("lamp", ago(seconds=9), {"power": 1.0})
    async with serve(settings), client_of(settings) as client, following(client) as stream:
        await stream.next()
        seed.observe("air", ago(seconds=9), {"pm25": 1.0})
        _, event = await stream.devices()
    seed.observe("lamp", ago(seconds=8), {"power": 1.0})

    async with serve(settings), client_of(settings) as client:
        await wait_for_live(client)
        async with following(client, last_event_id=event.event_id) as stream:
            await stream.next()
            devices, _ = await stream.devices()

    assert devices == ["lamp"]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask another process again and again; it has no event to wait for."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def wait_for_live(client: httpx.AsyncClient) -> None:
    async def listens() -> bool:
        return "thubon_api_live_connected 1.0" in (await client.get("/metrics")).text

    await until(listens)


async def test_an_unknown_foreign_or_too_old_id_is_answered_with_reset(client: httpx.AsyncClient, seed: Seed) -> None:
    two_devices(seed)
    async with following(client) as stream:
        await stream.next()
        seed.observe("air", ago(seconds=9), {"pm25": 1.0})
        _, first = await stream.devices()
        seed.observe("air", ago(seconds=8), {"pm25": 2.0})
        _, _second = await stream.devices()
        seed.observe("air", ago(seconds=7), {"pm25": 3.0})
        await stream.devices()
    newest = seed.connection.execute("select max(xid::text::bigint) from live_change").fetchone()
    seed.execute("delete from live_change where xid::text::bigint < %s", list(newest or ()))
    assert first.event_id is not None

    for event_id in ("7", "no cursor", "WyJmb3JlaWduIiw3XQ", "WyJmb3JlaWduIiwiNyJd", first.event_id):
        async with following(client, last_event_id=event_id) as stream:
            hello = await stream.next()
            reset = await stream.next()
            seed.change(["lamp"])
            devices, _ = await stream.devices()

        assert hello.name == "hello"
        assert reset.name == "reset", event_id
        assert reset.event_id == hello.event_id
        assert devices == ["lamp"]


async def test_a_change_waits_for_older_open_transactions_so_that_resuming_misses_none(
    client: httpx.AsyncClient, seed: Seed, database: Database
) -> None:
    two_devices(seed)
    with psycopg.connect(database.url) as older:
        async with following(client) as stream:
            await stream.next()
            older.execute(
                "insert into live_change (device_keys) select array[device_key] from device where device_id = 'lamp'"
            )
            seed.observe("air", now(), {"pm25": 1.0})
            heard = asyncio.create_task(stream.devices())
            await asyncio.sleep(1.5)
            early = heard.done()
            older.commit()
            devices, _ = await heard

    assert not early
    assert devices == ["air", "lamp"]


async def test_a_long_transaction_that_announces_nothing_holds_up_no_change(
    client: httpx.AsyncClient, seed: Seed, database: Database
) -> None:
    two_devices(seed)
    with psycopg.connect(database.url) as rebuild, psycopg.connect(database.url) as folding:
        rebuild.execute("update device set name = 'open for hours' where device_id = 'lamp'")
        async with following(client) as stream:
            await stream.next()
            seed.observe("air", now(), {"pm25": 1.0})
            first, event = await stream.devices(within_s=2)
            folding.execute("delete from batch_log")
            folding.execute("select pg_current_xact_id()")
            seed.observe("air", now(), {"pm25": 2.0})
            heard = asyncio.create_task(stream.devices())
            await asyncio.sleep(0.5)
            early = heard.done()
            folding.commit()
            second, _ = await heard
        async with following(client, last_event_id=event.event_id) as stream:
            await stream.next()
            missed, _ = await stream.devices()
        rebuild.rollback()

    assert first == second == missed == ["air"]
    assert not early


async def test_a_listener_that_does_not_read_is_told_to_load_again(
    app: FastAPI, client: httpx.AsyncClient, seed: Seed
) -> None:
    two_devices(seed)
    hub = app.state.services.live
    async with following(client) as stream:
        await stream.next()
        with hub.subscribe() as slow:
            for number in range(QUEUED_EVENTS + 1):
                seed.observe("air", ago(seconds=100 - number), {"pm25": float(number)})
                await stream.devices()
            item = await slow.next(1)

    assert type(item).__name__ == "Reset"
    assert slow.drained


async def test_a_large_change_comes_in_pieces_of_which_only_the_last_may_be_resumed_at(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    names = [f"lamp-{number:03}" for number in range(250)]
    for name in names:
        seed.device(name, "lamp-controller")
    async with following(client) as stream:
        await stream.next()
        seed.change(names)
        first, first_event = await stream.devices()
        second, second_event = await stream.devices()

    assert first + second == names
    assert first_event.event_id is None
    assert second_event.event_id is not None


def listeners(metrics: httpx.Response) -> float:
    return next(
        float(line.split()[1]) for line in metrics.text.splitlines() if line.startswith("thubon_api_live_clients ")
    )


async def test_there_are_only_so_many_listeners(database: Database, seed: Seed) -> None:
    settings = make_settings(database.read_url, http_live_clients=2)
    async with serve(settings), client_of(settings) as client:
        await wait_for_live(client)
        async with following(client) as one, following(client) as two:
            await one.next()
            await two.next()
            response = await client.get("/v1/live")

            assert response.status_code == 503
            assert response.headers["Retry-After"] == "30"

        async def gone() -> bool:
            return listeners(await client.get("/metrics")) == 0

        await until(gone)
        async with following(client) as three:
            assert (await three.next()).name == "hello"


async def test_bad_filters_are_refused_before_the_stream_begins(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/live?town=nowhere")).status_code == 400
    assert (await client.get("/v1/live?site=x")).status_code == 400
    assert (await client.get("/v1/live?device=nothing")).status_code == 404
    assert (await client.head("/v1/live")).status_code == 405


async def test_a_quiet_stream_is_kept_alive_and_tells_its_place(
    client: httpx.AsyncClient, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.views.live.KEEP_ALIVE_S", 0.3)
    two_devices(seed)
    async with following(client, "?device=lamp") as stream:
        hello = await stream.next()
        seed.observe("air", now(), {"pm25": 1.0})
        await asyncio.sleep(0.5)
        place = await stream.next()
        while place.event_id == hello.event_id:
            place = await stream.next()

    assert (place.name, place.data) == (None, None)
    seed.observe("lamp", now(), {"power": 1.0})
    async with following(client, last_event_id=place.event_id) as stream:
        await stream.next()
        devices, _ = await stream.devices()
    assert devices == ["lamp"]


async def test_a_stream_ends_with_its_session(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.views.live.KEEP_ALIVE_S", 0.2)
    add_account(seed, "an", {"*": "viewer"})
    cookie = open_session(seed, "an", life_s=2)
    headers = {"Cookie": f"thubon_session={cookie}"}
    async with asyncio.timeout(10), stranger.stream("GET", "/v1/live", headers=headers) as response:
        assert response.status_code == 200
        async for _ in response.aiter_bytes():
            pass


async def test_the_stream_goes_on_after_the_database_was_restarted(killable_database: Database) -> None:
    seed = Seed.open(killable_database.url)
    two_devices(seed)
    settings = make_settings(killable_database.read_url)
    async with serve(settings), client_of(settings) as client:
        await wait_for_live(client)
        async with following(client) as stream:
            await stream.next()
            seed.observe("air", ago(seconds=9), {"pm25": 1.0})
            await stream.devices()
            killable_database.server.kill()

            async def unready() -> bool:
                return (await client.get("/readyz")).status_code == 503

            await until(unready)
            refused = await client.get("/v1/devices")
            killable_database.server.start()
            seed.connection.close()
            seed.connection = psycopg.connect(killable_database.url, autocommit=True)
            seed.observe("lamp", ago(seconds=8), {"power": 1.0})
            devices, _ = await stream.devices(within_s=30)
            answered = await client.get("/v1/devices")
    seed.connection.close()

    assert refused.status_code == 503
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "2"
    assert devices == ["lamp"]
    assert answered.status_code == 200
