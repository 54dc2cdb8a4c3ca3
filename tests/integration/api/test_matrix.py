"""Every operation of the contract, asked by every role of every town: what comes back is theirs alone.

The operations are read from the API's own description, so that a new one is asked too: what it answers must not hold a
word of another town, and whoever lacks its role must be turned away. What an operation needs to be asked at all
(an id, a body) is in `two_towns`; one that needs more fails here until it is told.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from tests.integration.api.conftest import make_settings
from tests.integration.api.people import add_account, add_key, bearer, open_session, page_headers
from tests.integration.api.seed import Seed, ago
from tests.integration.api.two_towns import BODIES, MOVED, MOVED_PATHS, ROLES, TOWNS, WORDS, address, fill, sent, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from api.settings import ApiSettings
    from tests.fix_database import Database


@pytest.fixture
def seed(database: Database) -> Any:
    seed = Seed.open(database.url)
    fill(seed, database.url)
    yield seed
    seed.connection.close()


@pytest.fixture
def settings(database: Database, seed: Seed) -> ApiSettings:
    return make_settings(database.read_url, database_url=database.api_url)


@pytest_asyncio.fixture
async def asked(app: FastAPI, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{settings.http_port}"
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
        yield client


def operations(app: FastAPI) -> list[tuple[str, str, str]]:
    """Method, path and role of every operation that asks who asks."""
    return [
        (method, path, operation["x-thubon-role"])
        for path, item in app.openapi()["paths"].items()
        if path.startswith("/v1/")
        for method, operation in item.items()
        if operation["x-thubon-role"] != "anybody"
    ]


async def read_some(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> tuple[int, str]:
    """Status and text of an answer; of an endless one what comes within a second."""
    if path.startswith("/v1/live"):
        async with client.stream(method, path, **options) as response:
            if response.status_code != 200:
                return response.status_code, (await response.aread()).decode()
            async for text in response.aiter_text():
                return 200, text
    response = await client.request(method, path, **options)
    return response.status_code, response.text + str(response.headers)


async def test_each_role_of_each_town_gets_its_own_rows_and_no_other(
    app: FastAPI, asked: httpx.AsyncClient, seed: Seed
) -> None:
    faults: list[str] = []
    sessions = {
        (town, role): page_headers(open_session(seed, f"{town.replace('-', '')}.{role}"))
        for town in TOWNS
        for role in ROLES
    }
    found = operations(app)
    assert len(found) > 20
    # Changes last, so that what they change is asked about before.
    for method, path, needed in sorted(found, key=lambda each: each[0] != "get"):
        for (town, role), headers in sessions.items():
            for target in TOWNS:
                status, text = await read_some(
                    asked, method, address(path, target), **sent(method, path, target, headers)
                )
                place = f"{role} of {town}: {method} {address(path, target)}: {status} "
                enough = ROLES.index(role) >= ROLES.index(needed)
                faults += [place + fault for fault in judged(method, path, status, text, enough, town, target)]
    assert not faults, "\n".join(faults[:40])


async def test_neither_town_sees_the_part_of_a_moved_device_that_is_the_others(
    app: FastAPI, asked: httpx.AsyncClient, seed: Seed
) -> None:
    faults: list[str] = []
    sessions = {town: page_headers(open_session(seed, f"{town.replace('-', '')}.administrator")) for town in TOWNS}
    walked = 0
    for path in sorted({path for method, path, _ in operations(app) if method == "get" and "/knocks/" not in path}):
        filled = re.sub(r"\{(device|datastream)\}", lambda match: MOVED_PATHS[match[1]], path)
        if filled == path or "{" in filled:
            continue
        walked += 1
        for town, headers in sessions.items():
            status, text = await read_some(asked, "get", filled, headers=headers)
            (other,) = set(TOWNS) - {town}
            if status != (404 if town == "hoi-an" else 200) or WORDS[other].search(text):
                faults.append(f"{town}: {filled}: {status} {text[:300]}")
    assert walked > 5
    assert not faults, "\n".join(faults)
    told_to = {}
    for town, headers in sessions.items():
        span = f"from={ago(hours=12):%Y-%m-%dT%H:00:00Z}&to={ago(hours=-1):%Y-%m-%dT%H:00:00Z}"
        answer = await asked.get(f"/v1/statistics?property=pm25&resolution=PT1H&{span}", headers=headers)
        told_to[town] = answer.text
    assert "41.0937" in told_to["hoi-an"], "a window stays the former town's"
    assert "87.0613" in told_to["tam-ky"]
    latest = await asked.get(f"/v1/devices/{MOVED}/latest", headers=sessions["tam-ky"])
    assert "87.0613" in latest.text


def without_attempts(text: str) -> str:
    """The audit without who tried what in vain: its administrators read that of whoever tried something in a town."""
    answer, end = json.JSONDecoder().raw_decode(text)
    for item in answer["items"]:
        if item["outcome"] == "refused":
            del item["actor"], item["subject"]
    return json.dumps(answer, ensure_ascii=False) + text[end:]


def judged(method: str, path: str, status: int, text: str, enough: bool, town: str, target: str) -> list[str]:
    """What is wrong with an answer to somebody of a town who asks about a target."""
    (other,) = set(TOWNS) - {town}
    said = without_attempts(text) if path == "/v1/audit" and status == 200 else text
    if status >= 400:
        # What was asked for may come back in a refusal, in quotes or as a parameter: it is what the asker said.
        body = told(BODIES.get((method, path)), target)
        asked = f"{address(path, target)} {body if isinstance(body, str) else json.dumps(body)}"
        words = re.findall(r"[\w.:-]+", asked)
        for word in {*words, target}:
            said = said.replace(f"'{word}'", "").replace(f':"{word}"', "")
    rules = {
        f"tells of {other}: {said[:300]}": WORDS[other].search(said) is None,
        "without the role": enough or status in {403, 404},
        f"of its own: {text[:200]}": not (enough and target == town and method == "get") or status == 200,
        f"was not really asked: {text[:300]}": not (enough and target == town) or status not in {400, 415, 422, 428},
        f"about what is of {other}": "{" not in path or target == town or status in {403, 404},
        "failed": status < 500,
    }
    return [fault for fault, kept in rules.items() if not kept]


async def test_the_lists_hold_the_rows_of_the_town_and_all_of_them(asked: httpx.AsyncClient, seed: Seed) -> None:
    headers = page_headers(open_session(seed, "hoian.administrator"))

    async def items(path: str, key: str) -> list[Any]:
        answer = await asked.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return [item[key] for item in answer.json()["items"]]

    assert await items("/v1/towns", "id") == ["hoi-an"]
    assert await items("/v1/devices", "id") == ["hoian-air-1"]
    assert await items("/v1/rejections", "source") == ["hoian-air-1", MOVED, "knocker"]
    assert await items("/v1/ledger", "source") == ["hoian-air-1"]
    assert await items("/v1/users", "name") == sorted(f"hoian.{role}" for role in ROLES)
    assert await items("/v1/api-keys", "name") == ["hoian key"]
    assert await items("/v1/audit", "subject") == ["hoian-air-1"]
    observations = await asked.get("/v1/datastreams/hoian-air-1:pm25/observations", headers=headers)
    assert len(observations.json()["items"]) == 31


@pytest.mark.parametrize(
    "path",
    ["/v1/devices/{}", "/v1/devices/{}/latest", "/v1/devices/{}/rejections", "/v1/datastreams/{}:pm25/observations",
     "/v1/datastreams/{}:pm25/statistics", "/v1/live?device={}"],
)  # fmt: skip
async def test_what_is_of_another_town_is_answered_as_what_does_not_exist(
    asked: httpx.AsyncClient, seed: Seed, path: str
) -> None:
    headers = page_headers(open_session(seed, "hoian.engineer"))
    hidden = await asked.get(path.format("tamky-air-1"), headers=headers)
    missing = await asked.get(path.format("tamky-air-9"), headers=headers)
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace("tamky-air-1", "x") == missing.text.replace("tamky-air-9", "x")
    town = await asked.get("/v1/devices?town=tam-ky", headers=headers)
    no_town = await asked.get("/v1/devices?town=atlantis", headers=headers)
    assert town.status_code == no_town.status_code == 400
    assert town.text.replace("tam-ky", "x") == no_town.text.replace("atlantis", "x")
    assert "hoi-an" in town.text


async def test_live_push_hands_out_changes_of_the_town_alone(asked: httpx.AsyncClient, seed: Seed) -> None:
    headers = page_headers(open_session(seed, "hoian.viewer"))
    async with asked.stream("GET", "/v1/live", headers=headers) as response:
        lines = response.aiter_lines()
        hello = [await anext(lines) for _ in range(4)]
        event_id = next(line.removeprefix("id: ") for line in hello if line.startswith("id: "))
        seed.observe("tamky-air-1", ago(seconds=2), {"pm25": 1.0})
        seed.observe("hoian-air-1", ago(seconds=2), {"pm25": 2.0})
        async for line in lines:
            assert "tamky" not in line
            if line.startswith('data: {"devices"'):
                assert [device["id"] for device in json.loads(line.removeprefix("data: "))["devices"]] == [
                    "hoian-air-1"
                ]
                break
    async with asked.stream("GET", "/v1/live", headers=headers | {"Last-Event-ID": event_id}) as response:
        async for line in response.aiter_lines():
            assert "tamky" not in line
            if line.startswith('data: {"devices"'):
                break


async def test_a_person_with_two_towns_sees_both_and_acts_where_the_role_is(
    asked: httpx.AsyncClient, seed: Seed
) -> None:
    add_account(seed, "both", {"hoi-an": "operator", "tam-ky": "viewer"})
    headers = page_headers(open_session(seed, "both"))
    towns = (await asked.get("/v1/towns", headers=headers)).json()["items"]
    assert [town["id"] for town in towns] == ["tam-ky", "hoi-an"]

    async def replay(**wish: str) -> int:
        return (await asked.post("/v1/rejections/replay", headers=headers, json=wish)).status_code

    assert await replay(device="hoian-air-1") == 202
    assert await replay(town="hoi-an") == 202
    assert await replay(device="tamky-air-1") == 403
    assert await replay(town="dien-ban") == 404
    assert await replay() == 403


async def test_a_key_sees_its_town_alone(asked: httpx.AsyncClient, seed: Seed) -> None:
    headers = bearer(add_key(seed, "school", {"tam-ky": "viewer"}))
    assert [item["id"] for item in (await asked.get("/v1/devices", headers=headers)).json()["items"]] == [
        "knocker",
        "tamky-air-1",
        MOVED,
    ]
    assert (await asked.get("/v1/users", headers=headers)).status_code == 403
