"""PostgreSQL's binary arrays, end to end, into numpy."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from api.operations import arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOAT8, INT2, INT4, TIMESTAMPTZ = 701, 21, 23, 1184


def sent(rows: Sequence[Sequence[float]], form: str, oid: int) -> bytes:
    """What `array_send` makes of each row, one after the other."""
    parts = []
    for row in rows:
        parts.append(struct.pack(">iiiii", 1, 0, oid, len(row), 1))
        parts += [struct.pack(f">i{form}", struct.calcsize(form), value) for value in row]
    return b"".join(parts)


TABLES = st.integers(1, 6).flatmap(
    lambda slots: st.lists(
        st.lists(st.floats(allow_infinity=True, allow_nan=True), min_size=slots, max_size=slots), min_size=1, max_size=8
    )
)


@given(TABLES)
def test_floats_come_out_as_they_went_in(rows: list[list[float]]) -> None:
    read = arrays.float8s(sent(rows, "d", FLOAT8), len(rows), len(rows[0]))

    np.testing.assert_array_equal(read, np.array(rows))


@given(st.lists(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=3, max_size=3), min_size=1, max_size=8))
def test_integers_of_either_size_come_out_as_they_went_in(rows: list[list[int]]) -> None:
    small = arrays.integers(sent(rows, "h", INT2), len(rows), 3, size=2)
    large = arrays.integers(sent(rows, "i", INT4), len(rows), 3, size=4)

    assert small.tolist() == large.tolist() == rows


def test_times_count_from_1970_and_never_stays_never() -> None:
    since_2000 = [[0, arrays.NEVER_US, 1_000_000]]

    read = arrays.times_us(sent(since_2000, "q", TIMESTAMPTZ), 1, 3)

    assert read.tolist() == [[946_684_800_000_000, arrays.NEVER_US, 946_684_801_000_000]]


def test_what_was_not_asked_for_is_not_there() -> None:
    assert np.isnan(arrays.float8s(None, 2, 3)).all()
    assert not arrays.integers(None, 2, 3, size=2).any()
