"""Tables in and out: CSV and XLSX, as rows of texts. Bounded, whatever a file says of itself.

A text that a spreadsheet would take for a formula gets an apostrophe before it on the way out, and loses it on the way
in: https://owasp.org/www-community/attacks/CSV_Injection.
"""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import InvalidFileException

from devices.refusal_texts import RefusalCode
from devices.wording import worded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from devices.wording import Wording

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 64
MAX_CELL_CHARACTERS: Final = 2_000
MAX_UNPACKED_BYTES: Final = 128 * 1024 * 1024
MAX_PARTS: Final = 1_000
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_ZIP: Final = b"PK\x03\x04"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "'")
_SHEET_ERRORS: Final = (
    zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, TypeError,
    AttributeError, IndexError, EOFError, NotImplementedError, OverflowError,
)  # fmt: skip
"""What a broken file makes of openpyxl, which promises no error of its own. It reads XML by defusedxml where that is
installed, as it is with us; what that refuses is a ValueError."""


class FileFault(Exception):  # noqa: N818  # not an error of ours: a verdict on a file
    """The file as a whole cannot be read."""

    def __init__(self, line: int, wording: Wording) -> None:
        super().__init__(wording.en)
        self.line = line
        self.wording = wording


def read_table(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV or of the first sheet of an XLSX, the header first; blank rows are left out.

    Yields:
        Line (of a spreadsheet: row number) from 1, and the cells as stripped texts; days and times as ISO 8601.

    Raises:
        FileFault: the file cannot be read, or is larger than is allowed.
    """
    if len(content) > MAX_FILE_BYTES:
        raise FileFault(1, worded(RefusalCode.FILE_TOO_LARGE, bytes=len(content), limit=MAX_FILE_BYTES))
    rows = _xlsx_rows(content) if content.startswith(_ZIP) else _csv_rows(content)
    number = 0
    for line, cells in rows:
        if not any(cells):
            continue
        number += 1
        if number > MAX_ROWS + 1:
            raise FileFault(line, worded(RefusalCode.TOO_MANY_ROWS, limit=MAX_ROWS))
        if len(cells) > MAX_COLUMNS:
            raise FileFault(line, worded(RefusalCode.TOO_MANY_COLUMNS, columns=len(cells), limit=MAX_COLUMNS))
        for text in cells:
            if len(text) > MAX_CELL_CHARACTERS:
                long = worded(RefusalCode.CELL_TOO_LONG, characters=len(text), limit=MAX_CELL_CHARACTERS)
                raise FileFault(line, long)
        yield line, cells


def write_csv(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Lines of a CSV (RFC 4180, but for line feeds); the header is a row like others."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([_guarded(cell_text(cell)) for cell in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def write_xlsx(rows: Iterable[Sequence[Any]]) -> bytes:
    """An XLSX of one sheet; the header is a row like others. Numbers stay numbers, all else is text."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("devices")
    for row in rows:
        cells: list[Any] = []
        for value in row:
            if isinstance(value, int | float) or value is None:
                cells.append(value)
                continue
            cell = WriteOnlyCell(sheet, value=_guarded(cell_text(value)))
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def cell_text(value: Any) -> str:
    """A value as a file or a line of a list holds it; nothing is an empty text, times are ISO 8601 in UTC."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not _is_number(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal()


def _csv_rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileFault(line, worded(RefusalCode.FILE_NOT_UTF8)) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        line = 1
        for fields in reader:
            yield line, [_unguarded(field.strip()) for field in fields]
            # A quoted field may run over several lines, so a row starts where the last one ended.
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileFault(reader.line_num, worded(RefusalCode.FILE_NOT_CSV, problem=str(error))) from None


def _xlsx_rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        _refuse_bombs(content)
        # Formulas are read as written, so that they can be refused: their values are as old as the last who opened it.
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        sheet: Any = book.worksheets[0]  # the stubs take it for a sheet that can be written
        # A sheet may claim any size; the rows that are there tell.
        sheet.reset_dimensions()
        width = 0
        for line, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS + 1), start=1):
            cells = [_cell_text(line, cell.value, cell.data_type) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            width = width or len(cells)
            yield line, cells + [""] * (width - len(cells))
    except FileFault:
        raise
    except _SHEET_ERRORS as error:
        raise FileFault(1, worded(RefusalCode.FILE_NOT_XLSX, problem=type(error).__name__)) from None


def _refuse_bombs(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        unpacked = 0
        if len(parts) > MAX_PARTS:
            raise FileFault(1, worded(RefusalCode.XLSX_TOO_MANY_PARTS, parts=len(parts), limit=MAX_PARTS))
        for part in parts:
            # Unpacked rather than believed: the size a part claims is the sender's word.
            with archive.open(part) as stream:
                while piece := stream.read(1 << 20):
                    unpacked += len(piece)
                    if unpacked > MAX_UNPACKED_BYTES:
                        raise FileFault(1, worded(RefusalCode.XLSX_UNPACKS_TOO_LARGE, limit=MAX_UNPACKED_BYTES))


def _cell_text(line: int, value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "f":
        raise FileFault(line, worded(RefusalCode.CELL_FORMULA))
    if kind == "e":
        raise FileFault(line, worded(RefusalCode.CELL_ERROR, error=str(value)))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _unguarded(cell_text(value).strip())
