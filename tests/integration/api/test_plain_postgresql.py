from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from api import history_schemas, schemas
from api.operations import schemas as operations
from tests.integration.api.conftest import checked, client_of, make_settings, serve
from tests.integration.api.seed import Seed, ago, now

if TYPE_CHECKING:
    from tests.fix_database import Database


async def test_every_reading_path_answers_on_plain_postgresql(plain_database: Database) -> None:
    seed = Seed.open(plain_database.url)
    settings = make_settings(plain_database.read_url)
    seed.device("air", "air-station")
    seed.observe("air", ago(days=1), {"pm25": 10.0})
    seed.observe("air", now(), {"pm25": 20.0})
    async with serve(settings), client_of(settings) as client:
        towns = checked(schemas.Towns, await client.get("/v1/towns"))
        overview = checked(schemas.Overview, await client.get("/v1/towns/hoi-an/overview"))
        devices = checked(schemas.Devices, await client.get("/v1/devices?include=latest"))
        history = checked(history_schemas.Observations, await client.get("/v1/datastreams/air:pm25/observations"))
        span = {"from": (now() - timedelta(days=2)).isoformat(), "resolution": "P1D"}
        statistics = checked(
            history_schemas.Statistics, await client.get("/v1/datastreams/air:pm25/statistics", params=span)
        )
        environment = checked(operations.DomainView, await client.get("/v1/towns/hoi-an/environment"))
        for domain in ("traffic", "lighting", "environment"):
            for shape, view in (
                (operations.DomainMap, "map"),
                (operations.Ranking, "ranking"),
                (operations.DomainSummary, "summary"),
            ):
                checked(shape, await client.get(f"/v1/towns/hoi-an/{domain}/{view}"))
        site = checked(operations.SiteView, await client.get("/v1/sites/site-air"))
        many = checked(operations.TownStatistics, await client.get("/v1/statistics?property=pm25"))
        async with asyncio.timeout(10), client.stream("GET", "/v1/live") as response:
            lines = [line async for line in _until(response.aiter_lines(), "data: ")]
    seed.connection.close()

    assert towns["items"][1]["devices"]["online"] == 1
    assert overview["problem_count"] == 0
    assert devices["items"][0]["latest"][0]["value"] == 20.0
    assert [item["value"] for item in history["items"]] == [10.0, 20.0]
    assert sum(window["count"] for window in statistics["items"]) == 2
    assert environment["devices"]["online"] == 1
    assert site["devices"][0]["latest"][0]["value"] == 20.0
    assert many["datastreams"] == 1
    assert "event: hello" in lines


async def _until(lines, start: str):
    async for line in lines:
        yield line
        if line.startswith(start):
            await lines.aclose()
            return
