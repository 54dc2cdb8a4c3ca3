from __future__ import annotations

import asyncio
import re
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from api import people_schemas
from api.settings import wrong_settings
from tests.integration.api.conftest import TOKEN, checked, client_of, make_settings, serve
from tests.integration.api.people import PASSWORD, add_account

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from api.settings import ApiSettings
    from tests.fix_database import Database
    from tests.integration.api.seed import Seed

URL = "postgresql://reader@127.0.0.1/thubon"
LOGIN = {"name": "an", "password": PASSWORD}
OPEN_PATHS = {"/healthz", "/readyz", "/metrics", "/v1/session", "/v1/session/openid", "/v1/session/openid/done"}


def filled(path: str) -> str:
    return re.sub(r"\{datastream\}", "a:b", re.sub(r"\{[a-z]+\}", "a", path))


async def test_every_path_of_the_contract_but_the_session_asks_who_asks(
    app: FastAPI, stranger: httpx.AsyncClient
) -> None:
    described = app.openapi()["paths"]
    asked = [
        (path, method)
        for path, operations in described.items()
        for method, operation in operations.items()
        if operation.get("x-thubon-role", "anybody") != "anybody"
    ]
    assert len(asked) >= 13
    assert {path for path, _ in asked} == {path for path in described if path not in OPEN_PATHS}

    addresses = (f"{n // 250}.{n % 250}" for n in count())
    for path, method in asked:
        for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": f"Basic {TOKEN}"},
                        {"Authorization": f"Bearer {TOKEN}x"}, {"Cookie": "thubon_session=x"}):  # fmt: skip
            # Each from an address of its own: guessing from one is slowed down.
            headers["X-Forwarded-For"] = f"10.0.{next(addresses)}"
            response = await stranger.request(method, filled(path), headers=headers)

            assert response.status_code == 401, path
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            assert response.headers["Content-Type"] == "application/problem+json"


async def test_what_is_for_machines_needs_no_login(stranger: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"):
        assert (await stranger.get(path)).status_code == 200, path


async def test_a_login_gives_a_cookie_that_scripts_cannot_read_and_that_opens_everything(
    stranger: httpx.AsyncClient, seed: Seed
) -> None:
    add_account(seed, "an", {"*": "viewer"})
    before = checked(people_schemas.SessionState, await stranger.get("/v1/session"))

    response = await stranger.post("/v1/session", json=LOGIN)

    assert response.status_code == 204
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert (before["role"], before["name"], before["open"]) == (None, None, False)
    session = checked(people_schemas.SessionState, await stranger.get("/v1/session"))
    assert (session["role"], session["name"], session["grants"]) == ("viewer", "an", {"*": "viewer"})
    assert (await stranger.get("/v1/towns")).status_code == 200
    token = {"X-CSRF-Token": session["csrf"]}
    assert (await stranger.delete("/v1/session", headers=token)).status_code == 204
    assert (await stranger.get("/v1/towns")).status_code == 401
    # The cookie is worth nothing any more, wherever it was kept.
    kept = {"Cookie": f"thubon_session={response.cookies['thubon_session']}"}
    assert (await stranger.get("/v1/towns", headers=kept)).status_code == 401


async def test_behind_https_the_cookie_is_secure_and_browsers_are_told_to_stay_there(
    stranger: httpx.AsyncClient, seed: Seed
) -> None:
    add_account(seed, "an", {"*": "viewer"})
    response = await stranger.post("/v1/session", json=LOGIN, headers={"X-Forwarded-Proto": "https"})

    assert "Secure" in response.headers["Set-Cookie"]
    assert "Strict-Transport-Security" in response.headers


async def test_guessing_a_password_is_slowed_down_by_account_and_by_address(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    add_account(seed, "an", {"*": "viewer"})

    async def guess(name: str, address: str) -> int:
        headers = {"X-Forwarded-For": address}
        answer = await stranger.post("/v1/session", json={"name": name, "password": "guess"}, headers=headers)
        return answer.status_code

    # Many addresses, one account.
    assert [await guess("an", f"10.0.0.{n}") for n in range(12)] == [401] * 10 + [429] * 2
    response = await stranger.post("/v1/session", json=LOGIN)
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 61
    # One address, many accounts.
    assert [await guess(f"nobody-{n}", "10.0.1.1") for n in range(12)] == [401] * 10 + [429] * 2
    assert (await stranger.get("/v1/towns", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_guesses_that_come_at_once_are_slowed_down_as_those_one_after_the_other(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    add_account(seed, "an", {"*": "viewer"})
    guesses = [stranger.post("/v1/session", json={"name": "an", "password": f"guess {n}"}) for n in range(80)]
    answers = Counter(answer.status_code for answer in await asyncio.gather(*guesses))
    assert answers == {401: 10, 429: 70}


async def test_people_who_log_in_at_once_with_their_own_passwords_are_let_in(
    app: FastAPI, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    for number in range(15):
        add_account(seed, f"person-{number}", {"*": "viewer"})
    logins = [{"name": f"person-{number}", "password": PASSWORD} for number in range(15)]
    answers = await asyncio.gather(*(stranger.post("/v1/session", json=login) for login in logins))
    assert [answer.status_code for answer in answers] == [204] * 15


async def test_a_bad_login_body_is_refused(stranger: httpx.AsyncClient) -> None:
    for content, media_type, status in (
        (b"{", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"name": "an", "password": 1}', "application/json", 400),
        (b'{"name": "an", "password": "x", "user": "y"}', "application/json", 400),
        (b'{"name": "an", "password": "' + PASSWORD.encode() + b'"}', "text/plain", 400),
        (b"x" * 20_000, "application/json", 413),
    ):
        response = await stranger.post("/v1/session", content=content, headers={"Content-Type": media_type})

        assert response.status_code == status, (content[:40], response.text)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert PASSWORD not in response.text


async def test_a_body_whose_length_is_not_told_is_bounded_too(stranger: httpx.AsyncClient) -> None:
    async def endless():
        for _ in range(20):
            yield b"x" * 1000

    response = await stranger.post("/v1/session", content=endless(), headers={"Content-Type": "application/json"})

    assert response.status_code == 413


async def test_an_open_viewer_needs_no_login_and_says_so(database: Database) -> None:
    settings = make_settings(database.read_url, open_viewer=True, api_token=None)
    async with serve(settings), client_of(settings, token=None) as client:
        assert (await client.get("/v1/towns")).status_code == 200
        session = (await client.get("/v1/session")).json()
        assert (session["role"], session["name"], session["open"]) == ("viewer", "open", True)
        assert (await client.post("/v1/session", json=LOGIN)).status_code == 503
        for name in ("evil.example", "127.0.0.1.evil.example", "evil.example:8000", ""):
            response = await client.get("/v1/towns", headers={"Host": name})
            assert response.status_code == 421, name
        for name in ("localhost", "localhost:9", "127.0.0.1", "[::1]:8000", "[::1]"):
            assert (await client.get("/v1/towns", headers={"Host": name})).status_code == 200, name


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"api_token": None}, "THUBON_DATABASE_URL"),
        ({"api_token": "short"}, "THUBON_API_TOKEN"),
        ({"open_viewer": True, "http_host": "0.0.0.0"}, "THUBON_OPEN_VIEWER"),
        ({"open_viewer": True, "http_host": "192.168.1.5"}, "THUBON_OPEN_VIEWER"),
        ({"open_viewer": True, "http_host": "city.example"}, "THUBON_OPEN_VIEWER"),
        ({"http_port": 70_000}, "THUBON_HTTP_PORT"),
        ({"read_database_url": "mysql://x"}, "THUBON_READ_DATABASE_URL"),
        ({"http_connections": 0}, "THUBON_HTTP_CONNECTIONS"),
    ],
)
def test_a_dangerous_or_wrong_setting_is_named_and_its_value_is_not(changes: dict[str, object], setting: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make_settings(changes.pop("read_database_url", URL), **changes)

    text = wrong_settings(caught.value)
    assert text.startswith(setting), text
    assert TOKEN not in text


def test_an_open_viewer_is_allowed_on_every_loopback_address() -> None:
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert make_settings(URL, open_viewer=True, api_token=None, http_host=host).open_viewer


async def test_every_answer_bears_the_security_headers(settings: ApiSettings, client: httpx.AsyncClient) -> None:
    for path in (
        "/",
        "/v1/towns",
        "/v1/nothing",
        "/v1/towns?x=1",
        "/docs",
        "/docs/start.js",
        "/metrics",
        "/v1/session",
    ):
        headers = (await client.get(path)).headers
        policy = headers["Content-Security-Policy"]

        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), path
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "server" not in headers
