"""Every operation of the contract, asked by every role of every town: what comes back is theirs alone.

The operations are read from the API's own description, so that a new one is asked too: what it answers must not hold a
word of another town, and whoever lacks its role must be turned away. What an operation needs to be asked at all
(an id, a body) is in `IDS` and `BODIES`; one that needs more fails here until it is told.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
import pytest_asyncio

from devices.claims import new_code
from tests.integration.api.conftest import make_settings
from tests.integration.api.people import add_account, add_key, bearer, open_session, page_headers
from tests.integration.api.seed import Seed, ago

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from api.settings import ApiSettings
    from tests.fix_database import Database

TOWNS = ("hoi-an", "tam-ky")
ROLES = ("viewer", "operator", "engineer", "administrator")
NOWHERE = "0b9f4c1e-6d43-4c0e-9e5b-6f1c1b1f3a52"
# Words that occur in what is of one town and nowhere else.
WORDS = {
    "hoi-an": re.compile(r"hoi-an|Hội An|Hoi An|hoian|41\.0937|left-behind"),
    "tam-ky": re.compile(r"tam-ky|Tam Kỳ|Tam Ky|tamky|87\.0613"),
}
MOVED = "walker"  # stood in Hoi An, stands in Tam Ky
MOVED_PATHS = {"device": MOVED, "datastream": f"{MOVED}:pm25"}
IDS = {
    "town": "{town}",
    "device": "{word}-air-1",
    "datastream": "{word}-air-1:pm25",
    "site": "site-{word}-air-1",
    "user": "{word}.viewer",
    "domain": "environment",
    "property": "pm25",
}
QUERY = {"/v1/statistics": "property=pm25"}
DEVICE = {"site": "site-{word}-air-1", "profile": "air-station", "name": "{word} new"}
BODIES: dict[tuple[str, str], Any] = {
    ("post", "/v1/rejections/replay"): {"device": "{word}-air-1"},
    ("post", "/v1/users"): {
        "name": "{word}.new", "display_name": "New", "password": "a long password", "grants": {"{town}": "viewer"}
    },
    ("patch", "/v1/users/{user}"): {"display_name": "{word} changed"},
    ("post", "/v1/api-keys"): {
        "name": "{word} new", "grants": {"{town}": "viewer"}, "expires_time": "2027-11-01T00:00:00Z"
    },
    ("post", "/v1/towns"): {
        "id": "{word}-new", "name": {"vi": "Mới", "en": "New"}, "latitude": 15.4, "longitude": 108.6,
        "bbox": [108.5, 15.3, 108.8, 15.5],
    },
    ("patch", "/v1/towns/{town}"): {"position": 7},
    ("post", "/v1/sites"): {
        "id": "{word}-s", "town": "{town}", "name": "S", "kind": "pole", "latitude": 15.8, "longitude": 108.3
    },
    ("patch", "/v1/sites/{site}"): {"name": "{word} changed"},
    ("post", "/v1/devices"): {**DEVICE, "id": "{word}-air-2"},
    ("patch", "/v1/devices/{device}"): {"name": "{word} changed"},
    ("post", "/v1/devices/{device}/move"): {"site": "site-{word}-air-1"},
    ("post", "/v1/claims"): {"code": "{code}"},
    ("post", "/v1/registry/labels"): {"town": "{town}"},
    ("post", "/v1/knocks/{device}/accept"): {**DEVICE, "town": "{town}"},
    ("post", "/v1/knocks/{device}/refuse"): {"town": "{town}"},
    ("post", "/v1/knocks/{device}/forgive"): {"town": "{town}"},
    ("post", "/v1/devices/{device}/credentials"): {"kind": "password"},
    ("post", "/v1/devices/{device}/credentials/rotate"): {},
    ("post", "/v1/registry/import"): (
        "device,town,site,site_name,site_kind,latitude,longitude,profile,name\n"
        "{word}-air-3,{town},{word}-s,S,pole,15.8,108.3,air-station,New\n"
    ),
}  # fmt: skip


def fill(seed: Seed, url: str) -> None:
    """One device of each town, with observations, a refusal, ledger, windows, people, a key and an audit row."""
    for town in TOWNS:
        word = town.replace("-", "")
        device = f"{word}-air-1"
        seed.device(device, "air-station", town=town)
        seed.observe(device, ago(seconds=4), {"pm25": 31.2, "temperature": 27.5})
        seed.history(device, "pm25", [(ago(minutes=20 + n), 30.0 + n, 0) for n in range(30)])
        seed.reject(device, json.dumps({"of": word}).encode(), device_id=device, reason="unknown-datastream")
        seed.execute("update rejection set town_id = %s, topic = %s where source = %s",
                     [town, f"thubon/v1/{town}/{device}/telemetry", device])  # fmt: skip
        seed.execute(
            "insert into ledger_hour values (date_trunc('hour', now()), %s, %s, 'telemetry', 5, 5)", [town, device]
        )
        IDS[f"code {town}"] = new_code()
        seed.execute(
            "insert into device_credential (device_key, kind, salt, digest, issued_by) select max(device_key),"
            " 'password', decode(repeat('01', 16), 'hex'), decode(repeat('02', 32), 'hex'), 'x' from device"
        )
        seed.execute("insert into device_claim (device_key, code) select max(device_key), %s from device",
                     [IDS[f"code {town}"]])  # fmt: skip
        seed.execute("insert into knock values (%s, %s, 'unknown-device', null, now(), now(), 1, 1, %s, '')",
                     [f"{word}-new-1", town, f"thubon/v1/{town}/{word}-new-1"])  # fmt: skip
        seed.execute("insert into audit (actor, action, outcome, town_id, subject) values ('x', 'a', 'done', %s, %s)",
                     [town, device])  # fmt: skip
        seed.execute("insert into replay_request (town_id, device_id) values (%s, %s)", [town, device])
        for role in ROLES:
            add_account(seed, f"{word}.{role}", {town: role})
        add_key(seed, f"{word} key", {town: "viewer"})
    fill_moved(seed)
    seed.reject("stranger", b"nobody's", reason="unknown-device")
    seed.execute("update rejection set town_id = '-', topic = 'x' where source = 'stranger'")
    with psycopg.connect(url) as connection:
        for key, town in connection.execute("select replay_id, town_id from replay_request").fetchall():
            IDS[f"replay {town}"] = str(key)
        for key, town in connection.execute(
            "select credential_id, town_id from device_credential join device using (device_key)"
        ).fetchall():
            IDS[f"credential {town}"] = str(key)
        for key, name in connection.execute("select key_id, name from api_key").fetchall():
            IDS[f"key {name.partition(' ')[0]}"] = str(key)


def fill_moved(seed: Seed) -> None:
    """A device that moved three hours ago, and one whose id knocked in the other town before it was registered.

    What was observed before and after is of values that nothing else has.
    """
    key = seed.device(MOVED, "air-station", commissioned=ago(days=2))
    seed.execute("update site set site_id = 'left-behind', name = 'left-behind' where site_id = %s", [f"site-{MOVED}"])
    moved_time = ago(hours=3)
    # It has not told the present town its temperature yet.
    seed.observe(MOVED, ago(hours=4), {"pm25": 41.0937, "temperature": 41.0937})
    seed.observe(MOVED, ago(minutes=3), {"pm25": 87.0613})
    seed.execute("update device set town_id = 'tam-ky', site_key = (select site_key from site"
                 " where site_id = 'site-tamky-air-1') where device_key = %s", [key])  # fmt: skip
    seed.execute("update device_placement set until_time = %s where device_key = %s and until_time < 'infinity'",
                 [moved_time, key])  # fmt: skip
    seed.execute("update device_placement set from_time = %s where device_key = %s and until_time = 'infinity'",
                 [moved_time, key])  # fmt: skip
    seed.execute("update device set registered_time = %s where device_key = %s", [ago(days=2), key])
    for start, value in ((ago(hours=5), 41.0937), (ago(hours=1), 87.0613)):
        seed.execute(_WINDOWS, {"key": key, "start": start, "value": value})
    seed.execute("insert into aggregation_state values (%s, now(), null, null)", [key])
    for received, value in ((ago(hours=4), "41.0937"), (ago(minutes=2), "87.0613")):
        seed.reject(MOVED, value.encode(), device_id=MOVED, reason="unknown-datastream", received=received,
                    subjects=[{"device": MOVED, "name": "pm25", "value": float(value)}])  # fmt: skip
    seed.execute("update rejection set topic = 'thubon/v1/x' where source = %s", [MOVED])
    seed.execute(
        "update rejection set town_id = 'tam-ky' where source = %s and received_time > %s", [MOVED, moved_time]
    )
    seed.device("knocker", "air-station", town="tam-ky", commissioned=ago(days=2))
    seed.reject("knocker", b"41.0937", device_id="knocker", received=ago(days=1),
                subjects=[{"device": "knocker", "name": "pm25", "value": 41.0937}])  # fmt: skip
    seed.execute("update rejection set topic = 'thubon/v1/x' where source = 'knocker'")


_WINDOWS = """
insert into window_set (device_key, length_s, start_time, changed_time, computed_time, count, flagged, sum,
                        second_moment, min, min_time, max, max_time, first, first_time, last, last_time)
select %(key)s, length_s, date_bin(make_interval(secs => length_s), %(start)s, '1970-01-01 00:00:00+00'), now(), now(),
       array_fill(1, s), array_fill(0, s), array_fill(%(value)s::float8, s), array_fill(0::float8, s),
       array_fill(%(value)s::float8, s), array_fill(%(start)s::timestamptz, s), array_fill(%(value)s::float8, s),
       array_fill(%(start)s::timestamptz, s), array_fill(%(value)s::float8, s), array_fill(%(start)s::timestamptz, s),
       array_fill(%(value)s::float8, s), array_fill(%(start)s::timestamptz, s)
from (select array[max(slot)::integer] as s from datastream where device_key = %(key)s) slots,
     unnest('{900,3600}'::integer[]) length_s
"""


def told(template: Any, town: str) -> Any:
    """A template with a town in it."""
    text = json.dumps(template)
    text = text.replace("{code}", IDS.get(f"code {town}", ""))
    return json.loads(text.replace("{town}", town).replace("{word}", town.replace("-", "")))


def address(path: str, town: str) -> str:
    """The path of an operation with ids of a town."""
    word = town.replace("-", "")

    def identifier(match: re.Match[str]) -> str:
        name = match[1]
        if name in {"replay", "credential"}:
            return IDS[f"{name} {town}"]
        if name == "device" and "/knocks/" in path:
            return f"{word}-new-1"
        if name == "key":
            return IDS[f"key {word}"]
        return told(IDS.get(name, f"{word}-{name}-1"), town)

    filled = re.sub(r"\{(\w+)\}", identifier, path)
    return f"{filled}?{QUERY[path]}" if path in QUERY else filled


def sent(method: str, path: str, town: str, headers: dict[str, str]) -> dict[str, Any]:
    """Headers and body of an operation about a town."""
    if method not in {"post", "patch", "put", "delete"}:
        return {"headers": headers}
    headers = headers | {"If-Match": "*"}
    body = told(BODIES.get((method, path)), town)
    if isinstance(body, str):
        return {"headers": headers | {"Content-Type": "text/csv"}, "content": body}
    return {"headers": headers, "json": body}


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
        # What was asked for may come back in a refusal, in quotes: it is what the asker said.
        body = told(BODIES.get((method, path)), target)
        asked = f"{address(path, target)} {body if isinstance(body, str) else json.dumps(body)}"
        words = re.findall(r"[\w.:-]+", asked)
        for word in {*words, target}:
            said = said.replace(f"'{word}'", "")
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
