"""What all simulated devices share: a box in the sun, a battery, a radio, and how hardware rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias

import numpy as np

from simulators.signals import FloatArray, local_day, local_hour, ramp
from simulators.signals.noise import Key, derive, smooth, uniform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulators.signals.weather import Sky

ValuesByName: TypeAlias = "dict[str, FloatArray]"
"""Datastream name -> values in the unit the device sends, shape (n,); NaN: no reading; words by their number."""

TIP_MM: Final = 0.2
"""Rain that tips the bucket of a gauge once."""
_DARK: Final = 0.05  # share of full sun below which a panel does not charge
_FITTER_DAYS: Final = 0.02  # share of days with a fitter at a cabinet
_FITTER_H: Final = 40.0 / 60.0


class Instrument(Protocol):
    """What a simulated device, or many of one profile, measures with."""

    DECIMALS: ClassVar[Mapping[str, int]]
    """Digits after the point the hardware sends, by datastream name; every name of the profile stands here."""

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """Values at these times (Unix seconds, shape (n,)), or of the periods that end at them."""
        ...


def whole_seconds(times_s: FloatArray) -> NDArray[np.int64]:
    """Times as the index of independent draws."""
    return np.floor(times_s).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Station:
    """What all stations share."""

    key: Key
    sky: Sky

    def _wander(self, what: str, times_s: FloatArray, period_s: float) -> FloatArray:
        return smooth(derive(self.key, what), times_s, period_s)

    def _trait(self, what: str, times_s: FloatArray) -> FloatArray:
        """What is so for this very device for ever, 0..1."""
        return uniform(derive(self.key, what), np.zeros(times_s.shape, dtype=np.int64))

    def box_temperature(self, times_s: FloatArray) -> FloatArray:
        """Inside a closed box, Cel: warmer than the air, much so in the sun."""
        return self.sky.temperature(times_s) + 3.0 + 11.0 * self.sky.irradiance(times_s) / 1_000.0

    def battery_voltage(self, times_s: FloatArray) -> FloatArray:
        """Lead battery with a solar panel, V, 12.1..14.2: falls through the night, charges by day."""
        drained = ramp(np.mod(local_hour(times_s) - 17.5, 24.0), 0.0, 13.0)
        charging = self.sky.irradiance(times_s) / 1_000.0
        return (
            12.65
            - 0.35 * drained * (charging < _DARK)
            + 1.3 * ramp(charging, 0.02, 0.5)
            + 0.04 * self._wander("battery", times_s, 5_400.0)
        )

    def cell_voltage(self, times_s: FloatArray) -> FloatArray:
        """Lithium cell without a panel, V, 3.3..3.65: years of life, a little less in the cold."""
        return 3.62 - 0.25 * self._trait("age", times_s) + 0.002 * (self.sky.temperature(times_s) - 26.0)

    def mains_voltage(self, times_s: FloatArray) -> FloatArray:
        """Voltage of the mains at a box of its own, V."""
        evening = ramp(np.abs(local_hour(times_s) - 19.0), 4.0, 0.0)
        return 231.5 - 4.0 * evening + 1.6 * self._wander("mains", times_s, 1_500.0)

    def signal(self, times_s: FloatArray) -> FloatArray:
        """Radio signal strength, dB{mW}, about -70 near a mast to -97 behind walls; a little worse in rain."""
        at_home = -82.0 + 20.0 * (self._trait("mast", times_s) - 0.5)
        return (
            at_home + 2.5 * self._wander("signal", times_s, 900.0) - 2.0 * ramp(self.sky.rain_mm_h(times_s), 1.0, 40.0)
        )

    def door_open(self, times_s: FloatArray) -> FloatArray:
        """1 while a fitter is at work: forty minutes on one day in fifty, in working hours; else 0."""
        draw = uniform(derive(self.key, "fitter"), local_day(times_s).astype(np.int64))
        start_h = 8.0 + draw / _FITTER_DAYS * 8.0
        hour = local_hour(times_s)
        return np.where((draw < _FITTER_DAYS) & (hour >= start_h) & (hour < start_h + _FITTER_H), 1.0, 0.0)


def rain_in_period(sky: Sky, key: Key, end_s: FloatArray, period_s: float) -> FloatArray:
    """Rain of the periods that end at `end_s`, mm, in tips; a part of a tip falls by chance, so sums hold."""
    tips = sky.rain_mm_h(end_s - period_s / 2.0) * period_s / 3_600.0 / TIP_MM
    return np.floor(tips + uniform(key, whole_seconds(end_s))) * TIP_MM


def observe_rounded(instrument: Instrument, times_s: FloatArray) -> ValuesByName:
    """Values as the hardware sends them, rounded to its digits; NaN stays: no reading."""
    # Adding zero turns -0.0, which no device sends, into 0.0.
    return {
        name: np.round(values, instrument.DECIMALS[name]) + 0.0 for name, values in instrument.observe(times_s).items()
    }
