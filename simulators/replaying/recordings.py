"""Recordings of what a broker carried: compressed JSON Lines or Parquet, read and written message by message."""

from __future__ import annotations

import base64
import gzip
import zlib
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION: Final = 1
ENDINGS: Final = (".jsonl.gz", ".parquet")
ROW_GROUP: Final = 10_000
"""Messages of a Parquet file that are held in memory at a time."""
MAX_LINE_BYTES: Final = 4 << 20
_QOS: Final = (0, 1, 2)
_COLUMNS: Final = ("received_us", "topic", "payload", "qos", "retain")


class RecordingError(ValueError):
    """The file is no recording; the text names file, line and what is allowed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message of a recording."""

    received_us: int  # Unix microseconds
    topic: str
    payload: bytes
    qos: int
    retain: bool


class Writer(Protocol):
    """Takes messages one by one; the file is whole once it is closed."""

    def write(self, message: Recorded) -> None:
        """Append a message."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def open_writer(path: Path) -> Writer:
    """Make a new recording; its ending says the format.

    Raises:
        RecordingError: another ending, or Parquet without pyarrow.
        FileExistsError: a recording is never written over.
    """
    return _ParquetWriter(path) if _is_parquet(path) else _LinesWriter(path)


def read_recording(path: Path) -> Iterator[Recorded]:
    """The messages of a recording, in its order.

    Raises:
        RecordingError: a line is wrong; names file, line and what is allowed.
        OSError: it cannot be read.
    """
    return _read_parquet(path) if _is_parquet(path) else _read_lines(path)


def _is_parquet(path: Path) -> bool:
    if not path.name.endswith(ENDINGS):
        raise RecordingError(f"{path}: a recording ends in {' or '.join(ENDINGS)}")
    return path.name.endswith(ENDINGS[1])


class _LinesWriter:
    """JSON Lines; no time of writing in the gzip header, so that equal messages give equal bytes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._lines = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=self._file, mtime=0)
        self._put({"recording": VERSION})

    def write(self, message: Recorded) -> None:
        line: dict[str, Any] = {"t": message.received_us, "topic": message.topic, "qos": message.qos}
        if message.retain:
            line["retain"] = True
        try:
            line["p"] = message.payload.decode()
        except UnicodeDecodeError:
            line["b"] = base64.b64encode(message.payload).decode()
        self._put(line)

    def close(self) -> None:
        self._lines.close()
        self._file.close()

    def _put(self, line: dict[str, Any]) -> None:
        self._lines.write(msgspec.json.encode(line) + b"\n")


def _read_lines(path: Path) -> Iterator[Recorded]:
    number = 0
    with path.open("rb") as file, gzip.GzipFile(fileobj=file) as lines:
        try:
            while line := lines.readline(MAX_LINE_BYTES):
                number += 1
                if number == 1:
                    _check_head(path, line)
                else:
                    yield _recorded(path, number, line)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise RecordingError(f"{path}:{number + 1}: damaged, or no gzip: {error}") from error
    if not number:
        raise RecordingError(f"{path}:1: holds nothing")


def _check_head(path: Path, line: bytes) -> None:
    head: Any = None
    with suppress(msgspec.DecodeError):
        head = msgspec.json.decode(line)
    if head != {"recording": VERSION}:
        raise RecordingError(f'{path}:1: not the head of a recording; allowed: {{"recording": {VERSION}}}')


def _recorded(path: Path, number: int, line: bytes) -> Recorded:
    try:
        record = msgspec.json.decode(line)
        payload = record["p"].encode() if "p" in record else base64.b64decode(record["b"], validate=True)
        message = Recorded(record["t"], record["topic"], payload, record["qos"], record.get("retain", False))
    except (msgspec.DecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        allowed = '{"t": <Unix us>, "topic": ..., "qos": 0|1|2, "p": <text> or "b": <base64>, "retain": true|false}'
        raise RecordingError(f"{path}:{number}: {error!r}; allowed: {allowed}") from error
    _check(path, number, message)
    return message


def _check(path: Path, number: int, message: Recorded) -> None:
    if type(message.received_us) is not int or message.received_us < 0:
        raise RecordingError(f"{path}:{number}: t is {message.received_us!r}; allowed: whole Unix microseconds")
    if not isinstance(message.topic, str) or not message.topic or set("+#\0") & set(message.topic):
        raise RecordingError(f"{path}:{number}: topic {message.topic!r}; allowed: a topic without + and #")
    if type(message.qos) is not int or message.qos not in _QOS:
        raise RecordingError(f"{path}:{number}: qos {message.qos!r}; allowed: 0, 1, 2")
    if not isinstance(message.retain, bool):
        raise RecordingError(f"{path}:{number}: retain {message.retain!r}; allowed: true, false")


def _pyarrow(path: Path) -> Any:
    try:
        import_module("pyarrow.parquet")
        return import_module("pyarrow")  # an extra: JSON Lines do without it
    except ModuleNotFoundError as error:
        raise RecordingError(f"{path}: Parquet needs the extra `history` (pip install thubon[history])") from error


class _ParquetWriter:
    """Parquet, compressed by zstd, a row a message."""

    def __init__(self, path: Path) -> None:
        pa = _pyarrow(path)
        types = (pa.int64(), pa.string(), pa.binary(), pa.int8(), pa.bool_())
        self._schema = pa.schema(list(zip(_COLUMNS, types, strict=True)))
        self._file = path.open("xb")
        self._table = pa.table
        self._writer = pa.parquet.ParquetWriter(self._file, self._schema, compression="zstd")
        self._rows: list[Recorded] = []

    def write(self, message: Recorded) -> None:
        self._rows.append(message)
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._file.close()

    def _flush(self) -> None:
        if self._rows:
            columns = {name: [getattr(row, name) for row in self._rows] for name in _COLUMNS}
            self._writer.write_table(self._table(columns, schema=self._schema))
            self._rows.clear()


def _read_parquet(path: Path) -> Iterator[Recorded]:
    pa = _pyarrow(path)
    try:
        file = pa.parquet.ParquetFile(path)
        missing = [name for name in _COLUMNS if name not in file.schema_arrow.names]
        if missing:
            raise RecordingError(f"{path}: no column {', '.join(missing)}; allowed: {', '.join(_COLUMNS)}")
        number = 0
        for batch in file.iter_batches(ROW_GROUP, columns=list(_COLUMNS)):
            for row in zip(*(batch.column(name).to_pylist() for name in _COLUMNS), strict=True):
                number += 1
                message = Recorded(*row)
                _check(path, number, message)
                yield message
    except pa.ArrowInvalid as error:
        raise RecordingError(f"{path}: damaged, or no Parquet: {error}") from error
