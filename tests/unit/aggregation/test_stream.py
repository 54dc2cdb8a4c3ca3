"""COPY BINARY streams: what is encoded is decoded, run by run; spans of batches are named exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.aggregation.windows import QUARTER, start_of
from ingest.changes import changes_of, read_changes
from sql import copy_stream as stream

FIELDS = (stream.INT4, stream.TIME, stream.FLOAT8S, stream.INT2S, stream.TIMES)
_ENDS = [np.iinfo(np.int64).min, np.iinfo(np.int64).max]

Run = tuple[int, int, bool]  # rows, width of the arrays, whether the fourth column is null


def _columns(run: Run, random: np.random.Generator) -> list[np.ndarray | None]:
    rows, width, null = run
    times = random.integers(0, 2**60, (rows, width))
    times[random.random((rows, width)) < 0.2] = random.choice(_ENDS)
    return [
        random.integers(-(2**31), 2**31, rows).astype(np.int32),
        random.integers(0, 2**60, rows),
        np.where(random.random((rows, width)) < 0.2, np.nan, random.normal(size=(rows, width))),
        None if null else random.integers(-5, 5, (rows, width)).astype(np.int16),
        times,
    ]


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 9), st.booleans()), max_size=5), st.integers(0, 2**32 - 1)
)
def test_runs_of_any_shape_come_back_as_they_went(runs: list[Run], seed: int) -> None:
    random = np.random.default_rng(seed)
    written = [_columns(run, random) for run in runs]
    parts = [stream.encode(FIELDS, columns)[len(stream.HEADER) : -len(stream.TRAILER)] for columns in written]
    data = stream.HEADER + b"".join(parts) + stream.TRAILER

    read: list[tuple[Any, ...]] = []
    for size, columns in stream.decode(data, FIELDS):
        read += [
            tuple(columns[at][row].tolist() if at in columns else None for at in range(len(FIELDS)))
            for row in range(size)
        ]

    expected = [
        tuple(None if column is None else column[row].tolist() for column in columns)
        for columns, (rows, _, _) in zip(written, runs, strict=True)
        for row in range(rows)
    ]
    assert str(read) == str(expected)  # as text, since NaN is not equal to itself


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 3_600_000_000).map(lambda us: 1_763_856_000_000_000 + us)),
        min_size=1,
        max_size=60,
        unique=True,
    )
)
def test_changes_name_each_device_and_quarter_once_with_its_span(keys: list[tuple[int, int]]) -> None:
    keys.sort()
    device, time_us = (np.array(column) for column in zip(*keys, strict=True))

    changes = read_changes([changes_of(device.astype(np.int32), time_us.astype(np.int64))])

    expected: dict[tuple[int, int], list[int]] = {}
    for device_key, us in keys:
        expected.setdefault((device_key, start_of(us, QUARTER)), []).append(us)
    assert [tuple(change) for change in changes.tolist()] == [
        (device_key, len(times), min(times), max(times)) for (device_key, _), times in expected.items()
    ]
