"""Where the sun stands, by the usual low-precision formulas (NOAA): good to a minute at this latitude."""

from __future__ import annotations

from math import pi

import numpy as np

from simulators.signals import DAY_S, LOCAL_OFFSET_S, FloatArray, Parameter, day_of_year
from simulators.signals.exact import arcsin_small, cos_turns, sin_turns

SUNSET_ELEVATION_DEG = -0.833
"""Centre of the sun when its upper edge touches the horizon: half its width and the refraction of the air."""


def _declination_and_equation_of_time(times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Declination in turns, equation of time in seconds (Spencer 1971)."""
    year = (day_of_year(times_s) - 0.5) / 365.2425
    declination = (
        0.006918
        - 0.399912 * cos_turns(year)
        + 0.070257 * sin_turns(year)
        - 0.006758 * cos_turns(2.0 * year)
        + 0.000907 * sin_turns(2.0 * year)
        - 0.002697 * cos_turns(3.0 * year)
        + 0.00148 * sin_turns(3.0 * year)
    )
    equation_s = (
        60.0
        * 229.18
        * (
            0.000075
            + 0.001868 * cos_turns(year)
            - 0.032077 * sin_turns(year)
            - 0.014615 * cos_turns(2.0 * year)
            - 0.040849 * sin_turns(2.0 * year)
        )
    )
    return declination / (2.0 * pi), equation_s


def sine_of_elevation(times_s: FloatArray, latitude: Parameter, longitude: Parameter) -> FloatArray:
    """Sine of the elevation of the sun's centre above the horizon, -1..1."""
    declination, equation_s = _declination_and_equation_of_time(times_s)
    hour_angle = np.mod(times_s + equation_s, DAY_S) / DAY_S + longitude / 360.0 - 0.5
    phi = np.asarray(latitude) / 360.0
    return sin_turns(phi) * sin_turns(declination) + cos_turns(phi) * cos_turns(declination) * cos_turns(hour_angle)


def sunrise_and_sunset(days: FloatArray, latitude: float, longitude: float) -> tuple[FloatArray, FloatArray]:
    """Unix seconds of sunrise and sunset of local days (whole days since 1970-01-01), shape (n,) each.

    Holds within 30 degrees of the equator, where day and night are never far from equally long.
    """
    noon = days * DAY_S - LOCAL_OFFSET_S + DAY_S / 2.0
    declination, equation_s = _declination_and_equation_of_time(noon)
    phi = np.full(days.shape, latitude / 360.0)
    horizon = np.full(days.shape, SUNSET_ELEVATION_DEG / 360.0)
    cosine = (sin_turns(horizon) - sin_turns(phi) * sin_turns(declination)) / (cos_turns(phi) * cos_turns(declination))
    half_day_s = (0.25 - arcsin_small(cosine) / (2.0 * pi)) * DAY_S
    solar_noon = noon + LOCAL_OFFSET_S - longitude / 360.0 * DAY_S - equation_s
    return solar_noon - half_day_s, solar_noon + half_day_s
