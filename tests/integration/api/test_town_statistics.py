"""Statistics of many datastreams at once, and that folding windows changes no figure."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from api.grants import everywhere
from api.operations import schemas
from api.operations.fleet import read_fleet
from api.operations.history import read_history
from api.operations.service import AGGREGATE_S
from tests.integration.api.conftest import checked
from tests.integration.api.figures import (
    folded,
    hour_start,
)
from tests.integration.api.seed import now

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from api.operations.history import History
    from tests.fix_database import Database
    from tests.integration.api.seed import Seed


async def test_many_datastreams_make_one_aggregate_of_all_their_observations(
    client: httpx.AsyncClient, seed: Seed, database: Database
) -> None:
    start = hour_start() - timedelta(hours=2)
    levels = {"n1": [50.0] * 30, "n2": [70.0] * 10}
    for name, values in levels.items():
        seed.device(name, "noise-meter", town="hoi-an")
        seed.history(name, "laeq", [(start + timedelta(minutes=at + 1), value, 0) for at, value in enumerate(values)])
    seed.device("there", "noise-meter", town="tam-ky")
    seed.history("there", "laeq", [(start + timedelta(minutes=1), 90.0, 0)])
    seed.history("n1", "lamax", [(start + timedelta(minutes=50), 99.0, 2)])
    await folded(seed, database)
    span = f"from={start.isoformat()[:19]}Z&to={(start + timedelta(hours=1)).isoformat()[:19]}Z"
    query = f"/v1/statistics?property=sound-level-equivalent&town=hoi-an&{span}&resolution="

    hour = checked(schemas.TownStatistics, await client.get(query + "PT1H"))
    quarters = checked(schemas.TownStatistics, await client.get(query + "PT15M"))
    everywhere = checked(
        schemas.TownStatistics, await client.get(f"/v1/statistics?property=sound-level-equivalent&{span}")
    )

    (item,) = hour["items"]
    assert (hour["datastreams"], item["datastreams"], item["count"]) == (2, 2, 40)
    assert item["mean"] == pytest.approx(10 * math.log10((30 * 1e5 + 10 * 1e7) / 40))
    assert (item["min"], item["max"], item["expected"]) == (50.0, 70.0, 120)
    assert item["p50"] == pytest.approx(50, rel=0.004)
    assert item["p90"] == pytest.approx(70, rel=0.004)
    assert [window["count"] for window in quarters["items"]] == [25, 15, 0, 0]
    assert quarters["items"][3]["mean"] is None
    assert everywhere["items"][0]["count"] == 41
    assert everywhere["items"][0]["max"] == 90.0


async def test_an_aggregate_counts_what_is_not_in_windows_yet_and_soon_what_comes_after_it_was_asked_for(
    client: httpx.AsyncClient, seed: Seed, database: Database
) -> None:
    start = hour_start()
    for name in ("n1", "n2"):
        seed.device(name, "noise-meter", town="hoi-an")
    seed.history("n1", "laeq", [(start - timedelta(minutes=at + 1), 50.0, 0) for at in range(20)])
    await folded(seed, database)
    seed.history("n2", "laeq", [(start - timedelta(minutes=at + 1), 70.0, 0) for at in range(20)])
    seed.history("n1", "laeq", [(start - timedelta(seconds=30), 99.0, 2)])
    span = f"from={(start - timedelta(hours=1)).isoformat()[:19]}Z&to={start.isoformat()[:19]}Z"
    query = f"/v1/statistics?property=sound-level-equivalent&town=hoi-an&{span}&resolution=PT1H"

    (item,) = checked(schemas.TownStatistics, await client.get(query))["items"]
    seed.history("n2", "laeq", [(start - timedelta(seconds=at), 90.0, 0) for at in (1, 2)])
    committed = asyncio.get_running_loop().time()
    while (later := checked(schemas.TownStatistics, await client.get(query))["items"][0])["count"] == 40:
        assert asyncio.get_running_loop().time() - committed < 10
        await asyncio.sleep(0.05)

    assert (item["datastreams"], item["count"], item["flagged"]) == (2, 40, 1)
    assert item["mean"] == pytest.approx(10 * math.log10((1e5 + 1e7) / 2))
    assert (item["min"], item["max"], item["sum"]) == (50.0, 70.0, 2400.0)
    assert item["p50"] == pytest.approx(50, rel=0.004)
    assert item["p90"] == pytest.approx(70, rel=0.004)
    assert (later["count"], later["max"]) == (42, 90.0)
    assert later["p95"] == pytest.approx(70, rel=0.004)
    assert AGGREGATE_S <= 2  # so long after its commit a reading is in what is served


async def test_of_a_device_only_what_falls_into_its_service_is_due(client: httpx.AsyncClient, seed: Seed) -> None:
    start = hour_start() - timedelta(hours=4)
    seed.device("stays", "noise-meter")
    seed.device("leaves", "noise-meter", retired=start + timedelta(minutes=90))
    seed.device("comes", "noise-meter", commissioned=start + timedelta(minutes=150))
    seed.device("left", "noise-meter", retired=start - timedelta(days=2))
    span = f"from={start.isoformat()[:19]}Z&to={(start + timedelta(hours=4)).isoformat()[:19]}Z"

    body = checked(
        schemas.TownStatistics,
        await client.get(f"/v1/statistics?property=sound-level-equivalent&town=hoi-an&{span}&resolution=PT1H"),
    )

    assert body["datastreams"] == 3
    assert [item["expected"] for item in body["items"]] == [120, 90, 90, 120]


@pytest.mark.parametrize(
    ("query", "named", "said"),
    [
        ("", "property", "required"),
        ("?property=happiness", "property", "pm25"),
        ("?property=pm25&town=atlantis", "town", "hoi-an"),
        ("?property=pm25&ward=x", "ward", "allowed"),
        ("?property=pm25&resolution=P1M", "resolution", "PT15M"),
        ("?property=pm25&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to", "later"),
        ("?property=pm25&from=2020-01-02T00:00:00Z", "from", "400 days"),
        ("?property=pm25&from=2150-01-01T00:00:00Z", "from", "later than now"),
        ("?property=pm25&from=2150-01-01T00:00:00Z&to=2150-01-02T00:00:00Z", "from", "later than now"),
        ("?property=pm25&metric=mean", "metric", "unknown parameter"),
    ],
)
async def test_a_wrong_question_about_statistics_is_told_what_is_allowed(
    client: httpx.AsyncClient, query: str, named: str, said: str
) -> None:
    response = await client.get(f"/v1/statistics{query}")

    assert response.status_code == 400, response.text
    assert response.json()["errors"][0]["name"] == named
    assert said in response.json()["detail"]


async def test_history_is_the_same_before_and_after_it_is_folded(app: FastAPI, seed: Seed, database: Database) -> None:
    seed.device("weather", "weather-station")
    seed.device("noise", "noise-meter")
    end = now().replace(second=0, microsecond=0)
    for minute in range(150):
        time = end - timedelta(minutes=149 - minute)
        values = {"rain": minute % 7 * 0.2, "wind-direction": minute * 11.0 % 360, "wind-gust": minute % 13.0}
        quality = {"rain": 2} if minute % 50 == 0 else None
        seed.observe("weather", time, values, quality=quality, latest=False)
        seed.observe("noise", time, {"laeq": 50.0 + minute % 30}, latest=False)

    before = await histories(app)
    await folded(seed, database)
    after = await histories(app)

    for step, (ours, theirs) in enumerate(zip(before, after, strict=True)):
        for name in ("count", "flagged", "min", "max", "last", "last_us"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=f"{name} {step}")
        for name in ("sum", "energy", "east", "north"):
            one, other = np.nan_to_num(ours.added[name]), np.nan_to_num(theirs.added[name])
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6, err_msg=f"{name} {step}")
    assert before[0].count.sum() == 150 * 4 - 3
    assert before[0].flagged.sum() == 3


async def histories(app: FastAPI) -> list[History]:
    """Hours and quarters of the last three hours."""
    database = app.state.services.database
    first_s = int(hour_start().timestamp()) - 3 * 3600
    with everywhere():
        fleet = await read_fleet(database, "hoi-an", "environment", 0)
        return [
            await read_history(
                database,
                fleet,
                fleet.keys.tolist(),
                first_s=first_s,
                steps=4 * 3600 // step_s,
                step_s=step_s,
                wanted=("min", "max", "last", "energy", "east", "north"),
                tail=True,
            )
            for step_s in (3600, 900)
        ]
