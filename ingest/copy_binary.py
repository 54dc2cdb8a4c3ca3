"""The COPY BINARY stream, built by numpy in one go.

Format: PostgreSQL documentation, COPY, "Binary Format"; arrays as `array_send` writes them: number of dimensions, flag
for nulls, element type, then length and lower bound of each dimension, then each element behind its length.
All numbers are big-endian.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.records import Block

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
_POSTGRES_EPOCH_US: Final = 946_684_800_000_000  # 2000-01-01T00:00:00Z
_FLOAT8_OID: Final = 701
_INT2_OID: Final = 21
_NULL: Final = -1


@cache
def _array_type(slots: int, element: str) -> np.dtype[Any]:
    return np.dtype(
        [
            ("length", ">i4"),
            ("dimensions", ">i4"),
            ("has_null", ">i4"),
            ("oid", ">i4"),
            ("count", ">i4"),
            ("lower_bound", ">i4"),
            ("element", [("length", ">i4"), ("value", element)], (slots,)),
        ]
    )


@cache
def _template(slots: int, *, flagged: bool, numbered: bool) -> NDArray[Any]:
    """One tuple with all that never changes filled in, shape (1,).

    Fields: phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot and, numbered, row.
    """
    layout: list[tuple[str, Any]] = [
        ("fields", ">i2"),
        ("time_length", ">i4"),
        ("time", ">i8"),
        ("received_length", ">i4"),
        ("received", ">i8"),
        ("device_length", ">i4"),
        ("device", ">i4"),
        ("value", _array_type(slots, ">f8")),
        ("quality", _array_type(slots, ">i2")) if flagged else ("quality_null", ">i4"),
    ]
    if numbered:
        layout += [("row_length", ">i4"), ("row", ">i4")]
    row = np.zeros(1, dtype=np.dtype(layout))
    row["fields"] = 6 if numbered else 5
    row["time_length"] = row["received_length"] = 8
    row["device_length"] = 4
    _fill_array(row["value"], _FLOAT8_OID, slots, 8)
    if flagged:
        _fill_array(row["quality"], _INT2_OID, slots, 2)
    else:
        row["quality_null"] = _NULL
    if numbered:
        row["row_length"] = 4
    return row


def _fill_array(field: NDArray[Any], oid: int, slots: int, element_bytes: int) -> None:
    field["length"] = field.dtype.itemsize - 4
    field["dimensions"] = field["lower_bound"] = 1
    field["oid"] = oid
    field["count"] = slots
    field["element"]["length"] = element_bytes


def encode(block: Block, device_key: NDArray[np.int32], *, row: NDArray[np.int32] | None = None) -> bytes:
    """The tuples of a block, without header and trailer.

    Rows whose quality is 0 throughout get a null there, which costs no space; they come first, so rows keep their order
    only within each of the two kinds.

    Args:
        block: rows to write; at least one slot.
        device_key: database key of each row's device, shape (n,).
        row: a number to write behind each row, shape (n,); for the staging table.
    """
    flagged = block.quality.any(axis=1)
    if not flagged.any():
        return _encode(block, device_key, row, flagged=False)
    plain, marked = np.flatnonzero(~flagged), np.flatnonzero(flagged)
    parts = [
        _encode(block.take(rows), device_key[rows], None if row is None else row[rows], flagged=kind)
        for rows, kind in ((plain, False), (marked, True))
        if len(rows)
    ]
    return b"".join(parts)


def _encode(block: Block, device_key: NDArray[np.int32], row: NDArray[np.int32] | None, *, flagged: bool) -> bytes:
    template = _template(block.value.shape[1], flagged=flagged, numbered=row is not None)
    tuples = np.repeat(template, len(block))
    tuples["time"] = block.time_us - _POSTGRES_EPOCH_US
    tuples["received"] = block.received_us - _POSTGRES_EPOCH_US
    tuples["device"] = device_key
    tuples["value"]["element"]["value"] = block.value
    if flagged:
        tuples["quality"]["element"]["value"] = block.quality
    if row is not None:
        tuples["row"] = row
    return tuples.tobytes()


_KEY: Final = np.dtype([("device_key", "i4"), ("time_us", "i8")])
_KEY_TUPLE: Final = np.dtype(
    [("fields", ">i2"), ("key_length", ">i4"), ("key", ">i4"), ("time_length", ">i4"), ("time", ">i8")]
)


def keys(device_key: NDArray[np.int32], time_us: NDArray[np.int64]) -> NDArray[Any]:
    """Keys of rows as one structured array, shape (n,), comparable with those of `decode_keys`."""
    together = np.empty(len(device_key), dtype=_KEY)
    together["device_key"] = device_key
    together["time_us"] = time_us
    return together


def decode_keys(stream: bytes) -> NDArray[Any]:
    """Keys out of a COPY BINARY stream of (device_key, phenomenon_time), neither ever null."""
    tuples = np.frombuffer(stream[len(HEADER) : -len(TRAILER)], dtype=_KEY_TUPLE)
    return keys(tuples["key"].astype(np.int32), tuples["time"].astype(np.int64) + _POSTGRES_EPOCH_US)
