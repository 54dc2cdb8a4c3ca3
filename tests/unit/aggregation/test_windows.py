"""Windows of Unix time against the calendar of Hoi An."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.aggregation.windows import COARSER, DAY, HOUR, QUARTER, end_of, start_of

HOI_AN = ZoneInfo("Asia/Ho_Chi_Minh")
_times = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # they get UTC


def _us(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@given(_times)
def test_a_day_is_a_day_in_hoi_an(time: datetime) -> None:
    midnight = time.astimezone(HOI_AN).replace(hour=0, minute=0, second=0, microsecond=0)

    assert start_of(_us(time), DAY) == _us(midnight.astimezone(UTC))
    assert end_of(_us(time), DAY) == _us((midnight + timedelta(days=1)).astimezone(UTC))


@given(_times, st.sampled_from([QUARTER, HOUR, DAY]))
def test_a_window_holds_its_start_and_not_its_end(time: datetime, length_s: int) -> None:
    start, end = start_of(_us(time), length_s), end_of(_us(time), length_s)

    assert start <= _us(time) < end
    assert end - start == length_s * 1_000_000
    assert (start_of(start, length_s), start_of(end - 1, length_s), start_of(end, length_s)) == (start, start, end)


@given(_times)
def test_windows_nest(time: datetime) -> None:
    for finer, coarser in COARSER:
        start, end = start_of(_us(time), finer), end_of(_us(time), finer)
        assert start_of(start, coarser) == start_of(end - 1, coarser)


@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2026-02-28T16:59:59.999999+00:00", "2026-02-28"),
        ("2026-02-28T17:00:00+00:00", "2026-03-01"),
        ("2028-02-28T17:00:00+00:00", "2028-02-29"),
        ("2026-12-31T16:59:59.999999+00:00", "2026-12-31"),
        ("2026-12-31T17:00:00+00:00", "2027-01-01"),
    ],
)
def test_days_end_at_five_in_the_afternoon_utc_also_at_the_end_of_months_and_years(time: str, day: str) -> None:
    start = start_of(np.array([_us(datetime.fromisoformat(time))]), DAY)
    assert start.tolist() == [_us(datetime.fromisoformat(f"{day}T00:00:00+07:00").astimezone(UTC))]
