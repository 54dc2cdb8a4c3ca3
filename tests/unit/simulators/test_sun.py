"""The sun over Tam Ky against spherical astronomy and the almanac."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from math import acos, cos, degrees, radians, sin, tan

import numpy as np
import pytest
from astral import Observer
from astral.sun import sunrise, sunset

from simulators.signals.sun import SUNSET_ELEVATION_DEG, sine_of_elevation, sunrise_and_sunset

LATITUDE, LONGITUDE = 15.57, 108.47


def _local_day(year: int, month: int, day: int) -> np.ndarray:
    return np.array([(datetime(year, month, day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days], dtype=float)


@pytest.mark.parametrize(
    ("day", "declination_deg"),
    [((2026, 3, 20), 0.0), ((2026, 6, 21), 23.44), ((2026, 9, 23), 0.0), ((2026, 12, 21), -23.44)],
)
def test_the_day_is_as_long_as_the_declination_makes_it(day: tuple[int, int, int], declination_deg: float) -> None:
    phi, delta, h = radians(LATITUDE), radians(declination_deg), radians(SUNSET_ELEVATION_DEG)
    expected_h = 2.0 / 15.0 * degrees(acos(sin(h) / (cos(phi) * cos(delta)) - tan(phi) * tan(delta)))
    rise, fall = sunrise_and_sunset(_local_day(*day), LATITUDE, LONGITUDE)
    assert (fall[0] - rise[0]) / 3_600.0 == pytest.approx(expected_h, abs=0.05)


def test_solar_noon_follows_the_equation_of_time() -> None:
    # 12:00 UTC+7 less 4 min a degree east of 105, less the equation of time (+16.4 min on 3 November).
    rise, fall = sunrise_and_sunset(_local_day(2026, 11, 3), LATITUDE, LONGITUDE)
    noon = datetime.fromtimestamp(float(rise[0] + fall[0]) / 2.0, UTC) + timedelta(hours=7)
    assert noon.hour * 60 + noon.minute + noon.second / 60 == pytest.approx(12 * 60 - 3.47 * 4 - 16.4, abs=1.5)


def test_the_sun_stands_at_the_horizon_when_it_rises_and_sets() -> None:
    days = _local_day(2026, 1, 1) + np.arange(365.0)
    for times in sunrise_and_sunset(days, LATITUDE, LONGITUDE):
        # The declination moves on between noon, for which it is taken, and the horizon.
        elevation_deg = np.degrees(np.arcsin(sine_of_elevation(times, LATITUDE, LONGITUDE)))
        assert np.abs(elevation_deg - SUNSET_ELEVATION_DEG).max() < 0.15


def test_sunrise_and_sunset_are_those_of_the_almanac_to_a_minute() -> None:
    place = Observer(LATITUDE, LONGITUDE)
    for month in range(1, 13):
        day = date(2026, month, 15)
        rise, fall = sunrise_and_sunset(_local_day(2026, month, 15), LATITUDE, LONGITUDE)
        tz = timezone(timedelta(hours=7))
        assert float(rise[0]) == pytest.approx(sunrise(place, day, tzinfo=tz).timestamp(), abs=75.0)
        assert float(fall[0]) == pytest.approx(sunset(place, day, tzinfo=tz).timestamp(), abs=75.0)
