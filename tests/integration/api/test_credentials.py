"""Credentials of devices over HTTP: told once, kept as hashes, seen by who keeps the town's devices alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from api.credential_schemas import BrokerAccounts, DeviceCredentials
from tests.integration.api.conftest import checked
from tests.integration.api.people import add_key, bearer
from tools.development_ca import make_authority, make_device

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests.integration.api.seed import Seed

DEVICE = "hoi-an-air-1"
PATH = f"/v1/devices/{DEVICE}/credentials"


@pytest_asyncio.fixture
async def engineer(seed: Seed, stranger: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A program that keeps the devices of Hoi An, which has one."""
    seed.device(DEVICE, "air-station", town="hoi-an")
    stranger.headers.update(bearer(add_key(seed, "engineer", {"hoi-an": "engineer"})))
    yield stranger


def _audit(seed: Seed) -> list[Any]:
    query = "select action, town_id, subject, after from audit where outcome = 'done' order by audit_key"
    return seed.connection.execute(query).fetchall()


async def test_a_password_is_told_once_and_kept_as_a_hash(engineer: httpx.AsyncClient, seed: Seed) -> None:
    answer = await engineer.post(PATH, json={"kind": "password"})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    issued = answer.json()
    assert (issued["user_name"], len(issued["password"])) == (DEVICE, 27)
    listed = checked(DeviceCredentials, await engineer.get(PATH))
    assert listed["broker"] == "add"
    assert [(each["id"], each["state"]) for each in listed["items"]] == [(issued["id"], "valid")]
    rows = seed.connection.execute("select row(c)::text from device_credential c").fetchall()
    assert issued["password"] not in str(rows) + str(listed) + str(_audit(seed))
    assert seed.connection.execute(
        "select digest = sha256(salt || convert_to(%s, 'UTF8')) from device_credential", [issued["password"]]
    ).fetchone() == (True,)


async def test_rotation_leaves_an_overlap_and_revocation_none(engineer: httpx.AsyncClient, seed: Seed) -> None:
    first = (await engineer.post(PATH, json={"kind": "password"})).json()
    second = (await engineer.post(f"{PATH}/rotate", json={"overlap_s": 60})).json()
    items = {each["id"]: each for each in checked(DeviceCredentials, await engineer.get(PATH))["items"]}
    assert items[first["id"]]["expires_time"] is not None
    assert items[second["id"]]["expires_time"] is None
    answer = await engineer.delete(f"{PATH}/{second['id']}")
    states = {each["id"]: each["state"] for each in checked(DeviceCredentials, answer)["items"]}
    assert states == {first["id"]: "valid", second["id"]: "revoked"}
    assert (await engineer.delete(f"{PATH}/{second['id']}")).status_code == 404
    actions = [(action, town, subject) for action, town, subject, _ in _audit(seed)]
    assert actions == [
        ("credential.issue", "hoi-an", DEVICE),
        ("credential.rotate", "hoi-an", DEVICE),
        ("credential.revoke", "hoi-an", DEVICE),
    ]


async def test_a_certificate_is_registered_for_its_own_device_alone(
    engineer: httpx.AsyncClient, tmp_path: Path
) -> None:
    make_authority(tmp_path)
    make_device(tmp_path, DEVICE, 30)
    make_device(tmp_path, "hoi-an-air-2", 30)
    own = (tmp_path / f"{DEVICE}.crt").read_text()
    body = {"kind": "certificate", "certificate": own}
    answer = await engineer.post(PATH, json=body)
    assert (answer.status_code, answer.json()["password"]) == (201, None)
    assert (await engineer.post(PATH, json=body)).status_code == 409
    for wrong in (
        {"kind": "certificate", "certificate": (tmp_path / "hoi-an-air-2.crt").read_text()},
        {"kind": "certificate", "certificate": "nothing"},
        {"kind": "certificate"},
        {"kind": "password", "certificate": own},
    ):
        refused = await engineer.post(PATH, json=wrong)
        assert refused.status_code == 400, refused.text


async def test_eight_are_enough(engineer: httpx.AsyncClient) -> None:
    for _ in range(8):
        assert (await engineer.post(PATH, json={"kind": "password"})).status_code == 201
    assert (await engineer.post(PATH, json={"kind": "password"})).status_code == 409


@pytest.mark.parametrize("grants", [{"hoi-an": "operator"}, {"tam-ky": "administrator"}])
async def test_nobody_else_sees_or_changes_them(
    engineer: httpx.AsyncClient, seed: Seed, grants: dict[str, str]
) -> None:
    issued = (await engineer.post(PATH, json={"kind": "password"})).json()
    other = bearer(add_key(seed, "other", grants))
    for method, path, body in (
        ("GET", PATH, None),
        ("POST", PATH, {"kind": "password"}),
        ("POST", f"{PATH}/rotate", {}),
        ("DELETE", f"{PATH}/{issued['id']}", None),
    ):
        answer = await engineer.request(method, path, json=body, headers=other)
        assert answer.status_code in {403, 404}, path
        assert issued["id"] not in answer.text
    pending = await engineer.get("/v1/broker-accounts", headers=other)
    assert DEVICE not in pending.text
    assert len(checked(DeviceCredentials, await engineer.get(PATH))["items"]) == 1


async def test_what_the_broker_has_not_taken_over_is_told_page_by_page(engineer: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("hoi-an-air-2", "air-station", town="hoi-an")
    for device in (DEVICE, "hoi-an-air-2"):
        await engineer.post(f"/v1/devices/{device}/credentials", json={"kind": "password"})
    first = checked(BrokerAccounts, await engineer.get("/v1/broker-accounts", params={"limit": 1}))
    assert (first["agrees"], first["checked_time"]) == (False, None)
    assert first["items"] == [{"device": DEVICE, "change": "add"}]
    second = checked(BrokerAccounts, await engineer.get("/v1/broker-accounts", params={"cursor": first["next"]}))
    assert second["items"] == [{"device": "hoi-an-air-2", "change": "add"}]
    seed.execute("insert into broker_account select device_id, line from broker_account_wanted", [])
    seed.execute("insert into broker_account_check values (true, now(), now(), null)", [])
    assert checked(BrokerAccounts, await engineer.get("/v1/broker-accounts"))["agrees"] is True
    assert checked(DeviceCredentials, await engineer.get(PATH))["broker"] is None
