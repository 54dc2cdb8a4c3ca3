"""Changing the registry one by one, through the commands, on a real database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openpyxl
import psycopg
import pytest

from devices.__main__ import main
from devices.registry_file import COLUMNS
from tests.fleet import register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fix_database import Database

SITE = ("--town", "hoi-an", "--name", "Chùa Cầu", "--kind", "station", "--latitude", "15.877", "--longitude", "108.326")


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command; answers exit status, standard output, standard error."""
    monkeypatch.setenv("THUBON_DATABASE_URL", database.owner_url)

    def command(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        output = capsys.readouterr()
        return status, output.out, output.err

    return command


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield connection


def refused(run: Any, *arguments: str) -> str:
    status, output, errors = run(*arguments)
    assert (status, output) == (1, "")
    return str(errors.strip())


def test_a_site_is_created_changed_retired_and_brought_back(run: Any, admin: psycopg.Connection[Any]) -> None:
    assert run("site", "ha-bridge", *SITE, "--ward", "hoi-an-2019-minh-an")[0] == 0
    assert run("site", "ha-bridge", "--name", "Cầu Nhật Bản", "--label", "river")[1].splitlines() == [
        "site.change ha-bridge",
        "  name: Chùa Cầu -> Cầu Nhật Bản",
        "  labels: none -> river",
        "  version: 1 -> 2",
    ]
    assert run("site", "ha-bridge", "--name", "Cầu Nhật Bản")[1] == "ha-bridge: nothing to change\n"
    assert run("add", "ha-air", "--site", "ha-bridge", "--profile", "air-station", "--name", "Trạm")[0] == 0
    assert "1 devices in service stand there" in refused(run, "site", "ha-bridge", "--retire")
    assert "  rated_power_w: none -> 64.0" in run("change", "ha-air", "--rated-power", "64")[1].splitlines()
    assert "allowed: watts above 0" in refused(run, "change", "ha-air", "--rated-power", "0")
    assert run("retire", "ha-air")[0] == 0
    assert run("site", "ha-bridge", "--retire")[0] == 0
    assert "'ha-bridge' is retired" in refused(run, "reinstate", "ha-air")
    assert run("site", "ha-bridge", "--reinstate")[0] == 0
    assert run("reinstate", "ha-air")[0] == 0
    assert admin.execute("select version, retired_time from device").fetchall() == [(4, None)]
    noted = admin.execute("select action from audit where subject = 'ha-air' order by audit_key").fetchall()
    assert [action for (action,) in noted] == ["device.create", "device.change", "device.retire", "device.reinstate"]


def test_a_town_is_created_changed_retired_and_brought_back(run: Any, admin: psycopg.Connection[Any]) -> None:
    place = ("--latitude", "15.4", "--longitude", "108.6", "--bbox", "108.5,15.3,108.8,15.5")
    with pytest.raises(SystemExit, match="2"):
        run("town", "nui-thanh", "--name-vi", "Núi Thành")
    assert run("town", "nui-thanh", "--name-vi", "Núi Thành", "--name-en", "Nui Thanh", *place)[0] == 0
    assert run("town", "nui-thanh", "--name-en", "Nui Thanh")[1] == "nui-thanh: nothing to change\n"
    assert run("town", "nui-thanh", "--position", "1")[1].splitlines()[:2] == [
        "town.change nui-thanh", "  position: 4 -> 1",
    ]  # fmt: skip
    assert "inside the town's box" in refused(run, "town", "nui-thanh", "--latitude", "10")
    assert "there is no town 'atlantis'" in refused(run, "town", "atlantis", "--retire")
    assert run("site", "nt-s", "--town", "nui-thanh", *SITE[2:])[0] == 0
    assert "1 sites are in use there" in refused(run, "town", "nui-thanh", "--retire")
    assert run("site", "nt-s", "--retire")[0] == 0
    assert run("town", "nui-thanh", "--retire")[0] == 0
    assert "'nui-thanh' is retired" in refused(run, "site", "nt-2", "--town", "nui-thanh", *SITE[2:])
    assert [line.split("\t")[-1] for line in run("towns")[1].splitlines() if "nui-thanh" in line] == ["retired"]
    assert run("town", "nui-thanh", "--reinstate")[0] == 0
    noted = admin.execute("select action from audit where subject = 'nui-thanh' order by audit_key").fetchall()
    assert [action for (action,) in noted] == ["town.create", "town.change", "town.retire", "town.reinstate"]


def test_what_a_sync_changes_is_in_the_audit(run: Any, admin: psycopg.Connection[Any]) -> None:
    run("site", "ha-bridge", *SITE)
    run("add", "ha-air", "--site", "ha-bridge", "--profile", "air-station", "--name", "Trạm")
    assert run("sync")[1] == "datastreams: 0 appended, 0 updated\n"
    admin.execute("update datastream set upper_bound = upper_bound + 1 where name = 'pm25'")
    assert run("sync")[1] == "datastreams: 0 appended, 1 updated\n"
    noted = admin.execute("select subject, town_id, after from audit where action = 'registry.sync'").fetchall()
    assert noted == [("datastreams", None, {"appended": 0, "updated": 1})]


def test_a_site_resolves_to_its_wards_of_both_versions(run: Any, admin: psycopg.Connection[Any]) -> None:
    wards = "select ward_id, how from site_ward order by ward_id"
    run("site", "ha-bridge", *SITE, "--ward", "hoi-an-2019-cam-chau")
    assert admin.execute(wards).fetchall() == [
        ("hoi-an-2019-cam-chau", "declared"),
        ("hoi-an-2025-hoi-an-dong", "successor"),
    ]
    run("site", "ha-bridge", "--ward", "hoi-an-2019-cam-chau", "--ward", "hoi-an-2025-hoi-an")
    assert admin.execute(wards).fetchall() == [
        ("hoi-an-2019-cam-chau", "declared"),
        ("hoi-an-2025-hoi-an", "declared"),
    ]
    assert "no ward of 'hoi-an'" in refused(run, "site", "ha-bridge", "--ward", "tam-ky-2019-an-my")
    both = ("--ward", "hoi-an-2019-cam-chau", "--ward", "hoi-an-2019-minh-an")
    assert "in force at the same time" in refused(run, "site", "ha-bridge", *both)
    assert len(run("wards", "--town", "dien-ban")[1].splitlines()) == 1 + 20 + 6


def test_the_search_column_knows_no_accents(run: Any, admin: psycopg.Connection[Any]) -> None:
    run("site", "ha-bridge", *SITE, "--label", "river")
    run("add", "db-1", "--site", "ha-bridge", "--profile", "air-station", "--name", "ĐIỆN BÀN Ướt", "--label", "a=Được")
    row = admin.execute("select d.search, s.search from device d join site s using (site_key)").fetchone()
    assert row == ("db-1 dien ban uot air-station a=duoc", "ha-bridge chua cau station river")


def test_a_device_moves_to_another_town_and_leaves_its_history_there(
    run: Any, database: Database, admin: psycopg.Connection[Any]
) -> None:
    register(database.url, devices=2)
    register(database.url, devices=1, town="tam-ky", prefix="tk")
    link = (
        "update device set gateway_key = (select device_key from device where device_id = 'dev-1') where device_id = %s"
    )
    admin.execute(link, ["dev-2"])

    assert "it is the gateway of 1 devices" in refused(run, "move", "dev-1", "--site", "site-tam-ky")
    assert "'dev-1' is in town 'hoi-an'" in refused(run, "move", "dev-2", "--site", "site-tam-ky", "--gateway", "dev-1")
    assert "no site 'nowhere'" in refused(run, "move", "dev-2", "--site", "nowhere")
    assert "must be 0 to 2160" in refused(run, "move", "dev-2", "--site", "site-tam-ky", "--grace-hours", "3000")
    assert run("move", "dev-2", "--site", "site-tam-ky", "--grace-hours", "2")[1].splitlines()[:4] == [
        "device.move dev-2",
        "  town_id: hoi-an -> tam-ky",
        "  site_id: site-hoi-an -> site-tam-ky",
        "  gateway_id: dev-1 -> none",
    ]
    grace = admin.execute(
        "select p.town_id, extract(epoch from p.accepted_until - p.until_time)::int from device_placement p"
        " join device d using (device_key) where d.device_id = 'dev-2' and p.until_time < 'infinity'"
    ).fetchall()
    assert grace == [("hoi-an", 7200)]


def test_a_gateway_is_given_taken_away_and_never_stands_behind_itself(run: Any, database: Database) -> None:
    register(database.url, devices=3)
    assert run("change", "dev-1", "--gateway", "dev-2")[0] == 0
    assert run("change", "dev-2", "--gateway", "dev-3")[0] == 0
    way = "'dev-3' would stand behind itself: dev-3 -> dev-1 -> dev-2 -> dev-3"
    assert way in refused(run, "change", "dev-3", "--gateway", "dev-1")
    assert "it is the gateway of 1 devices" in refused(run, "retire", "dev-3")
    assert "no device 'nobody' in service" in refused(run, "change", "dev-3", "--gateway", "nobody")
    assert "  gateway_id: dev-2 -> none" in run("change", "dev-1", "--gateway", "")[1]


def test_a_cabinet_is_named_kept_on_a_move_within_its_town_and_taken_away(run: Any) -> None:
    for site, name in (("ha-bridge", "Cầu"), ("ha-pole", "Cột")):
        assert run("site", site, *SITE, "--name", name)[0] == 0
    assert run("add", "ha-cab", "--site", "ha-bridge", "--profile", "lighting-cabinet", "--name", "Tủ")[0] == 0
    lamp = ("--site", "ha-bridge", "--profile", "lamp-controller", "--name", "Đèn")
    assert "fed_by_id: ha-cab" in run("add", "ha-lamp", *lamp, "--fed-by", "ha-cab")[1]
    assert "fed_by_id" not in run("move", "ha-lamp", "--site", "ha-pole")[1]
    assert "register the cabinet first" in refused(run, "change", "ha-lamp", "--fed-by", "nobody")
    assert "is no cabinet" in refused(run, "add", "ha-lamp-2", *lamp, "--fed-by", "ha-lamp")
    assert run("retire", "ha-lamp")[0] == 0
    assert run("retire", "ha-cab")[0] == 0
    assert "'ha-cab' is retired" in refused(run, "reinstate", "ha-lamp")
    assert run("reinstate", "ha-cab")[0] == 0
    assert run("reinstate", "ha-lamp")[0] == 0
    assert "  fed_by_id: ha-cab -> none" in run("change", "ha-lamp", "--fed-by", "")[1].splitlines()


def test_what_cannot_be_registered_is_refused_with_its_reason(run: Any, database: Database) -> None:
    register(database.url, devices=1)
    add = ("--site", "site-hoi-an", "--profile", "air-station", "--name", "Trạm")
    assert "'dev-1' is taken" in refused(run, "add", "dev-1", *add)
    assert "is a name of the platform's own" in refused(run, "add", "thubon-1", *add)
    assert "is not an id" in refused(run, "add", "Trạm", *add)
    assert "not in the catalogue; allowed:" in refused(run, "add", "dev-2", *add, "--profile", "toaster")
    assert "is no label" in refused(run, "add", "dev-2", *add, "--label", "Not a label")


def test_labels_are_printed_claimed_once_and_replaced(
    run: Any, database: Database, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    register(database.url, devices=2)
    page = tmp_path / "labels.html"
    assert run("labels", "--town", "hoi-an", "--out", str(page))[1] == f"2 labels in {page}\n"
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert run("labels", "--out", str(page))[0] == 0
    assert page.read_text(encoding="utf-8") == text  # the same codes again
    ((code,),) = admin.execute("select code from device_claim join device using (device_key) where device_id = 'dev-1'")
    assert f"{code[:4]}-{code[4:8]}-{code[8:]}" in text

    claimed, password = run("claim", f"{code[:4].lower()} {code[4:]}")[1].splitlines()
    assert claimed == "dev-1 in hoi-an is claimed"
    assert password.startswith("user name dev-1, password ")
    assert "was claimed by cli:" in refused(run, "claim", code)
    assert "one of them was misread" in refused(run, "claim", code[:9] + ("0" if code[9] != "0" else "1"))
    assert run("labels", "--device", "dev-1", "--new-code", "--out", str(page))[0] == 0
    assert "perhaps its label was replaced" in refused(run, "claim", code)


def test_who_knocks_is_listed_taken_in_or_turned_away(
    run: Any, database: Database, admin: psycopg.Connection[Any]
) -> None:
    register(database.url, devices=1)
    sample = json.dumps({"ts": 1, "values": {"pm25": 1, "pm10": 2, "no2": 3}})
    admin.execute(
        "insert into knock select 'new-' || n, 'hoi-an', 'unknown-device', null, now(), now(), 1, 3, 't', %s"
        " from generate_series(1, 3) n",
        [sample.encode()],
    )
    listed = run("knocks", "--town", "hoi-an")[1].splitlines()
    assert [line.split("\t")[0] for line in listed] == ["device", "new-1", "new-2", "new-3"]
    assert all(line.endswith("\tair-station") for line in listed[1:])

    assert run("refuse", "new-3", "--town", "hoi-an")[0] == 0
    assert "new-3" not in run("knocks")[1]
    assert "new-3" in run("knocks", "--refused")[1]
    assert run("accept", "new-1", "--town", "hoi-an", "--site", "site-hoi-an")[0] == 0
    assert "no device 'new-1' knocked" in refused(run, "accept", "new-1", "--town", "hoi-an", "--site", "site-hoi-an")
    rows = admin.execute("select device_id, profile, commissioned_time < now() - interval '6 days' from device"
                         " where device_id = 'new-1'").fetchall()  # fmt: skip
    assert rows == [("new-1", "air-station", True)]
    waiting = admin.execute("select device_id, reason, requested_time > now() from replay_request").fetchall()
    assert waiting == [("new-1", None, True)]


def test_a_spreadsheet_goes_out_and_comes_back_unchanged(
    run: Any, database: Database, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    run("site", "ha-bridge", *SITE, "--ward", "hoi-an-2019-minh-an", "--label", "river")
    name = '=HYPERLINK("http://x")'
    run("add", "ha-air", "--site", "ha-bridge", "--profile", "air-station", "--name", name, "--label", "phase=2")
    sheet = tmp_path / "fleet.xlsx"
    assert run("export", "--xlsx", str(sheet))[0] == 0
    table = list(openpyxl.load_workbook(sheet).active.values)
    assert table[0] == COLUMNS
    assert table[1][8] == f"'{name}"

    assert "devices: 0 new, 0 changed, 1 unchanged" in run("import", str(sheet))[1]
    book = openpyxl.load_workbook(sheet)
    book.active["H2"] = "toaster"
    book.active["A3"] = "=A2"
    book.save(sheet)
    assert "fleet.xlsx:3: a cell holds a formula" in refused(run, "import", str(sheet))
    book.active["A3"] = None
    book.save(sheet)
    assert "fleet.xlsx:2: profile: 'toaster' is not in the catalogue; allowed: " in refused(run, "import", str(sheet))


def test_plain_postgresql_searches_moves_and_claims_alike(
    plain_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", plain_database.owner_url)
    there = [*SITE[2:4], "--town", "tam-ky", *SITE[4:]]
    for arguments in (
        ("site", "ha-bridge", *SITE, "--ward", "hoi-an-2019-minh-an"),
        ("site", "tk-bridge", *there),
        ("add", "ha-air", "--site", "ha-bridge", "--profile", "air-station", "--name", "Trạm Điện Phương"),
        ("move", "ha-air", "--site", "tk-bridge"),
        ("labels", "--out", str(tmp_path / "labels.html")),
    ):
        assert main(arguments) == 0, capsys.readouterr().err
    with psycopg.connect(plain_database.url) as connection:
        row = connection.execute(
            "select trim(d.search), d.town_id, (select count(*) from device_placement),"
            " (select count(*) from site_ward), c.code from device d join device_claim c using (device_key)"
        ).fetchone()
    assert row is not None
    assert row[:4] == ("ha-air tram dien phuong air-station", "tam-ky", 2, 2)
    assert main(["claim", row[4]]) == 0
