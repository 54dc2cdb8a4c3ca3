"""Reading a CSV of devices: what is taken, and what is said about what is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.profiles import load_catalogue
from devices.registry_file import COLUMNS, RegistryFile, read_registry_file

HEADER = ",".join(COLUMNS[:11])
ROW = "ha-1,hoi-an,ha-site,Bạch Đằng,pole,15.876,108.328,lamp-controller,Đèn 1,,"


def _read(*lines: str, header: str = HEADER) -> RegistryFile:
    return read_registry_file("\n".join([header, *lines]).encode(), load_catalogue())


def _faults(*lines: str, header: str = HEADER) -> list[str]:
    return [str(fault) for fault in _read(*lines, header=header).faults]


def test_a_row_becomes_a_device_and_its_site() -> None:
    (entry,) = _read(ROW).entries
    assert (entry.device.device_id, entry.device.domain, entry.device.reporting_interval_s) == ("ha-1", "lighting", 300)
    assert (entry.device.gateway_id, entry.device.commissioned_time) == (None, None)
    assert (entry.site.name, entry.site.latitude, entry.site.longitude) == ("Bạch Đằng", 15.876, 108.328)


def test_columns_may_stand_in_any_order_and_the_optional_ones_may_be_absent() -> None:
    required = COLUMNS[:9]
    cells = dict(zip(COLUMNS[:11], ROW.split(","), strict=True))
    file = _read(",".join(cells[name] for name in reversed(required)), header=",".join(reversed(required)))
    assert file.faults == ()
    assert file.entries[0].device.name == "Đèn 1"
    assert file.columns == frozenset(required)


def test_the_rated_power_of_a_lamp_may_stand_in_the_file() -> None:
    header = HEADER + ",rated_power_w"
    entries = _read(ROW + ",64.5", ROW.replace("ha-1", "ha-2") + ",", header=header).entries
    assert [entry.device.rated_power_w for entry in entries] == [64.5, None]


def test_the_cabinet_of_a_lamp_may_stand_in_the_file_and_is_not_the_lamp() -> None:
    header = HEADER + ",fed_by"
    entries = _read(ROW + ",ha-cab", ROW.replace("ha-1", "ha-2") + ",", header=header).entries
    assert [entry.device.fed_by_id for entry in entries] == ["ha-cab", None]
    assert _faults(ROW + ",ha-1", header=header) == ["2: fed_by: a device cannot feed itself; leave it empty"]
    assert "fed_by: 'Tủ 1' is not an id" in _faults(ROW + ",Tủ 1", header=header)[0]


@pytest.mark.parametrize("text", ["0", "-5", "64 W", "nan", "inf", "100001", "64,5"])
def test_a_rated_power_that_cannot_be_is_refused_with_what_is_allowed(text: str) -> None:
    cell = f'"{text}"' if "," in text else text
    (fault,) = _faults(f"{ROW},{cell}", header=HEADER + ",rated_power_w")
    assert fault.startswith("2: rated_power_w:")
    assert "allowed: watts above 0 and up to 100000" in fault


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_spreadsheets_are_read(prefix: bytes, end: str) -> None:
    text = end.join([HEADER, ROW.replace("Bạch Đằng", '"Bạch ""Đằng"", 1"'), "", ",,,,,,,,,,", ""])
    file = read_registry_file(prefix + text.encode(), load_catalogue())
    assert file.faults == ()
    assert file.entries[0].site.name == 'Bạch "Đằng", 1'


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-11-23", datetime(2025, 11, 22, 17, tzinfo=UTC)),
        ("2025-11-23T07:00:00+07:00", datetime(2025, 11, 23, tzinfo=UTC)),
        ("2025-11-23T00:00:00Z", datetime(2025, 11, 23, tzinfo=UTC)),
    ],
)
def test_a_day_of_commissioning_starts_at_local_midnight(text: str, time: datetime) -> None:
    (entry,) = _read(ROW + text).entries
    assert entry.device.commissioned_time == time


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        ("ha-1", "Hà-1", "2: device: 'Hà-1' is not an id; allowed: 1 to 63 lower-case letters"),
        ("ha-1", "", "2: device: '' is not an id"),
        ("ha-1", "a" * 64, "2: device: 'aaa"),
        ("hoi-an", "Hoi An", "2: town: 'Hoi An' is not an id"),
        ("pole", "Pole!", "2: site_kind: 'Pole!' is not an id"),
        ("Bạch Đằng", " ", "2: site_name: is empty"),
        ("Đèn 1", "x" * 201, "2: name: has 201 characters; allowed: 200"),
        ("Đèn 1", '"Đèn\n1"', "2: name: 'Đèn\\n1' holds control characters"),
        ("15.876", "95", "2: latitude: '95' is not in degrees from -90 to 90"),
        ("15.876", '"15,876"', "2: latitude: '15,876' is not in degrees from -90 to 90; the decimal sign is a point"),
        ("15.876", "nan", "2: latitude: 'nan' is not in degrees"),
        ("108.328", "", "2: longitude: '' is not in degrees from -180 to 180"),
        ("lamp-controller", "lamp", "2: profile: 'lamp' is not in the catalogue; allowed: camera-counter, "),
        (",,", ",ha-1,", "2: gateway: a device cannot be its own gateway"),
        (",,", ",Ga,", "2: gateway: 'Ga' is not an id"),
        (",,", ",,23/11/2025", "2: commissioned: '23/11/2025' is not usable; allowed: a day such as 2025-11-23"),
        (",,", ",,2025-11-23T07:00:00", "2: commissioned: '2025-11-23T07:00:00' is not usable"),
        (",,", ",,0001-01-01", "2: commissioned: '0001-01-01' is not usable"),
    ],
)
def test_a_fault_names_line_column_and_what_is_allowed(good: str, bad: str, fault: str) -> None:
    head, _, tail = ROW.rpartition(good)
    file = _read(head + bad + tail)
    assert file.entries == ()
    assert [str(found)[: len(fault)] for found in file.faults] == [fault]


def test_every_fault_of_every_row_is_named() -> None:
    bad = ROW.replace("15.876", "x").replace("lamp-controller", "lamp")
    assert [
        fault.split(": ")[:2] for fault in _faults(bad, ROW.replace("ha-1", "ha-2"), bad.replace("ha-1", "ha-3"))
    ] == [
        ["2", "latitude"],
        ["2", "profile"],
        ["4", "latitude"],
        ["4", "profile"],
    ]


def test_lines_are_counted_over_quoted_line_breaks() -> None:
    faults = _faults(ROW.replace("Đèn 1", '"Đèn\n1"'), "", ROW.replace("ha-1", "X"))
    assert [fault.split(":")[0] for fault in faults] == ["2", "5"]


def test_a_device_stands_once() -> None:
    assert _faults(ROW, ROW) == ["3: device: 'ha-1' stands already on line 2"]


def test_rows_of_one_site_agree() -> None:
    (fault,) = _faults(ROW, ROW.replace("ha-1", "ha-2").replace("15.876", "15.877"))
    assert fault == "3: latitude: 15.877, but site 'ha-site' has 15.876 on line 2; a site is one place"


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (HEADER.replace("device,", ""), "1: missing columns: 'device'; allowed: device, town"),
        (HEADER + ",colour", "1: unknown columns: 'colour'; allowed: "),
        (HEADER + ",town", "1: doubled columns: 'town'; allowed: "),
        (HEADER.replace(",", ";"), "1: columns are separated by semicolons; separate them by commas"),
        ("", "1: missing columns: "),
    ],
)
def test_nothing_is_said_of_rows_under_a_wrong_header(header: str, fault: str) -> None:
    found = _faults(ROW, header=header)
    assert found[0].startswith(fault)
    assert all(each.startswith("1: ") for each in found)


def test_a_row_of_another_width_is_a_fault() -> None:
    assert _faults("ha-1,hoi-an", ROW) == ["2: the row has 2 fields, the header 11"]


def test_what_is_no_csv_is_a_fault_and_not_an_exception() -> None:
    assert "the file is not UTF-8" in str(
        read_registry_file(f"{HEADER}\n{ROW}".encode("cp1258", "replace") + b"\xff", {}).faults
    )
    assert _faults('"' + ROW)[0].startswith("2: not CSV: ")


@given(content=st.binary(max_size=300))
def test_no_bytes_raise(content: bytes) -> None:
    file = read_registry_file(HEADER.encode() + b"\n" + content, load_catalogue())
    assert all(fault.line >= 1 for fault in file.faults)


@given(st.lists(st.lists(st.text(max_size=5), min_size=11, max_size=11), max_size=4))
def test_no_cells_raise_and_every_bad_row_is_named(rows: list[list[str]]) -> None:
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    file = _read(*lines)
    full = [row for row in rows if any(cell.strip() for cell in row)]
    assert len(file.entries) + len({fault.line for fault in file.faults}) >= len(full)
