"""The audit: who did what, when, from where, and what was refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from devices.claims import new_code
from tests.integration.api.people import (
    NEW_USER,
    add_account,
    add_key,
    bearer,
    open_session,
    page_headers,
    refusals,
)

if TYPE_CHECKING:
    import httpx
    import pytest
    from fastapi import FastAPI

    from tests.integration.api.seed import Seed


CSV = {"Content-Type": "text/csv"}


async def test_an_administrator_of_a_town_sees_what_was_refused_there(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    add_account(seed, "an", {"hoi-an": "viewer"})
    add_account(seed, "boss", {"hoi-an": "administrator"})
    add_account(seed, "chief", {"tam-ky": "administrator"})
    key = add_key(seed, "school", {"hoi-an": "viewer"}, life_s=-1)
    guess = await stranger.post("/v1/session", json={"name": "an", "password": "a guess"})
    revoked = await stranger.get("/v1/towns", headers=bearer(key))
    cookie = {"Cookie": page_headers(open_session(seed, "an"))["Cookie"]}
    forged = await stranger.delete("/v1/session", headers=cookie)
    role = await stranger.get("/v1/users", headers=cookie)
    elsewhere = await stranger.get("/v1/devices?town=tam-ky", headers=cookie)
    assert [answer.status_code for answer in (guess, revoked, forged, role, elsewhere)] == [401, 401, 403, 403, 400]
    await app.state.services.audit.write()

    async def seen(name: str) -> set[tuple[str, str]]:
        cookie = {"Cookie": page_headers(open_session(seed, name))["Cookie"]}
        items = (await stranger.get("/v1/audit?outcome=refused", headers=cookie)).json()["items"]
        return {(item["actor"], item["subject"]) for item in items}

    assert await seen("boss") == {
        ("-", "an"), ("key:school", "/v1/towns"), ("an", "/v1/session"), ("an", "GET /v1/users"),
    }  # fmt: skip
    assert await seen("chief") == {("an", "GET /v1/devices?town=tam-ky")}


async def test_every_change_tells_who_when_from_where_and_what_before_and_after(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    await client.post("/v1/users", json=NEW_USER, headers={"X-Forwarded-For": "203.0.113.7"})
    change = {"grants": {"tam-ky": "operator"}, "password": "a new long password"}
    assert (await client.patch("/v1/users/new", json=change)).status_code == 200
    await client.post("/v1/rejections/replay", json={"town": "hoi-an"})
    items = (await client.get("/v1/audit")).json()["items"]
    assert [item["action"] for item in items] == ["replay.request", "user.change", "user.create"]
    assert {item["actor"] for item in items} == {"service-token"}
    assert items[2]["address"] == "203.0.113.7"
    assert items[2]["before"] is None
    assert items[1]["before"]["grants"] == {"hoi-an": "viewer"}
    assert items[1]["after"]["grants"] == {"tam-ky": "operator"}
    assert items[1]["after"]["password"] == "changed"
    assert "long password" not in str(items)
    for parameters, actions in (
        ({"action": "user"}, ["user.change", "user.create"]),
        ({"action": "user.create"}, ["user.create"]),
        ({"text": "TAM-KY"}, ["user.change"]),
        ({"outcome": "refused"}, []),
        ({"actor": "nobody"}, []),
        ({"town": "hoi-an"}, ["replay.request", "user.create"]),
        ({"to": "2020-01-01T00:00:00Z"}, []),
    ):
        found = (await client.get("/v1/audit", params=parameters)).json()["items"]
        assert [item["action"] for item in found] == actions, parameters
    page = (await client.get("/v1/audit?limit=2")).json()
    rest = (await client.get("/v1/audit", params={"limit": 2, "cursor": page["next"]})).json()
    assert page["items"] + rest["items"] == items
    assert rest["next"] is None


async def test_the_audit_as_a_file_holds_no_formula_of_a_stranger(
    app: FastAPI, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    await stranger.post("/v1/session", json={"name": "=cmd|'/c calc'!a1", "password": "x"})
    await app.state.services.audit.write()
    answer = await client.get("/v1/audit?format=csv&limit=1")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    head, row = answer.text.strip().splitlines()
    assert head.startswith("time,actor,address,action")
    assert ",=cmd" not in row
    assert "'=cmd" in row


async def test_like_attempts_are_one_row_and_a_flood_is_bounded(
    app: FastAPI, seed: Seed, caplog: pytest.LogCaptureFixture
) -> None:
    audit = app.state.services.audit
    for _ in range(50):
        audit.refused("-", "10.0.0.1", "access", "/v1/towns", "no such key")
    for number in range(2_000):
        audit.refused("-", f"10.1.{number // 256}.{number % 256}", "access", "/v1/towns\0", "no such key")
    with caplog.at_level(logging.WARNING):
        rows = await refusals(app, seed)
    assert rows[0][3] == 50
    assert 1_000 <= len(rows) < 2_050
    assert sum(row[3] for row in rows) + int(caplog.text.partition("refused attempts")[0].split()[-1] or 0) == 2_050


async def test_who_reaches_for_another_town_is_noted(app: FastAPI, stranger: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station", town="tam-ky")
    add_account(seed, "an", {"hoi-an": "viewer"})
    headers = page_headers(open_session(seed, "an"))
    await stranger.get("/v1/devices/air", headers=headers)
    await stranger.get("/v1/devices?town=tam-ky", headers=headers)
    await stranger.post("/v1/rejections/replay", headers=headers, json={})
    assert [row[0] for row in await refusals(app, seed)] == ["an"] * 3


async def test_a_body_that_reaches_for_another_town_is_noted(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("air", "air-station", town="tam-ky")
    add_account(seed, "an", {"hoi-an": "administrator"})
    headers = page_headers(open_session(seed, "an"))
    place = {"name": "S", "kind": "pole", "latitude": 15.8, "longitude": 108.3}
    file = (
        "device,town,site,site_name,site_kind,latitude,longitude,profile,name\n"
        "lamp,tam-ky,pole-1,Pole,pole,15.5,108.4,lamp-controller,Lamp\n"
    )
    answers = [
        await stranger.post("/v1/sites", headers=headers, json={"id": "s", "town": "tam-ky", **place}),
        await stranger.post(
            "/v1/devices",
            headers=headers,
            json={"id": "new", "site": "site-air", "profile": "air-station", "name": "New"},
        ),
        await stranger.post("/v1/users", headers=headers, json={**NEW_USER, "grants": {"tam-ky": "viewer"}}),
        await stranger.post("/v1/claims", headers=headers, json={"code": new_code()}),
        await stranger.post("/v1/registry/import?dry_run=true", headers=headers | CSV, content=file),
        await stranger.post("/v1/registry/import", headers=headers | CSV, content=file),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 404, 200, 400]
    await app.state.services.audit.write()
    # Attempts of one moment are one row; the moment may have passed between two.
    noted = seed.connection.execute(
        "select subject, town_id, sum(attempts)::integer from audit where outcome = 'refused' group by 1, 2"
    ).fetchall()
    assert set(noted) == {
        ("POST /v1/sites", "hoi-an", 1), ("POST /v1/devices", "hoi-an", 1), ("POST /v1/users", "hoi-an", 1),
        ("POST /v1/claims", "hoi-an", 1), ("POST /v1/registry/import", "hoi-an", 2),
    }  # fmt: skip
