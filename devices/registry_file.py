"""Reads a CSV or XLSX of devices: rows -> checked entries, and a fault for everything that cannot be used.

Pure: knows the catalogue, not the database. What only the database can tell is checked by `devices.registry`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from devices.models import (
    IDENTIFIER_PATTERN,
    LABEL_PATTERN,
    MAX_LABELS,
    MAX_RATED_POWER_W,
    RESERVED_DEVICE_IDS,
    Device,
    Site,
)
from devices.refusal_texts import RefusalCode
from devices.sheets import FileFault, read_table
from devices.wording import worded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from devices.models import DeviceProfile
    from devices.wording import Parameter, Wording

REQUIRED_COLUMNS: Final = (
    "device", "town", "site", "site_name", "site_kind", "latitude", "longitude", "profile", "name",
)  # fmt: skip
OPTIONAL_COLUMNS: Final = ("gateway", "commissioned", "labels", "ward", "rated_power_w", "fed_by")
COLUMNS: Final = REQUIRED_COLUMNS + OPTIONAL_COLUMNS
MAX_NAME_CHARACTERS: Final = 200

_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN)
_LABEL: Final = re.compile(LABEL_PATTERN)
_SITE_COLUMNS: Final = {
    "town": "town_id",
    "site_name": "name",
    "site_kind": "kind",
    "latitude": "latitude",
    "longitude": "longitude",
    "ward": "wards",
}
"""Columns that describe the site, with the attribute of `Site` each fills."""
_COMMISSIONED_YEARS: Final = range(2000, 2100)
_LOCAL_TIME: Final = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something in the file that must be mended, or (as a warning) looked at."""

    line: int  # from 1; the line on which the row starts; in a spreadsheet the row's number
    column: str  # name of the column; '' for the row as a whole
    wording: Wording  # what is wrong and what is allowed

    def __str__(self) -> str:
        """`<line>: <column>: <wording>`, as it follows the file's name and a colon."""
        return ": ".join(part for part in (str(self.line), self.column, self.wording.en) if part)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that can be used as far as the file alone can tell."""

    line: int
    device: Device
    site: Site


@dataclass(frozen=True, slots=True)
class RegistryFile:
    """A file of devices, read."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]  # by line
    columns: frozenset[str]  # columns that the file has


def read_registry_file(content: bytes, catalogue: Mapping[str, DeviceProfile]) -> RegistryFile:
    """Read a CSV or XLSX with the columns `REQUIRED_COLUMNS` and perhaps `OPTIONAL_COLUMNS`, in any order.

    CSV: UTF-8, with or without a byte order mark; comma; quotes as in RFC 4180. XLSX: the first sheet; values, no
    formulas. Blank rows are passed over.

    Args:
        content: the file's bytes.
        catalogue: the device profiles that rows may name, by id.
    """
    try:
        rows = read_table(content)
        _, first = next(rows, (1, []))
        header = [name.strip() for name in first]
        wrong = _header_faults(header)
        if wrong:
            return _refused(1, *wrong)
        return _Rows(catalogue, header).read(rows)
    except FileFault as fault:
        return _refused(fault.line, fault.wording)


def _refused(line: int, *wrong: Wording) -> RegistryFile:
    return RegistryFile(entries=(), faults=tuple(Fault(line, "", each) for each in wrong), columns=frozenset())


def _header_faults(header: Sequence[str]) -> list[Wording]:
    if len(header) == 1 and ";" in header[0]:
        return [worded(RefusalCode.SEMICOLONS)]
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    doubled = sorted({name for name in header if header.count(name) > 1})
    return [
        worded(code, columns=", ".join(repr(name) for name in names), allowed=", ".join(COLUMNS))
        for code, names in (
            (RefusalCode.MISSING_COLUMNS, missing),
            (RefusalCode.UNKNOWN_COLUMNS, unknown),
            (RefusalCode.DOUBLED_COLUMNS, doubled),
        )
        if names
    ]


class _Rows:
    """The rows of one file on their way to entries."""

    def __init__(self, catalogue: Mapping[str, DeviceProfile], header: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._header = header
        self._faults: list[Fault] = []
        self._entries: list[Entry] = []
        self._line_by_device: dict[str, int] = {}
        self._first_by_site: dict[str, Entry] = {}

    def read(self, rows: Iterable[tuple[int, Sequence[str]]]) -> RegistryFile:
        for line, fields in rows:
            if len(fields) == len(self._header):
                self._row(line, dict(zip(self._header, fields, strict=True)))
            else:
                self._fault(line, "", RefusalCode.ROW_WIDTH, fields=len(fields), expected=len(self._header))
        return RegistryFile(tuple(self._entries), tuple(sorted(self._faults)), frozenset(self._header))

    def _row(self, line: int, cell: Mapping[str, str]) -> None:
        faults_before = len(self._faults)
        ids = {column: self._identifier(line, column, cell[column]) for column in ("device", "town", "site", "profile")}
        gateway, fed_by = (
            self._identifier(line, column, cell[column]) if cell.get(column) else None
            for column in ("gateway", "fed_by")
        )
        names = {column: self._name(line, column, cell[column]) for column in ("site_name", "name")}
        kind = self._identifier(line, "site_kind", cell["site_kind"])
        latitude = self._degrees(line, "latitude", cell["latitude"], 90)
        longitude = self._degrees(line, "longitude", cell["longitude"], 180)
        commissioned = self._time(line, cell["commissioned"]) if cell.get("commissioned") else None
        labels = self._labels(line, cell.get("labels", ""))
        rated = self._watts(line, cell["rated_power_w"]) if cell.get("rated_power_w") else None
        wards = tuple(sorted({self._identifier(line, "ward", text) for text in cell.get("ward", "").split()}))
        if is_reserved(ids["device"]):
            self._fault(line, "device", RefusalCode.RESERVED_ID, id=ids["device"])
        profile = self._catalogue.get(ids["profile"])
        if profile is None and _IDENTIFIER.fullmatch(ids["profile"]):
            allowed = ", ".join(self._catalogue)
            self._fault(line, "profile", RefusalCode.UNKNOWN_PROFILE, profile=ids["profile"], allowed=allowed)
        if gateway == ids["device"]:
            self._fault(line, "gateway", RefusalCode.OWN_GATEWAY)
        if fed_by == ids["device"]:
            self._fault(line, "fed_by", RefusalCode.OWN_CABINET)
        first = self._line_by_device.setdefault(ids["device"], line)
        if first != line:
            self._fault(line, "device", RefusalCode.DEVICE_TWICE, device=ids["device"], first=first)
        if len(self._faults) > faults_before or profile is None:
            return
        entry = Entry(
            line=line,
            device=Device(
                device_id=ids["device"],
                town_id=ids["town"],
                site_id=ids["site"],
                domain=profile.domain,
                profile_id=profile.profile_id,
                name=names["name"],
                reporting_interval_s=profile.reporting_interval_s,
                gateway_id=gateway,
                commissioned_time=commissioned,
                labels=labels,
                rated_power_w=rated,
                fed_by_id=fed_by,
            ),
            site=Site(
                site_id=ids["site"],
                town_id=ids["town"],
                name=names["site_name"],
                kind=kind,
                latitude=latitude,
                longitude=longitude,
                wards=wards,
            ),
        )
        self._same_site(entry)
        self._entries.append(entry)

    def _same_site(self, entry: Entry) -> None:
        first = self._first_by_site.setdefault(entry.site.site_id, entry)
        for column, attribute in _SITE_COLUMNS.items():
            here, there = getattr(entry.site, attribute), getattr(first.site, attribute)
            if here != there:
                here, there = (" ".join(each) if isinstance(each, tuple) else each for each in (here, there))
                self._faults.append(
                    Fault(
                        entry.line,
                        column,
                        worded(
                            RefusalCode.SITE_TWICE, here=here, there=there, site=entry.site.site_id, line=first.line
                        ),
                    )
                )

    def _identifier(self, line: int, column: str, text: str) -> str:
        if not _IDENTIFIER.fullmatch(text):
            self._fault(line, column, RefusalCode.NOT_AN_ID, given=text)
        return text

    def _labels(self, line: int, text: str) -> tuple[str, ...]:
        labels = tuple(sorted(set(text.split())))
        for wrong in wrong_labels(labels):
            self._faults.append(Fault(line, "labels", wrong))
        return labels

    def _name(self, line: int, column: str, text: str) -> str:
        if not text:
            self._fault(line, column, RefusalCode.NAME_EMPTY)
        elif len(text) > MAX_NAME_CHARACTERS:
            self._fault(line, column, RefusalCode.NAME_TOO_LONG, characters=len(text), limit=MAX_NAME_CHARACTERS)
        elif not text.isprintable():
            self._fault(line, column, RefusalCode.NAME_UNPRINTABLE, given=text)
        return text

    def _degrees(self, line: int, column: str, text: str, limit: int) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not -limit <= value <= limit:
            code = RefusalCode.DECIMAL_COMMA if "," in text else RefusalCode.NOT_DEGREES
            self._fault(line, column, code, given=text, limit=limit)
        return value

    def _watts(self, line: int, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value <= MAX_RATED_POWER_W:
            self._fault(line, "rated_power_w", RefusalCode.NOT_A_RATED_POWER, given=text, limit=int(MAX_RATED_POWER_W))
        return value

    def _time(self, line: int, text: str) -> datetime | None:
        found = _day(text) or _instant(text)
        if found is None or found.year not in _COMMISSIONED_YEARS:
            first, last = _COMMISSIONED_YEARS.start, _COMMISSIONED_YEARS[-1]
            self._fault(line, "commissioned", RefusalCode.NOT_A_COMMISSIONING, given=text, first=first, last=last)
        return found

    def _fault(self, line: int, column: str, code: RefusalCode, **parameters: Parameter) -> None:
        self._faults.append(Fault(line, column, worded(code, **parameters)))


def is_reserved(device_id: str) -> bool:
    """Whether a program of ours bears this name at the broker."""
    return device_id in RESERVED_DEVICE_IDS or device_id.startswith("thubon-")


def wrong_labels(labels: Sequence[str]) -> list[Wording]:
    """What is wrong with some labels."""
    wrong = [worded(RefusalCode.NOT_A_LABEL, given=label) for label in labels if not _LABEL.fullmatch(label)]
    if len(labels) > MAX_LABELS:
        wrong.append(worded(RefusalCode.TOO_MANY_LABELS, labels=len(labels), limit=MAX_LABELS))
    return wrong


def _day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time(), _LOCAL_TIME)
    except ValueError:
        return None


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
