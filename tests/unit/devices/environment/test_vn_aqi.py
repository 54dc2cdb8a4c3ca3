"""VN_AQI against the worked examples of Decision 1459/QD-TCMT and against a slow plain form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.environment.vn_aqi import (
    POLLUTANTS,
    category_of,
    daily,
    eight_hour_means,
    hourly,
    load_vn_aqi,
    nowcast,
    round_half_up,
    sub_index,
)
from tests.unit.devices.environment import reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TABLE = load_vn_aqi()
PM25 = [26.9, 24.7, 20.5, 23.5, 19.5, 16.5, 19.0, 16.5, 20.3, 22.4, 19.6, 20.6]  # 09:00 to 20:00
O3 = [
    *(15.7, 14.2, 17.7, 18.9, 19.3, 15.7, 19.7),  # 18:00 to 00:00 of the day before
    *(22.6, 27.1, 29.0, 31.9, 25.3, 34.7, 35.2, 41.6, 45.7, 49.2, 55.8, 69.6),
    *(78.3, 91.5, 97.7, 81.2, 71.8, 43.5, 34.3, 21.5, 20.5, 19.4, 20.4, 21.3),
]
PRINTED_O3_8H = [
    *(18.0, 19.4, 21.2, 23.0, 23.8, 25.8, 28.2, 30.9, 33.8, 36.6, 39.9, 44.7),
    *(51.3, 58.4, 66.2, 71.1, 74.4, 73.7, 71.0, 65.0, 57.8, 48.7, 39.1, 31.6),
]


def column(*values: float | None) -> NDArray[np.float64]:
    return np.array([[math.nan if value is None else value for value in values]], np.float64)


def empty(hours: int) -> dict[str, NDArray[np.float64]]:
    return {name: np.full((1, hours), np.nan) for name in POLLUTANTS}


def index_of(name: str, concentration: float) -> float:
    return float(sub_index(name, np.array([concentration]))[0])


def test_the_decisions_nowcast_is_20_3_and_its_index_41() -> None:
    cast = nowcast(column(*reversed(PM25)))[0]

    assert min(PM25) / max(PM25) == pytest.approx(0.6134, abs=5e-5)
    assert cast == pytest.approx(20.27, abs=0.005)
    assert round(cast, 1) == 20.3
    assert round_half_up(np.array([index_of("pm25", 20.3)]))[0] == 41


def test_the_decisions_hour_follows_the_formula_where_its_print_rounds_no2_up_to_60() -> None:
    hours = empty(12) | {"pm25": column(*reversed(PM25))}
    hours["o3"][:, 0], hours["no2"][:, 0] = 136.1, 118.7

    made = hourly(hours)

    subs = dict(zip(made.names, made.sub_index[0], strict=True))
    assert subs["o3"] == pytest.approx(42.53, abs=0.005)
    assert subs["no2"] == pytest.approx(59.35)
    assert made.index[0] == 59  # printed: 60
    assert made.names[made.dominant[0]] == "no2"


@pytest.mark.parametrize(
    ("name", "concentration", "expected", "rounded"),
    [("o3-8h", 89.3, 44.65, 45), ("o3", 114.6, 35.81, 36), ("no2", 130.8, 65.4, 65), ("pm25", 55.7, 109.5, 110)],
)
def test_the_decisions_day_part_by_part(name: str, concentration: float, expected: float, rounded: int) -> None:
    made = index_of(name, concentration)

    assert made == pytest.approx(expected, abs=0.005)
    assert round_half_up(np.array([made]))[0] == rounded


def test_a_day_of_pm25_55_7_and_the_decisions_gases_has_index_110_for_pm25() -> None:
    hours = empty(31) | {"pm25": np.full((1, 31), 55.7), "o3": np.full((1, 31), 80.0), "no2": np.full((1, 31), 60.0)}
    hours["o3"][0, 20], hours["no2"][0, 12] = 114.6, 130.8

    made = daily(hours)

    assert (made.index[0], made.names[made.dominant[0]]) == (110, "pm25")
    assert category_of(made.index[0]).name.vi == "Kém"


def test_the_decisions_eight_hour_means_but_for_its_rounding_at_noon() -> None:
    means = eight_hour_means(column(*O3))[0]

    assert means[0] == pytest.approx(18.0, abs=0.05)
    assert means[16] == pytest.approx(74.4, abs=0.05)  # 17:00
    assert means.argmax() == 16
    assert means[11] == pytest.approx(44.6375)  # printed: 44.7
    others = np.arange(24) != 11
    np.testing.assert_allclose(means[others], np.array(PRINTED_O3_8H)[others], atol=0.0501)


def test_gaps_are_weighed_out_and_not_taken_for_zero() -> None:
    assert nowcast(column(100.0, 10.0, *[None] * 10))[0] == pytest.approx(70.0)  # literally 52.5


def test_with_all_twelve_hours_the_literal_formula_differs_by_less_than_0_03_percent() -> None:
    hours = [100.0, *[40.0] * 11]
    literal = sum(0.5 ** (i + 1) * hour for i, hour in enumerate(hours))

    assert nowcast(column(*hours))[0] == pytest.approx(literal, rel=3e-4)


@pytest.mark.parametrize(
    ("newest", "there"),
    [((1, 1, 1), True), ((1, 1, None), True), ((None, 1, 1), True), ((1, None, 1), True), ((1, None, None), False)],
)
def test_two_of_the_newest_three_hours_are_needed(newest: tuple[float | None, ...], there: bool) -> None:
    assert bool(~np.isnan(nowcast(column(*newest, *[5.0] * 9)))[0]) is there


def test_without_a_particle_there_is_no_index_however_much_ozone() -> None:
    hours = empty(12)
    hours["o3"][:, 0] = 900.0

    made = hourly(hours)

    assert math.isnan(made.index[0])
    assert made.dominant[0] == -1


@pytest.mark.parametrize("particle", ["pm25", "pm10"])
def test_one_particle_is_enough(particle: str) -> None:
    assert hourly(empty(12) | {particle: np.full((1, 12), 25.0)}).index[0] in {25, 50}


def test_breakpoints_join_and_are_not_the_american_ones() -> None:
    assert index_of("pm25", 25.0) == 50
    assert index_of("pm25", 25.05) > 50
    assert index_of("pm25", 50.0) == 100
    assert index_of("co", 10_000.0) == 50  # in ug/m3, not mg/m3


@pytest.mark.parametrize(("name", "top"), [("pm25", 500), ("pm10", 600), ("o3", 1200), ("co", 150_000), ("no2", 3850)])
def test_from_the_last_breakpoint_on_the_index_is_500(name: str, top: float) -> None:
    assert index_of(name, top) == 500
    assert index_of(name, 10 * top) == 500


def test_an_eight_hour_mean_of_ozone_above_400_leaves_the_hour_alone() -> None:
    hours = empty(31) | {"pm25": np.full((1, 31), 10.0), "o3": np.full((1, 31), 450.0)}

    made = daily(hours)

    assert math.isnan(made.sub_index[0, made.names.index("o3-8h")])
    assert made.names[made.dominant[0]] == "o3"


def test_half_an_index_rounds_up() -> None:
    assert round_half_up(np.array([0.5, 1.5, 2.5, 49.4999])).tolist() == [1, 2, 3, 49]


@pytest.mark.parametrize(
    ("index", "name", "colour"),
    [(50, "Tốt", "#00E400"), (51, "Trung bình", "#FFFF00"), (150, "Kém", "#FF7E00"), (151, "Xấu", "#FF0000"),
     (300, "Rất xấu", "#8F3F97"), (301, "Nguy hại", "#7E0023"), (500, "Nguy hại", "#7E0023")],
)  # fmt: skip
def test_a_category_is_that_of_the_rounded_index(index: int, name: str, colour: str) -> None:
    category = category_of(index)

    assert (category.name.vi, category.colour) == (name, colour)
    assert category.advice.vi
    assert category.advice_sensitive.en


CONCENTRATION = st.none() | st.floats(0, 5000) | st.sampled_from([0.0, 25.0, 50.0, 400.0, 500.0, 1200.0])


def stations(hours: int) -> st.SearchStrategy[list[dict[str, list[float | None]]]]:
    one = st.fixed_dictionaries({name: st.lists(CONCENTRATION, min_size=hours, max_size=hours) for name in POLLUTANTS})
    return st.lists(one, min_size=1, max_size=3)


def stacked(several: Sequence[dict[str, list[float | None]]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.concatenate([column(*one[name]) for one in several]) for name in POLLUTANTS}


def listed(index: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in index.tolist()]


def close(ours: Sequence[float | None], plain: Sequence[float | None]) -> bool:
    """Equal, but for a half that either rounds the other way by its last bits."""
    return all(
        (a is None) == (b is None) and (a is None or b is None or abs(a - b) <= 1)
        for a, b in zip(ours, plain, strict=True)
    )


@given(stations(12))
def test_hours_are_those_of_the_slow_plain_form(several: list[dict[str, list[float | None]]]) -> None:
    assert close(listed(hourly(stacked(several)).index), [reference.hourly(TABLE, one) for one in several])


@given(stations(31))
def test_days_are_those_of_the_slow_plain_form(several: list[dict[str, list[float | None]]]) -> None:
    assert close(listed(daily(stacked(several)).index), [reference.daily(TABLE, one) for one in several])


@given(st.lists(CONCENTRATION, min_size=12, max_size=12))
def test_nowcasts_are_those_of_the_slow_plain_form(hours: list[float | None]) -> None:
    plain = reference.nowcast(hours)
    ours = nowcast(column(*hours))[0]

    assert math.isnan(ours) if plain is None else ours == pytest.approx(plain)


@given(st.sampled_from([*POLLUTANTS, "o3-8h"]), st.floats(-10, 200_000))
def test_indices_of_one_pollutant_are_those_of_the_slow_plain_form(name: str, concentration: float) -> None:
    plain = reference.sub_index(TABLE, name, concentration)
    ours = index_of(name, concentration)

    assert math.isnan(ours) if plain is None else ours == pytest.approx(plain)
