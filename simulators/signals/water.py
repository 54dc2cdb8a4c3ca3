"""Water levels: the tide that comes up the estuary and the rain and the floods that come down the river."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.signals.exact import cos_turns, exp
from simulators.signals.noise import Key, smooth

if TYPE_CHECKING:
    from simulators.signals import FloatArray, Parameter
    from simulators.signals.weather import Sky

_CONSTITUENTS: Final = (  # period in hours, share of the sum of amplitudes, phase in turns
    (23.934, 0.36, 0.064),  # K1
    (25.819, 0.29, 0.334),  # O1
    (12.421, 0.25, 0.191),  # M2
    (12.000, 0.10, 0.637),  # S2
)
"""The tide off Quang Nam is mixed, mainly once a day; amplitudes as at the nearest published station (Qui Nhon)."""

_RUNOFF_STEP_H: Final = 2.0
_STEPS: Final = np.arange(30.0)
_WEIGHTS: Final = exp(-_STEPS / 9.0) * (1.0 - exp(-_STEPS / 2.0))
_RUNOFF_WEIGHTS: Final = (_WEIGHTS / sum(_WEIGHTS.tolist())).tolist()


@dataclass(frozen=True, slots=True)
class Reach:
    """The river at one gauge."""

    surge: Key  # what wind does to this river; gauges of one river share it
    upstream: Sky  # where the rain of this river falls
    mean_level: Parameter  # m above gauge datum, between tides, in dry weather
    tide_range: Parameter  # half of the greatest range of the tide, m; dies away upstream
    tide_lag_h: Parameter  # after the sea
    runoff_lag_h: Parameter  # after the rain
    runoff_gain: Parameter  # m a mm/h of rain sustained over the days before
    flood_lag_h: Parameter  # of a flood wave, after Cau Lau
    flood_peak: Parameter  # m above gauge datum in the flood of November 2017

    def tide(self, times_s: FloatArray) -> FloatArray:
        """Height of the tide, m, within -tide_range..tide_range."""
        hours = times_s / 3_600.0 - self.tide_lag_h
        total = np.zeros(times_s.shape)
        for period_h, share, phase in _CONSTITUENTS:
            total += share * cos_turns(hours / period_h - phase)
        return self.tide_range * total

    def runoff(self, times_s: FloatArray) -> FloatArray:
        """Rise by the rain of the sixty hours before, m, >= 0."""
        total = np.zeros(times_s.shape)
        for step, weight in enumerate(_RUNOFF_WEIGHTS):
            lag_s = (self.runoff_lag_h + step * _RUNOFF_STEP_H) * 3_600.0
            total += weight * self.upstream.wet_spell_mm_h(times_s - lag_s)
        return self.runoff_gain * total

    def level(self, times_s: FloatArray) -> FloatArray:
        """Water level, m above gauge datum."""
        happenings = self.upstream.happenings
        base = self.mean_level + happenings.high_water_m
        flood = happenings.flood_share(times_s, self.flood_lag_h) * np.maximum(self.flood_peak - base, 0.0)
        runoff = self.runoff(times_s)
        # A flood fills the channel and the tide drowns in it.
        damped = self.tide(times_s) / (1.0 + 0.8 * runoff + 6.0 * flood)
        wind = 0.03 * smooth(self.surge, times_s, 6.0 * 3_600.0)
        return base + damped + runoff / (1.0 + flood) + flood + wind
