"""Cookies, keys, passwords and words of an attacker."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from api import accounts
from api.grants import Role, ask_for
from tests.integration.api.conftest import TOKEN, client_of, make_settings, serve
from tests.integration.api.people import (
    NEW_USER,
    PASSWORD,
    add_account,
    add_key,
    bearer,
    open_session,
    page_headers,
    refusals,
)
from tests.integration.api.seed import ago

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from fastapi import FastAPI

    from tests.fix_database import Database
    from tests.integration.api.seed import Seed


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so, two seconds at most."""
    for _ in range(200):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not become so within two seconds")


@pytest.mark.parametrize("name", ["service-token", "open"])
async def test_no_account_bears_the_name_of_a_program(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post("/v1/users", json={**NEW_USER, "name": name, "grants": {"*": "viewer"}})
    assert answer.status_code == 400
    assert "kept for programs" in answer.text


# --- Cookies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": None, "Origin": "https://evil.example"},
        {"X-CSRF-Token": None, "Origin": "null"},
        {"X-CSRF-Token": None, "Origin": "http://127.0.0.1"},
    ],
)
async def test_a_page_of_another_site_changes_nothing_with_the_cookie(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed, wrong: dict[str, str | None]
) -> None:
    add_account(seed, "an", {"*": "administrator"})
    true = page_headers(open_session(seed, "an"))
    # None: the true token stands there.
    headers = {"Cookie": true["Cookie"]} | {name: value or true["X-CSRF-Token"] for name, value in wrong.items()}
    if wrong.get("X-CSRF-Token") == "":
        headers["X-CSRF-Token"] = ""

    for method, path, body in (
        ("POST", "/v1/users", NEW_USER),
        ("PATCH", "/v1/users/an", {"disabled": True}),
        ("POST", "/v1/rejections/replay", {}),
        ("DELETE", "/v1/session", None),
    ):
        answer = await stranger.request(method, path, headers=headers, json=body)
        assert answer.status_code == 403, (method, path)
    assert (await stranger.get("/v1/users", headers=headers)).status_code == 200
    assert seed.connection.execute("select count(*) from account").fetchone() == (1,)
    assert {actor for actor, *_ in await refusals(app, seed)} == {"an"}
    own = true | {"Origin": str(stranger.base_url).rstrip("/")}
    assert (await stranger.post("/v1/users", headers=own, json=NEW_USER)).status_code == 201


async def test_a_page_of_another_site_cannot_log_a_browser_in(stranger: httpx.AsyncClient, seed: Seed) -> None:
    add_account(seed, "an", {"*": "viewer"})
    login = {"name": "an", "password": PASSWORD}
    answer = await stranger.post("/v1/session", json=login, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


async def test_no_other_origin_may_read_unless_it_is_named_and_never_with_the_cookie(database: Database) -> None:
    ask = {"Origin": "https://map.example", "Access-Control-Request-Method": "GET",
           "Access-Control-Request-Headers": "Authorization"}  # fmt: skip
    for origins, allowed in ((None, False), ("https://other.example", False), ("https://map.example", True)):
        settings = make_settings(database.read_url, http_cors_origins=origins)
        async with serve(settings), client_of(settings) as client:
            asked = await client.options("/v1/towns", headers=ask)
            read = await client.get("/v1/towns", headers={"Origin": "https://map.example"})
            for answer in (asked, read):
                said = answer.headers.get("Access-Control-Allow-Origin")
                assert said == ("https://map.example" if allowed else None)
                assert "Access-Control-Allow-Credentials" not in answer.headers


# --- Revocation ------------------------------------------------------------------------------------------------------


async def test_what_is_revoked_ends_at_once_on_every_service(database: Database, seed: Seed) -> None:
    for name in ("an", "binh", "chi", "dung"):
        add_account(seed, name, {"hoi-an": "viewer"})
    shown = {name: page_headers(open_session(seed, name)) for name in ("an", "binh", "chi", "dung")}
    shown["key"] = bearer(add_key(seed, "school", {"hoi-an": "viewer"}))
    one = make_settings(database.read_url, database_url=database.api_url)
    two = make_settings(database.read_url, database_url=database.api_url)
    async with serve(one), serve(two) as other, client_of(one) as client, client_of(two, token=None) as elsewhere:
        await until(lambda: other.state.services.principals._told)
        for headers in shown.values():
            assert (await elsewhere.get("/v1/towns", headers=headers)).status_code == 200
        await until(lambda: not other.state.services.principals._writing)  # a key's last use follows its answer
        (key,) = (await client.get("/v1/api-keys")).json()["items"]
        assert key["last_used_time"] is not None
        assert key["last_used_address"] == "127.0.0.1"

        # Each on the one service; the other has them in its memory.
        assert (await client.patch("/v1/users/an", json={"disabled": True})).status_code == 200
        assert (await client.patch("/v1/users/binh", json={"password": "another long one"})).status_code == 200
        assert (await client.patch("/v1/users/chi", json={"grants": {"tam-ky": "viewer"}})).status_code == 200
        del client.headers["Authorization"]
        assert (await client.request("DELETE", "/v1/session", headers=shown["dung"])).status_code == 204
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        assert (await client.delete(f"/v1/api-keys/{key['id']}")).status_code == 200
        await until(lambda: not other.state.services.principals._known)

        assert (await elsewhere.get("/v1/towns", headers=shown["an"])).status_code == 401
        assert (await elsewhere.get("/v1/towns", headers=shown["binh"])).status_code == 401
        towns = (await elsewhere.get("/v1/towns", headers=shown["chi"])).json()["items"]
        assert [town["id"] for town in towns] == ["tam-ky"]
        assert (await elsewhere.get("/v1/towns", headers=shown["dung"])).status_code == 401
        assert (await elsewhere.get("/v1/towns", headers=shown["key"])).status_code == 401


async def test_an_open_stream_ends_when_its_session_does(
    app: FastAPI, client: httpx.AsyncClient, stranger: httpx.AsyncClient, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.views.live.KEEP_ALIVE_S", 0.2)
    add_account(seed, "an", {"hoi-an": "viewer"})
    headers = {"Cookie": page_headers(open_session(seed, "an"))["Cookie"]}
    async with asyncio.timeout(10), stranger.stream("GET", "/v1/live", headers=headers) as response:
        assert response.status_code == 200
        assert (await client.patch("/v1/users/an", json={"disabled": True})).status_code == 200
        async for _ in response.aiter_bytes():
            pass


# --- Keys and passwords ----------------------------------------------------------------------------------------------


async def test_keys_that_do_not_open_are_refused_alike_and_noted_apart(
    app: FastAPI, client: httpx.AsyncClient, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    wish = {"name": "school", "grants": {"hoi-an": "viewer"}, "expires_time": "2027-11-01T00:00:00Z"}
    made = await client.post("/v1/api-keys", json=wish)
    assert made.status_code == 201
    key = made.json()["key"]
    assert key.startswith(made.json()["beginning"])
    kept = seed.connection.execute("select row(k)::text from api_key k").fetchone()
    assert kept is not None
    assert key not in kept[0]
    assert (await stranger.get("/v1/towns", headers=bearer(key))).status_code == 200
    assert (await client.delete(f"/v1/api-keys/{made.json()['id']}")).status_code == 200
    ended = add_key(seed, "ended", {"hoi-an": "viewer"}, life_s=-1)
    answers = [await stranger.get("/v1/towns", headers=bearer(shown)) for shown in (key, key[:-1] + "x", ended)]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert answers[0].text == answers[1].text
    details = [(actor, detail) for actor, _, detail, _ in await refusals(app, seed)]
    assert details == [
        ("key:school", "this key was revoked"), ("-", "no such key"), ("key:ended", "this key has expired")
    ]  # fmt: skip
    for wrong in ("2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"):
        assert (await client.post("/v1/api-keys", json={**wish, "expires_time": wrong})).status_code == 400


async def test_an_unknown_name_costs_the_same_work_and_the_same_words_as_a_wrong_password(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_account(seed, "an", {"*": "viewer"})
    add_account(seed, "gone", {"*": "viewer"})
    # Hashes as the service makes them, of full cost.
    full = accounts.HASHER.hash(PASSWORD)
    seed.execute("update account set password_hash = %s", [full])
    seed.execute("update account set disabled_time = now() where name = 'gone'")
    proved: list[str] = []

    def counted(password_hash: str, password: str) -> bool:
        proved.append(password_hash.rsplit("$", 2)[0])
        return verify(password_hash, password)

    verify = accounts._verify
    monkeypatch.setattr(accounts, "_verify", counted)
    answers = [
        await stranger.post("/v1/session", json={"name": name, "password": password})
        for name, password in (("an", "wrong"), ("nobody", "wrong"), ("gone", PASSWORD))
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert len({answer.text for answer in answers}) == 1
    # The work is that of the costs in the hash: one proof each, of equal costs.
    assert len(proved) == 3
    assert len(set(proved)) == 1
    assert [detail for _, _, detail, _ in await refusals(app, seed)] == [
        "the password is wrong", "there is no such account", "the account is disabled"
    ]  # fmt: skip


async def test_an_administrator_of_one_town_gives_and_takes_in_that_town_alone(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    add_account(seed, "boss", {"hoi-an": "administrator", "tam-ky": "viewer"})
    add_account(seed, "other", {"tam-ky": "viewer"})
    add_account(seed, "both", {"hoi-an": "viewer", "tam-ky": "operator"})
    headers = page_headers(open_session(seed, "boss"))

    async def ask(method: str, path: str, body: Any = None) -> int:
        return (await stranger.request(method, path, headers=headers, json=body)).status_code

    assert await ask("POST", "/v1/users", NEW_USER) == 201
    assert await ask("POST", "/v1/users", NEW_USER) == 409
    for number, grants in enumerate(({"tam-ky": "viewer"}, {"*": "viewer"}, {"hoi-an": "viewer", "tam-ky": "viewer"})):
        assert await ask("POST", "/v1/users", {**NEW_USER, "name": f"x{number}", "grants": grants}) == 403, grants
        key = {"name": "k", "grants": grants, "expires_time": "2027-01-01T00:00:00Z"}
        assert await ask("POST", "/v1/api-keys", key) == 403, grants
    assert await ask("POST", "/v1/users", {**NEW_USER, "name": "y", "grants": {"dien-ban": "viewer"}}) == 404
    assert await ask("GET", "/v1/users/other") == 404
    assert await ask("PATCH", "/v1/users/other", {"disabled": True}) == 404
    assert await ask("PATCH", "/v1/users/boss", {"grants": {"*": "administrator"}}) == 403
    # Of who has grants elsewhere too: those here, and nothing that would reach there.
    assert await ask("PATCH", "/v1/users/both", {"password": "my own password"}) == 403
    assert await ask("PATCH", "/v1/users/both", {"grants": {"hoi-an": "engineer"}}) == 200
    shown = (await stranger.get("/v1/users/both", headers=headers)).json()
    assert shown["grants"] == {"hoi-an": "engineer"}
    stands = seed.connection.execute(
        "select town_id, role from account_grant join account using (account_id) where name = 'both' order by 1"
    ).fetchall()
    assert stands == [("hoi-an", "engineer"), ("tam-ky", "operator")]
    assert (await ask("POST", "/v1/users", {**NEW_USER, "name": "z", "password": "short"})) == 400


# --- Words of an attacker --------------------------------------------------------------------------------------------

EVIL = ("' or 1=1 --", "*", "hoi-an,tam-ky", "%' ; drop table town; --", "$1", "{town}", "\x00", "\ud800", "ä" * 300)


async def test_nothing_one_says_becomes_a_statement_a_header_or_a_wider_grant(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("here", "air-station", town="hoi-an")
    seed.device("there", "air-station", town="tam-ky")
    seed.observe("there", ago(seconds=5), {"pm25": 7.0})
    add_account(seed, "an", {"hoi-an": "administrator"})
    headers = page_headers(open_session(seed, "an"))
    names = (
        "town",
        "domain",
        "state",
        "bbox",
        "cursor",
        "device",
        "reason",
        "source",
        "family",
        "text",
        "actor",
        "property",
    )
    for evil in EVIL:
        text = evil.encode("utf-8", "surrogatepass")
        for path in ("/v1/devices", "/v1/rejections", "/v1/ledger", "/v1/audit", "/v1/statistics", "/v1/users"):
            for name in names:
                answer = await stranger.get(path, params={name: text}, headers=headers)
                assert answer.status_code < 500, (path, name, evil)
                assert "there" not in answer.text.replace("there is", "").replace("here is", "")
        for name, password in ((evil, "x"), ("an", evil)):
            body = {"name": name, "password": password}
            answer = await stranger.post(
                "/v1/session", content=str(body).replace("'", '"').encode("utf-8", "surrogatepass"),
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
            assert answer.status_code in {400, 401, 429}
    for header in ("X-Forwarded-For", "X-CSRF-Token", "Last-Event-ID", "Origin", "Host"):
        for evil in ("a\tb", "' or 1=1", "*", "x" * 4000, "thubon.towns=*"):
            answer = await stranger.get("/v1/devices", headers=headers | {header: evil})
            assert answer.status_code < 500
            assert "there" not in answer.text
    assert seed.connection.execute("select count(*) from town").fetchone() == (3,)


async def test_no_secret_reaches_a_log_or_an_error(
    app: FastAPI, client: httpx.AsyncClient, stranger: httpx.AsyncClient, seed: Seed, caplog: pytest.LogCaptureFixture
) -> None:
    add_account(seed, "an", {"*": "viewer"})
    secrets = {"a-secret-password-1", "thubon_a-secret-key-1", TOKEN + "x", "a-secret-cookie-1"}
    with caplog.at_level(logging.DEBUG):
        texts = [
            (await stranger.post("/v1/session", json={"name": "an", "password": "a-secret-password-1"})).text,
            (await stranger.post("/v1/session", json={"name": "an", "password": ["a-secret-password-1"]})).text,
            (await client.post("/v1/users", json={**NEW_USER, "password": {"a-secret-password-1": 1}})).text,
            (await stranger.get("/v1/towns", headers=bearer("thubon_a-secret-key-1"))).text,
            (await stranger.get("/v1/towns", headers=bearer(TOKEN + "x"))).text,
            (await stranger.get("/v1/towns", headers={"Cookie": "thubon_session=a-secret-cookie-1"})).text,
            (await client.get("/metrics")).text,
        ]
        noted = str(await refusals(app, seed))
    for secret in secrets:
        assert not any(secret in text for text in [*texts, caplog.text, noted])


async def test_an_address_that_asks_too_much_waits(database: Database) -> None:
    settings = make_settings(database.read_url, http_requests_a_minute=10)
    async with serve(settings), client_of(settings) as client:
        statuses = [(await client.get("/v1/session")).status_code for _ in range(12)]
        assert statuses == [200] * 10 + [429] * 2
        answer = await client.get("/v1/towns")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 7
        assert (await client.get("/healthz")).status_code == 200


# --- The second wall -------------------------------------------------------------------------------------------------


async def test_the_database_refuses_what_a_view_would_let_pass(
    app: FastAPI, client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("here", "air-station", town="hoi-an")
    seed.device("there", "air-station", town="tam-ky")
    add_account(seed, "an", {"hoi-an": "engineer"})
    person = await app.state.services.principals.find(None, open_session(seed, "an"), "127.0.0.1")
    changes = app.state.services.changes

    async def touched(query: Any) -> int:
        ask_for(person.towns(), Role.ENGINEER, "127.0.0.1")
        async with changes.transaction(person) as change:
            return int(await change.execute(query))

    assert await touched("update device set name = 'x'") == 1
    assert await touched("update device set name = 'x' where device_id = 'there'") == 0
    assert await touched("update site set name = 'x'") == 1
    with pytest.raises(Exception, match="row-level security"):
        await touched("update device set town_id = 'tam-ky'")
    assert seed.connection.execute("select name from device where device_id = 'there'").fetchone() == (
        "Thiết bị there",
    )
