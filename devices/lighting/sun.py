"""Where the sun stands: elevation for many lamps and times at once, sunset and sunrise of a place and date.

`astral` gives sunset and sunrise. Its elevation takes one time and place a call; for thousands of lamps the same
formulas (NOAA solar calculator, after Meeus, Astronomical Algorithms, chapters 25 and 28) stand here for arrays, held
equal to it by a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
from astral import Observer
from astral.sun import sunrise, sunset

if TYPE_CHECKING:
    from devices.figures import BoolArray, FloatArray

FORMULA: Final = "lighting.solar-elevation/1"
NIGHT_FORMULA: Final = "lighting.night/1"
LOCAL: Final = ZoneInfo("Asia/Ho_Chi_Minh")
HORIZON_DEG: Final = -0.833
"""Elevation of the sun's centre at sunrise and sunset: its radius and the refraction at the horizon."""
_GRID_DEG: Final = 100.0
"""Places are told apart to a hundredth of a degree, in which the sun sets at most 2.4 s earlier or later."""


def elevation_deg(
    time_s: FloatArray, latitude_deg: float | FloatArray, longitude_deg: float | FloatArray
) -> FloatArray:
    """Geometric elevation of the sun's centre, degrees above the horizon, without refraction.

    Args:
        time_s: Unix seconds; 1900 to 2100.
        latitude_deg: WGS 84, north is positive; broadcast with the times.
        longitude_deg: WGS 84, east is positive.
    """
    days = np.asarray(time_s, np.float64) / 86_400.0 - 10_957.5  # since J2000.0, noon of 2000-01-01
    century = days / 36_525.0
    mean_longitude = (280.46646 + century * (36_000.76983 + century * 0.0003032)) % 360.0
    anomaly = np.radians(357.52911 + century * (35_999.05029 - 0.0001537 * century))
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    centre = (
        np.sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + np.sin(2 * anomaly) * (0.019993 - 0.000101 * century)
        + np.sin(3 * anomaly) * 0.000289
    )
    node = np.radians(125.04 - 1934.136 * century)
    longitude_of_sun = np.radians(mean_longitude + centre - 0.00569 - 0.00478 * np.sin(node))
    obliquity = np.radians(
        23.0
        + (26.0 + (21.448 - century * (46.815 + century * (0.00059 - century * 0.001813))) / 60.0) / 60.0
        + 0.00256 * np.cos(node)
    )
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude_of_sun))
    slant = np.tan(obliquity / 2) ** 2
    twice = 2 * np.radians(mean_longitude)
    equation_deg = np.degrees(
        slant * np.sin(twice)
        - 2 * eccentricity * np.sin(anomaly)
        + 4 * eccentricity * slant * np.sin(anomaly) * np.cos(twice)
        - 0.5 * slant**2 * np.sin(2 * twice)
        - 1.25 * eccentricity**2 * np.sin(2 * anomaly)
    )
    hour_angle = np.radians((days + 0.5) % 1.0 * 360.0 + equation_deg + longitude_deg - 180.0)
    latitude = np.radians(latitude_deg)
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))), np.float64)


def is_night(time_s: FloatArray, latitude_deg: float | FloatArray, longitude_deg: float | FloatArray) -> BoolArray:
    """Whether the sun is below the horizon: from sunset to sunrise of that place and date."""
    return np.asarray(elevation_deg(time_s, latitude_deg, longitude_deg) < HORIZON_DEG)


@dataclass(frozen=True, slots=True)
class Night:
    """One night of a place."""

    sunset: datetime  # aware UTC
    sunrise: datetime  # aware UTC, of the next morning

    @property
    def hours(self) -> float:
        """How long it is."""
        return (self.sunrise - self.sunset).total_seconds() / 3600.0


def night_of(day: date, latitude_deg: float, longitude_deg: float) -> Night:
    """The night that begins on a local day.

    Args:
        day: of Asia/Ho_Chi_Minh.
        latitude_deg: WGS 84, between the polar circles.
        longitude_deg: WGS 84.
    """
    return _night(day, round(latitude_deg * _GRID_DEG), round(longitude_deg * _GRID_DEG))


@lru_cache(maxsize=65_536)
def _night(day: date, latitude: int, longitude: int) -> Night:
    observer = Observer(latitude=latitude / _GRID_DEG, longitude=longitude / _GRID_DEG)
    return Night(
        sunset=sunset(observer, date=day, tzinfo=LOCAL).astimezone(UTC),
        sunrise=sunrise(observer, date=day + timedelta(days=1), tzinfo=LOCAL).astimezone(UTC),
    )
