"""Every reduction against a slow plain one: whatever the readings, their order and how they are split."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.reductions.rows import NEVER_FIRST, NEVER_LAST, Options, Rows
from devices.reductions.sketch import GREATEST, LEAST, RELATIVE_ERROR, bins_of, values_of
from devices.reductions.table import BASIC, REDUCTIONS, Aggregation, add_by_windows
from tests.unit.aggregation import reference

GROUPS = 4
HOLD_US = 3_000_000
LIMIT = 2.0
OPTIONS = Options(hold_us=HOLD_US, limit=LIMIT)
UNORDERED = [name for name, reduction in REDUCTIONS.items() if not reduction.is_ordered]
EVERYTHING = Aggregation(REDUCTIONS)
T0 = 1_763_856_000_000_000

_figures = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 7.0, math.nan, 1e300, -1e300, 1e-300, 5e-324]),
    st.floats(-1e6, 1e6),
    st.floats(allow_infinity=False, allow_nan=False, min_value=-1e300, max_value=1e300),
)
_levels = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 3.0, 7.0, 8.0, 1.5, math.nan]), st.floats(0.0, 120.0))
_times = st.one_of(st.integers(0, 12), st.integers(0, 900)).map(lambda s: T0 + s * 1_000_000)

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def readings(draw: st.DrawFn, values: st.SearchStrategy[float] = _levels, *, distinct: bool = False) -> Columns:
    """Columns of up to 40 readings of up to GROUPS groups, in any order."""
    keys = st.tuples(st.integers(0, GROUPS - 1), _times)
    rows = draw(st.lists(st.tuples(keys, values), max_size=40, unique_by=(lambda row: row[0]) if distinct else None))
    group = np.array([key[0] for key, _ in rows], dtype=np.intp)
    time_us = np.array([key[1] for key, _ in rows], dtype=np.int64)
    return group, time_us, np.array([value for _, value in rows], dtype=np.float64)


def fold(columns: Columns, aggregation: Aggregation = EVERYTHING, weight: np.ndarray | None = None) -> dict:
    state = aggregation.empty(GROUPS)
    aggregation.add(state, Rows.of(*columns, GROUPS, weight=weight, options=OPTIONS))
    return state


def take(columns: Columns, rows: np.ndarray) -> Columns:
    return columns[0][rows], columns[1][rows], columns[2][rows]


def assert_same(actual: dict, expected: dict) -> None:
    """Sums to 1e-12 relative to what was summed, everything else exactly."""
    for name, column in expected.items():
        if name == "sketch":
            for part in ("group", "bin", "count"):
                np.testing.assert_array_equal(getattr(actual[name], part), getattr(column, part))
        elif column.dtype == np.float64 and name not in ("min", "max", "first", "last"):
            np.testing.assert_allclose(actual[name], column, rtol=1e-12, atol=1e-7 if "moment" in name else 1e-9)
        else:
            np.testing.assert_array_equal(actual[name], column)


@given(readings(_figures))
def test_count_extremes_and_ends_are_exact_for_any_figures(columns: Columns) -> None:
    state = fold(columns, Aggregation(("count", "min-with-time", "max-with-time", "first", "last")))
    for at, group in enumerate(reference.groups_of(*columns, GROUPS)):
        assert state["count"][at] == len(group)
        if not group:
            assert (state["min"][at], state["max"][at]) == (math.inf, -math.inf)
            assert (state["first_time"][at], state["last_time"][at]) == (NEVER_FIRST, NEVER_LAST)
            continue
        least, greatest = min(value for _, value in group), max(value for _, value in group)
        assert (state["min"][at], state["max"][at]) == (least, greatest)
        assert state["min_time"][at] == min(time for time, value in group if value == least)
        assert state["max_time"][at] == min(time for time, value in group if value == greatest)
        assert (state["first_time"][at], state["first"][at]) == reference.first(group)
        assert (state["last_time"][at], state["last"][at]) == reference.last(group)


@given(readings(st.floats(-1e150, 1e150)))
def test_sums_mean_and_variance_follow_the_exact_ones(columns: Columns) -> None:
    aggregation = Aggregation(("mean", "sum-of-squares", "variance"))
    figures = aggregation.finalise(fold(columns, aggregation))
    for at, group in enumerate(reference.groups_of(*columns, GROUPS)):
        values = [value for _, value in group]
        if not values:
            assert math.isnan(figures["sum"][at])
            assert math.isnan(figures["mean"][at])
            assert math.isnan(figures["variance"][at])
            continue
        size = max(abs(value) for value in values)
        assert figures["sum"][at] == pytest.approx(reference.exact_sum(values), rel=1e-12, abs=1e-12 * size)
        assert figures["mean"][at] == pytest.approx(
            reference.exact_sum(values) / len(values), rel=1e-12, abs=1e-12 * size
        )
        assert figures["sum_of_squares"][at] == pytest.approx(
            reference.exact_sum([value * value for value in values]), rel=1e-12
        )
        assert figures["variance"][at] == pytest.approx(reference.variance(values), rel=1e-9, abs=1e-24 * size**2)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.sampled_from([0.0, 1e6, 1e9]))
def test_the_variance_loses_nothing_to_a_great_mean(values: list[float], mean: float) -> None:
    shifted = [value + mean for value in values]
    columns = (np.zeros(len(values), np.intp), T0 + np.arange(len(values)), np.array(shifted))
    aggregation = Aggregation(("variance",))
    figures = aggregation.finalise(fold(columns, aggregation))
    exact = reference.variance(shifted)
    assert figures["variance"][0] == pytest.approx(exact, rel=1e-9, abs=1e-30 * max(mean, 1) ** 2)
    assert figures["sample_variance"][0] == pytest.approx(exact * len(values) / (len(values) - 1), rel=1e-9, abs=1e-12)


@given(readings(_figures))
def test_each_quantile_lies_within_the_stated_error_of_the_reading_of_its_rank(columns: Columns) -> None:
    state = fold(columns, Aggregation(("sketch",)))
    wanted = (0.0, 0.1, 0.5, 0.9, 0.95, 0.99, 1.0)
    quantiles = state["sketch"].quantiles(wanted)
    for at, group in enumerate(reference.groups_of(*columns, GROUPS)):
        values = [value for _, value in group]
        for place, q in enumerate(wanted):
            if not values:
                assert math.isnan(quantiles[at, place])
                continue
            exact = reference.quantile(values, q)
            if abs(exact) < LEAST:
                assert quantiles[at, place] == 0
            elif abs(exact) < GREATEST:
                assert quantiles[at, place] == pytest.approx(exact, rel=RELATIVE_ERROR * (1 + 1e-12), abs=0)
            else:
                assert abs(quantiles[at, place]) >= GREATEST * (1 - RELATIVE_ERROR)
                assert (quantiles[at, place] > 0) == (exact > 0)


def test_bins_grow_with_values_and_hold_what_stands_for_them() -> None:
    magnitudes = np.geomspace(LEAST, GREATEST / 1.001, 20_001)
    values = np.r_[-magnitudes[::-1], 0.0, magnitudes]
    bins = bins_of(values)
    assert (np.diff(bins) >= 0).all()
    assert (bins_of(values_of(bins)) == bins).all()
    assert np.abs(bins).max() < 2**15
    assert (np.abs(values_of(bins) - values) <= RELATIVE_ERROR * np.abs(values) * (1 + 1e-12)).all()


@given(readings(st.floats(-200, 300)))
def test_levels_are_averaged_as_energies(columns: Columns) -> None:
    aggregation = Aggregation(("energetic-mean",))
    figures = aggregation.finalise(fold(columns, aggregation))
    for at, group in enumerate(reference.groups_of(*columns, GROUPS)):
        expected = reference.energetic_mean([value for _, value in group]) if group else math.nan
        assert figures["energetic_mean"][at] == pytest.approx(expected, abs=1e-9, nan_ok=True)


@given(readings(st.floats(-720, 720)))
def test_directions_are_averaged_as_vectors(columns: Columns) -> None:
    aggregation = Aggregation(("circular-mean",))
    figures = aggregation.finalise(fold(columns, aggregation))
    for at, group in enumerate(reference.groups_of(*columns, GROUPS)):
        if not group:
            assert math.isnan(figures["circular_mean"][at])
            assert math.isnan(figures["resultant_length"][at])
            continue
        east, north = reference.directions([value for _, value in group])
        length = math.hypot(east, north)
        assert figures["resultant_length"][at] == pytest.approx(length, abs=1e-9)
        if length > 1e-6:
            mean = figures["circular_mean"][at]
            assert 0 <= mean < 360
            assert length * math.sin(math.radians(mean)) == pytest.approx(east, abs=1e-9)
            assert length * math.cos(math.radians(mean)) == pytest.approx(north, abs=1e-9)


def test_directions_that_cancel_have_no_mean() -> None:
    columns = (np.zeros(2, np.intp), np.array([T0, T0 + 1]), np.array([90.0, 270.0]))
    aggregation = Aggregation(("circular-mean",))
    figures = aggregation.finalise(fold(columns, aggregation))
    assert math.isnan(figures["circular_mean"][0])
    assert figures["resultant_length"][0] == pytest.approx(0, abs=1e-12)


@given(readings(st.floats(-5, 120)), st.integers(0, 2**32 - 1))
def test_speeds_are_averaged_by_the_vehicles_they_speak_of(columns: Columns, seed: int) -> None:
    weight = np.random.default_rng(seed).integers(0, 30, len(columns[0])).astype(np.float64)
    aggregation = Aggregation(("harmonic-mean",))
    figures = aggregation.finalise(fold(columns, aggregation, weight))
    for at in range(GROUPS):
        mine = columns[0] == at
        expected = reference.harmonic_mean(columns[2][mine].tolist(), weight[mine].tolist())
        assert figures["harmonic_mean"][at] == pytest.approx(expected, rel=1e-12, nan_ok=True)


@given(readings())
def test_reductions_over_what_lies_between_readings_follow_the_plain_ones(columns: Columns) -> None:
    figures = EVERYTHING.finalise(fold(columns))
    for at, group in enumerate(reference.groups_of(*columns, GROUPS)):
        if not group:
            assert math.isnan(figures["time_weighted_mean"][at])
            assert figures["increase"][at] == figures["transitions"][at] == figures["above"][at] == 0
            continue
        assert figures["time_weighted_mean"][at] == pytest.approx(
            reference.time_weighted_mean(group, HOLD_US), rel=1e-12, abs=1e-9
        )
        increase, resets = reference.increase(group)
        assert figures["increase"][at] == pytest.approx(increase, rel=1e-12, abs=1e-9)
        assert figures["resets"][at] == resets
        seconds, transitions = reference.states(group, HOLD_US)
        np.testing.assert_allclose(figures["state_s"][at], seconds, rtol=1e-12, atol=1e-9)
        assert figures["transitions"][at] == transitions
        assert (figures["above"][at], figures["longest_run"][at]) == reference.exceedance(group, LIMIT)


@given(readings(), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_reductions_of_any_order_are_the_same_however_readings_are_shuffled_and_split(
    columns: Columns, seed: int, parts: int
) -> None:
    aggregation = Aggregation(UNORDERED)
    # Of equal times the later one counts: one group and time stays in one part, in its order.
    part = np.array(
        [hash((int(g), int(t), seed)) % parts for g, t in zip(columns[0], columns[1], strict=True)], dtype=int
    )
    pieces = [take(columns, np.flatnonzero(part == number)) for number in range(parts)]
    merged = aggregation.empty(GROUPS)
    added = aggregation.empty(GROUPS)
    for piece in pieces:
        merged = aggregation.merge(merged, fold(piece, aggregation), OPTIONS)
        aggregation.add(added, Rows.of(*piece, GROUPS, options=OPTIONS))
    whole = fold(columns, aggregation)
    assert_same(merged, whole)
    assert_same(added, whole)


@given(readings(), st.lists(_times, max_size=3))
def test_all_reductions_merge_adjacent_spans(columns: Columns, cuts: list[int]) -> None:
    borders = [T0 - 1, *sorted(cuts), T0 + 10**12]
    merged = EVERYTHING.empty(GROUPS)
    added = EVERYTHING.empty(GROUPS)
    for low, high in itertools.pairwise(borders):
        piece = take(columns, np.flatnonzero((columns[1] >= low) & (columns[1] < high)))
        merged = EVERYTHING.merge(merged, fold(piece), OPTIONS)
        EVERYTHING.add(added, Rows.of(*piece, GROUPS, options=OPTIONS))
    whole = fold(columns)
    assert_same(merged, whole)
    assert_same(added, whole)


def test_an_older_span_is_refused_where_order_counts() -> None:
    aggregation = Aggregation(("increase",))
    state = fold((np.zeros(1, np.intp), np.array([T0 + 10]), np.array([1.0])), aggregation)
    older = Rows.of(np.zeros(1, np.intp), np.array([T0]), np.array([5.0]), GROUPS, options=OPTIONS)
    with pytest.raises(ValueError, match="starts before the left one ends"):
        aggregation.add(state, older)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 500))
def test_windows_are_filled_as_groups_are(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    datastreams, windows, window_us = 5, 7, 900_000_000
    datastream = random.integers(0, datastreams, size).astype(np.int32)
    time_us = T0 + random.choice(windows * window_us // 1000, size, replace=False) * 1000
    value = random.normal(20, 5, size)
    aggregation = Aggregation((*BASIC, "sketch"))
    state = aggregation.empty(windows * datastreams)
    add_by_windows(
        aggregation,
        state,
        datastream=datastream,
        time_us=time_us,
        value=value,
        datastreams=datastreams,
        origin_us=T0,
        window_us=window_us,
    )
    group = (time_us - T0) // window_us * datastreams + datastream
    plain = aggregation.empty(windows * datastreams)
    aggregation.add(plain, Rows.of(group, time_us, value, windows * datastreams))
    assert_same(state, plain)
