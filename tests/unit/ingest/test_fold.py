"""The order in which committed rows move `latest`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.fold import Row, passes

ROWS = st.lists(st.builds(Row, st.integers(1, 3), st.integers(1, 5), st.booleans()), max_size=20)


@given(ROWS)
def test_passes_hold_a_device_once_and_go_forward_in_time(rows: list[Row]) -> None:
    last: dict[int, int] = {}
    seen = set()
    for chosen in passes(rows):
        assert len({row.device_key for row in chosen}) == len(chosen)
        for row in chosen:
            assert row.time_us > last.get(row.device_key, 0)
            last[row.device_key] = row.time_us
            seen.add((row.device_key, row.time_us))

    for row in rows:
        newest_complete = max(
            (other.time_us for other in {(r.device_key, r.time_us): r for r in rows}.values()
             if other.device_key == row.device_key and other.complete),
            default=0,
        )  # fmt: skip
        assert ((row.device_key, row.time_us) in seen) == (row.time_us >= newest_complete)
