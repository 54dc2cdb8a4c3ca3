"""Importing, growing and exporting the registry on a real database, through the commands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from devices.__main__ import main
from devices.profiles import load_catalogue
from devices.registry import RegistryError, import_devices, read_towns, sync_profiles
from devices.registry_file import COLUMNS, read_registry_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from devices.models import DeviceProfile
    from devices.registry import ImportReport

CATALOGUE = load_catalogue()
CABINET = "ha-cab,hoi-an,ha-street,Bạch Đằng,cabinet,15.876,108.328,lighting-cabinet,Tủ 1,,2025-01-01"
LAMP = "ha-lamp,hoi-an,ha-street,Bạch Đằng,cabinet,15.876,108.328,lamp-controller,Đèn 1,ha-cab,2025-01-01"
GAUGE = "db-gauge,dien-ban,db-cau-lau,Câu Lâu,gauge,15.858,108.273,river-gauge,Trạm Câu Lâu,,"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as connection:
        yield connection


@pytest.fixture
def run(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command; rows become the lines of its file. Answers exit status, standard output, standard error."""
    monkeypatch.setenv("THUBON_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, rows: tuple[str, ...] = ()) -> tuple[int, str, str]:
        (tmp_path / "fleet.csv").write_text("\n".join([",".join(COLUMNS[:11]), *rows]), encoding="utf-8")
        status = main(arguments)
        output = capsys.readouterr()
        return status, output.out, output.err

    return command


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def _version(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select version from registry_version").fetchone()
    assert row is not None
    return int(row[0])


def test_an_import_registers_sites_devices_and_every_datastream_of_their_profiles(
    run: Any, connection: psycopg.Connection[Any]
) -> None:
    status, output, errors = run("import", "fleet.csv", rows=(LAMP, CABINET, GAUGE))

    assert (status, errors) == (0, "")
    assert output.splitlines() == [
        "devices: 3 new, 0 changed, 0 unchanged",
        "sites: 2 new, 0 changed",
        "datastreams: 37 appended, 0 updated",
    ]
    row = connection.execute(
        "select d.town_id, d.domain, d.profile, d.name, d.reporting_interval_s, g.device_id, d.commissioned_time,"
        " s.name from device d join site s using (site_key) join device g on g.device_key = d.gateway_key"
        " where d.device_id = 'ha-lamp'"
    ).fetchone()
    commissioned = datetime(2024, 12, 31, 17, tzinfo=UTC)
    assert row == ("hoi-an", "lighting", "lamp-controller", "Đèn 1", 300, "ha-cab", commissioned, "Bạch Đằng")
    stored = connection.execute(
        "select slot, datastream_id, property, unit, factor, addend, lower_bound, upper_bound, coalesce(words, '{}'),"
        " interval_s, period_s, stamp from datastream where datastream_id like 'ha-lamp:%' order by slot"
    ).fetchall()
    assert stored == [
        (
            s.slot, f"ha-lamp:{s.name}", s.property_id, s.unit, s.factor, s.addend, s.lower_bound, s.upper_bound,
            dict(s.words), s.interval_s, s.period_s, s.stamp,
        )
        for s in CATALOGUE["lamp-controller"].datastreams
    ]  # fmt: skip


def test_the_same_import_again_touches_no_row(run: Any, connection: psycopg.Connection[Any]) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP, GAUGE))
    before = _version(connection)

    status, output, _ = run("import", "fleet.csv", rows=(CABINET, LAMP, GAUGE))

    assert status == 0
    assert "devices: 0 new, 0 changed, 3 unchanged" in output
    assert _version(connection) == before


def test_a_dry_run_says_what_would_be_and_writes_nothing(run: Any, connection: psycopg.Connection[Any]) -> None:
    status, output, _ = run("import", "fleet.csv", "--dry-run", rows=(CABINET, LAMP))

    assert status == 0
    assert output.startswith("dry run, nothing was changed")
    assert "devices: 2 new, 0 changed, 0 unchanged" in output
    assert [_count(connection, table) for table in ("site", "device", "datastream")] == [0, 0, 0]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_one_bad_row_stops_the_whole_import_and_every_bad_row_is_named(
    run: Any, connection: psycopg.Connection[Any], options: tuple[str, ...]
) -> None:
    rows = (
        CABINET,
        GAUGE.replace("dien-ban", "da-nang"),
        LAMP.replace("ha-cab", "ha-cab-9"),
        LAMP.replace("15.876", "x"),
    )
    status, output, errors = run("import", "fleet.csv", *options, rows=rows)

    assert (status, output) == (1, "")
    assert errors.splitlines() == [
        "fleet.csv:3: town: 'da-nang' is not a town; allowed: tam-ky, hoi-an, dien-ban",
        "fleet.csv:4: gateway: 'ha-cab-9' is neither registered nor in this file; add a row for it",
        "fleet.csv:5: device: 'ha-lamp' stands already on line 4",
        "fleet.csv:5: latitude: 'x' is not in degrees from -90 to 90",
        "nothing imported: 4 faults in 3 rows",
    ]
    assert [_count(connection, table) for table in ("site", "device", "datastream")] == [0, 0, 0]


def test_a_change_of_name_place_gateway_or_commissioning_is_an_update_and_is_reported(
    run: Any, connection: psycopg.Connection[Any]
) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP))
    rows = (
        CABINET.replace("15.876", "15.877").replace("Bạch Đằng", "Bạch Đằng 2"),
        LAMP.replace("ha-street,Bạch Đằng", "ha-pole,Trụ 1").replace("Đèn 1", "Đèn 2").replace(",ha-cab,", ",,"),
    )
    status, output, errors = run("import", "fleet.csv", rows=rows)

    assert (status, errors) == (0, "")
    assert output.splitlines() == [
        "site ha-street: name Bạch Đằng -> Bạch Đằng 2",
        "site ha-street: latitude 15.876 -> 15.877",
        "device ha-lamp: site_id ha-street -> ha-pole",
        "device ha-lamp: name Đèn 1 -> Đèn 2",
        "device ha-lamp: gateway_id ha-cab -> none",
        "devices: 0 new, 1 changed, 1 unchanged",
        "sites: 1 new, 1 changed",
        "datastreams: 0 appended, 0 updated",
    ]
    row = connection.execute(
        "select d.name, s.site_id, d.gateway_key from device d join site s using (site_key) where device_id = 'ha-lamp'"
    ).fetchone()
    assert row == ("Đèn 2", "ha-pole", None)
    assert _count(connection, "datastream") == 31


def test_an_import_names_the_cabinets_of_lamps_and_refuses_what_cannot_feed_them(
    run: Any, connection: psycopg.Connection[Any]
) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP, GAUGE))
    header = ",".join((*COLUMNS[:11], "fed_by"))
    alone = LAMP.replace(",ha-cab,", ",,")

    def imported(*rows: str) -> ImportReport:
        file = read_registry_file("\n".join((header, *rows)).encode(), CATALOGUE)
        return import_devices(connection, file, CATALOGUE)

    def refused(cabinet_id: str) -> str:
        (fault,) = imported(f"{alone},{cabinet_id}").faults
        assert (fault.line, fault.column) == (2, "fed_by")
        return fault.wording.en

    named = imported(f"{alone},ha-cab")
    assert (named.faults, [change.en for change in named.changes]) == (
        [],
        ["device ha-lamp: gateway_id ha-cab -> none", "device ha-lamp: fed_by_id none -> ha-cab"],
    )
    assert imported(f"{alone},ha-cab").unchanged_devices == 1
    assert "'nobody' is not registered" in refused("nobody")
    assert "is in town 'dien-ban', the device in 'hoi-an'" in refused(GAUGE.split(",", 1)[0])
    assert "a device cannot feed itself" in refused("ha-lamp")
    connection.execute("update device set retired_time = now() where device_id = 'ha-cab'")
    assert "'ha-cab' is retired" in refused("ha-cab")
    other = alone.replace("ha-lamp", "ha-lamp-2")
    (fault,) = imported(f"{alone},", f"{other},ha-lamp").faults
    assert "'ha-lamp' is no cabinet but 'lamp-controller'; allowed: a device of profile lighting-cabinet" in str(fault)
    assert [change.en for change in imported(f"{alone},").changes] == ["device ha-lamp: fed_by_id ha-cab -> none"]


def test_what_the_file_leaves_open_stays_as_it_is(connection: psycopg.Connection[Any], run: Any) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP))
    required = "\n".join(",".join(line.split(",")[:9]) for line in (",".join(COLUMNS[:11]), CABINET, LAMP))

    report = import_devices(connection, read_registry_file(required.encode(), CATALOGUE), CATALOGUE)

    assert (report.unchanged_devices, report.changes) == (2, [])


def test_a_known_device_keeps_town_and_profile_and_a_retired_one_does_not_return(
    run: Any, connection: psycopg.Connection[Any]
) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP, GAUGE))
    connection.execute("update device set retired_time = now() where device_id = 'db-gauge'")
    rows = (
        CABINET.replace("hoi-an", "tam-ky").replace("ha-street", "tk-street"),
        LAMP.replace("lamp-controller", "noise-meter"),
        GAUGE,
        LAMP.replace("ha-lamp", "new").replace("hoi-an", "dien-ban").replace("ha-cab", "db-gauge"),
    )
    status, _, errors = run("import", "fleet.csv", rows=rows)

    assert status == 1
    assert [line.partition(";")[0] for line in errors.splitlines() if "warning" not in line] == [
        "fleet.csv:2: device: 'ha-cab' is registered in town 'hoi-an'",
        "fleet.csv:3: gateway: 'ha-cab' is in town 'tam-ky', the device in 'hoi-an'",
        "fleet.csv:3: profile: 'ha-lamp' is registered as 'lamp-controller'",
        "fleet.csv:4: device: 'db-gauge' is retired, and ids are never reused",
        "fleet.csv:5: gateway: 'db-gauge' is neither registered nor in this file",
        "fleet.csv:5: site: 'ha-street' stands in town 'hoi-an'",
        "fleet.csv:5: town: 'dien-ban', but site 'ha-street' has 'hoi-an' on line 3",
        "nothing imported: 7 faults in 4 rows",
    ]


def test_a_place_outside_its_town_is_a_warning_alone(run: Any, connection: psycopg.Connection[Any]) -> None:
    status, _, errors = run("import", "fleet.csv", rows=(GAUGE.replace("15.858", "15.49"),))

    assert status == 0
    assert errors.startswith("fleet.csv:2: latitude: 15.49, 108.273 lies outside Dien Ban (latitude 15.83 to 15.98,")
    assert errors.rstrip().endswith("(warning)")
    assert _count(connection, "device") == 1


def test_an_export_imports_as_unchanged(run: Any, tmp_path: Path) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP, GAUGE))
    _, exported, _ = run("export")
    _, of_town, _ = run("export", "--town", "dien-ban")
    (tmp_path / "export.csv").write_text(exported, encoding="utf-8")

    status, output, _ = run("import", "export.csv")

    assert status == 0
    assert "devices: 0 new, 0 changed, 3 unchanged" in output
    assert [line.split(",")[0] for line in exported.splitlines()] == ["device", "db-gauge", "ha-cab", "ha-lamp"]
    assert [line.split(",")[0] for line in of_town.splitlines()] == ["device", "db-gauge"]


def test_a_list_shows_one_line_a_device(run: Any) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP, GAUGE))
    status, output, _ = run("list", "--town", "hoi-an")
    assert status == 0
    assert [line.split("\t")[0:2] for line in output.splitlines()[1:]] == [["ha-cab", "hoi-an"], ["ha-lamp", "hoi-an"]]


def _grown(profile: DeviceProfile) -> dict[str, DeviceProfile]:
    """The catalogue with one datastream more, and other bounds in slot 1."""
    first, last = profile.datastreams[0], profile.datastreams[-1]
    more = replace(last, slot=last.slot + 1, name="energy-2")
    streams = (replace(first, upper_bound=90.0), *profile.datastreams[1:], more)
    return {**CATALOGUE, profile.profile_id: replace(profile, datastreams=streams)}


def test_a_grown_profile_appends_to_devices_of_that_profile_alone(
    run: Any, connection: psycopg.Connection[Any]
) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP, GAUGE))
    before = _count(connection, "datastream")
    grown = _grown(CATALOGUE["lamp-controller"])

    report = sync_profiles(connection, grown)

    assert (report.appended, report.updated) == (1, 1)
    assert _count(connection, "datastream") == before + 1
    row = connection.execute("select slot from datastream where datastream_id = 'ha-lamp:energy-2'").fetchone()
    assert row == (13,)
    row = connection.execute(
        "select upper_bound from datastream where datastream_id = 'ha-lamp:level-commanded'"
    ).fetchone()
    assert row == (90.0,)
    version = _version(connection)
    assert sync_profiles(connection, grown) == replace(report, appended=0, updated=0)
    assert _version(connection) == version


def test_an_import_brings_the_devices_it_names_to_the_grown_profile(
    run: Any, connection: psycopg.Connection[Any]
) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP, LAMP.replace("ha-lamp", "ha-lamp-2")))
    grown = _grown(CATALOGUE["lamp-controller"])
    file = read_registry_file("\n".join([",".join(COLUMNS[:11]), LAMP]).encode(), grown)

    report = import_devices(connection, file, grown)

    assert (report.unchanged_devices, report.datastreams.appended, report.datastreams.updated) == (1, 1, 1)
    rows = connection.execute("select datastream_id from datastream where name = 'energy-2'").fetchall()
    assert rows == [("ha-lamp:energy-2",)]


@pytest.mark.parametrize("fault", ["moved", "removed", "another property", "another unit"])
def test_a_profile_that_breaks_what_is_stored_is_refused(
    run: Any, connection: psycopg.Connection[Any], fault: str
) -> None:
    run("import", "fleet.csv", rows=(CABINET, LAMP))
    profile = CATALOGUE["lamp-controller"]
    one, two, *rest = profile.datastreams
    streams = {
        "moved": (replace(two, slot=1), replace(one, slot=2), *rest),
        "removed": profile.datastreams[:-1],
        "another property": (replace(one, property_id="light-level"), two, *rest),
        "another unit": (replace(one, sent_unit="1", factor=100.0), two, *rest),
    }[fault]
    broken = {**CATALOGUE, profile.profile_id: replace(profile, datastreams=streams)}

    with pytest.raises(RegistryError, match="append-only"):
        sync_profiles(connection, broken)

    assert _count(connection, "datastream") == 31


def test_ten_thousand_devices_are_imported_in_seconds(run: Any, connection: psycopg.Connection[Any]) -> None:
    rows = tuple(
        LAMP.replace("ha-lamp", f"lamp-{n}").replace("ha-street", f"site-{n}").replace(",ha-cab,", ",,")
        for n in range(10_000)
    )
    started = datetime.now(UTC)

    status, _, _ = run("import", "fleet.csv", rows=rows)

    assert status == 0
    assert _count(connection, "datastream") == 120_000
    # Some 3 s on two cores; a statement a row takes minutes.
    assert (datetime.now(UTC) - started).total_seconds() < 30


def test_the_towns_are_read_in_the_order_of_the_page(connection: psycopg.Connection[Any]) -> None:
    towns = read_towns(connection)
    assert list(towns) == ["tam-ky", "hoi-an", "dien-ban"]
    assert towns["hoi-an"].name.vi == "Hội An"
    assert towns["hoi-an"].contains(15.88, 108.335)


def test_plain_postgresql_takes_the_same_import(
    run: Any, plain_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", plain_database_url)
    status, output, _ = run("import", "fleet.csv", rows=(CABINET, LAMP, GAUGE))
    assert status == 0
    assert "datastreams: 37 appended" in output


def test_a_reader_cannot_write_the_registry(run: Any, read_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", read_database_url)
    status, _, errors = run("import", "fleet.csv", rows=(CABINET,))
    assert status == 1
    assert "permission denied" in errors


def test_wrong_settings_and_arguments_end_with_status_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THUBON_SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("THUBON_DATABASE_URL", raising=False)
    assert main(["list"]) == 2
    assert "THUBON_DATABASE_URL: Field required" in capsys.readouterr().err

    monkeypatch.setenv("THUBON_DATABASE_URL", "mysql://u:secret@127.0.0.1/x")
    assert main(["list"]) == 2
    assert "secret" not in capsys.readouterr().err

    (tmp_path / "thubon_database_url").write_text("postgresql://u@127.0.0.1:1/x")
    monkeypatch.delenv("THUBON_DATABASE_URL")
    assert main(["import", str(tmp_path / "none.csv")]) == 2
    assert "none.csv: No such file" in capsys.readouterr().err
    assert main(["list"]) == 1
    assert "database: " in capsys.readouterr().err

    with pytest.raises(SystemExit) as caught:
        main(["import"])
    assert caught.value.code == 2
