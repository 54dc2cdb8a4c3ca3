"""Columns to and from COPY BINARY streams, without touching single values.

Tuples of one table differ in length only where arrays do or something is null; such tuples come in long runs, because
rows are asked for in the order of devices. Each run is read as one structured array.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
POSTGRES_EPOCH_US: Final = 946_684_800_000_000  # 2000-01-01T00:00:00Z
_ENDS: Final = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
"""-infinity and infinity in PostgreSQL, the fill of last and first times here: neither moves with the epoch."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type of PostgreSQL as it stands in the stream."""

    dtype: str  # of one element, big-endian
    oid: int  # of one element, for arrays
    is_array: bool = False
    is_time: bool = False


INT2: Final = FieldType(">i2", 21)
INT4: Final = FieldType(">i4", 23)
FLOAT8: Final = FieldType(">f8", 701)
TIME: Final = FieldType(">i8", 1184, is_time=True)
INT2S: Final = FieldType(">i2", 21, is_array=True)
INT4S: Final = FieldType(">i4", 23, is_array=True)
FLOAT8S: Final = FieldType(">f8", 701, is_array=True)
TIMES: Final = FieldType(">i8", 1184, is_array=True, is_time=True)

_NULL: Final = -1
_ABSENT: Final = 0


@cache
def _tuple_type(fields: tuple[FieldType, ...], widths: tuple[int, ...]) -> np.dtype[Any]:
    """Structured type of one tuple; a width is the elements of an array, 1 of a scalar, `_NULL` of null."""
    layout: list[Any] = [("fields", ">i2")]
    for at, (field, width) in enumerate(zip(fields, widths, strict=True)):
        layout.append((f"length{at}", ">i4"))
        if width == _NULL:
            continue
        if field.is_array:
            layout.append((f"head{at}", ">i4", (3,)))
            if width != _ABSENT:
                layout += [
                    (f"shape{at}", ">i4", (2,)),
                    (f"item{at}", [("length", ">i4"), ("value", field.dtype)], (width,)),
                ]
        else:
            layout.append((f"value{at}", field.dtype))
    return np.dtype(layout)


@cache
def _template(fields: tuple[FieldType, ...], widths: tuple[int, ...]) -> NDArray[Any]:
    """One tuple with everything filled in but the values, shape (1,)."""
    row = np.zeros(1, dtype=_tuple_type(fields, widths))
    row["fields"] = len(fields)
    for at, (field, width) in enumerate(zip(fields, widths, strict=True)):
        item_bytes = np.dtype(field.dtype).itemsize
        if width == _NULL:
            row[f"length{at}"] = _NULL
        elif field.is_array:
            row[f"length{at}"] = 20 + width * (4 + item_bytes)
            row[f"head{at}"] = (1, 0, field.oid)
            row[f"shape{at}"] = (width, 1)
            row[f"item{at}"]["length"] = item_bytes
        else:
            row[f"length{at}"] = item_bytes
    return row


def to_postgres(time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unix microseconds as PostgreSQL counts them."""
    ends = (time_us == _ENDS[0]) | (time_us == _ENDS[1])
    return np.where(ends, time_us, time_us - POSTGRES_EPOCH_US)


def from_postgres(time_us: NDArray[Any]) -> NDArray[np.int64]:
    """PostgreSQL's microseconds as Unix microseconds."""
    native = time_us.astype(np.int64)
    ends = (native == _ENDS[0]) | (native == _ENDS[1])
    return np.where(ends, native, native + POSTGRES_EPOCH_US)


def encode(fields: Sequence[FieldType], columns: Sequence[NDArray[Any] | None]) -> bytes:
    """A whole stream of n tuples.

    Args:
        fields: type of each column.
        columns: shape (n,) for scalars, (n, width) with width > 0 for arrays; None: null in every tuple.
    """
    widths = tuple(
        _NULL if column is None else (column.shape[1] if field.is_array else 1)
        for field, column in zip(fields, columns, strict=True)
    )
    size = next(len(column) for column in columns if column is not None)
    tuples = np.repeat(_template(tuple(fields), widths), size)
    for at, (field, column) in enumerate(zip(fields, columns, strict=True)):
        if column is None:
            continue
        values = to_postgres(column) if field.is_time else column
        if field.is_array:
            tuples[f"item{at}"]["value"] = values
        else:
            tuples[f"value{at}"] = values
    return b"".join((HEADER, tuples.tobytes(), TRAILER))


def decode(stream: bytes, fields: Sequence[FieldType]) -> Iterator[tuple[int, Mapping[int, NDArray[Any]]]]:
    """Runs of tuples of one shape: how many, and their columns by number, those that are null left out.

    Values are in native byte order, times in Unix microseconds; an array column has shape (n, width).
    """
    fields = tuple(fields)
    place, end = len(HEADER), len(stream) - len(TRAILER)
    guess = 64
    while place < end:
        widths = _widths(stream, place, fields)
        kind = _tuple_type(fields, widths)
        size = 0
        while True:
            fitting = min(guess, (end - place) // kind.itemsize)
            tuples = np.frombuffer(stream, dtype=kind, count=fitting, offset=place)
            size = _leading(tuples, fields, widths)
            if size < fitting or fitting * kind.itemsize == end - place or fitting < guess:
                break
            guess *= 4
        yield size, _columns(tuples[:size], fields, widths)
        place += size * kind.itemsize
        guess = max(64, 2 * size)


def _widths(stream: bytes, place: int, fields: tuple[FieldType, ...]) -> tuple[int, ...]:
    widths = []
    place += 2
    for field in fields:
        length = int.from_bytes(stream[place : place + 4], "big", signed=True)
        place += 4
        if length < 0:
            widths.append(_NULL)
            continue
        if field.is_array:
            dimensions = int.from_bytes(stream[place : place + 4], "big")
            widths.append(int.from_bytes(stream[place + 12 : place + 16], "big") if dimensions else _ABSENT)
        else:
            widths.append(1)
        place += length
    return tuple(widths)


def _leading(tuples: NDArray[Any], fields: tuple[FieldType, ...], widths: tuple[int, ...]) -> int:
    """How many tuples from the first on have the shape of the first."""
    same = tuples["fields"] == len(fields)
    for at in range(len(fields)):
        if widths[at] == _NULL or fields[at].is_array:
            same &= tuples[f"length{at}"] == tuples[f"length{at}"][0]
    return len(tuples) if same.all() else int(np.argmin(same))


def _columns(tuples: NDArray[Any], fields: tuple[FieldType, ...], widths: tuple[int, ...]) -> dict[int, NDArray[Any]]:
    columns: dict[int, NDArray[Any]] = {}
    for at, (field, width) in enumerate(zip(fields, widths, strict=True)):
        if width == _NULL:
            continue
        if field.is_array:
            values = tuples[f"item{at}"]["value"] if width != _ABSENT else np.zeros((len(tuples), 0), field.dtype)
        else:
            values = tuples[f"value{at}"]
        columns[at] = from_postgres(values) if field.is_time else values.astype(values.dtype.newbyteorder("="))
    return columns
