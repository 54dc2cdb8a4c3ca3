"""The ledger, refusals of everybody, and asking for a replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api import account_schemas, history_schemas
from tests.integration.api.conftest import checked, client_of, make_settings, serve

if TYPE_CHECKING:
    import httpx

    from api.settings import ApiSettings
    from tests.fix_database import Database
    from tests.integration.api.seed import Seed

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def count(seed: Seed, hour: datetime, town: str, source: str, received: int, *, family: str = "telemetry") -> None:
    seed.execute(
        "insert into ledger_hour (hour, town_id, source, family, received, stored) values (%s, %s, %s, %s, %s, %s)",
        [hour, town, source, family, received, received],
    )


async def test_the_ledger_comes_page_by_page_newest_hour_first(client: httpx.AsyncClient, seed: Seed) -> None:
    for back in range(3):
        for source in ("a", "b"):
            count(seed, HOUR - timedelta(hours=back), "hoi-an", source, 10 + back)
    count(seed, HOUR, "-", "-", 5)
    count(seed, HOUR, "tam-ky", "c", 7, family="gateway")
    count(seed, HOUR - timedelta(days=3), "hoi-an", "a", 99)
    found: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {"limit": 3}
    while True:
        body = checked(account_schemas.Ledger, await client.get("/v1/ledger", params=parameters))
        assert len(body["items"]) <= 3
        found += body["items"]
        if body["next"] is None:
            break
        parameters["cursor"] = body["next"]
    keys = [(item["hour"], item["town"], item["source"]) for item in found]
    assert len(keys) == 8
    assert keys == sorted(keys, key=lambda key: (-datetime.fromisoformat(key[0]).timestamp(), key[1:]))
    assert all(item["received"] == item["stored"] for item in found)

    body = (
        await client.get("/v1/ledger", params={"town": "hoi-an", "source": "a", "from": "2020-01-01T00:00:00Z"})
    ).json()
    assert [item["received"] for item in body["items"]] == [10, 11, 12, 99]
    assert [item["town"] for item in (await client.get("/v1/ledger?family=gateway")).json()["items"]] == ["tam-ky"]
    assert (await client.get("/v1/ledger?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z")).status_code == 400


async def test_what_the_broker_dropped_stands_beside_the_ledger(client: httpx.AsyncClient, seed: Seed) -> None:
    assert (await client.get("/v1/ledger")).json()["broker_dropped"] == []
    seed.execute("insert into broker_report values ('mqtt://b:1883', 3, 12, now(), now())")
    body = checked(account_schemas.Ledger, await client.get("/v1/ledger"))
    assert [(report["broker"], report["dropped"]) for report in body["broker_dropped"]] == [("mqtt://b:1883", 12)]


async def test_refusals_of_everybody_tell_meaning_and_cure_and_can_be_filtered(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.reject("stranger", b"{", reason="not-json")
    seed.reject("gateway", b'{"a": 1}', device_id="lamp", reason="unknown-datastream")
    seed.reject("lamp", b"\xff", device_id="lamp", reason="not-utf8")
    body = checked(history_schemas.Rejections, await client.get("/v1/rejections"))
    assert [item["source"] for item in body["items"]] == ["lamp", "gateway", "stranger"]
    assert body["items"][1]["meaning"]["en"] == "The device's profile has no datastream of this name."
    assert body["items"][1]["cure"]["vi"].startswith("Sửa tên khoá")
    assert body["items"][0]["payload_text"] is None

    async def sources(**parameters: str) -> list[str]:
        return [item["source"] for item in (await client.get("/v1/rejections", params=parameters)).json()["items"]]

    assert await sources(device="lamp") == ["lamp", "gateway"]
    assert await sources(reason="not-json") == ["stranger"]
    assert await sources(town="hoi-an", device="stranger") == ["stranger"]
    assert await sources(town="tam-ky") == []
    assert (await client.get("/v1/rejections?reason=bad-luck")).status_code == 400
    page = (await client.get("/v1/rejections?limit=2")).json()
    rest = (await client.get("/v1/rejections", params={"limit": 2, "cursor": page["next"]})).json()
    assert [item["source"] for item in page["items"] + rest["items"]] == ["lamp", "gateway", "stranger"]
    assert rest["next"] is None


async def test_a_replay_is_asked_for_with_the_token_and_its_progress_read(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    wish = {"reason": "unknown-device", "device": "lamp", "from": "2026-11-23T07:00:00+07:00"}
    answer = await client.post("/v1/rejections/replay", json=wish)
    assert answer.status_code == 202
    replay = answer.json()
    assert (replay["state"], replay["device"], replay["messages"]) == ("waiting", "lamp", 0)
    read = checked(account_schemas.Replay, await client.get(f"/v1/rejections/replay/{replay['id']}"))
    assert read == replay
    seed.execute("update replay_request set state = 'running', messages = 5, mended = 7 where first_time is not null")
    assert (await client.get(f"/v1/rejections/replay/{replay['id']}")).json()["mended"] == 7

    assert (await client.get("/v1/rejections/replay/0b9f4c1e-6d43-4c0e-9e5b-6f1c1b1f3a52")).status_code == 404
    for bad in ({"reason": "bad-luck"}, {"dry_run": True}, {"from": "today"},
                {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}):  # fmt: skip
        assert (await client.post("/v1/rejections/replay", json=bad)).status_code == 400, bad


async def test_more_wishes_than_twenty_wait_outside(client: httpx.AsyncClient) -> None:
    for _ in range(20):
        assert (await client.post("/v1/rejections/replay", json={})).status_code == 202
    refused = await client.post("/v1/rejections/replay", json={})
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"


async def test_who_reads_an_open_service_may_not_replay(database: Database) -> None:
    settings: ApiSettings = make_settings(database.read_url, open_viewer=True, database_url=database.api_url)
    async with serve(settings), client_of(settings, token=None) as anybody, client_of(settings) as known:
        assert (await anybody.get("/v1/rejections")).status_code == 200
        refused = await anybody.post("/v1/rejections/replay", json={})
        assert refused.status_code == 403
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert (await known.post("/v1/rejections/replay", json={})).status_code == 202


@pytest.mark.parametrize("path", ["/v1/ledger", "/v1/rejections"])
async def test_unknown_parameters_are_refused(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, params={"device_id": "x"})).status_code == 400
