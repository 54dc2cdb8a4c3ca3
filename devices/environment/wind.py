"""Wind: means of directions are those of vectors; gusts are the highest of their periods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIRECTION_FORMULA: Final = "environment.wind-direction-mean/1"
RESULTANT_FORMULA: Final = "environment.wind-resultant/1"
GUST_FORMULA: Final = "environment.gust/1"
OPPOSITE: Final = 1e-9
"""Mean vectors shorter than this have no direction: the winds came from opposite sides."""
_NAMES: Final = (
    Bilingual("Bắc", "N"),
    Bilingual("Đông Bắc", "NE"),
    Bilingual("Đông", "E"),
    Bilingual("Đông Nam", "SE"),
    Bilingual("Nam", "S"),
    Bilingual("Tây Nam", "SW"),
    Bilingual("Tây", "W"),
    Bilingual("Tây Bắc", "NW"),
)


def mean_direction(
    direction_deg: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Mean of directions: 359 and 1 make 0, not 180.

    Args:
        direction_deg: clockwise from north, NaN: none; shape (..., t).
        weight: such as the wind speed, >= 0; shape (..., t); None: all the same.

    Returns:
        0 <= degrees < 360, shape (...,); NaN where there is none, or where they cancel out.
    """
    weights = np.where(np.isnan(direction_deg), 0.0, 1.0 if weight is None else weight)
    angle = np.deg2rad(np.where(np.isnan(direction_deg), 0.0, direction_deg))
    east, north = (weights * np.sin(angle)).sum(axis=-1), (weights * np.cos(angle)).sum(axis=-1)
    return direction_of(east, north, weights.sum(axis=-1))


def direction_of(
    east: NDArray[np.float64], north: NDArray[np.float64], count: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Direction of a sum of vectors, such as window statistics keep; NaN where they cancel out or there is none."""
    degrees = np.rad2deg(np.arctan2(east, north)) % 360.0
    degrees = np.where(degrees >= 360.0, 0.0, degrees)  # noqa: PLR2004 of a tiny negative angle the remainder is 360
    return np.where((count > 0) & (np.hypot(east, north) > OPPOSITE * count), degrees, np.nan)


def resultant_length(
    east: NDArray[np.float64], north: NDArray[np.float64], count: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How steady directions are: length of their mean unit vector, 1 all the same, 0 from all sides; NaN for none.

    Args:
        east: sums of sines; any shape, the others alike.
        north: sums of cosines.
        count: how many directions made them.
    """
    length = np.hypot(east, north) / np.where(count > 0, count, 1.0)
    return np.where(count > 0, np.minimum(length, 1.0), np.nan)


def highest_gust(gust_m_per_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The highest gust and its first place, over the last axis (one place at least); NaN and -1 where there is none."""
    filled = np.where(np.isnan(gust_m_per_s), -np.inf, gust_m_per_s)
    place = filled.argmax(axis=-1)
    there = ~np.isnan(gust_m_per_s).all(axis=-1)
    return np.where(there, filled.max(axis=-1), np.nan), np.where(there, place, -1)


def compass_name(direction_deg: float) -> Bilingual:
    """The nearest of eight winds, as people name it; 0 <= degrees <= 360."""
    return _NAMES[int(direction_deg / 45.0 + 0.5) % 8]
