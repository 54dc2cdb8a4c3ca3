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
from devices.sheets import FileFault, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from devices.models import DeviceProfile

REQUIRED_COLUMNS: Final = (
    "device", "town", "site", "site_name", "site_kind", "latitude", "longitude", "profile", "name",
)  # fmt: skip
OPTIONAL_COLUMNS: Final = ("gateway", "commissioned", "labels", "ward", "rated_power_w")
COLUMNS: Final = REQUIRED_COLUMNS + OPTIONAL_COLUMNS
MAX_NAME_CHARACTERS: Final = 200

_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN)
IDENTIFIER_RULE: Final = "allowed: 1 to 63 lower-case letters, digits and hyphens, starting with a letter or digit"
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
    text: str  # what is wrong and what is allowed

    def __str__(self) -> str:
        """`<line>: <column>: <text>`, as it follows the file's name and a colon."""
        return ": ".join(part for part in (str(self.line), self.column, self.text) if part)


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
        wrong = _header_fault(header)
        if wrong:
            return _refused(1, wrong)
        return _Rows(catalogue, header).read(rows)
    except FileFault as fault:
        return _refused(fault.line, fault.text)


def _refused(line: int, text: str) -> RegistryFile:
    return RegistryFile(entries=(), faults=(Fault(line, "", text),), columns=frozenset())


def _header_fault(header: Sequence[str]) -> str | None:
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    doubled = sorted({name for name in header if header.count(name) > 1})
    if len(header) == 1 and ";" in header[0]:
        return "columns are separated by semicolons; separate them by commas"
    parts = [
        f"{word} columns: {', '.join(repr(name) for name in names)}"
        for word, names in (("missing", missing), ("unknown", unknown), ("doubled", doubled))
        if names
    ]
    return f"{'; '.join(parts)}; allowed: {', '.join(COLUMNS)}" if parts else None


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
                text = f"the row has {len(fields)} fields, the header {len(self._header)}"
                self._faults.append(Fault(line, "", text))
        return RegistryFile(tuple(self._entries), tuple(sorted(self._faults)), frozenset(self._header))

    def _row(self, line: int, cell: Mapping[str, str]) -> None:
        faults_before = len(self._faults)
        ids = {column: self._identifier(line, column, cell[column]) for column in ("device", "town", "site", "profile")}
        gateway = self._identifier(line, "gateway", cell["gateway"]) if cell.get("gateway") else None
        names = {column: self._name(line, column, cell[column]) for column in ("site_name", "name")}
        kind = self._identifier(line, "site_kind", cell["site_kind"])
        latitude = self._degrees(line, "latitude", cell["latitude"], 90)
        longitude = self._degrees(line, "longitude", cell["longitude"], 180)
        commissioned = self._time(line, cell["commissioned"]) if cell.get("commissioned") else None
        labels = self._labels(line, cell.get("labels", ""))
        rated = self._watts(line, cell["rated_power_w"]) if cell.get("rated_power_w") else None
        wards = tuple(sorted({self._identifier(line, "ward", text) for text in cell.get("ward", "").split()}))
        if is_reserved(ids["device"]):
            self._fault(line, "device", f"'{ids['device']}' {RESERVED_TEXT}")
        profile = self._catalogue.get(ids["profile"])
        if profile is None and _IDENTIFIER.fullmatch(ids["profile"]):
            allowed = ", ".join(self._catalogue)
            self._fault(line, "profile", f"'{ids['profile']}' is not in the catalogue; allowed: {allowed}")
        if gateway == ids["device"]:
            self._fault(line, "gateway", "a device cannot be its own gateway; leave it empty")
        first = self._line_by_device.setdefault(ids["device"], line)
        if first != line:
            self._fault(line, "device", f"'{ids['device']}' stands already on line {first}")
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
                text = (
                    f"{here!r}, but site '{entry.site.site_id}' has {there!r} on line {first.line}; a site is one place"
                )
                self._fault(entry.line, column, text)

    def _identifier(self, line: int, column: str, text: str) -> str:
        if not _IDENTIFIER.fullmatch(text):
            self._fault(line, column, f"{text!r:.90} is not an id; {IDENTIFIER_RULE}")
        return text

    def _labels(self, line: int, text: str) -> tuple[str, ...]:
        labels = tuple(sorted(set(text.split())))
        for wrong in wrong_labels(labels):
            self._fault(line, "labels", wrong)
        return labels

    def _name(self, line: int, column: str, text: str) -> str:
        if not text:
            self._fault(line, column, "is empty; a name for people is needed")
        elif len(text) > MAX_NAME_CHARACTERS:
            self._fault(line, column, f"has {len(text)} characters; allowed: {MAX_NAME_CHARACTERS}")
        elif not text.isprintable():
            self._fault(line, column, f"{text!r:.90} holds control characters or line breaks")
        return text

    def _degrees(self, line: int, column: str, text: str, limit: int) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not -limit <= value <= limit:
            hint = "; the decimal sign is a point" if "," in text else ""
            self._fault(line, column, f"{text!r:.40} is not in degrees from -{limit} to {limit}{hint}")
        return value

    def _watts(self, line: int, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value <= MAX_RATED_POWER_W:
            self._fault(line, "rated_power_w", f"{text!r:.40} is not usable; {RATED_POWER_RULE}")
        return value

    def _time(self, line: int, text: str) -> datetime | None:
        found = _day(text) or _instant(text)
        if found is None or found.year not in _COMMISSIONED_YEARS:
            years = f"of the years {_COMMISSIONED_YEARS.start} to {_COMMISSIONED_YEARS[-1]}"
            allowed = f"a day such as 2025-11-23 or a time with offset such as 2025-11-23T07:00:00+07:00, {years}"
            self._fault(line, "commissioned", f"{text!r:.40} is not usable; allowed: {allowed}")
        return found

    def _fault(self, line: int, column: str, text: str) -> None:
        self._faults.append(Fault(line, column, text))


RATED_POWER_RULE: Final = f"allowed: watts above 0 and up to {MAX_RATED_POWER_W:.0f}, or nothing"
RESERVED_TEXT: Final = "is a name of the platform's own at the broker; take another id"


def is_reserved(device_id: str) -> bool:
    """Whether a program of ours bears this name at the broker."""
    return device_id in RESERVED_DEVICE_IDS or device_id.startswith("thubon-")


def wrong_labels(labels: Sequence[str]) -> list[str]:
    """What is wrong with some labels."""
    texts = [
        f"{label!r:.120} is no label; allowed: a word of lower-case letters, digits, '-', '_', '.', or key=value"
        for label in labels
        if not _LABEL.fullmatch(label)
    ]
    if len(labels) > MAX_LABELS:
        texts.append(f"{len(labels)} labels; allowed: {MAX_LABELS}")
    return texts


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
