"""Where the sun stands, by the usual low-precision formulas (NOAA): good to a minute at this latitude."""

from __future__ import annotations

import numpy as np

from simulators.signals import DAY_S, LOCAL_OFFSET_S, FloatArray, day_of_year

SUNSET_ELEVATION_DEG = -0.833
"""Centre of the sun when its upper edge touches the horizon: half its width and the refraction of the air."""


def _declination_and_equation_of_time(times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    gamma = 2.0 * np.pi * (day_of_year(times_s) - 0.5) / 365.2425
    declination = (
        0.006918
        - 0.399912 * np.cos(gamma)
        + 0.070257 * np.sin(gamma)
        - 0.006758 * np.cos(2 * gamma)
        + 0.000907 * np.sin(2 * gamma)
        - 0.002697 * np.cos(3 * gamma)
        + 0.00148 * np.sin(3 * gamma)
    )
    equation_s = (
        60.0
        * 229.18
        * (
            0.000075
            + 0.001868 * np.cos(gamma)
            - 0.032077 * np.sin(gamma)
            - 0.014615 * np.cos(2 * gamma)
            - 0.040849 * np.sin(2 * gamma)
        )
    )
    return declination, equation_s


def elevation_deg(times_s: FloatArray, latitude: float, longitude: float) -> FloatArray:
    """Elevation of the sun's centre above the horizon, degrees, -90..90."""
    declination, equation_s = _declination_and_equation_of_time(times_s)
    hour_angle = 2.0 * np.pi * (np.mod(times_s + equation_s, DAY_S) / DAY_S + longitude / 360.0 - 0.5)
    phi = np.radians(latitude)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    elevation: FloatArray = np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))
    return elevation


def sunrise_and_sunset(days: FloatArray, latitude: float, longitude: float) -> tuple[FloatArray, FloatArray]:
    """Unix seconds of sunrise and sunset of local days (whole days since 1970-01-01), shape (n,) each.

    Holds between the polar circles, where every day has both.
    """
    noon = days * DAY_S - LOCAL_OFFSET_S + DAY_S / 2.0
    declination, equation_s = _declination_and_equation_of_time(noon)
    phi = np.radians(latitude)
    cosine = (np.sin(np.radians(SUNSET_ELEVATION_DEG)) - np.sin(phi) * np.sin(declination)) / (
        np.cos(phi) * np.cos(declination)
    )
    half_day_s = np.arccos(np.clip(cosine, -1.0, 1.0)) / (2.0 * np.pi) * DAY_S
    solar_noon = noon + LOCAL_OFFSET_S - longitude / 360.0 * DAY_S - equation_s
    return solar_noon - half_day_s, solar_noon + half_day_s
