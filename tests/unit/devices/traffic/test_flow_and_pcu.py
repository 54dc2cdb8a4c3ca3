"""Flow, speed, occupancy, headway and passenger car units, against plain references."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.traffic.flow import density, headway, occupancy, space_mean_speed, vehicle_flow
from devices.traffic.pcu import PcuSet, load_pcu_sets, pcu_flow, pcu_set

DAY = date(2025, 11, 23)
NONE = math.nan
CLASSES = ("motorcycle", "car", "truck", "bus", "bicycle", "tricycle")

counts = st.one_of(st.just(NONE), st.integers(0, 500).map(float))
speeds = st.one_of(st.just(NONE), st.just(0.0), st.floats(0.5, 120))


def array(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, np.float64)


def test_a_flow_is_the_count_as_an_hourly_rate() -> None:
    flow = vehicle_flow(array(64, 0, NONE), 60.0)
    assert [flow.at(at) for at in range(3)] == [(3840.0, None), (0.0, None), (None, "no-reading")]


def test_the_coefficients_are_those_of_tcvn_4054() -> None:
    found = pcu_set(DAY).coefficients
    assert [found[name] for name in ("bicycle", "motorcycle", "car", "light-truck", "truck", "trailer")] == [
        0.2, 0.3, 1, 2, 2.5, 4,
    ]  # fmt: skip
    assert pcu_set(DAY, "tcvn-4054-2005-mountain").coefficients["trailer"] == 5
    assert found["tricycle"] is None


def test_a_motorcycle_in_the_units_of_hanoi_agrees_with_the_standard() -> None:
    # 3.4 motorcycles make a car (ASCE TE.1943-5436.0000382): 0.29 is near 0.3.
    assert pytest.approx(pcu_set(DAY).coefficients["motorcycle"] or 0, abs=0.01) == 1 / 3.4


def test_a_flow_in_units_weighs_every_class_and_reports_apart_what_has_no_coefficient() -> None:
    count = array(64, 11, 2, 1, 3, 4)[:, None]
    found = pcu_flow(count, CLASSES, 60.0, pcu_set(DAY))
    assert found.flow.at(0) == (pytest.approx((64 * 0.3 + 11 + 2 * 2.5 + 2.5 + 3 * 0.2) * 60), None)
    assert found.uncounted.tolist() == [240]


def test_a_class_that_was_not_observed_leaves_no_flow_in_units() -> None:
    count = np.array([[10, NONE, 10], [5, NONE, NONE]])
    found = pcu_flow(count, ("motorcycle", "car"), 300.0, pcu_set(DAY))
    assert [found.flow.at(at)[1] for at in range(3)] == [None, "no-reading", "class-missing"]
    assert pcu_flow(count[:1], ("tricycle",), 300.0, pcu_set(DAY)).flow.at(0) == (None, "no-coefficient")


def test_the_same_counts_are_weighed_again_with_another_set() -> None:
    count = array(100, 10)[:, None]
    flows = [
        pcu_flow(count, ("motorcycle", "car"), 3600.0, pcu_set(DAY, name)).flow.value[0]
        for name in ("tcvn-4054-2005-flat", "urban-30-50", "urban-20")
    ]
    assert flows == pytest.approx([40, 35, 25])


def test_an_unknown_set_and_a_day_before_all_sets_are_errors() -> None:
    with pytest.raises(LookupError, match="no coefficients 'hanoi' hold on 2025-11-23; there are: tcvn-4054-2005-flat"):
        pcu_set(DAY, "hanoi")
    with pytest.raises(LookupError, match="hold on 1999-01-01"):
        pcu_set(date(1999, 1, 1))


def test_a_set_in_which_a_car_is_not_the_unit_is_refused() -> None:
    row = load_pcu_sets()[0].model_dump(by_alias=True)
    with pytest.raises(ValueError, match="a car is the unit"):
        PcuSet.model_validate(row | {"coefficients": {"car": 2}})


@given(
    rows=st.lists(st.tuples(*[counts] * len(CLASSES)), min_size=1, max_size=8), period_s=st.sampled_from([60.0, 300.0])
)
def test_units_equal_the_plain_sum(rows: list[tuple[float, ...]], period_s: float) -> None:
    coefficients = pcu_set(DAY)
    found = pcu_flow(np.array(rows).T, CLASSES, period_s, coefficients)
    for at, row in enumerate(rows):
        weighed = [(n, w) for n, name in zip(row, CLASSES, strict=True) if (w := coefficients.coefficients[name])]
        if any(math.isnan(n) for n, _ in weighed):
            assert found.flow.at(at)[0] is None
        else:
            plain = sum(Fraction(n) * Fraction(str(w)) for n, w in weighed) * 3600 / Fraction(period_s)
            assert found.flow.value[at] == pytest.approx(float(plain), rel=1e-12)


def test_the_space_mean_speed_is_harmonic() -> None:
    # Two cars over one km, at 30 and at 60 km/h, take 2 + 1 minutes: 40 km/h, not 45.
    assert space_mean_speed(array(30, 60), array(1, 1)).at() == (pytest.approx(40), None)
    assert space_mean_speed(array(30, 60), array(1, 3)).at() == (pytest.approx(4 / (1 / 30 + 3 / 60)), None)


def test_periods_without_vehicles_or_without_a_speed_do_not_weigh() -> None:
    assert space_mean_speed(array(30, NONE, 50), array(2, 7, 0)).at() == (pytest.approx(30), None)
    assert space_mean_speed(array(NONE, NONE), array(0, 0)).at() == (None, "no-vehicles")
    assert space_mean_speed(array(NONE, NONE), array(NONE, 4)).at() == (None, "no-reading")


@given(rows=st.lists(st.tuples(speeds, counts), min_size=1, max_size=12))
def test_the_mean_speed_equals_distance_by_time(rows: list[tuple[float, float]]) -> None:
    found = space_mean_speed(np.array([v for v, _ in rows]), np.array([n for _, n in rows]))
    distance, hours = Fraction(0), Fraction(0)
    for speed, count in rows:
        if speed > 0 and count > 0:
            distance += Fraction(count)
            hours += Fraction(count) / Fraction(speed)
    if distance:
        assert found.at() == (pytest.approx(float(distance / hours), rel=1e-12), None)
    else:
        assert found.at()[0] is None


def test_occupancy_is_weighed_by_time() -> None:
    assert occupancy(array(10, 40), array(60, 300)).at() == (pytest.approx(35), None)
    assert occupancy(array(10, NONE), 60.0).at() == (pytest.approx(10), None)
    assert occupancy(array(NONE), 60.0).at() == (None, "no-reading")


@given(rows=st.lists(st.tuples(st.one_of(st.just(NONE), st.floats(0, 100)), st.sampled_from([15.0, 60.0, 300.0]))))
def test_occupancy_equals_the_occupied_share_of_the_time(rows: list[tuple[float, float]]) -> None:
    found = occupancy(np.array([o for o, _ in rows]), np.array([t for _, t in rows]))
    seen = [(Fraction(o), Fraction(t)) for o, t in rows if not math.isnan(o)]
    if seen:
        plain = sum(o * t for o, t in seen) / sum(t for _, t in seen)
        assert found.at() == (pytest.approx(float(plain), rel=1e-9, abs=1e-9), None)
    else:
        assert found.at() == (None, "no-reading")


def test_a_headway_takes_vehicles() -> None:
    found = headway(array(120, 0, NONE), 300.0)
    assert [found.at(at) for at in range(3)] == [(2.5, None), (None, "no-vehicles"), (None, "no-reading")]


def test_a_density_takes_a_flow_and_a_speed() -> None:
    found = density(array(1200, 0, 600, NONE, 600), array(40, NONE, 0, 40, NONE))
    assert [found.at(at) for at in range(5)] == [
        (30, None), (None, "no-vehicles"), (None, "no-reading"), (None, "no-reading"), (None, "no-reading"),
    ]  # fmt: skip


@given(count=st.integers(1, 1000), period_s=st.sampled_from([15, 60, 300]))
def test_headway_times_flow_is_an_hour(count: int, period_s: int) -> None:
    number = array(count)
    assert headway(number, period_s).value * vehicle_flow(number, period_s).value == pytest.approx(3600)


@given(count=counts, speed=speeds, period_s=st.sampled_from([15.0, 60.0, 300.0]))
def test_flow_headway_and_density_equal_their_definitions(count: float, speed: float, period_s: float) -> None:
    flow, gap = vehicle_flow(array(count), period_s), headway(array(count), period_s)
    packed = density(flow.value, array(speed))
    if math.isnan(count):
        assert [found.at(0)[1] for found in (flow, gap, packed)] == ["no-reading"] * 3
        return
    hourly = Fraction(count) * 3600 / Fraction(period_s)
    assert flow.value[0] == pytest.approx(float(hourly))
    assert gap.at(0) == ((None, "no-vehicles") if count == 0 else (pytest.approx(period_s / count), None))
    if count > 0 and speed > 0:
        assert packed.value[0] == pytest.approx(float(hourly / Fraction(speed)))
    else:
        assert packed.at(0)[0] is None
