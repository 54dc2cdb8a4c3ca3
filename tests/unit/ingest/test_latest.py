"""Which committed rows move `latest`, against applying all of them one after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.latest import BEYOND, passes, slot_bits

SLOTS = 4
ROW = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 2**SLOTS - 1), st.booleans())


@given(st.lists(ROW, max_size=25))
def test_the_rows_chosen_move_latest_to_where_all_rows_would(rows: list[tuple[int, int, int, bool]]) -> None:
    # A stored row fills what all messages of its device and time filled.
    stored: dict[tuple[int, int], int] = {}
    for device, time, bits, _ in rows:
        stored[device, time] = stored.get((device, time), 0) | bits

    def newest(keys: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
        found: dict[tuple[int, int], int] = {}
        for device, time in keys:
            for slot in range(SLOTS):
                if stored[device, time] >> slot & 1:
                    found[device, slot] = max(found.get((device, slot), 0), time)
        return found

    columns = [np.array([row[at] for row in rows], dtype=np.int64) for at in range(2)]
    slots = np.array([bits | (BEYOND if beyond else 0) for _, _, bits, beyond in rows], dtype=np.int64)
    chosen = []
    last: dict[int, int] = {}
    for keys, times, widths in passes(*columns, slots):
        assert len(set(keys)) == len(keys)
        for key, time, width in zip(keys, times, widths, strict=True):
            # What a width promises holds: the slots up to it are filled.
            assert stored[key, time] & (1 << width) - 1 == (1 << width) - 1
            assert time > last.get(key, 0)
            last[key] = time
            chosen.append((key, time))

    assert newest(chosen) == newest(list(stored))
    beyond = {(device, time) for device, time, _, is_beyond in rows if is_beyond}
    assert beyond <= set(chosen)


def test_slots_are_bits_and_those_above_sixty_two_share_one() -> None:
    filled = np.zeros((3, 70), dtype=np.bool_)
    filled[0, [0, 2, 61]] = True
    filled[1, [1, 69]] = True

    assert slot_bits(filled).tolist() == [1 | 1 << 2 | 1 << 61, 1 << 1 | BEYOND, 0]
