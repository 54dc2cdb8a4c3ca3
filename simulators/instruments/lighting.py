"""Instruments of the domain lighting."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from simulators.instruments.station import Station, ValuesByName, whole_seconds
from simulators.signals import FloatArray, ramp
from simulators.signals.lighting import PHASES, STANDBY_W, Circuit, Lamp
from simulators.signals.noise import derive, key_of, poisson, smooth, uniform

if TYPE_CHECKING:
    from collections.abc import Mapping

_FULL_LIGHT: Final = 90.0  # percent; below it a lamp calls itself dimmed


def _state(level: FloatArray) -> FloatArray:
    """off, on or low, by their numbers."""
    return np.select([level <= 0.0, level < _FULL_LIGHT], [0.0, 2.0], default=1.0)


def _current(power_w: FloatArray, voltage: FloatArray, power_factor: FloatArray) -> FloatArray:
    """Current, A; none without voltage."""
    return np.where(voltage > 0.0, power_w / (np.maximum(voltage, 1.0) * power_factor), 0.0)


def _grid_frequency(seed: int, times_s: FloatArray) -> FloatArray:
    """Hz; one grid for all towns."""
    return 50.0 + 0.03 * smooth(key_of(seed, "grid-frequency"), times_s, 180.0)


@dataclass(frozen=True, slots=True)
class LampController(Station):
    """Profile `lamp-controller`. A cell keeps it talking when its circuit has no power."""

    circuit: Circuit
    lamp: Lamp

    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "level-commanded": 0, "level": 0, "power": 1, "energy": 0, "voltage": 1, "current": 0, "power-factor": 2,
            "state": 0, "lamp-failure": 0, "operating-time": 1, "temperature": 0, "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """State of one lamp at these times."""
        circuit = self.circuit
        level = circuit.lamp_level(self.lamp, times_s)
        power_w = circuit.lamp_power_w(self.lamp, times_s)
        voltage = circuit.lamp_voltage(self.lamp, times_s)
        power_factor = circuit.power_factor(level)
        _, lit_h, _ = circuit.lamp_hours(self.lamp, times_s)
        return {
            "level-commanded": circuit.commanded(times_s),
            "level": level,
            "power": power_w,
            "energy": circuit.lamp_energy_kwh(self.lamp, times_s) * 1_000.0,
            "voltage": voltage,
            "current": _current(power_w, voltage, power_factor) * 1_000.0,
            "power-factor": power_factor,
            "state": _state(level),
            "lamp-failure": circuit.lamp_broken(self.lamp, times_s),
            "operating-time": lit_h,
            "temperature": self.box_temperature(times_s) + 14.0 * level / 100.0,
            "signal": self.signal(times_s) - 8.0,
        }


@dataclass(frozen=True, slots=True)
class LightingCabinet(Station):
    """Profile `lighting-cabinet`."""

    circuit: Circuit

    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {f"voltage-l{phase}": 1 for phase in PHASES}
        | {f"current-l{phase}": 3 for phase in PHASES}
        | {f"power-l{phase}": 4 for phase in PHASES}
        | {
            "power": 4, "energy": 2, "power-factor": 2, "frequency": 2, "leakage": 1,
            "circuit": 0, "mode": 0, "door": 0, "temperature": 0, "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """What the three-phase meter and the contacts of the cabinet say at these times."""
        circuit = self.circuit
        power_w = [circuit.phase_power_w(phase, times_s) for phase in PHASES]
        voltage = [circuit.phase_voltage(phase, times_s) for phase in PHASES]
        fed = circuit.fed(times_s)
        power_factor = circuit.power_factor(circuit.commanded(times_s) * fed)
        total_w = power_w[0] + power_w[1] + power_w[2]
        rain = ramp(self.sky.rain_mm_h(times_s), 1.0, 30.0)
        door = self.door_open(times_s)
        return {
            **{f"voltage-l{phase}": voltage[phase - 1] for phase in PHASES},
            **{f"current-l{p}": _current(power_w[p - 1], voltage[p - 1], power_factor) for p in PHASES},
            **{f"power-l{phase}": power_w[phase - 1] / 1_000.0 for phase in PHASES},
            "power": total_w / 1_000.0,
            "energy": circuit.energy_kwh(times_s),
            "power-factor": power_factor,
            "frequency": _grid_frequency(self.sky.seed, times_s),
            "leakage": np.maximum(4.0 + 12.0 * rain + 1.5 * self._wander("leakage", times_s, 3_600.0), 0.0),
            "circuit": fed,  # lamps stay fed by day: their controllers switch them
            "mode": np.where(door > 0.0, 3.0, 0.0),
            "door": door,
            "temperature": self.box_temperature(times_s) + 2.0,
            "signal": self.signal(times_s) + 6.0,
        }


@dataclass(frozen=True, slots=True)
class FeederMeter(Station):
    """Profile `feeder-meter`: the utility's meter before a cabinet; it counts what the cabinet counts, in W.h."""

    circuit: Circuit

    TAN_PHI: ClassVar[float] = 0.33  # reactive by active power, kept there by the cabinet's capacitors
    POWER_FACTOR: ClassVar[float] = 1.0 / sqrt(1.0 + 0.33 * 0.33)
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {f"voltage-l{phase}": 1 for phase in PHASES}
        | {f"current-l{phase}": 3 for phase in PHASES}
        | {f"power-l{phase}": 1 for phase in PHASES}
        | {
            "power": 1, "reactive-power": 1, "energy": 0, "reactive-energy": 0, "power-factor": 3, "frequency": 2,
            "current-distortion": 1, "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """What the meter shows at these times."""
        power_w = [self.circuit.phase_power_w(phase, times_s) for phase in PHASES]
        voltage = [self.circuit.phase_voltage(phase, times_s) for phase in PHASES]
        total_w = power_w[0] + power_w[1] + power_w[2]
        energy_wh = self.circuit.energy_kwh(times_s) * 1_000.0
        factor = np.full(times_s.shape, self.POWER_FACTOR)
        dimmed = 1.0 - self.circuit.commanded(times_s) / 100.0
        return {
            **{f"voltage-l{phase}": voltage[phase - 1] for phase in PHASES},
            **{f"current-l{p}": _current(power_w[p - 1], voltage[p - 1], factor) for p in PHASES},
            **{f"power-l{phase}": power_w[phase - 1] for phase in PHASES},
            "power": total_w,
            "reactive-power": total_w * self.TAN_PHI,
            "energy": energy_wh,
            "reactive-energy": energy_wh * self.TAN_PHI,
            "power-factor": factor,
            "frequency": _grid_frequency(self.sky.seed, times_s),
            "current-distortion": 8.0 + 9.0 * dimmed + 0.6 * self._wander("distortion", times_s, 1_800.0),
            "signal": self.signal(times_s),
        }


@dataclass(frozen=True, slots=True)
class MotionLuminaire(Station):
    """Profile `motion-luminaire`: dim until somebody passes, on a circuit of its own.

    Its meter counts the level that its programme expects; passers-by make the moment bright or dim about it.
    """

    circuit: Circuit
    lamp: Lamp

    PERIOD_S: ClassVar[float] = 300.0
    DIM: ClassVar[float] = 30.0  # percent
    DECIMALS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "level-commanded": 2, "level": 2, "power": 1, "energy": 0, "voltage": 1, "current": 0, "power-factor": 2,
            "state": 0, "lamp-failure": 0, "operating-time": 1, "motions": 0, "temperature": 0, "signal": 0,
        }
    )  # fmt: skip

    def observe(self, times_s: FloatArray) -> ValuesByName:
        """State of the luminaire at these times, motions of the five minutes before."""
        circuit = self.circuit
        expected = circuit.commanded(times_s)
        bright_share = np.clip((expected - self.DIM) / (100.0 - self.DIM), 0.0, 1.0)
        bright = uniform(derive(self.key, "passer-by"), whole_seconds(times_s)) < bright_share
        commanded = np.where(expected > 0.0, np.where(bright, 100.0, self.DIM), 0.0)
        level = commanded * circuit.fed(times_s) * (1.0 - circuit.lamp_broken(self.lamp, times_s))
        power_w = np.where(level > 0.0, self.lamp.full_w * (0.04 + 0.96 * level / 100.0), STANDBY_W)
        voltage = circuit.lamp_voltage(self.lamp, times_s)
        power_factor = circuit.power_factor(level)
        _, lit_h, _ = circuit.lamp_hours(self.lamp, times_s)
        motions = poisson(derive(self.key, "motions"), whole_seconds(times_s), 9.0 * bright_share)
        return {
            "level-commanded": commanded / 100.0,
            "level": level / 100.0,
            "power": power_w,
            "energy": circuit.lamp_energy_kwh(self.lamp, times_s) * 1_000.0,
            "voltage": voltage,
            "current": _current(power_w, voltage, power_factor) * 1_000.0,
            "power-factor": power_factor,
            "state": _state(level),
            "lamp-failure": circuit.lamp_broken(self.lamp, times_s),
            "operating-time": lit_h,
            "motions": motions,
            "temperature": self.box_temperature(times_s) + 10.0 * level / 100.0,
            "signal": self.signal(times_s) - 6.0,
        }
