"""Tables in and out: what goes out comes back, nothing turns into a formula, no file is larger than it may be."""

from __future__ import annotations

import contextlib
import io
import zipfile
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import sheets
from devices.profiles import load_catalogue
from devices.registry_file import COLUMNS, read_registry_file

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = ["device", "name"]
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), max_size=20)


def book(*rows: Sequence[Any]) -> bytes:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_xml_is_read_by_the_parser_that_refuses_entities() -> None:
    assert openpyxl.DEFUSEDXML


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_what_is_written_is_read_again(rows: list[tuple[str, str]]) -> None:
    kept = [list(row) for row in rows if any(row)]
    for content in ("".join(sheets.write_csv([HEADER, *rows])).encode(), sheets.write_xlsx([HEADER, *rows])):
        assert [cells for _, cells in sheets.read_table(content)] == [HEADER, *kept]


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+cmd", "@sum(a1)", "'=x", "=HYPERLINK(1)"])
def test_no_text_goes_out_as_a_formula(text: str) -> None:
    line = next(iter(sheets.write_csv([[text]])))
    assert line.lstrip('"').startswith("'")
    cell = openpyxl.load_workbook(io.BytesIO(sheets.write_xlsx([[text]]))).active["A1"]
    assert (cell.data_type, cell.value) == ("s", f"'{text}")


def test_numbers_stay_numbers_also_below_zero() -> None:
    assert list(sheets.write_csv([[-1.5, 2, None, "-1.5"]])) == ["-1.5,2,,-1.5\n"]


def test_days_times_and_whole_numbers_of_a_spreadsheet_are_read_as_people_write_them() -> None:
    content = book(["a", "b", "c", "d"], [date(2025, 11, 1), datetime.fromisoformat("2025-11-01T07:00"), 12.0, 15.5])
    assert list(sheets.read_table(content))[1] == (2, ["2025-11-01", "2025-11-01T07:00:00", "12", "15.5"])
    assert list(sheets.write_csv([[datetime(2025, 11, 1, tzinfo=UTC)]])) == ["2025-11-01T00:00:00+00:00\n"]


def test_a_formula_in_a_file_is_refused_on_its_line() -> None:
    with pytest.raises(sheets.FileFault, match="formula") as refused:
        list(sheets.read_table(book(HEADER, ["a", "b"], ["=1+1", "b"])))
    assert refused.value.line == 3


def test_a_bomb_is_refused_before_it_is_unpacked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_UNPACKED_BYTES", 3_000_000)
    out = io.BytesIO(book(HEADER))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/big", b"0" * 4_000_000)
    with pytest.raises(sheets.FileFault, match="unpacks to more than"):
        list(sheets.read_table(out.getvalue()))


def test_an_entity_is_refused() -> None:
    entities = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book(HEADER))) as source, zipfile.ZipFile(out, "w") as archive:
        for name in source.namelist():
            text = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                text = entities.encode() + text
            archive.writestr(name, text)
    with pytest.raises(sheets.FileFault, match="not an XLSX"):
        list(sheets.read_table(out.getvalue()))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for prefix in (b"", b"PK\x03\x04"):
        with contextlib.suppress(sheets.FileFault):
            list(sheets.read_table(prefix + content))


def test_rows_and_columns_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 2)
    with pytest.raises(sheets.FileFault, match="more than 2 rows"):
        list(sheets.read_table(b"a\n" * 4))
    for content in (",".join("a" * 65).encode(), book(["a"] * 65)):
        with pytest.raises(sheets.FileFault, match="65 columns"):
            list(sheets.read_table(content))


def test_a_spreadsheet_of_devices_is_read_as_its_csv_is() -> None:
    row = [
        *("ha-1", "hoi-an", "ha-site", "Bạch Đằng", "pole", 15.876, 108.328, "lamp-controller", "=Đèn", ""),
        *(date(2025, 1, 1), "phase=2 old-town", "hoi-an-2019-minh-an"),
    ]
    table = [list(COLUMNS[:13]), row]
    csv_file, xlsx_file = (
        read_registry_file(content, load_catalogue())
        for content in ("".join(sheets.write_csv(table)).encode(), sheets.write_xlsx(table))
    )
    assert csv_file == xlsx_file
    (entry,) = csv_file.entries
    assert (entry.device.name, entry.device.labels) == ("=Đèn", ("old-town", "phase=2"))
    assert entry.site.wards == ("hoi-an-2019-minh-an",)


def test_labels_wards_and_reserved_names_are_checked_by_row() -> None:
    lines = [
        ",".join(COLUMNS[:13]),
        "ingest,hoi-an,ha-site,Bạch Đằng,pole,15.876,108.328,lamp-controller,Đèn 1,,,Big k=v=w,Minh An",
    ]
    faults = [str(fault) for fault in read_registry_file("\n".join(lines).encode(), load_catalogue()).faults]
    assert [fault.split(";")[0] for fault in faults] == [
        "2: device: 'ingest' is a name of the platform's own at the broker",
        "2: labels: 'Big' is no label",
        "2: labels: 'k=v=w' is no label",
        "2: ward: 'An' is not an id",
        "2: ward: 'Minh' is not an id",
    ]
