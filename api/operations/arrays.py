"""PostgreSQL arrays as it sends them, many end to end, into numpy without a Python object a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEAD_BYTES: Final = 20  # dimensions, whether nulls, element type, length, lower bound: four bytes each
_EPOCH_2000_US: Final = 946_684_800_000_000
NEVER_US: Final = np.iinfo(np.int64).min
"""Of a slot that never said anything, as `-infinity` is sent."""


def float8s(data: bytes | None, rows: int, slots: int) -> NDArray[np.float64]:
    """Arrays of float8; all NaN where there are none.

    Args:
        data: `string_agg(array_send(...), '')` of arrays of one dimension and one length, without nulls.
        rows: how many arrays.
        slots: length of each.

    Returns:
        Shape (rows, slots).
    """
    if data is None:
        return np.full((rows, slots), np.nan)
    return _elements(data, rows, slots, ">f8").astype(np.float64)


def integers(data: bytes | None, rows: int, slots: int, *, size: int) -> NDArray[np.int64]:
    """Arrays of integers of `size` bytes (2, 4 or 8); all 0 where there are none; shape (rows, slots)."""
    if data is None:
        return np.zeros((rows, slots), np.int64)
    return _elements(data, rows, slots, f">i{size}").astype(np.int64)


def times_us(data: bytes, rows: int, slots: int) -> NDArray[np.int64]:
    """Arrays of timestamptz as Unix microseconds; `-infinity` stays `NEVER_US`; shape (rows, slots)."""
    since_2000 = _elements(data, rows, slots, ">i8").astype(np.int64)
    return np.where(since_2000 == NEVER_US, NEVER_US, since_2000 + _EPOCH_2000_US)


def _elements(data: bytes, rows: int, slots: int, form: str) -> NDArray[np.void]:
    element = np.dtype([("length", ">i4"), ("value", form)])
    row = np.dtype([("head", f"V{_HEAD_BYTES}"), ("elements", element, (slots,))])
    elements: NDArray[np.void] = np.frombuffer(data, row, count=rows)["elements"]["value"]
    return elements
