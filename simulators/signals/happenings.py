"""What a scenario lets happen to a town, as functions of time: floods, cloudbursts, feasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.signals import FloatArray, Parameter, ramp

if TYPE_CHECKING:
    from collections.abc import Iterable

FLOOD_RISE_H: Final = 34.0
"""From the first rise to the peak, as in November 2017; a river of this size does not rise faster."""
FLOOD_FALL_H: Final = 80.0
_FEAST_EDGE_S: Final = 2_700.0
_RAIN_EDGE_S: Final = 5_400.0


@dataclass(frozen=True, slots=True)
class Flood:
    """A flood wave that comes down the rivers."""

    peak_s: float  # Unix seconds at which it is highest at Cau Lau
    severity: float  # share of the flood of 2017, 0..1


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time."""

    from_s: float  # Unix seconds, inclusive
    until_s: float  # exclusive


@dataclass(frozen=True, slots=True)
class Cloudburst:
    """Hours of rain over a town, on top of what the weather has."""

    span: Span
    mm_h: float  # mean intensity


@dataclass(frozen=True, slots=True)
class Happenings:
    """All of it, for one town."""

    floods: tuple[Flood, ...] = ()
    cloudbursts: tuple[Cloudburst, ...] = ()
    feasts: tuple[Span, ...] = ()
    high_water_m: float = 0.0  # how much higher than usual the rivers stand, -0.5..2

    def flood_share(self, times_s: FloatArray, lag_h: Parameter) -> FloatArray:
        """How much of the flood of 2017 stands at a place the wave reaches `lag_h` after Cau Lau, 0..1."""
        share = np.zeros(times_s.shape)
        for flood in self.floods:
            hours = (times_s - flood.peak_s) / 3_600.0 - lag_h
            rising = ramp(hours, -FLOOD_RISE_H, 0.0)
            falling = 1.0 - ramp(hours, 0.0, FLOOD_FALL_H)
            share = np.maximum(share, flood.severity * np.minimum(rising, falling))
        return share

    def rain_mm_h(self, times_s: FloatArray) -> FloatArray:
        """Rain on top of the weather's own, mm/h, before its cells are cut out of it."""
        rain = np.zeros(times_s.shape)
        for burst in self.cloudbursts:
            rain = rain + burst.mm_h * _within(burst.span, times_s, _RAIN_EDGE_S)
        return rain

    def feast(self, times_s: FloatArray) -> FloatArray:
        """How far a feast fills the old town, 0..1."""
        return _highest(_within(span, times_s, _FEAST_EDGE_S) for span in self.feasts) + np.zeros(times_s.shape)


def _within(span: Span, times_s: FloatArray, edge_s: float) -> FloatArray:
    """1 inside a span, 0 outside, with soft edges inside it."""
    rising = ramp(times_s, span.from_s, span.from_s + edge_s)
    return np.minimum(rising, 1.0 - ramp(times_s, span.until_s - edge_s, span.until_s))


def _highest(signals: Iterable[FloatArray]) -> FloatArray:
    highest = np.zeros(1)
    for signal in signals:
        highest = np.maximum(highest, signal)
    return highest
