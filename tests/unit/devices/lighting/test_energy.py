"""Burn hours, energy, gap, saving and availability, against plain references."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.lighting.energy import (
    availability,
    burn_times,
    dimming_saving,
    energy_gap,
    increase,
    lamp_energy,
)
from tests.unit.devices.lighting import reference

NONE = math.nan


def array(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, np.float64)


def test_a_value_holds_until_the_next_report_and_not_for_ever() -> None:
    found = burn_times(
        array(0, 3600, 7200), array(100, 0, 50), array(100, 100, NONE), start_s=0, end_s=14_400, hold_s=5400
    )
    assert found.lit.at() == (pytest.approx(1 + 1.5), None)
    assert found.commanded.at() == (pytest.approx(2), None)
    assert found.lit_as_commanded.at() == (pytest.approx(1), None)
    assert found.covered == pytest.approx(3.5 / 4)


def test_without_reports_nothing_is_known() -> None:
    found = burn_times(array(NONE), array(NONE), array(NONE), start_s=0, end_s=3600, hold_s=900)
    assert (found.lit.at(), found.covered.tolist()) == ((None, "no-reading"), 0)


levels = st.one_of(st.just(NONE), st.sampled_from([0.0, 30.0, 100.0]))


@given(
    rows=st.lists(st.tuples(st.integers(0, 900), levels, levels), min_size=1, max_size=8, unique_by=lambda row: row[0]),
    span=st.tuples(st.integers(0, 500), st.integers(1, 500)),
    hold=st.integers(1, 400),
    padding=st.integers(0, 3),
)
def test_burn_hours_equal_the_seconds_counted_one_by_one(
    rows: list[tuple[int, float, float]], span: tuple[int, int], hold: int, padding: int
) -> None:
    rows.sort()
    start, end = span[0], span[0] + span[1]
    time, level, commanded = (
        np.array([[*column, *[NONE] * padding]], np.float64) for column in zip(*rows, strict=True)
    )
    found = burn_times(time, level, commanded, start_s=start, end_s=end, hold_s=hold)
    times = [row[0] for row in rows]
    for figure, values in (
        (found.lit, [row[1] for row in rows]),
        (found.commanded, [row[2] for row in rows]),
        (found.lit_as_commanded, [NONE if math.isnan(a) or math.isnan(b) else min(a, b) for _, a, b in rows]),
        (found.commanded_seen, [NONE if math.isnan(a) else b for _, a, b in rows]),
    ):
        plain = reference.lit_hours(times, values, start, end, hold)
        assert figure.at(0)[0] == (None if plain is None else pytest.approx(plain, abs=1e-12))


def test_a_counter_grows_from_its_first_report_and_anew_after_a_reset() -> None:
    found = increase(np.array([[NONE, NONE, 1000, 1001], [5, NONE, 7, 2], [NONE, 3, NONE, NONE], [NONE] * 4]))
    assert found.tolist() == pytest.approx([1, 4, NONE, NONE], nan_ok=True)


@given(rows=st.lists(st.lists(st.one_of(st.just(NONE), st.floats(0, 1e6)), min_size=5, max_size=5), max_size=4))
def test_growth_equals_report_by_report(rows: list[list[float]]) -> None:
    plain = []
    for row in rows:
        seen = [value for value in row if not math.isnan(value)]
        steps = [after - before if after >= before else after for before, after in pairwise(seen)]
        plain.append(sum(steps) if steps else NONE)
    assert increase(np.array(rows, np.float64).reshape(-1, 5)).tolist() == pytest.approx(plain, nan_ok=True)


def test_the_lamps_of_a_cabinet_are_summed_and_a_few_silent_ones_count_as_the_others() -> None:
    increase = np.array([0.5] * 9 + [NONE] + [0.4, NONE] + [NONE] + [0.7])
    cabinet = np.array([0] * 10 + [1, 1] + [2] + [-1])
    found = lamp_energy(increase, cabinet, 4, 0.1)
    assert [found.total.at(at) for at in range(4)] == [
        (pytest.approx(5), None), (None, "too-few-readings"), (None, "no-reading"), (None, "no-reading"),
    ]  # fmt: skip
    assert (found.lamps.tolist(), found.silent.tolist()) == ([10, 2, 1, 0], [1, 1, 1, 0])


@given(rows=st.lists(st.tuples(st.one_of(st.just(NONE), st.floats(0, 10)), st.integers(-1, 2)), max_size=30))
def test_sums_of_lamps_equal_the_plain_sum(rows: list[tuple[float, int]]) -> None:
    found = lamp_energy(np.array([r[0] for r in rows]), np.array([r[1] for r in rows], np.intp), 3, 0.0)
    for at in range(3):
        of = [kwh for kwh, place in rows if place == at]
        if of and not any(map(math.isnan, of)):
            assert found.total.at(at) == (pytest.approx(sum(of)), None)
        else:
            assert found.total.at(at)[0] is None


def test_the_gap_is_what_the_meter_counted_and_no_lamp_drew() -> None:
    found = energy_gap(array(100, 50, NONE, 0, 100), array(88, 51, 3, 0, NONE))
    assert [found.at(at) for at in range(5)] == [
        (pytest.approx(12), None), (pytest.approx(-2), None), (None, "no-meter"), (None, "no-meter"),
        (None, "no-reading"),
    ]  # fmt: skip


def test_dimming_saves_what_full_light_would_have_drawn() -> None:
    found = dimming_saving(array(0.42, NONE, 0.42, 0), array(60, 60, NONE, 60), array(10, 10, 10, 0), array(1))
    assert [found.at(at) for at in range(4)] == [
        (pytest.approx(30), None), (None, "no-reading"), (None, "no-rated-power"), (None, "not-lit"),
    ]  # fmt: skip


def test_there_is_no_saving_over_a_gap_through_which_the_counter_went_on() -> None:
    found = dimming_saving(array(0.72, 0.72), array(60, 60), array(6, 11), array(0.5, 0.92))
    assert found.at(0) == (None, "too-few-readings")
    assert found.at(1) == (pytest.approx(-100 / 11), None)


def test_hours_of_which_the_level_is_not_known_are_neither_lit_nor_missed() -> None:
    found = burn_times(
        array(0, 3600, 7200), array(100, NONE, 0), array(100, 100, 100), start_s=0, end_s=10_800, hold_s=3600
    )
    assert found.commanded.at() == (pytest.approx(3), None)
    assert availability(found.lit_as_commanded.value, found.commanded_seen.value).at() == (pytest.approx(50), None)


def test_availability_is_lit_by_commanded() -> None:
    found = availability(array(11.4, NONE, 0), array(12, 12, 0))
    assert [found.at(at) for at in range(3)] == [
        (pytest.approx(95), None),
        (None, "no-reading"),
        (None, "not-commanded"),
    ]


@given(energy=st.floats(0, 5), rated=st.floats(1, 400), hours=st.floats(0.1, 14), lit=st.floats(0, 14))
def test_saving_and_availability_equal_their_formulas(energy: float, rated: float, hours: float, lit: float) -> None:
    saving = (1 - energy / (rated * hours / 1000)) * 100
    assert dimming_saving(array(energy), array(rated), array(hours), array(1)).value[0] == pytest.approx(
        saving, rel=1e-9, abs=1e-9
    )
    assert availability(array(lit), array(hours)).value[0] == pytest.approx(lit / hours * 100, rel=1e-9)
