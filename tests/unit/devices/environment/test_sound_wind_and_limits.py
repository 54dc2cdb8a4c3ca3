"""Sound levels, wind, and the limits in force on a day."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.environment.averaging import Averaging, averaging_on, load_averaging
from devices.environment.limits import exceeds, limit_for, load_limits, share_of_limit, year_mean
from devices.environment.noise import is_day, laeq, laeq_of_energy, level_exceeded
from devices.environment.wind import compass_name, direction_of, highest_gust, mean_direction, resultant_length
from tests.unit.devices.environment import reference

LEVELS = st.lists(st.none() | st.floats(20, 120), max_size=40)


def series(values: list[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values], np.float64)


def test_two_equal_sources_in_turn_with_silence_lose_three_decibels_and_not_half() -> None:
    assert laeq(np.array([70.0, 0.0])) == pytest.approx(67.0, abs=0.02)
    assert laeq(np.array([50.0, 70.0])) == pytest.approx(10 * math.log10((1e5 + 1e7) / 2))


@given(LEVELS)
def test_equivalent_levels_are_those_of_the_slow_plain_form(levels: list[float | None]) -> None:
    plain = reference.laeq(levels)
    ours = laeq(series(levels))

    assert np.isnan(ours) if plain is None else ours == pytest.approx(plain)


@given(st.lists(st.floats(20, 120), min_size=1, max_size=40))
def test_the_level_of_merged_energies_is_that_of_all_levels(levels: list[float]) -> None:
    energy = sum(10 ** (level / 10) for level in levels)

    assert laeq_of_energy(np.array(energy), np.array(len(levels))) == pytest.approx(laeq(np.array(levels)))


@given(LEVELS, st.sampled_from([10, 50, 90]))
def test_levels_exceeded_are_those_of_the_slow_plain_form(levels: list[float | None], percent: int) -> None:
    plain = reference.level_exceeded(levels, percent)
    ours = level_exceeded(series(levels), percent)

    assert np.isnan(ours) if plain is None else ours == plain


def test_l10_is_the_loud_one() -> None:
    levels = np.arange(1.0, 101.0)

    assert [level_exceeded(levels, percent) for percent in (10, 50, 90)] == [90.0, 50.0, 10.0]


def test_the_day_is_from_six_to_nine_in_the_evening() -> None:
    assert np.flatnonzero(is_day(np.arange(24), averaging_on(date(2026, 1, 1)).noise)).tolist() == list(range(6, 21))


def test_north_winds_on_either_side_are_a_north_wind() -> None:
    assert mean_direction(np.array([359.0, 1.0])) == pytest.approx(0.0, abs=1e-9)
    assert mean_direction(np.array([350.0, 20.0])) == pytest.approx(5.0)


def test_opposite_winds_have_no_mean_direction() -> None:
    assert np.isnan(mean_direction(np.array([90.0, 270.0])))
    assert np.isnan(direction_of(np.array(0.0), np.array(0.0), np.array(0)))


def test_strong_winds_weigh_more() -> None:
    assert mean_direction(np.array([0.0, 90.0]), np.array([1.0, 0.0])) == pytest.approx(0.0)


@given(st.lists(st.none() | st.floats(0, 360), max_size=30))
def test_mean_directions_are_those_of_the_slow_plain_form(degrees: list[float | None]) -> None:
    plain = reference.mean_direction(degrees)
    ours = float(mean_direction(series(degrees)))

    if plain is None or math.isnan(ours):
        known = [math.radians(degree) for degree in degrees if degree is not None]
        assert math.hypot(sum(map(math.sin, known)), sum(map(math.cos, known))) <= 1e-8 * max(1, len(known))
    else:
        assert 0 <= ours < 360
        known = [math.radians(degree) for degree in degrees if degree is not None]
        length = math.hypot(sum(map(math.sin, known)), sum(map(math.cos, known))) / len(known)
        assert abs((ours - plain + 180) % 360 - 180) <= 1e-9 / length


@given(st.lists(st.floats(0, 360), max_size=30))
def test_steadiness_is_that_of_the_slow_plain_form(degrees: list[float]) -> None:
    angles = np.deg2rad(np.array(degrees, np.float64))
    ours = float(resultant_length(np.sin(angles).sum(), np.cos(angles).sum(), np.array(float(len(degrees)))))

    plain = reference.resultant_length(degrees)
    assert math.isnan(ours) if plain is None else ours == pytest.approx(plain, abs=1e-12)


def test_a_steady_wind_has_length_one_and_one_from_opposite_sides_none() -> None:
    east, north = np.array([4.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0])

    np.testing.assert_allclose(resultant_length(east, north, np.array([4.0, 2.0, 0.0])), [1.0, 0.0, np.nan])


@given(st.lists(st.none() | st.floats(0, 500), max_size=400), st.integers(1, 365))
def test_the_mean_of_a_year_is_that_of_the_slow_plain_form(days: list[float | None], least: int) -> None:
    known = [mean for mean in days if mean is not None]
    ours = float(year_mean(np.array(math.fsum(known)), np.array(len(known)), least))

    plain = reference.year_mean(days, least)
    assert math.isnan(ours) if plain is None else ours == pytest.approx(plain)


def test_what_holds_of_averaging_periods_is_dated_and_has_a_source() -> None:
    assert averaging_on(date(1999, 1, 1)) is averaging_on(date(2026, 11, 24))
    assert all(row.air.source and row.noise.source for row in load_averaging())
    row = load_averaging()[0].model_dump(by_alias=True)
    with pytest.raises(ValueError, match="the night must begin"):
        Averaging.model_validate(row | {"noise": row["noise"] | {"night": (22, 6)}})


def test_gusts_are_the_highest_and_say_where() -> None:
    gust, place = highest_gust(np.array([[3.0, np.nan, 12.5, 12.5], [np.nan] * 4]))

    assert (gust[0], place.tolist()) == (12.5, [2, -1])
    assert np.isnan(gust[1])


@pytest.mark.parametrize(
    ("degrees", "vi"), [(0, "Bắc"), (22.4, "Bắc"), (22.5, "Đông Bắc"), (180, "Nam"), (359, "Bắc"), (360, "Bắc")]
)
def test_directions_have_names(degrees: float, vi: str) -> None:
    assert compass_name(degrees).vi == vi


def test_the_limit_of_pm25_fell_at_new_year_2026() -> None:
    before, after = (limit_for("pm25", "P1D", day) for day in (date(2025, 12, 31), date(2026, 1, 1)))

    assert before is not None
    assert after is not None
    assert (before.limit, after.limit) == (50, 45)


@pytest.mark.parametrize("particle", ["pm25", "pm10"])
def test_there_is_no_limit_of_an_hour_for_particles(particle: str) -> None:
    assert limit_for(particle, "PT1H", date(2026, 11, 23)) is None


@pytest.mark.parametrize(
    ("property_id", "period", "limit"),
    [("so2", "PT1H", 350), ("co", "PT8H", 10_000), ("no2", "P1D", 100), ("o3", "PT8H", 120), ("pm10", "P1Y", 50)],
)
def test_limits_of_qcvn_05_2023_stand_by_their_period(property_id: str, period: str, limit: float) -> None:
    found = limit_for(property_id, period, date(2026, 11, 23))  # type: ignore[arg-type]

    assert found is not None
    assert (found.limit, found.regulation, found.grade) == (limit, "QCVN 05:2023/BTNMT", "V")


def test_before_a_regulation_there_is_no_limit_of_it() -> None:
    assert limit_for("pm25", "P1D", date(2023, 9, 11)) is None


def test_the_limits_of_noise_depend_on_area_and_band_and_are_marked_unverified() -> None:
    found = {
        (area, band): limit_for("sound-level-equivalent", band, date(2026, 11, 23), area=area)
        for area in ("special", "ordinary")
        for band in ("day", "night")
    }

    assert {key: row.limit for key, row in found.items() if row} == {
        ("special", "day"): 55,
        ("special", "night"): 45,
        ("ordinary", "day"): 70,
        ("ordinary", "night"): 55,
    }
    assert {row.grade for row in found.values() if row} == {"U"}


def test_a_limit_is_kept_at_the_limit_and_nothing_is_no_exceedance() -> None:
    limit = limit_for("no2", "PT1H", date(2026, 11, 23))

    assert limit is not None
    assert exceeds(np.array([200.0, 200.1, np.nan]), limit).tolist() == [False, True, False]
    assert share_of_limit(np.array([100.0]), limit).tolist() == [50.0]


def test_no_two_limits_hold_at_once() -> None:
    rows = load_limits()
    for at, row in enumerate(rows):
        for other in rows[at + 1 :]:
            if (row.property, row.period, row.area) == (other.property, other.period, other.area):
                assert not other.holds_on(row.first)
                assert not row.holds_on(other.first)
