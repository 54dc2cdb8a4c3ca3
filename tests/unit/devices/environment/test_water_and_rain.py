"""Flood levels as the bulletins of past floods word them, rain sums and their classes."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.environment.flood import (
    alarm_levels,
    bulletin,
    hysteresis_on,
    load_flood_table,
    outlook,
    rise_m_per_h,
    station_of,
)
from devices.environment.rain import SPANS_H, rain_class, rain_sums, rain_table
from devices.environment.sites import street_level
from tests.unit.devices.environment import reference

TABLE = rain_table(date(2026, 11, 24))

HOI_AN, CAU_LAU, TAM_KY = (1.0, 1.5, 2.0), (2.0, 3.0, 4.0), (1.7, 2.2, 2.7)


@pytest.mark.parametrize(
    ("level", "thresholds", "vi", "en"),
    [
        (1.05, TAM_KY, "dưới BĐ1: 0,65 m", "0.65 m below alarm level I"),  # 28-10-2020
        (2.29, TAM_KY, "trên BĐ2: 0,09 m", "0.09 m above alarm level II"),  # 11-10-2022
        (2.60, TAM_KY, "dưới BĐ3: 0,10 m", "0.10 m below alarm level III"),  # 28-12-2021
        (3.04, HOI_AN, "trên BĐ3: 1,04 m", "1.04 m above alarm level III"),  # 06-11-2017
        (4.94, CAU_LAU, "trên BĐ3: 0,94 m", "0.94 m above alarm level III"),
        (3.00, CAU_LAU, "ngang BĐ2", "at alarm level II"),
        (2.5, CAU_LAU, "trên BĐ1: 0,50 m", "0.50 m above alarm level I"),
    ],
)
def test_levels_are_worded_as_in_bulletins(level: float, thresholds: tuple[float, ...], vi: str, en: str) -> None:
    words = bulletin(level, thresholds)

    assert (words.vi, words.en) == (vi, en)


@pytest.mark.parametrize(
    ("site", "levels"),
    [("ha-gauge-hoi-an", HOI_AN), ("db-gauge-cau-lau", CAU_LAU), ("tk-gauge-tam-ky", TAM_KY)],
)
def test_the_three_towns_gauges_have_their_stations_levels(site: str, levels: tuple[float, ...]) -> None:
    station = station_of(site, date(2026, 11, 23))

    assert station is not None
    assert station.levels == levels
    assert station.source


def test_a_gauge_that_is_in_no_list_has_no_alarm_levels() -> None:
    assert station_of("ha-gauge-co-co", date(2026, 11, 23)) is None


def test_levels_hold_from_their_day_on() -> None:
    rows = [station for station in load_flood_table().stations if station.id == "giao-thuy"]

    assert [station.levels[2] for station in rows if station.holds_on(date(2020, 1, 30))] == [8.6]
    assert [station.levels[2] for station in rows if station.holds_on(date(2020, 1, 31))] == [8.8]


def test_a_calm_tide_about_level_one_does_not_make_the_alarm_come_and_go() -> None:
    tide = np.array([0.90, 0.99, 1.0, 0.99, 1.10, 0.99, 1.0, 0.96, 1.02, 0.94, 0.99, 1.0])

    flapping = alarm_levels(tide, HOI_AN, 0.0)
    steady = alarm_levels(tide, HOI_AN, 0.05)

    assert np.count_nonzero(np.diff(flapping)) == 9
    assert steady.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1]


def test_a_level_is_kept_at_its_hysteresis_to_the_last_bit() -> None:
    assert alarm_levels(np.array([2.0, 1.95, 1.949]), HOI_AN, 0.05).tolist() == [3, 3, 2]


@given(
    st.lists(st.none() | st.floats(-1, 6) | st.sampled_from([1.0, 1.5, 0.95, 1.45, 2.0]), max_size=40),
    st.sampled_from([0.0, 0.05, 0.1, 0.7]),
)
def test_alarm_levels_are_those_of_the_slow_plain_form(levels: list[float | None], hysteresis: float) -> None:
    series = np.array([math.nan if level is None else level for level in levels], np.float64)

    assert alarm_levels(series, HOI_AN, hysteresis).tolist() == reference.alarm_levels(levels, HOI_AN, hysteresis)


def test_the_rise_over_one_and_three_hours_and_the_time_to_the_next_level() -> None:
    times = np.arange(0, 3 * 3600 + 1, 900, dtype=np.float64)
    levels = 1.0 + times / 3600 * 0.2

    rate = rise_m_per_h(times, levels, 3600)
    ahead = outlook(1.6, 2, HOI_AN, rate)

    assert rate == pytest.approx(0.2)
    assert rise_m_per_h(times, levels, 3 * 3600) == pytest.approx(0.2)
    assert (ahead.next_level, ahead.distance_m, ahead.hours) == (3, pytest.approx(0.4), pytest.approx(2.0))


def test_falling_water_has_no_time_to_the_next_level_and_the_third_no_next() -> None:
    assert outlook(1.6, 2, HOI_AN, -0.1).hours is None
    assert outlook(1.6, 2, HOI_AN, None).hours is None
    assert outlook(2.2, 3, HOI_AN, 0.5).next_level is None


def test_no_level_near_the_start_of_the_span_is_no_rate() -> None:
    times = np.array([0.0, 7200.0])

    assert rise_m_per_h(times, np.array([1.0, 2.0]), 3600) is None
    assert rise_m_per_h(times[:1], np.array([1.0]), 3600) is None
    assert rise_m_per_h(np.array([0.0, 3600.0]), np.array([np.nan, 1.0]), 3600) is None


@pytest.mark.parametrize(
    ("mm", "span_h", "expected"),
    [
        (0.2, 12, "Không đáng kể"),
        (0.3, 12, "Mưa nhỏ"),
        (2.9, 12, "Mưa nhỏ"),
        (3.0, 12, "Mưa"),
        (8.0, 12, "Mưa vừa"),
        (25.0, 12, "Mưa vừa"),
        (25.1, 12, "Mưa to"),
        (50.0, 12, "Mưa to"),
        (50.2, 12, "Mưa rất to"),
        (0.0, 24, "Không mưa"),
        (5.9, 24, "Mưa nhỏ"),
        (6.0, 24, "Mưa"),
        (15.0, 24, "Mưa"),
        (16.0, 24, "Mưa vừa"),
        (51.0, 24, "Mưa to"),
        (100.0, 24, "Mưa to"),
        (580.8, 24, "Mưa rất to"),
    ],
)
def test_rain_has_the_class_of_its_height(mm: float, span_h: int, expected: str) -> None:
    found = rain_class(mm, 12 if span_h == 12 else 24, TABLE)
    assert found is not None
    assert found.name.vi == expected


def test_rain_that_nobody_observed_has_no_class() -> None:
    assert rain_class(math.nan, 12, TABLE) is None
    assert rain_class(math.nan, 24, TABLE) is None


@given(st.lists(st.none() | st.floats(0, 100), min_size=96, max_size=96))
def test_rain_sums_are_those_of_the_slow_plain_form(heights: list[float | None]) -> None:
    series = np.array([math.nan if height is None else height for height in heights], np.float64)

    sums, shares = rain_sums(series, np.ones(96), 900)

    for at, hours in enumerate(SPANS_H):
        plain = reference.rain_sum(heights, hours * 4)
        assert np.isnan(sums[at]) if plain is None else sums[at] == pytest.approx(plain)
        assert shares[at] == pytest.approx(sum(h is not None for h in heights[-hours * 4 :]) / (hours * 4))


def test_no_rain_observed_is_no_sum_and_dry_is_a_sum_of_zero() -> None:
    nothing, _ = rain_sums(np.full(96, np.nan), np.zeros(96), 900)
    dry, _ = rain_sums(np.zeros(96), np.ones(96), 900)

    assert np.isnan(nothing).all()
    assert dry.tolist() == [0.0] * 5


def test_what_is_our_own_policy_of_water_is_dated() -> None:
    assert hysteresis_on(date(2026, 11, 24)) == 0.05
    assert street_level(0.2, date(2026, 11, 24)).id == "flooded"
    for early in (hysteresis_on, rain_table, lambda day: street_level(0.2, day)):
        with pytest.raises(LookupError, match="hold on 1999-01-01"):
            early(date(1999, 1, 1))
