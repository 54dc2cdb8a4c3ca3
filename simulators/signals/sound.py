"""Sound beside a road: the road's traffic, the street's people, rain, and what is left when all are asleep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.signals import FloatArray, local_hour, ramp
from simulators.signals.exact import bell, exp, log10
from simulators.signals.noise import Key, derive, smooth, uniform

if TYPE_CHECKING:
    from simulators.signals.traffic import Road

PERIOD_S = 60.0
_LN10_TENTH = 0.2302585092994046


def _energy(level: FloatArray) -> FloatArray:
    return exp(level * _LN10_TENTH)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a meter gives for each minute, dB(A), each shape (n,)."""

    laeq: FloatArray  # 30..95
    lamax: FloatArray
    la10: FloatArray  # exceeded in 10 percent of the minute
    la50: FloatArray
    la90: FloatArray


@dataclass(frozen=True, slots=True)
class Soundscape:
    """What a meter some metres from the kerb hears, dB(A), each minute."""

    key: Key
    road: Road

    def minutes(self, end_s: FloatArray) -> Heard:
        """The minutes that end at `end_s`: energies add, never levels."""
        middle = end_s - PERIOD_S / 2.0
        road = self.road
        flow = road.motor_flow(middle, PERIOD_S)
        traffic = 37.0 + 10.0 * log10(flow + 1.0) + 0.08 * (road.free_speed - 30.0)
        hour = local_hour(middle)
        evening = bell((hour - 20.0) / 2.2) + 0.6 * bell((hour - 9.5) / 2.5)
        feast = road.sky.happenings.feast(middle) * road.old_town
        people = 42.0 + 8.0 * road.old_town + 12.0 * np.maximum(evening, 1.4 * feast)
        rain = 30.0 + 22.0 * ramp(road.sky.rain_mm_h(middle), 0.5, 30.0)
        energy = _energy(traffic) + _energy(people) + _energy(rain) + _energy(np.full(middle.shape, 38.0))
        wander = 0.9 * smooth(derive(self.key, "sound"), middle, 240.0)
        laeq = np.clip(10.0 * log10(energy) + wander, 30.0, 95.0)
        loudest = uniform(derive(self.key, "loudest"), np.floor(end_s).astype(np.int64))
        single = 1.0 - ramp(flow, 50.0, 900.0)  # where vehicles come singly the levels spread further
        return Heard(
            laeq=laeq,
            lamax=laeq + 6.0 + 14.0 * loudest * loudest,  # a horn, a lorry
            la10=np.maximum(laeq + 2.2 + 1.0 * single, 28.0),
            la50=np.maximum(laeq - 1.8 - 2.0 * single, 28.0),
            la90=np.maximum(laeq - 6.0 - 4.0 * single, 27.0),
        )
