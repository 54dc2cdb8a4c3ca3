"""The sun over the towns, held to astral."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from astral import Observer
from astral.sun import elevation
from hypothesis import given
from hypothesis import strategies as st

from devices.lighting.sun import LOCAL, elevation_deg, is_night, night_of

TAM_KY = (15.57, 108.47)


@given(
    time=st.datetimes(
        datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2040-01-01"), timezones=st.just(UTC)
    ),
    latitude=st.floats(-60, 60),
    longitude=st.floats(-180, 180),
)
def test_the_elevation_is_that_of_astral(time: datetime, latitude: float, longitude: float) -> None:
    found = elevation_deg(np.array([time.timestamp()]), latitude, longitude)[0]
    # astral cuts the time to whole minutes in one place, in which the sun moves by a hundredth of its width.
    assert found == pytest.approx(elevation(Observer(latitude, longitude), time, with_refraction=False), abs=0.01)


def test_places_and_times_broadcast() -> None:
    times = np.array([[0.0], [43_200.0]]) + 1_763_856_000
    found = elevation_deg(times, np.array([15.57, 15.88]), np.array([108.47, 108.33]))
    assert found.shape == (2, 2)
    assert found[1, 0] == pytest.approx(elevation_deg(times[1], *TAM_KY)[0])


@given(day=st.dates(date(2020, 1, 1), date(2035, 12, 31)))
def test_a_night_is_from_the_sunset_of_its_day_to_the_sunrise_of_the_next(day: date) -> None:
    night = night_of(day, *TAM_KY)
    assert night.sunset.astimezone(LOCAL).date() == day
    assert night.sunrise.astimezone(LOCAL).date() == day + timedelta(days=1)
    assert 10.9 <= night.hours <= 13.1
    edges = np.array([night.sunset.timestamp(), night.sunrise.timestamp()])
    assert is_night(edges + np.array([90, -90]), *TAM_KY).tolist() == [True, True]
    assert is_night(edges + np.array([-90, 90]), *TAM_KY).tolist() == [False, False]


def test_a_year_of_nights_is_as_long_as_an_astronomical_clock_burns_there() -> None:
    hours = sum(night_of(date(2025, 1, 1) + timedelta(days=at), *TAM_KY).hours for at in range(365))
    assert 4_100 <= hours <= 4_350
