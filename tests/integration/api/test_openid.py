"""Logging in at a provider, and tokens that are not what they claim to be."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from api import openid
from api.settings import ApiSettings, wrong_settings
from tests.containers import free_port
from tests.integration.api.conftest import make_settings, serve
from tests.integration.api.people import bearer
from tests.integration.api.provider import AUDIENCE, CLIENT, SECRET, Provider, provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from tests.fix_database import Database
    from tests.integration.api.seed import Seed

GRANTS = {"lights": {"hoi-an": "engineer"}, "watch": {"hoi-an": "viewer", "tam-ky": "viewer"}}


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Provider]:
    async with provider() as served:
        yield served


@pytest.fixture
def settings(database: Database, issuer: Provider) -> ApiSettings:
    port = free_port()
    return make_settings(
        database.read_url,
        database_url=database.api_url,
        http_port=port,
        openid_issuer=issuer.issuer,
        openid_client_id=CLIENT,
        openid_client_secret=SECRET,
        openid_audience=AUDIENCE,
        openid_grants=GRANTS,
        openid_redirect_url=f"http://127.0.0.1:{port}/v1/session/openid/done",
    )


async def log_in(client: httpx.AsyncClient, **changes: str) -> httpx.Response:
    """Go to the provider and come back, as a browser does; `changes`: of what one comes back with."""
    began = await client.get("/v1/session/openid")
    assert began.status_code == 303, began.text
    async with httpx.AsyncClient(trust_env=False) as outside:
        back = (await outside.get(began.headers["Location"])).headers["Location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()} | changes
    return await client.get("/v1/session/openid/done", params=query)


async def test_groups_of_the_provider_become_roles_in_towns(
    app: FastAPI, stranger: httpx.AsyncClient, issuer: Provider, seed: Seed
) -> None:
    issuer.claims["groups"] = ["watch", "lights", "choir"]
    assert (await stranger.get("/v1/session")).json()["openid"] is True

    done = await log_in(stranger)

    assert (done.status_code, done.headers["Location"]) == (303, "/")
    cookie = next(value for value in done.headers.get_list("Set-Cookie") if value.startswith("thubon_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    session = (await stranger.get("/v1/session")).json()
    assert (session["name"], session["grants"]) == ("openid:1234:binh", {"hoi-an": "engineer", "tam-ky": "viewer"})
    assert [town["id"] for town in (await stranger.get("/v1/towns")).json()["items"]] == ["tam-ky", "hoi-an"]


async def test_who_is_in_no_group_of_ours_is_not_let_in(
    app: FastAPI, stranger: httpx.AsyncClient, issuer: Provider
) -> None:
    issuer.claims["groups"] = ["choir"]
    assert (await log_in(stranger)).status_code == 403
    assert (await stranger.get("/v1/towns")).status_code == 401


async def test_a_login_that_somebody_else_began_or_that_is_played_again_lets_nobody_in(
    app: FastAPI, stranger: httpx.AsyncClient, issuer: Provider, settings: ApiSettings, seed: Seed
) -> None:
    issuer.claims["groups"] = ["lights"]
    assert (await log_in(stranger, state="another")).status_code == 401
    assert (await log_in(stranger, code="another")).status_code == 401
    issuer.nonce = "of-another-login"
    assert (await log_in(stranger)).status_code == 401
    issuer.nonce = None
    # The victim's browser holds no state of the attacker's login.
    began = await stranger.get("/v1/session/openid")
    async with httpx.AsyncClient(trust_env=False) as outside:
        back = (await outside.get(began.headers["Location"])).headers["Location"]
    async with httpx.AsyncClient(trust_env=False) as victim:
        assert (await victim.get(back)).status_code == 401
    path = f"{urlsplit(back).path}?{urlsplit(back).query}"
    kept = {"Cookie": f"thubon_openid={parse_qs(urlsplit(back).query)['state'][0]}"}
    assert (await stranger.get(path)).status_code == 303
    assert (await stranger.get(path, headers=kept)).status_code == 401
    await app.state.services.audit.write()
    rows = seed.connection.execute("select detail from audit where outcome = 'refused' order by audit_key").fetchall()
    reasons = " ".join(row[0] for row in rows)
    for word in ("another nonce", "not that of this browser", "refuses the code", "never begun"):
        assert word in reasons


async def test_logins_begun_by_the_thousand_and_given_up_shut_nobody_out(
    app: FastAPI, stranger: httpx.AsyncClient, issuer: Provider, seed: Seed
) -> None:
    issuer.claims["groups"] = ["lights"]
    seed.execute(
        "insert into openid_attempt select sha256(n::text::bytea), '', '', now() - interval '1 second'"
        " from generate_series(1, 10000) n"
    )
    assert (await log_in(stranger)).status_code == 303
    assert seed.connection.execute("select count(*) from openid_attempt").fetchone() == (0,)
    # One address cannot fill the places of all.
    begun = [(await stranger.get("/v1/session/openid")).status_code for _ in range(32)]
    assert begun[:29] + begun[-1:] == [303] * 29 + [429]
    elsewhere = await stranger.get("/v1/session/openid", headers={"X-Forwarded-For": "10.0.0.9"})
    assert elsewhere.status_code == 303


def _forged(issuer: Provider) -> dict[str, str]:
    """Tokens that are not to be believed, by what is wrong with them."""
    foreign = rsa.generate_private_key(65537, 2048)
    public = issuer.keys[issuer.current].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "kid": issuer.current, "typ": "JWT"}
    now = int(time.time())
    good = issuer.token()
    head, body, signature = good.split(".")

    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = {"iss": issuer.issuer, "aud": AUDIENCE, "iat": now, "exp": now + 300, "sub": "1", "groups": ["lights"]}
    hs256 = jwt.api_jws.PyJWS()
    secret_signed = f"{part(header)}.{part(claims)}"
    algorithm = hs256.get_algorithm_by_name("HS256")
    mac = base64.urlsafe_b64encode(algorithm.sign(secret_signed.encode(), pem)).rstrip(b"=").decode()  # type: ignore[arg-type]
    return {
        "expired": issuer.token(iat=now - 900, exp=now - 300),
        "not yet": issuer.token(nbf=now + 300),
        "without an end": issuer.token(exp=None),
        "without a subject": issuer.token(sub=None),
        "for another audience": issuer.token(aud="https://other.example"),
        "for the page": issuer.token(aud=CLIENT),
        "without an audience": issuer.token(aud=None),
        "of another issuer": issuer.token(iss="https://other.example"),
        "signed by a stranger": issuer.token(key=foreign),
        "signed by a stranger with a key of its own": issuer.token(key=foreign, kid="stranger"),
        "alg none": f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.",
        "alg None": f"{part({'alg': 'None', 'kid': issuer.current})}.{part(claims)}.",
        "signed by the public key as a secret": f"{secret_signed}.{mac}",
        "with other claims": f"{head}.{part(claims)}.{signature}",
        "without a signature": f"{head}.{body}.",
        "cut": good[:-8],
        "no token": "a.b.c",
        "a key in the header": f"{part({'alg': 'RS256', 'jwk': {'kty': 'oct', 'k': 'AA'}})}.{part(claims)}.{signature}",
        "a list": f"{part([])}.{part([])}.{signature}",
    }


async def test_programs_send_tokens_of_the_provider_and_only_true_ones_are_believed(
    app: FastAPI, stranger: httpx.AsyncClient, issuer: Provider, seed: Seed
) -> None:
    issuer.claims["groups"] = ["lights"]
    good = await stranger.get("/v1/towns", headers=bearer(issuer.token()))
    assert [town["id"] for town in good.json()["items"]] == ["hoi-an"]
    for number, (what, token) in enumerate(_forged(issuer).items()):
        headers = bearer(token) | {"X-Forwarded-For": f"10.0.0.{number}"}
        answer = await stranger.get("/v1/towns", headers=headers)
        assert answer.status_code == 401, what
        said = answer.json()["detail"]
        assert said == ("this token or key has expired" if what == "expired" else "this token or key is not valid"), (
            what
        )
        assert "invalid_token" in answer.headers["WWW-Authenticate"]
    await app.state.services.audit.write()
    rows = seed.connection.execute("select detail, address from audit where outcome = 'refused'").fetchall()
    assert {address for _, address in rows} == {f"10.0.0.{number}" for number in range(len(_forged(issuer)))}
    assert any("InvalidAudienceError" in detail for detail, _ in rows)


async def test_a_new_key_of_the_provider_is_fetched_and_an_old_one_forgotten(
    app: FastAPI, stranger: httpx.AsyncClient, issuer: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.claims["groups"] = ["lights"]
    old = issuer.token(jti="old")
    assert (await stranger.get("/v1/towns", headers=bearer(issuer.token()))).status_code == 200
    assert issuer.asked_for_keys == 1
    issuer.rotate(elliptic=True)
    # Strangers cannot have us ask the provider again and again.
    assert (await stranger.get("/v1/towns", headers=bearer(issuer.token()))).status_code == 401
    assert issuer.asked_for_keys == 1
    monkeypatch.setattr(openid, "KEYS_PAUSE_S", 0.0)
    assert (await stranger.get("/v1/towns", headers=bearer(issuer.token()))).status_code == 200
    assert issuer.asked_for_keys == 2
    assert (await stranger.get("/v1/towns", headers=bearer(old))).status_code == 401


async def test_with_the_provider_away_a_login_says_so(database: Database) -> None:
    settings = make_settings(
        database.read_url,
        database_url=database.api_url,
        openid_issuer=f"http://127.0.0.1:{free_port()}",
        openid_client_id=CLIENT,
        openid_redirect_url="http://127.0.0.1:1/v1/session/openid/done",
    )
    url = f"http://127.0.0.1:{settings.http_port}"
    async with serve(settings), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.get("/v1/session/openid")
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"openid_issuer": "http://city.example"}, "THUBON_OPENID_ISSUER"),
        ({"openid_redirect_url": "http://city.example/v1"}, "THUBON_OPENID_REDIRECT_URL"),
        ({"openid_client_id": None}, "THUBON_OPENID_CLIENT_ID"),
        ({"database_url": None}, "THUBON_DATABASE_URL"),
        ({"openid_grants": {"it": {"*": "king"}}}, "THUBON_OPENID_GRANTS"),
        ({"http_cors_origins": "*"}, "THUBON_HTTP_CORS_ORIGINS"),
    ],
)
def test_half_a_provider_is_refused_by_name(changes: dict[str, Any], setting: str) -> None:
    url = "postgresql://x@127.0.0.1/thubon"
    whole: dict[str, Any] = {
        "database_url": url,
        "openid_issuer": "https://login.city.example",
        "openid_client_id": CLIENT,
        "openid_redirect_url": "https://thubon.city.example/v1/session/openid/done",
    }
    assert make_settings(url, **whole).openid_issuer
    with pytest.raises(ValueError, match=r".+") as caught:
        make_settings(url, **(whole | changes))
    assert setting in wrong_settings(caught.value)  # type: ignore[arg-type]
