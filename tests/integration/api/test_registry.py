"""Keeping the registry over HTTP: sites, devices, moves, wards, search, files, knocks, installation."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from api import registry_schemas as shapes
from api import schemas
from api.views import registry_files
from devices.registry_file import COLUMNS
from devices.sheets import XLSX_TYPE
from tests.integration.api.conftest import checked
from tests.integration.api.people import add_account, add_key, bearer, open_session, page_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.integration.api.seed import Seed

PLACE = {"latitude": 15.877, "longitude": 108.326}
SITE = {"id": "ha-bridge", "town": "hoi-an", "name": "Chùa Cầu", "kind": "station", **PLACE}
TOWN: dict[str, Any] = {
    "id": "nui-thanh", "name": {"vi": "Núi Thành", "en": "Nui Thanh"}, "latitude": 15.4, "longitude": 108.6,
    "bbox": [108.5, 15.3, 108.8, 15.5],
}  # fmt: skip
DEVICE = {"id": "ha-air", "site": "ha-bridge", "profile": "air-station", "name": "Trạm Điện Phương"}
ROW = "ha-lamp,hoi-an,ha-street,Bạch Đằng,pole,15.876,108.328,lamp-controller,Đèn 1,,2025-01-01,phase=2,"
HEADER = ",".join(COLUMNS[:13])
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
async def fleet(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A site in two towns and a device on each."""
    for site in (SITE, {**SITE, "id": "tk-bridge", "town": "tam-ky", "latitude": 15.57, "longitude": 108.47}):
        assert (await client.post("/v1/sites", json=site)).status_code == 201
    for device in (DEVICE, {**DEVICE, "id": "tk-air", "site": "tk-bridge"}):
        assert (await client.post("/v1/devices", json=device)).status_code == 201
    return client


def rows(seed: Seed, query: str) -> list[tuple[Any, ...]]:
    return seed.connection.execute(query.encode()).fetchall()


async def detail(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    return str(response.json()["detail"])


async def test_a_site_is_created_read_changed_and_retired_each_against_the_version_that_was_read(
    client: httpx.AsyncClient,
) -> None:
    created = await client.post("/v1/sites", json={**SITE, "labels": ["river"], "wards": ["hoi-an-2019-cam-pho"]})
    assert (created.status_code, created.headers["ETag"]) == (201, '"1"')
    assert [ward["id"] for ward in created.json()["wards"]] == ["hoi-an-2019-cam-pho", "hoi-an-2025-hoi-an"]
    assert "is taken" in await detail(await client.post("/v1/sites", json=SITE), 409)

    change = {"name": "Cầu Nhật Bản"}
    assert "send If-Match" in await detail(await client.patch("/v1/sites/ha-bridge", json=change), 428)
    assert "ETag" in await detail(
        await client.patch("/v1/sites/ha-bridge", json=change, headers={"If-Match": "x"}), 400
    )
    changed = await client.patch("/v1/sites/ha-bridge", json=change, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    late = await client.patch("/v1/sites/ha-bridge", json={"name": "Khác"}, headers={"If-Match": '"1"'})
    assert "was changed since (version 2, not 1)" in await detail(late, 412)
    page = checked(shapes.Sites, await client.get("/v1/sites", params={"search": "cau NHAT"}))
    assert [(site["id"], site["name"], site["labels"]) for site in page["items"]] == [
        ("ha-bridge", "Cầu Nhật Bản", ["river"])
    ]

    assert (await client.post("/v1/sites/ha-bridge/retire", headers={"If-Match": "*"})).status_code == 200
    assert checked(shapes.Sites, await client.get("/v1/sites"))["items"] == []
    assert len(checked(shapes.Sites, await client.get("/v1/sites?retired=true"))["items"]) == 1
    assert (await client.post("/v1/sites/ha-bridge/reinstate", headers={"If-Match": "*"})).json()[
        "retired_time"
    ] is None


async def test_a_town_is_created_filled_changed_retired_and_brought_back(client: httpx.AsyncClient, seed: Seed) -> None:
    created = await client.post("/v1/towns", json=TOWN)
    assert (created.status_code, created.headers["ETag"]) == (201, '"1"'), created.text
    assert (created.json()["position"], created.json()["sites_in_use"]) == (4, 0)
    assert "is taken, perhaps by a retired one" in await detail(await client.post("/v1/towns", json=TOWN), 409)
    for wrong, told in (
        ({"id": "Núi"}, "id"),
        ({"bbox": [108.8, 15.3, 108.5, 15.5]}, "west < east"),
        ({"latitude": 16.0}, "inside the town's box"),
        ({"name": {"vi": "x\u0007", "en": "x"}}, "printed"),
        ({"position": 0}, "position"),
    ):
        assert told in await detail(await client.post("/v1/towns", json={**TOWN, "id": "more", **wrong}), 400)

    site = {**SITE, "id": "nt-s", "town": "nui-thanh", "latitude": 15.4, "longitude": 108.6}
    assert (await client.post("/v1/sites", json=site)).status_code == 201
    assert (await client.post("/v1/devices", json={**DEVICE, "id": "nt-air", "site": "nt-s"})).status_code == 201
    assert [town["id"] for town in (await client.get("/v1/towns")).json()["items"]][3:] == ["nui-thanh"]
    for path in ("overview", "traffic", "lighting", "environment", "environment/map", "environment/summary"):
        answer = await client.get(f"/v1/towns/nui-thanh/{path}")
        assert answer.status_code == 200, answer.text

    change = {"name": {"vi": "Núi Thành", "en": "Nui Thanh district"}, "position": 1}
    assert "send If-Match" in await detail(await client.patch("/v1/towns/nui-thanh", json=change), 428)
    changed = await client.patch("/v1/towns/nui-thanh", json=change, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    retire, any_version = "/v1/towns/nui-thanh/retire", {"If-Match": "*"}
    assert "changed since" in await detail(await client.post(retire, headers={"If-Match": '"1"'}), 412)
    assert "1 sites are in use there" in await detail(await client.post(retire, headers=any_version), 409)
    await client.post("/v1/devices/nt-air/retire", headers=any_version)
    await client.post("/v1/sites/nt-s/retire", headers=any_version)
    assert (await client.post(retire, headers=any_version)).json()["retired_time"] is not None
    refused = await client.post("/v1/sites", json={**site, "id": "nt-2"})
    assert "'nui-thanh' is retired; allowed: tam-ky, hoi-an, dien-ban" in await detail(refused, 400)
    assert "its town 'nui-thanh' is retired" in await detail(
        await client.post("/v1/sites/nt-s/reinstate", headers=any_version), 409
    )
    assert "nui-thanh" not in (await client.get("/v1/towns")).text
    assert "nui-thanh" in (await client.get("/v1/towns?retired=true")).text
    assert (await client.get("/v1/devices?town=nui-thanh")).status_code == 200
    assert (await client.post("/v1/towns/nui-thanh/reinstate", headers=any_version)).json()["retired_time"] is None
    assert (await client.get("/v1/towns/nui-thanh")).headers["ETag"] == '"4"'
    noted = rows(
        seed,
        "select action, actor, town_id, before ->> 'name_en', after ->> 'name_en' from audit"
        " where subject = 'nui-thanh' order by audit_key",
    )
    was, became = TOWN["name"]["en"], "Nui Thanh district"
    assert noted == [
        ("town.create", "service-token", "nui-thanh", None, was),
        ("town.change", "service-token", "nui-thanh", was, became),
        ("town.retire", "service-token", "nui-thanh", became, became),
        ("town.reinstate", "service-token", "nui-thanh", became, became),
    ]


async def test_towns_are_kept_by_administrators_of_all_towns_alone(stranger: httpx.AsyncClient, seed: Seed) -> None:
    for name, grants in (("one", {"hoi-an": "administrator"}), ("every", {"*": "engineer"})):
        add_account(seed, name, grants)
        headers = page_headers(open_session(seed, name)) | {"If-Match": "*"}
        answers = [await stranger.post("/v1/towns", json=TOWN, headers=headers)]
        for town in ("hoi-an", "tam-ky", "atlantis"):
            answers.append(await stranger.patch(f"/v1/towns/{town}", json={"position": 9}, headers=headers))
            answers.append(await stranger.post(f"/v1/towns/{town}/retire", headers=headers))
            answers.append(await stranger.post(f"/v1/towns/{town}/reinstate", headers=headers))
        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.text for answer in answers}) == 1, "and they tell nobody which towns there are"
    assert rows(seed, "select town_id, position, version from town order by position") == [
        ("tam-ky", 1, 1), ("hoi-an", 2, 1), ("dien-ban", 3, 1)
    ]  # fmt: skip
    add_account(seed, "chief", {"*": "administrator"})
    headers = page_headers(open_session(seed, "chief"))
    assert (await stranger.post("/v1/towns", json=TOWN, headers=headers)).status_code == 201


async def test_a_device_is_registered_with_its_datastreams_and_found_by_words_labels_ward_and_place(
    fleet: httpx.AsyncClient,
) -> None:
    await fleet.patch("/v1/sites/ha-bridge", json={"wards": ["hoi-an-2019-cam-pho"]}, headers={"If-Match": "*"})
    changes = {"labels": ["phase=2", "old"], "rated_power_w": 64.5}
    await fleet.patch("/v1/devices/ha-air", json=changes, headers={"If-Match": "*"})

    async def found(**query: str) -> list[str]:
        page = checked(schemas.Devices, await fleet.get("/v1/devices", params=query))
        return [device["id"] for device in page["items"]]

    assert await found(search="tram dien phuong") == ["ha-air", "tk-air"]
    assert await found(search="ĐIỆN chua") == ["ha-air", "tk-air"]
    assert await found(search="100%_") == []
    assert await found(label="phase=2") == ["ha-air"]
    assert await found(ward="hoi-an-2019-cam-pho") == ["ha-air"]
    assert await found(ward="hoi-an-2025-hoi-an") == ["ha-air"]
    assert await found(ward="hoi-an-2025-hoi-an-tay") == []
    assert await found(site="tk-bridge") == ["tk-air"]
    assert await found(profile="lamp-controller") == []
    answer = await fleet.get("/v1/devices/ha-air")
    device = checked(schemas.DeviceDetail, answer)
    assert answer.headers["ETag"] == '"2"'
    assert (device["labels"], device["version"], device["gateway"]) == (["old", "phase=2"], 2, None)
    assert device["rated_power_w"] == 64.5
    taken = await fleet.patch("/v1/devices/ha-air", json={"rated_power_w": None}, headers={"If-Match": "*"})
    assert checked(shapes.KeptDevice, taken)["rated_power_w"] is None
    assert len(device["datastreams"]) >= 6
    assert [place["site"] for place in device["placements"]] == ["ha-bridge"]


async def test_what_cannot_be_registered_is_refused_with_what_is_allowed(fleet: httpx.AsyncClient) -> None:
    async def refused(status: int, **changes: Any) -> str:
        return await detail(await fleet.post("/v1/devices", json={**DEVICE, "id": "new", **changes}), status)

    assert "is taken, perhaps by a retired one" in await refused(409, id="ha-air")
    assert "name of the platform's own" in await refused(400, id="thubon-ingest")
    assert "allowed: " in await refused(400, profile="toaster")
    assert "there is no site" in await refused(404, site="nowhere")
    assert "labels" in await refused(400, labels=["Not a label"])
    assert "rated_power_w" in await refused(400, rated_power_w=0)
    assert "is in town 'tam-ky'" in await refused(409, gateway="tk-air")
    assert "color" in await refused(400, color="red")


async def test_no_gateway_stands_behind_itself(fleet: httpx.AsyncClient) -> None:
    await fleet.post("/v1/devices", json={**DEVICE, "id": "ha-lamp", "gateway": "ha-air"})
    answer = await fleet.patch("/v1/devices/ha-air", json={"gateway": "ha-lamp"}, headers={"If-Match": "*"})
    assert "would stand behind itself: ha-air -> ha-lamp -> ha-air" in await detail(answer, 409)
    assert "gateway of 1 devices" in await detail(
        await fleet.post("/v1/devices/ha-air/retire", headers={"If-Match": "*"}), 409
    )
    page = checked(schemas.Devices, await fleet.get("/v1/devices?gateway=ha-air"))
    assert [device["id"] for device in page["items"]] == ["ha-lamp"]


async def test_a_lamp_names_the_cabinet_that_feeds_it_and_leaves_it_with_its_town(fleet: httpx.AsyncClient) -> None:
    match = {"If-Match": "*"}
    cabinet = {**DEVICE, "profile": "lighting-cabinet"}
    lamp = {**DEVICE, "id": "ha-lamp", "profile": "lamp-controller", "fed_by": "ha-cab"}
    for body in ({**cabinet, "id": "ha-cab"}, {**cabinet, "id": "tk-cab", "site": "tk-bridge"}, lamp):
        assert (await fleet.post("/v1/devices", json=body)).status_code == 201

    async def refused(status: int, named: str) -> str:
        return await detail(await fleet.patch("/v1/devices/ha-lamp", json={"fed_by": named}, headers=match), status)

    assert "'nobody' is not registered" in await refused(400, "nobody")
    assert "'tk-cab' is in town 'tam-ky', the device in 'hoi-an'" in await refused(409, "tk-cab")
    assert "a device cannot feed itself" in await refused(400, "ha-lamp")
    allowed = "is no cabinet but 'air-station'; allowed: a device of profile lighting-cabinet"
    assert allowed in await refused(400, "ha-air")
    page = checked(schemas.Devices, await fleet.get("/v1/devices?fed_by=ha-cab"))
    assert [device["id"] for device in page["items"]] == ["ha-lamp"]
    for device, fed_by, feeds in (("ha-cab", None, 1), ("ha-lamp", "ha-cab", None)):
        told = checked(schemas.DeviceDetail, await fleet.get(f"/v1/devices/{device}"))
        assert (told["fed_by"], told["feeds"]) == (fed_by, feeds)
    away = {"site": "tk-bridge"}
    assert "it feeds 1 devices" in await detail(await fleet.post("/v1/devices/ha-cab/retire", headers=match), 409)
    assert "it feeds 1 devices" in await detail(
        await fleet.post("/v1/devices/ha-cab/move", json=away, headers=match), 409
    )
    assert (await fleet.post("/v1/devices/ha-lamp/move", json=away, headers=match)).json()["fed_by"] is None
    assert (await fleet.post("/v1/devices/ha-cab/retire", headers=match)).status_code == 200
    assert "'ha-cab' is retired" in await detail(await fleet.post("/v1/devices", json={**lamp, "id": "ha-lamp-2"}), 409)


async def test_a_move_to_another_town_tells_until_when_the_old_topic_is_taken_and_keeps_the_history(
    fleet: httpx.AsyncClient, seed: Seed
) -> None:
    moved = await fleet.post(
        "/v1/devices/ha-air/move", json={"site": "tk-bridge", "grace_hours": 1}, headers={"If-Match": '"1"'}
    )
    assert moved.status_code == 200, moved.text
    assert (moved.json()["town"], moved.json()["version"]) == ("tam-ky", 2)
    device = checked(schemas.DeviceDetail, await fleet.get("/v1/devices/ha-air"))
    now, then = device["placements"]
    assert (now["town"], now["until_time"], then["town"], then["from_time"]) == ("tam-ky", None, "hoi-an", None)
    assert then["topics_until"] == moved.json()["former_topics_until"]
    entries = rows(seed, "select action, town_id, subject from audit where action = 'device.move' order by town_id")
    assert entries == [("device.move", "hoi-an", "ha-air"), ("device.move", "tam-ky", "ha-air")]


async def test_a_device_is_retired_and_brought_back_and_never_deleted(fleet: httpx.AsyncClient) -> None:
    match = {"If-Match": "*"}
    assert (await fleet.post("/v1/devices/ha-air/retire", headers=match)).json()["retired_time"] is not None
    assert (await fleet.get("/v1/devices/ha-air")).json()["state"] == "retired"
    assert "is retired" in await detail(
        await fleet.post("/v1/devices/ha-air/move", json={"site": "tk-bridge"}, headers=match), 409
    )
    assert (await fleet.delete("/v1/devices/ha-air")).status_code == 405
    assert "is taken, perhaps by a retired one" in await detail(await fleet.post("/v1/devices", json=DEVICE), 409)
    assert (await fleet.post("/v1/devices/ha-air/reinstate", headers=match)).json()["retired_time"] is None


async def test_a_file_is_rehearsed_imported_repeated_and_refused_row_by_row(client: httpx.AsyncClient) -> None:
    good = f"{HEADER}\n{ROW}\n".encode()
    for dry_run, created, unchanged in (("true", 1, 0), ("false", 1, 0), ("false", 0, 1)):
        answer = await client.post(f"/v1/registry/import?dry_run={dry_run}", content=good, headers=CSV)
        told = checked(shapes.Import, answer)
        assert told["devices"] == {"created": created, "changed": 0, "unchanged": unchanged}
    bad = f"{HEADER}\n{ROW}\n{ROW.replace('ha-lamp', 'x').replace('hoi-an', 'da-nang')}\n".encode()
    told = checked(shapes.Import, await client.post("/v1/registry/import?dry_run=true", content=bad, headers=CSV))
    assert [(fault["line"], fault["column"]) for fault in told["faults"]] == [(3, "site"), (3, "town"), (3, "town")]
    refused = await client.post("/v1/registry/import", content=bad, headers=CSV)
    assert await detail(refused, 400) == "nothing imported: 3 faults in 1 rows"
    assert (refused.json()["code"], refused.json()["text"]["vi"]) == (
        "nothing-imported",
        "không nhập gì: 3 lỗi ở 1 dòng",
    )
    first = refused.json()["errors"][0]
    assert (first["name"], first["code"], first["parameters"]["site"]) == (
        "line 3, site",
        "site-in-other-town",
        "ha-street",
    )
    assert first["text"]["vi"] == "'ha-street' thuộc đô thị 'hoi-an'; hãy đặt mã khác cho vị trí"
    assert [fault["text"]["en"] for fault in told["faults"]] == [fault["detail"] for fault in told["faults"]]
    assert "Content-Type" in await detail(await client.post("/v1/registry/import", content=good, headers={}), 415)
    large = await client.post("/v1/registry/import", content=b"x" * (16 * 1024 * 1024 + 1), headers=CSV)
    assert "at most 16777216 bytes" in await detail(large, 413)


async def test_an_import_notes_each_site_and_device_before_and_after(client: httpx.AsyncClient, seed: Seed) -> None:
    words = dict(zip(HEADER.split(","), ROW.split(","), strict=True))
    moved = ROW.replace(words["latitude"], "15.8802")
    for row in (ROW, moved):
        answer = await client.post("/v1/registry/import", content=f"{HEADER}\n{row}\n".encode(), headers=CSV)
        assert answer.status_code == 200, answer.text
    assert answer.json()["change_texts"][0]["vi"].startswith("vị trí ha-street: vĩ độ ")
    assert answer.json()["changes"] == [text["en"] for text in answer.json()["change_texts"]]
    query = (
        "select action, town_id, (before ->> 'latitude')::float8, (after ->> 'latitude')::float8 from audit"
        " where subject = 'ha-street' order by audit_key"
    )
    first = float(words["latitude"])
    assert rows(seed, query) == [
        ("site.create", "hoi-an", None, first),
        ("site.change", "hoi-an", first, 15.8802),
    ]
    noted = rows(seed, "select action, actor, after ->> 'profile_id' from audit where subject = 'ha-lamp'")
    assert noted == [("device.create", "service-token", words["profile"])]


async def test_a_file_that_does_not_arrive_holds_up_no_other_import(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_files, "_UPLOAD_S", 2.0, raising=False)
    begun = asyncio.Event()

    async def stopping() -> AsyncIterator[bytes]:
        yield HEADER.encode()
        begun.set()
        await asyncio.sleep(5)

    slow = asyncio.create_task(client.post("/v1/registry/import", content=stopping(), headers=CSV))
    await begun.wait()
    await asyncio.sleep(0.2)
    good = f"{HEADER}\n{ROW}\n".encode()
    answer = await client.post("/v1/registry/import?dry_run=true", content=good, headers=CSV)
    assert answer.status_code == 200, answer.text
    assert (await slow).status_code == 408


async def test_the_registry_goes_out_as_csv_and_xlsx_and_comes_back_unchanged(fleet: httpx.AsyncClient) -> None:
    name = '=HYPERLINK("http://x")'
    await fleet.patch("/v1/devices/ha-air", json={"name": name, "rated_power_w": 64.5}, headers={"If-Match": "*"})
    for kind, content_type in (("csv", "text/csv"), ("xlsx", XLSX_TYPE)):
        file = await fleet.get("/v1/registry/export", params={"format": kind, "town": "hoi-an"})
        assert file.status_code == 200
        if kind == "xlsx":
            table = list(openpyxl.load_workbook(io.BytesIO(file.content)).active.values)
            assert (table[0], table[1][8], table[1][-2]) == (COLUMNS, f"'{name}", 64.5)
        headers = {"Content-Type": content_type}
        told = checked(shapes.Import, await fleet.post("/v1/registry/import", content=file.content, headers=headers))
        assert told["devices"] == {"created": 0, "changed": 0, "unchanged": 1}


async def test_an_installation_goes_from_label_to_claim_to_first_message(fleet: httpx.AsyncClient, seed: Seed) -> None:
    async def step() -> str:
        return str(checked(shapes.Installation, await fleet.get("/v1/devices/ha-air/installation"))["step"])

    assert await step() == "created"
    sheet = await fleet.post("/v1/registry/labels", json={"site": "ha-bridge"})
    assert sheet.headers["Content-Type"].startswith("text/html")
    assert "script" not in sheet.headers["Content-Security-Policy"]
    assert sheet.text.count("<svg") == 1
    assert await step() == "labelled"
    code = checked(shapes.ClaimCode, await fleet.post("/v1/devices/ha-air/claim-code"))["code"]
    assert "was misread" in await detail(await fleet.post("/v1/claims", json={"code": code[:-1] + "?"}), 400)
    claimed = checked(shapes.Claim, await fleet.post("/v1/claims", json={"code": code.lower()}))
    assert claimed["credential"]["user_name"] == "ha-air"
    assert {name: claimed[name] for name in ("device", "town")} == {
        "device": "ha-air",
        "town": "hoi-an",
    }
    assert "was claimed by" in await detail(await fleet.post("/v1/claims", json={"code": code}), 409)
    assert await step() == "claimed"
    seed.execute("insert into device_status select device_key, 'online', now() from device where device_id = 'ha-air'")
    assert await step() == "heard"


async def test_a_knock_is_listed_with_its_guess_accepted_refused_and_forgiven(
    fleet: httpx.AsyncClient, seed: Seed
) -> None:
    sample = json.dumps({"ts": 1, "values": {"pm25": 1, "pm10": 2}}).encode()
    seed.execute(
        "insert into knock select 'new-' || n, 'hoi-an', case n when 3 then 'wrong-town' else 'unknown-device' end,"
        " null, now(), now() + n * interval '1 s', 1, 2, 't', %s from generate_series(1, 3) n",
        [sample],
    )
    page = checked(shapes.Knocks, await fleet.get("/v1/knocks?limit=2"))
    assert [knock["device"] for knock in page["items"]] == ["new-3", "new-2"]
    page = checked(shapes.Knocks, await fleet.get("/v1/knocks", params={"limit": 2, "cursor": page["next"]}))
    (knock,) = page["items"]
    assert (knock["device"], knock["guesses"][0]["matching"]) == ("new-1", ["pm10", "pm25"])
    accept = {"town": "hoi-an", "site": "ha-bridge", "profile": knock["guesses"][0]["profile"], "name": "Trạm mới"}

    assert (await fleet.post("/v1/knocks/new-1/accept", json=accept)).status_code == 201
    assert "no device 'new-1' knocked" in await detail(await fleet.post("/v1/knocks/new-1/accept", json=accept), 404)
    assert "move it" in await detail(await fleet.post("/v1/knocks/new-3/accept", json=accept), 409)
    elsewhere = {**accept, "site": "tk-bridge"}
    assert "not in 'hoi-an'" in await detail(await fleet.post("/v1/knocks/new-2/accept", json=elsewhere), 400)
    assert (await fleet.post("/v1/knocks/new-2/refuse", json={"town": "hoi-an"})).json()["refused"] is True
    assert [each["device"] for each in (await fleet.get("/v1/knocks")).json()["items"]] == ["new-3"]
    assert [each["device"] for each in (await fleet.get("/v1/knocks?refused=true")).json()["items"]] == ["new-2"]
    assert (await fleet.post("/v1/knocks/new-2/forgive", json={"town": "hoi-an"})).json()["refused"] is False
    assert rows(seed, "select device_id from replay_request") == [("new-1",)]


async def test_battery_and_signal_are_those_of_the_profile_or_null(fleet: httpx.AsyncClient, seed: Seed) -> None:
    await fleet.post("/v1/devices", json={**DEVICE, "id": "ha-park", "profile": "parking-sensor"})
    seed.execute(
        "insert into latest select d.device_key, now(), now(), array_agg(case s.property when 'battery-level' then 87"
        " else 'NaN'::float8 end order by s.slot), array_agg(now() order by s.slot), array_agg(0::smallint)"
        " from device d join datastream s using (device_key) where d.device_id = 'ha-park' group by 1"
    )
    page = checked(schemas.Devices, await fleet.get("/v1/devices?town=hoi-an"))
    air, park = page["items"]
    assert air["battery"] is None
    assert (park["battery"]["value"], park["battery"]["unit"]) == (87.0, "%")
    assert (park["signal"]["value"], park["signal"]["datastream"]) == (None, "ha-park:signal")


async def test_who_has_the_role_in_one_town_changes_and_learns_nothing_of_another(
    fleet: httpx.AsyncClient, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    key = bearer(add_key(seed, "school", {"hoi-an": "engineer"}))
    match = {**key, "If-Match": "*"}
    move = {"site": "tk-bridge"}
    for path, body in (
        ("/v1/devices/tk-air/retire", None),
        ("/v1/devices/tk-air/move", {"site": "ha-bridge"}),
        ("/v1/devices/ha-air/move", move),
        ("/v1/sites/tk-bridge/retire", None),
    ):
        answer = await stranger.post(path, json=body, headers=match)
        assert answer.status_code == 404, path
        assert "tam-ky" not in answer.text
    assert (
        await stranger.post("/v1/devices", json={**DEVICE, "id": "x", "site": "tk-bridge"}, headers=key)
    ).status_code == 404
    taken = await stranger.post("/v1/devices", json={**DEVICE, "id": "tk-air"}, headers=key)
    assert "tam-ky" not in await detail(taken, 409)
    other = ROW.replace("ha-lamp", "y").replace("hoi-an", "tam-ky").replace("ha-street", "z")
    lines = "\n".join([HEADER, ROW.replace("ha-lamp", "tk-air"), other])
    answer = await stranger.post("/v1/registry/import?dry_run=true", content=lines.encode(), headers={**key, **CSV})
    assert [fault["detail"] for fault in answer.json()["faults"]] == [
        "'tk-air' is taken; take another id",
        "'tam-ky' is not a town; allowed: hoi-an",
    ]
    exported = await stranger.get("/v1/registry/export", headers=key)
    assert [line.split(",")[0] for line in exported.text.splitlines()] == ["device", "ha-air"]
    assert {site["id"] for site in (await stranger.get("/v1/sites", headers=key)).json()["items"]} == {"ha-bridge"}


async def test_a_viewer_reads_and_changes_nothing_and_a_page_needs_its_csrf_token(
    fleet: httpx.AsyncClient, stranger: httpx.AsyncClient, seed: Seed
) -> None:
    viewer = bearer(add_key(seed, "viewer", {"hoi-an": "viewer"}))
    assert (await stranger.get("/v1/sites", headers=viewer)).status_code == 200
    for path in ("/v1/devices/ha-air/retire", "/v1/sites/ha-bridge/retire", "/v1/devices/ha-air/claim-code"):
        assert (await stranger.post(path, headers={**viewer, "If-Match": "*"})).status_code == 403
    add_account(seed, "an", {"hoi-an": "engineer"})
    page = page_headers(open_session(seed, "an"))
    without = {"Cookie": page["Cookie"], "If-Match": "*"}
    assert (await stranger.post("/v1/devices/ha-air/retire", headers=without)).status_code == 403
    assert (await stranger.post("/v1/devices/ha-air/retire", headers={**page, "If-Match": "*"})).status_code == 200
    assert rows(seed, "select actor from audit where action = 'device.retire' and outcome = 'done'") == [("an",)]
