"""Sound beside a road: the road's traffic, the street's people, rain, and what is left when all are asleep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.signals import FloatArray, local_hour, ramp
from simulators.signals.noise import key_of, smooth, uniform
from simulators.signals.traffic import Road, RoadKind

PERIOD_S = 60.0


@dataclass(frozen=True, slots=True)
class Soundscape:
    """What a meter some metres from the kerb hears, dB(A), each minute."""

    seed: int
    name: str
    road: Road

    def laeq(self, end_s: FloatArray) -> FloatArray:
        """Equivalent level of the minutes that end at `end_s`, 30..95: energies add, never levels."""
        middle = end_s - PERIOD_S / 2.0
        pcu_per_hour = self.road.motor_flow(middle, PERIOD_S)
        traffic = 37.0 + 10.0 * np.log10(pcu_per_hour + 1.0) + 0.08 * (self.road.free_speed - 30.0)
        evening = np.exp(-(((local_hour(middle) - 20.0) / 2.2) ** 2)) + 0.6 * np.exp(
            -(((local_hour(middle) - 9.5) / 2.5) ** 2)
        )
        people = (42.0 if self.road.kind is not RoadKind.OLD_TOWN else 50.0) + 12.0 * evening
        rain = 30.0 + 22.0 * ramp(self.road.sky.rain_mm_h(middle), 0.5, 30.0)
        quiet = 38.0
        energy = sum(10.0 ** (level / 10.0) for level in (traffic, people, rain, np.full(middle.shape, quiet)))
        wander = 0.9 * smooth(key_of(self.seed, self.name, "sound"), middle, 240.0)
        return np.clip(10.0 * np.log10(energy) + wander, 30.0, 95.0)

    def lamax(self, end_s: FloatArray) -> FloatArray:
        """Loudest moment of the minutes: a horn, a lorry, 6 to 20 dB above LAeq."""
        draw = uniform(key_of(self.seed, self.name, "loudest"), np.floor(end_s).astype(np.int64))
        return self.laeq(end_s) + 6.0 + 14.0 * draw**2

    def exceeded(self, percent: int, end_s: FloatArray) -> FloatArray:
        """Level exceeded in `percent` (10, 50 or 90) of each minute; spreads further where vehicles come singly."""
        single = 1.0 - ramp(self.road.motor_flow(end_s - PERIOD_S / 2.0, PERIOD_S), 50.0, 900.0)
        offset = {10: 2.2 + 1.0 * single, 50: -1.8 - 2.0 * single, 90: -6.0 - 4.0 * single}[percent]
        return np.maximum(self.laeq(end_s) + offset, 28.0)
