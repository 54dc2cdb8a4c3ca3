from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from api import history_schemas, schemas
from tests.integration.api.conftest import checked
from tests.integration.api.seed import ago, now

if TYPE_CHECKING:
    import httpx

    from tests.integration.api.seed import Seed


async def test_the_three_towns_come_in_the_order_of_the_page_with_their_devices_by_state(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("on", "air-station")
    seed.device("old", "air-station")
    seed.device("gone", "air-station")
    seed.device("never", "air-station")
    seed.device("retired", "air-station", retired=ago(days=1))
    seed.device("elsewhere", "noise-meter", town="tam-ky")
    seed.observe("on", ago(seconds=30), {"pm25": 20.0})
    seed.observe("old", ago(minutes=20), {"pm25": 20.0})
    seed.observe("gone", ago(minutes=2), {"pm25": 20.0})
    seed.status("gone", "offline", ago(minutes=1))

    body = checked(schemas.Towns, await client.get("/v1/towns"))

    assert [town["id"] for town in body["items"]] == ["tam-ky", "hoi-an", "dien-ban"]
    assert body["next"] is None
    hoi_an = body["items"][1]
    assert hoi_an["name"] == {"vi": "Hội An", "en": "Hoi An"}
    assert hoi_an["bbox"] == [108.28, 15.83, 108.41, 15.94]
    assert hoi_an["devices"] == {"online": 1, "stale": 1, "offline": 1, "never-seen": 1, "retired": 1}
    assert body["items"][0]["devices"]["never-seen"] == 1
    assert sum(body["items"][2]["devices"].values()) == 0


async def test_a_device_is_listed_with_its_site_state_and_times(client: httpx.AsyncClient, seed: Seed) -> None:
    time = ago(seconds=20)
    seed.device("air", "air-station", place=(15.9, 108.3))
    seed.observe("air", time, {"pm25": 31.5})

    (item,) = checked(schemas.Devices, await client.get("/v1/devices"))["items"]

    assert item["id"] == "air"
    assert item["town"] == "hoi-an"
    assert item["domain"] == "environment"
    assert item["site"] == {
        "id": "site-air",
        "name": "Nơi air",
        "kind": "station",
        "latitude": 15.9,
        "longitude": 108.3,
    }
    assert item["state"] == "online"
    assert item["reporting_interval_s"] == 300
    assert item["phenomenon_time"] == time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert "latest" not in item


async def test_devices_are_filtered(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air-1", "air-station")
    seed.device("air-2", "air-station", town="tam-ky")
    seed.device("lamp-1", "lamp-controller")
    seed.device("count-1", "traffic-counter", place=(15.5, 108.3))
    seed.observe("air-1", now(), {"pm25": 1.0})
    expected = {
        "": ["air-1", "air-2", "count-1", "lamp-1"],
        "town=tam-ky": ["air-2"],
        "domain=environment": ["air-1", "air-2"],
        "town=hoi-an&domain=lighting": ["lamp-1"],
        "state=online": ["air-1"],
        "state=never-seen&domain=traffic": ["count-1"],
        "bbox=108.0,15.0,108.31,16.0": ["count-1"],
        "town=dien-ban": [],
    }

    found = {query: checked(schemas.Devices, await client.get(f"/v1/devices?{query}")) for query in expected}

    assert {query: [item["id"] for item in body["items"]] for query, body in found.items()} == expected


async def test_paging_over_all_devices_gives_each_once(client: httpx.AsyncClient, seed: Seed) -> None:
    for number in range(23):
        seed.device(f"lamp-{number:02}", "lamp-controller", town=["tam-ky", "hoi-an"][number % 2])
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        parameters = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        body = checked(schemas.Devices, await client.get("/v1/devices", params=parameters))
        assert len(body["items"]) <= 5
        seen += [item["id"] for item in body["items"]]
        cursor = body["next"]

    assert seen == [f"lamp-{number:02}" for number in range(23)]


async def test_a_full_last_page_has_no_next(client: httpx.AsyncClient, seed: Seed) -> None:
    for number in range(4):
        seed.device(f"lamp-{number}", "lamp-controller")

    body = checked(schemas.Devices, await client.get("/v1/devices?limit=4"))

    assert body["next"] is None


async def test_current_values_come_where_asked_for_each_with_name_unit_and_age(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("air", "air-station")
    seed.device("silent", "air-station")
    seed.observe("air", ago(seconds=90), {"pm25": 31.5, "no2": 12.0}, quality={"no2": 1})
    seed.observe("air", ago(seconds=30), {"pm25": 33.0})

    air, silent = checked(schemas.Devices, await client.get("/v1/devices?include=latest"))["items"]

    assert silent["latest"] == []
    pm25, no2 = air["latest"]
    assert (pm25["datastream"], pm25["property"], pm25["value"], pm25["unit"]) == ("air:pm25", "pm25", 33.0, "ug/m3")
    assert pm25["quality"] == 0
    assert 29 < pm25["age_s"] < 60
    assert pm25["label"]["vi"]
    assert (no2["name"], no2["value"], no2["quality"]) == ("no2", 12.0, 1)
    assert 89 < no2["age_s"] < 120
    alone = checked(schemas.DeviceLatest, await client.get("/v1/devices/air/latest"))
    assert alone["device"] == "air"
    assert alone["state"] == "online"
    assert [value["datastream"] for value in alone["items"]] == ["air:pm25", "air:no2"]


async def test_labels_come_from_the_profile_in_both_languages(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("count", "traffic-counter")
    seed.observe("count", now(), {"flow-motorcycle": 40.0})

    body = checked(schemas.DeviceLatest, await client.get("/v1/devices/count/latest"))

    assert body["items"][0]["label"] == {"vi": "Xe máy", "en": "Motorcycles"}


async def test_a_device_of_a_profile_this_release_does_not_know_is_still_shown(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("new", "air-station")
    seed.execute("update device set profile = 'of-tomorrow'")
    seed.execute("update datastream set property = 'of-tomorrow' where name = 'pm25'")
    seed.observe("new", now(), {"pm25": 1.0})

    body = checked(schemas.DeviceLatest, await client.get("/v1/devices/new/latest"))

    assert body["items"][0]["label"] == {"vi": "of-tomorrow", "en": "of-tomorrow"}


async def test_a_device_is_shown_with_its_datastreams_in_the_order_of_its_slots(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    commissioned = ago(days=3)
    seed.device("air", "air-station", commissioned=commissioned)

    body = checked(schemas.DeviceDetail, await client.get("/v1/devices/air"))

    assert [stream["name"] for stream in body["datastreams"]][:4] == ["pm25", "pm10", "no2", "so2"]
    pm25 = body["datastreams"][0]
    assert pm25["id"] == "air:pm25"
    assert (pm25["unit"], pm25["interval_s"], pm25["period_s"], pm25["stamp"]) == ("ug/m3", 300, 300, "end")
    assert (pm25["lower_bound"], pm25["upper_bound"]) == (0.0, 2000.0)
    assert body["commissioned_time"] == commissioned.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert body["retired_time"] is None
    assert body["state"] == "never-seen"


async def test_rejections_of_a_device_come_newest_first_page_by_page_with_the_bytes_as_they_came(
    client, seed: Seed
) -> None:
    seed.device("air", "air-station")
    same_time = ago(minutes=5)
    for number in range(7):
        seed.reject("air", f'{{"pm25": {number}'.encode(), received=same_time)
    seed.reject(
        "gateway", b"\xff\x00", device_id="air", received=ago(minutes=1), subjects=[{"device": "air", "name": "x"}]
    )
    seed.reject("air", b"{}", device_id="air", received=ago(minutes=2))
    seed.reject("other", b"{}", received=ago(minutes=1))
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        body = checked(history_schemas.Rejections, await client.get("/v1/devices/air/rejections", params=parameters))
        items += body["items"]
        cursor = body["next"]

    assert len(items) == 9
    assert items[0]["payload_text"] is None
    assert items[0]["payload_base64"] == "/wA="
    assert items[0]["subjects"] == [{"device": "air", "name": "x"}]
    assert items[1]["payload_text"] == "{}"
    assert [item["payload_text"] for item in items[2:]] == [f'{{"pm25": {number}' for number in reversed(range(7))]
    assert {item["reason"] for item in items} == {"bad-payload"}


async def test_rejections_are_cut_to_a_span_of_received_time(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    edge = ago(minutes=10).replace(microsecond=0)
    for minutes in (-1, 0, 1):
        seed.reject("air", str(minutes).encode(), received=edge + timedelta(minutes=minutes))
    span = {"from": edge.isoformat(), "to": (edge + timedelta(minutes=1)).isoformat()}

    body = checked(history_schemas.Rejections, await client.get("/v1/devices/air/rejections", params=span))

    assert [item["payload_text"] for item in body["items"]] == ["0"]


BAD_PARAMETERS = [
    ("/v1/devices?town=nowhere", "town", "tam-ky, hoi-an, dien-ban"),
    ("/v1/devices?town=Hoi%20An", "town", "pattern"),
    ("/v1/devices?town=", "town", "pattern"),
    ("/v1/devices?domain=water", "domain", "'traffic', 'lighting' or 'environment'"),
    ("/v1/devices?state=broken", "state", "'never-seen'"),
    ("/v1/devices?limit=0", "limit", "greater than or equal to 1"),
    ("/v1/devices?limit=1001", "limit", "less than or equal to 1000"),
    ("/v1/devices?limit=many", "limit", "integer"),
    ("/v1/devices?bbox=1,2,3", "bbox", "west,south,east,north"),
    ("/v1/devices?bbox=109,15,108,16", "bbox", "west <= east"),
    ("/v1/devices?bbox=nan,15,108,16", "bbox", "west <= east"),
    ("/v1/devices?include=everything", "include", "latest"),
    ("/v1/devices?cursor=x", "cursor", "next"),
    ("/v1/devices?cursor=W10", "cursor", "next"),
    ("/v1/devices?cursor=WyJcdTAwMDAiXQ", "cursor", "next"),
    ("/v1/devices?page=2", "page", "allowed: town, domain, state, bbox, profile, site,"),
    ("/v1/devices?town=hoi-an&town=tam-ky", "town", "once"),
    ("/v1/towns?limit=1", "limit", "allowed: retired"),
    ("/v1/towns/hoi-an?limit=1", "limit", "allowed: none"),
    ("/v1/devices/air?include=latest", "include", "allowed: none"),
    ("/v1/devices/air/rejections?from=yesterday", "from", "RFC 3339"),
    ("/v1/devices/air/rejections?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to", "later than"),
    ("/v1/devices/%00/latest", "device", "pattern"),
]


async def test_a_bad_parameter_is_named_with_what_is_allowed(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    for path, name, hint in BAD_PARAMETERS:
        response = await client.get(path)

        assert response.status_code == 400, (path, response.text)
        assert response.headers["Content-Type"] == "application/problem+json"
        body = response.json()
        TypeAdapter(schemas.ProblemDetail).validate_json(response.content, extra="forbid")
        assert (body["type"], body["title"], body["status"]) == ("about:blank", "Bad Request", 400)
        (error,) = body["errors"]
        assert error["name"] == name, path
        assert hint in error["detail"], (path, error)


async def test_what_does_not_exist_is_a_404_problem(client: httpx.AsyncClient) -> None:
    for path in ("/v1/devices/nothing", "/v1/devices/nothing/latest", "/v1/devices/nothing/rejections", "/v1/nothing"):
        response = await client.get(path)

        assert response.status_code == 404
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["title"] == "Not Found"


async def test_a_wrong_method_is_a_405_problem_that_tells_the_right_one(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/ledger", json={})

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET"
    assert response.headers["Content-Type"] == "application/problem+json"
