"""A series of values in a CSV file, mapped to messages by a small YAML file."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from devices.models import DATASTREAM_NAME_PATTERN, IDENTIFIER_PATTERN
from devices.yaml_file import read_yaml
from simulators.refusal import refusal
from simulators.replaying.recordings import Recorded, RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNIX: Final = {"unix-s": 1_000_000, "unix-ms": 1_000}
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_Id = Annotated[str, Field(pattern=f"^{IDENTIFIER_PATTERN}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"))


class TimeColumn(_Part):
    """How the file writes the time."""

    column: str
    format: str = "rfc3339"  # rfc3339, unix-s, unix-ms, or strptime's letters
    zone: str | None = None  # of times that say no offset

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        try:
            _ = ZoneInfo(value) if value is not None else None
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone '{value}'; allowed: a name such as Asia/Ho_Chi_Minh") from error
        return value


class ValueColumn(_Part):
    """One column of values: sent = value * factor + addend."""

    column: str
    factor: float = 1.0
    addend: float = 0.0
    decimals: Annotated[int, Field(ge=0, le=9)] | None = None  # round to so many digits; none: as it is


class SeriesMap(_Part):
    """What the columns of a file are."""

    town: _Id
    device: _Id | None = None  # all rows are of this device
    device_column: str | None = None  # or each row names its own
    time: TimeColumn
    values: dict[Annotated[str, Field(pattern=f"^{DATASTREAM_NAME_PATTERN}$")], ValueColumn] = Field(min_length=1)
    missing: tuple[str, ...] = ("", "NA", "NaN", "null")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Literal["utf-8", "utf-8-sig", "latin-1"] = "utf-8-sig"
    qos: Literal[0, 1, 2] = 1

    @model_validator(mode="after")
    def _one_device(self) -> Self:
        if (self.device is None) == (self.device_column is None):
            raise ValueError("give either device or device-column")
        return self


def load_map(path: Path) -> SeriesMap:
    """Read a map.

    Raises:
        DataFileError: it is wrong; names file, line, key and what is allowed.
    """
    document = read_yaml(path)
    try:
        return SeriesMap.model_validate(document.value)
    except ValidationError as error:
        raise refusal(document, SeriesMap, error) from error


def read_series(path: Path, mapping: SeriesMap) -> Iterator[Recorded]:
    """A message a row, in the order of the file; its time is the row's.

    Raises:
        RecordingError: a row is wrong; names file, line and what is allowed.
        OSError: the file cannot be read.
    """
    zone = ZoneInfo(mapping.time.zone) if mapping.time.zone else None
    with path.open(encoding=mapping.encoding, newline="") as file:
        rows = csv.DictReader(file, delimiter=mapping.delimiter, strict=True)
        try:
            _check_columns(path, rows.fieldnames or (), mapping)
            for row in rows:
                where = f"{path}:{rows.line_num}"
                time_us = _time_us(where, row[mapping.time.column], mapping.time, zone)
                values = {name: _value(where, row, column, mapping) for name, column in mapping.values.items()}
                device = mapping.device or row[mapping.device_column or ""]
                payload = msgspec.json.encode({"ts": time_us // 1_000, "values": values})
                yield Recorded(time_us, f"thubon/v1/{mapping.town}/{device}/telemetry", payload, mapping.qos, False)
        except (csv.Error, UnicodeDecodeError) as error:
            raise RecordingError(f"{path}:{rows.line_num + 1}: {error}") from error


def _check_columns(path: Path, columns: Any, mapping: SeriesMap) -> None:
    wanted = [mapping.time.column, *(value.column for value in mapping.values.values())]
    wanted += [mapping.device_column] if mapping.device_column else []
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise RecordingError(f"{path}:1: no column {', '.join(missing)}; the file has {', '.join(columns) or 'none'}")


def _time_us(where: str, text: str | None, column: TimeColumn, zone: tzinfo | None) -> int:
    try:
        if column.format in _UNIX:
            return round(float(text or "") * _UNIX[column.format])
        given = text or ""
        time = (
            datetime.fromisoformat(given) if column.format == "rfc3339" else datetime.strptime(given, column.format)  # noqa: DTZ007 - the zone follows
        )
    except (ValueError, OverflowError) as error:
        raise RecordingError(f"{where}: time '{text}'; allowed: {column.format} ({error})") from error
    if time.tzinfo is None:
        if zone is None:
            raise RecordingError(f"{where}: time '{text}' says no offset; allowed: with one, or a zone in the map")
        time = time.replace(tzinfo=zone)
    return (time - _EPOCH) // timedelta(microseconds=1)


def _value(where: str, row: dict[str, str], column: ValueColumn, mapping: SeriesMap) -> float | None:
    text = (row[column.column] or "").strip()
    if text in mapping.missing:
        return None
    try:
        value = float(text) * column.factor + column.addend
    except ValueError:
        allowed = f"a number, or one of {', '.join(map(repr, mapping.missing))}"
        raise RecordingError(f"{where}: {column.column} is '{text}'; allowed: {allowed}") from None
    return value if column.decimals is None else round(value, column.decimals)
