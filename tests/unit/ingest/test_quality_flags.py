"""Flags of whole histories against a slow plain reference, in one go and cut into batches anywhere."""

from __future__ import annotations

import itertools
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.quality import Quality
from ingest.registry import Rules
from ingest.series import Before, against
from ingest.standing import BEFORE, LEAST_BEFORE, LEAST_RUN

LOWER, UPPER, SPIKE, STUCK_US, FLAT_US = 0.0, 100.0, 5.0, 20_000_000, 30_000_000
RULES = Rules(
    expected_lower=np.full(3, -np.inf),
    expected_upper=np.full(3, np.inf),
    watched=np.arange(3),
    lower=np.full(3, LOWER),
    upper=np.full(3, UPPER),
    spike=np.array([SPIKE, np.inf, SPIKE]),
    stuck_us=np.array([STUCK_US, STUCK_US, np.inf]),
    flat_us=np.array([FLAT_US, np.inf, FLAT_US]),
    signature=("a", "b", "c"),
)

History = list[tuple[int, int, list[float]]]  # device, seconds since its last row, a value for each slot


def slow(values: list[tuple[int, float]], slot: int) -> list[int]:
    """Flags of one datastream's values, one after the other, in plain Python."""
    flags = []
    for at, (time_us, value) in enumerate(values):
        flag = 0
        before = [other for _, other in values[max(0, at - BEFORE) : at]]
        if slot != 1 and len(before) >= LEAST_BEFORE and abs(value - before[-1]) > SPIKE:
            middle = median(before)
            noise = 6 * 1.4826 * median(abs(other - middle) for other in before)
            if abs(value - middle) > max(noise, SPIKE):
                flag |= Quality.SPIKE
        first = at
        while first > 0 and values[first - 1][1] == value:
            first -= 1
        stood_us = time_us - values[first][0]
        long = at - first + 1 >= LEAST_RUN
        if value in (LOWER, UPPER):
            if slot != 1 and long and stood_us >= FLAT_US:
                flag |= Quality.FLAT_AT_BOUND
        elif slot != 2 and long and stood_us >= STUCK_US:
            flag |= Quality.STUCK
        flags.append(flag)
    return flags


VALUES = st.sampled_from([0.0, 0.0, 0.0, 100.0, 20.0, 20.0, 20.0, 21.0, 22.5, 27.0, 60.0, float("nan")])
ROWS = st.tuples(st.integers(0, 2), st.integers(1, 4), st.lists(VALUES, min_size=3, max_size=3))


@st.composite
def still_histories(draw: st.DrawFn) -> History:
    """Rows of which many repeat the row before them."""
    rows: History = []
    for row in draw(st.lists(ROWS, max_size=12)):
        rows += [row] * draw(st.integers(1, 25))
    return rows


@settings(max_examples=150)
@given(rows=st.lists(ROWS, max_size=60) | still_histories(), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_flags_equal_the_plain_reference_however_the_history_is_cut(rows: History, cuts: list[int]) -> None:
    clock = [0, 0, 0]
    stamped = []
    for device, seconds, values in rows:
        clock[device] += seconds * 1_000_000
        stamped.append((device, clock[device], values))
    state = Before.nothing(3, 3)
    actual: dict[tuple[int, int, int], int] = {}
    borders = sorted({0, len(stamped), *(cut for cut in cuts if cut < len(stamped))})
    for first, last in itertools.pairwise(borders):
        batch = sorted(stamped[first:last], key=lambda row: row[:2])
        devices = sorted({row[0] for row in batch})
        starts = np.array([next(at for at, row in enumerate(batch) if row[0] == device) for device in devices])
        value = np.array([row[2] for row in batch])
        time_us = np.array([row[1] for row in batch])
        flags, after = against(state.taken(np.array(devices)), RULES, value, time_us, starts)
        state.put(np.array(devices), after)
        for row, found in zip(batch, flags.tolist(), strict=True):
            actual.update({(row[0], row[1], slot): flag for slot, flag in enumerate(found)})

    for device in range(3):
        for slot in range(3):
            series = [(time, values[slot]) for owner, time, values in stamped if owner == device]
            series = [(time, value) for time, value in series if not np.isnan(value)]
            expected = slow(series, slot)
            assert [actual[device, time, slot] for time, _ in series] == expected


def judged(values: list[float], seconds: int = 2) -> list[int]:
    """Flags of one device's first slot."""
    rows = np.full((len(values), 3), np.nan)
    rows[:, 0] = values
    time_us = np.arange(len(values)) * seconds * 1_000_000
    flags, _ = against(Before.nothing(1, 3), RULES, rows, time_us, np.zeros(1, dtype=np.intp))
    return flags[:, 0].tolist()


def test_a_lone_far_value_is_a_spike_and_what_follows_is_not() -> None:
    assert judged([20, 21, 20, 21, 70, 20, 21]) == [0, 0, 0, 0, Quality.SPIKE, 0, 0]


def test_a_step_is_marked_once_and_then_believed() -> None:
    assert judged([20, 21, 20, 21, 70, 71, 70]) == [0, 0, 0, 0, Quality.SPIKE, 0, 0]


def test_noise_widens_what_is_believed() -> None:
    assert judged([5, 40, 12, 35, 8, 42, 20, 50])[-1] == 0


@pytest.mark.parametrize(
    ("value", "flag", "span_us"), [(20.5, Quality.STUCK, STUCK_US), (0.0, Quality.FLAT_AT_BOUND, FLAT_US)]
)
def test_a_number_that_stands_is_marked_from_its_span_on(value: float, flag: int, span_us: int) -> None:
    flags = judged([value] * 20)
    first = max(span_us // 2_000_000, LEAST_RUN - 1)
    assert flags == [0] * first + [flag] * (20 - first)


def test_two_equal_readings_hours_apart_prove_nothing() -> None:
    assert judged([20.5] * 5, seconds=3_600) == [0] * 5


def test_a_slot_that_a_batch_says_nothing_of_stands_on() -> None:
    state = Before.nothing(1, 3)
    flags = []
    for number in range(20):
        for slots in ([0], [1, 2], []):
            row = np.full((1, 3), np.nan)
            row[0, slots] = 20.5
            time_us = np.array([number * 2_000_000])
            found, state = against(state, RULES, row, time_us, np.zeros(1, dtype=np.intp))
            flags += found[0, 0:1].tolist() if slots == [0] else []

    assert flags == judged([20.5] * 20)
    assert Quality.STUCK in flags
