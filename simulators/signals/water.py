"""Water levels: the tide that comes up the estuary and the rain that comes down the river."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.signals.noise import key_of, smooth

if TYPE_CHECKING:
    from simulators.signals import FloatArray
    from simulators.signals.weather import Sky

_CONSTITUENTS: Final = (  # period in hours, share of the sum of amplitudes, phase in radians
    (23.934, 0.36, 0.4),  # K1
    (25.819, 0.29, 2.1),  # O1
    (12.421, 0.25, 1.2),  # M2
    (12.000, 0.10, 4.0),  # S2
)
"""The tide off Quang Nam is mixed, mainly once a day; amplitudes as at the nearest published station (Qui Nhon)."""

_RUNOFF_STEP_H: Final = 2.0
_RUNOFF_WEIGHTS: Final = np.exp(-np.arange(30) / 9.0) * (1.0 - np.exp(-np.arange(30) / 2.0))


@dataclass(frozen=True, slots=True)
class Reach:
    """The river at one gauge."""

    seed: int
    river: str  # gauges of one river share its floods
    upstream: Sky  # where the rain of this river falls
    mean_level: float  # m above gauge datum, between tides, in dry weather
    tide_range: float  # half of the greatest range of the tide, m; dies away upstream
    tide_lag_h: float  # after the sea
    flood_lag_h: float  # after the rain
    flood_gain: float  # m a mm/h of rain sustained over the days before

    def tide(self, times_s: FloatArray) -> FloatArray:
        """Height of the tide, m, within -tide_range..tide_range."""
        hours = times_s / 3_600.0 - self.tide_lag_h
        total = np.zeros(times_s.shape)
        for period_h, share, phase in _CONSTITUENTS:
            total += share * np.cos(2.0 * np.pi * hours / period_h - phase)
        return self.tide_range * total

    def runoff(self, times_s: FloatArray) -> FloatArray:
        """Rise by the rain of the sixty hours before, m, >= 0."""
        lags_s = (np.arange(_RUNOFF_WEIGHTS.size) * _RUNOFF_STEP_H + self.flood_lag_h) * 3_600.0
        rain = self.upstream.rain_mm_h((times_s[:, None] - lags_s[None, :]).ravel()).reshape(times_s.size, -1)
        return self.flood_gain * (rain @ _RUNOFF_WEIGHTS) / float(_RUNOFF_WEIGHTS.sum())

    def level(self, times_s: FloatArray) -> FloatArray:
        """Water level, m above gauge datum."""
        runoff = self.runoff(times_s)
        damped = self.tide(times_s) / (1.0 + 0.8 * runoff)  # a flood fills the channel and the tide drowns in it
        wind = 0.03 * smooth(key_of(self.seed, self.river, "surge"), times_s, 6.0 * 3_600.0)
        return self.mean_level + damped + runoff + wind
