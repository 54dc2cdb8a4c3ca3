"""Merging rows of one device and time, against a plain dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.merge import make_unique
from ingest.records import Block

SLOTS = 3
MESSAGES = 4
ROW = st.tuples(
    st.integers(0, 2),  # device
    st.integers(0, 2),  # time
    st.integers(0, MESSAGES - 1),  # message
    st.lists(st.sampled_from([None, 0.0, 1.0, 2.0]), min_size=SLOTS, max_size=SLOTS),
    st.integers(0, 2),  # quality
)


def block_of(rows: list[tuple[int, int, int, list[float | None], int]]) -> Block:
    value = np.array([[np.nan if v is None else v for v in row[3]] for row in rows]).reshape(len(rows), SLOTS)
    return Block(
        layout=0,
        device=np.array([row[0] for row in rows], dtype=np.int32),
        time_us=np.array([row[1] for row in rows], dtype=np.int64),
        received_us=np.arange(len(rows), dtype=np.int64),
        message=np.array([row[2] for row in rows], dtype=np.int32),
        value=value,
        quality=np.where(np.isnan(value), 0, np.array([[row[4]] for row in rows]).reshape(-1, 1)).astype(np.int16),
    )


@given(st.lists(ROW, max_size=12))
def test_merging_keeps_the_first_value_and_counts_the_others(
    rows: list[tuple[int, int, int, list[float | None], int]],
) -> None:
    standing: dict[tuple[int, int, int], tuple[float, int, int]] = {}
    duplicate, conflict = [0] * MESSAGES, [0] * MESSAGES
    refused: list[tuple[int, int, int, float, float]] = []
    for device, time, message, values, quality in rows:
        for slot, value in enumerate(values):
            key = (device, time, slot)
            if value is None:
                continue
            if key not in standing:
                standing[key] = (value, quality, message)
            elif standing[key][0] == value:
                duplicate[message] += 1
            else:
                conflict[message] += 1
                refused.append((*key, value, standing[key][0]))

    unique = make_unique(block_of(rows), MESSAGES)

    found = {}
    block = unique.block
    owners = block.owner if block.owner is not None else np.repeat(block.message[:, None], SLOTS, axis=1)
    keys = list(zip(block.device.tolist(), block.time_us.tolist(), strict=True))
    for row, (device, time) in enumerate(keys):
        for slot in range(SLOTS):
            if not np.isnan(block.value[row, slot]):
                found[device, time, slot] = (
                    block.value[row, slot],
                    int(block.quality[row, slot]),
                    int(owners[row, slot]),
                )
    assert found == standing
    assert keys == sorted(set(keys))
    assert unique.duplicate.tolist() == duplicate
    assert unique.conflict.tolist() == conflict
    shown = [
        (int(unique.refused.device[row]), int(unique.refused.time_us[row]), slot, value, unique.standing[row, slot])
        for row, slot in np.argwhere(~np.isnan(unique.refused.value)).tolist()
        for value in [unique.refused.value[row, slot]]
    ]
    assert sorted(shown) == sorted(refused)
