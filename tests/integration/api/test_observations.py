from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from api import history_schemas
from devices.profiles import load_catalogue
from tests.integration.api.conftest import checked

if TYPE_CHECKING:
    import httpx

    from tests.integration.api.seed import Seed

START = datetime(2026, 11, 1, 23, 58, tzinfo=UTC)


async def pages(client: httpx.AsyncClient, path: str, **parameters: Any) -> list[Any]:
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        response = await client.get(path, params=parameters | ({"cursor": cursor} if cursor else {}))
        body = checked(history_schemas.Observations, response)
        assert len(body["items"]) <= parameters["limit"]
        items += body["items"]
        cursor = body["next"]
    return items


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_paging_over_a_history_gives_each_observation_once_in_order(
    client: httpx.AsyncClient, seed: Seed, order: str
) -> None:
    seed.device("air", "air-station")
    times = [START + timedelta(microseconds=7 * number, minutes=number // 5) for number in range(33)]
    seed.history("air", "no2", [(time, float(number), 0) for number, time in enumerate(times)])
    seed.device("other", "air-station")
    seed.history("other", "no2", [(START, -1.0, 0)])

    items = await pages(client, "/v1/datastreams/air:no2/observations", order=order, limit=4)

    expected = list(range(33)) if order == "asc" else list(reversed(range(33)))
    assert [item["value"] for item in items] == expected


async def test_a_span_includes_its_start_and_excludes_its_end(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    seed.history("air", "pm25", [(START + timedelta(minutes=number), float(number), 0) for number in range(6)])
    span = {"from": "2026-11-02T06:59:00+07:00", "to": "2026-11-02T00:02:00Z", "limit": 2}

    both = [await pages(client, "/v1/datastreams/air:pm25/observations", order=o, **span) for o in ("asc", "desc")]

    assert [[item["value"] for item in items] for items in both] == [[1, 2, 3], [3, 2, 1]]


async def test_times_where_the_device_said_nothing_of_a_datastream_are_left_out(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("air", "air-station")
    seed.observe("air", START, {"pm25": 5.0})
    seed.observe("air", START + timedelta(minutes=5), {"pm10": 9.0})

    body = checked(history_schemas.Observations, await client.get("/v1/datastreams/air:pm25/observations"))

    assert [item["value"] for item in body["items"]] == [5.0]
    assert body["datastream"]["unit"] == "ug/m3"


async def test_an_observation_shows_its_period_quality_and_lateness(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    seed.device("lamp", "lamp-controller")
    seed.observe("air", START, {"pm25": 5.0}, quality={"pm25": 1}, received=START + timedelta(seconds=900))
    seed.observe("air", START + timedelta(hours=1), {"pm25": 6.0}, received=START + timedelta(hours=1, seconds=901))
    seed.observe("lamp", START, {"power": 90.0})

    air = checked(history_schemas.Observations, await client.get("/v1/datastreams/air:pm25/observations"))["items"]
    lamp = checked(history_schemas.Observations, await client.get("/v1/datastreams/lamp:power/observations"))["items"]

    assert air[0] == {
        "phenomenon_time": "2026-11-01T23:58:00Z",
        "period_start": "2026-11-01T23:53:00Z",
        "period_end": "2026-11-01T23:58:00Z",
        "received_time": "2026-11-02T00:13:00Z",
        "value": 5.0,
        "value_sent": 5.0,
        "quality": 1,
        "flags": [{"id": "calibrating", "name": {"vi": "hiệu chuẩn", "en": "calibrating"}}],
        "late": False,
    }
    assert air[1]["late"]
    assert (lamp[0]["period_start"], lamp[0]["period_end"], lamp[0]["quality"]) == (None, None, 0)


async def test_a_value_stamped_with_its_start_covers_the_time_after(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    seed.execute("update datastream set stamp = 'start' where name = 'pm25'")
    seed.observe("air", START, {"pm25": 5.0})

    (item,) = checked(history_schemas.Observations, await client.get("/v1/datastreams/air:pm25/observations"))["items"]

    assert (item["period_start"], item["period_end"]) == ("2026-11-01T23:58:00Z", "2026-11-02T00:03:00Z")


async def test_bad_parameters_of_histories_are_refused(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    for query in (
        "order=newest",
        "from=1763880000",
        "from=2026-11-01",
        "from=2026-11-01T00:00:00",
        "from=2026-11-01T00:00:00+07:00",  # an unescaped plus sign is a space
        "from=2026-13-01T00:00:00Z",
        "from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z",
        "to=9999-01-01T00:00:00Z",
        "cursor=WzFd.",
        "cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDdd",
        "resolution=PT1H",
        "limit=1001",
    ):
        response = await client.get(f"/v1/datastreams/air:pm25/observations?{query}")

        assert response.status_code == 400, (query, response.text)
        assert response.json()["errors"]
    for path in ("air:nothing", "nothing:pm25"):
        assert (await client.get(f"/v1/datastreams/{path}/observations")).status_code == 404
        assert (await client.get(f"/v1/datastreams/{path}/statistics")).status_code == 404
    assert (await client.get("/v1/datastreams/air/observations")).status_code == 400


async def test_a_value_stands_beside_what_was_sent(client: httpx.AsyncClient, seed: Seed) -> None:
    key = seed.device("low", "air-sensor")
    profile = load_catalogue()["air-sensor"]
    no2 = profile.datastream("no2")
    assert no2 is not None
    sent = [12.5, float(np.float32(31.2)), 82.3 / 3]
    times = [START + timedelta(minutes=number) for number in range(3)]
    seed.history("low", "no2", [(time, value * no2.factor, 0) for time, value in zip(times, sent, strict=True)])
    seed.connection.execute("insert into observation_sent values (%s, %s, %s, %s)", [key, times[2], no2.slot, sent[2]])
    seed.history("low", "pm25", [(times[0] + timedelta(hours=1), 27.9, 0)])

    response = await client.get("/v1/datastreams/low:no2/observations", params={"limit": 10})

    body = checked(history_schemas.Observations, response)
    assert (body["datastream"]["unit"], body["datastream"]["unit_sent"]) == ("ug/m3", "[ppb]")
    assert [item["value_sent"] for item in body["items"]] == sent
    response = await client.get("/v1/datastreams/low:pm25/observations", params={"limit": 10})
    (item,) = checked(history_schemas.Observations, response)["items"]
    assert (item["value"], item["value_sent"]) == (27.9, 27.9)
