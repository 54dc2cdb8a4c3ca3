"""Faults of lighting cabinets by rules, and which of them explain the darkness of their lamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from devices.figures import ratio
from devices.lighting.faults import is_silent
from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from devices.figures import BoolArray, FloatArray
    from devices.lighting.faults import LampFaults
    from devices.lighting.rules import LightingRules

FORMULA: Final = "lighting.cabinet-faults/1"
CABINET_FAULTS: Final = (
    "group-dark",
    "not-switched-on",
    "supply-lost",
    "phase-loss",
    "supply-voltage",
    "phase-imbalance",
    "leakage",
    "door-open",
    "meter-gap",
    "communication",
)
"""Fault i is bit 1 << i."""
CABINET_FAULT_NAMES: Final = (
    Bilingual("Cả nhóm đèn không sáng", "The whole group is dark"),
    Bilingual("Không bật đèn ban đêm", "Not switched on at night"),
    Bilingual("Mất nguồn", "Supply lost"),
    Bilingual("Mất pha", "Phase lost"),
    Bilingual("Điện áp ngoài giới hạn", "Supply voltage out of limits"),
    Bilingual("Lệch pha", "Phases unbalanced"),
    Bilingual("Rò điện", "Leakage"),
    Bilingual("Cửa tủ mở", "Door open"),
    Bilingual("Chênh lệch điện năng", "Energy not found at the lamps"),
    Bilingual("Mất liên lạc", "No communication"),
)
(
    GROUP_DARK,
    NOT_SWITCHED_ON,
    SUPPLY_LOST,
    PHASE_LOSS,
    SUPPLY_VOLTAGE,
    PHASE_IMBALANCE,
    LEAKAGE,
    DOOR_OPEN,
    METER_GAP,
    COMMUNICATION,
) = (1 << bit for bit in range(len(CABINET_FAULTS)))
_AUTOMATIC: Final = 0.0
_PHASES: Final = 3


@dataclass(frozen=True, slots=True)
class Cabinets:
    """The newest values of m cabinets; NaN: none."""

    time_s: FloatArray  # (m,) Unix seconds of the newest report
    interval_s: FloatArray  # (m,)
    voltage_v: FloatArray  # (m, 3)
    current_a: FloatArray  # (m, 3)
    leakage_ma: FloatArray  # (m,)
    door: FloatArray  # (m,) 1: open
    circuit: FloatArray  # (m,) 0: the contactor is open
    mode: FloatArray  # (m,) number of the word


@dataclass(frozen=True, slots=True)
class CabinetFaults:
    """What is wrong with each of m cabinets."""

    bits: NDArray[np.uint16]  # of CABINET_FAULTS
    out: BoolArray  # its lamps are dark or silent because of it: their faults are suppressed
    without_supply: BoolArray  # silent, a phase lost or the circuit off: why lamps may have no voltage
    dark_lamps: NDArray[np.intp]  # lamps told to burn and dark
    judged: BoolArray  # False: silent, so that only its lamps and the silence are known


def cabinet_faults(
    cabinets: Cabinets,
    lamps: LampFaults,
    cabinet: NDArray[np.intp],
    commanded: FloatArray,
    *,
    night: BoolArray,
    now_s: float,
    gap_percent: FloatArray,
    rules: LightingRules,
) -> CabinetFaults:
    """Judge cabinets by their newest values and by their lamps.

    Args:
        cabinets: m of them.
        lamps: faults of n lamps.
        cabinet: place of each lamp's cabinet, -1: none; shape (n,).
        commanded: newest commanded level of each lamp, NaN: none; shape (n,).
        night: whether it is night there; shape (m,).
        now_s: Unix seconds.
        gap_percent: of the meter, not found at the lamps, NaN: not known; shape (m,).
        rules: the thresholds.
    """
    many, lamp_rule, rule = len(cabinets.time_s), rules.lamp, rules.cabinet
    silent = is_silent(cabinets.time_s, now_s, cabinets.interval_s, lamp_rule)
    low, high = (lamp_rule.voltage_nominal_v * (1 + side * lamp_rule.voltage_tolerance) for side in (-1, 1))
    lost = cabinets.voltage_v < rule.phase_lost_v
    all_lost, fed = lost.sum(axis=1) == _PHASES, ~lost & ~np.isnan(cabinets.voltage_v)
    group_dark, dark_lamps, all_silent = _groups(lamps, cabinet, commanded, many, rule.dark_lamps_min)
    found = (
        (NOT_SWITCHED_ON, night & (cabinets.mode == _AUTOMATIC) & (cabinets.circuit == 0)),
        (SUPPLY_LOST, all_lost),
        (PHASE_LOSS, lost.any(axis=1) & ~all_lost),
        (SUPPLY_VOLTAGE, (fed & ((cabinets.voltage_v < low) | (cabinets.voltage_v > high))).any(axis=1)),
        (PHASE_IMBALANCE, _imbalance(cabinets.current_a, rule.imbalance_current_min_a) > rule.imbalance_percent),
        (LEAKAGE, cabinets.leakage_ma > rule.leakage_ma),
        (DOOR_OPEN, cabinets.door == 1),
        (METER_GAP, gap_percent > rule.meter_gap_percent),
    )
    bits = np.zeros(many, np.uint16)
    for bit, where in found:
        bits[where] |= bit
    bits[silent] = COMMUNICATION
    bits[group_dark & night] |= GROUP_DARK
    out = (group_dark & night) | (~silent & all_lost) | (silent & all_silent)
    without_supply = silent | lost.any(axis=1) | (cabinets.circuit == 0)
    return CabinetFaults(bits=bits, out=out, without_supply=without_supply, dark_lamps=dark_lamps, judged=~silent)


def _groups(
    lamps: LampFaults, cabinet: NDArray[np.intp], commanded: FloatArray, many: int, least: int
) -> tuple[BoolArray, NDArray[np.intp], BoolArray]:
    """Of each cabinet: whether all lamps that speak and were told to burn are dark; how many; whether none speaks."""
    linked = cabinet >= 0

    def number(which: BoolArray) -> NDArray[np.intp]:
        return np.bincount(cabinet[linked & which], minlength=many)

    told = lamps.judged & (commanded > 0)
    # A lamp without voltage is dark whatever its rated power, which a new lamp does not have.
    dark, speaking = number(lamps.dark | (lamps.unfed & (commanded > 0))), number(lamps.judged)
    all_dark = (dark >= least) & (dark == number(told))
    return all_dark, dark, (speaking == 0) & (number(np.ones(len(cabinet), np.bool_)) > 0)


def _imbalance(current_a: FloatArray, least_a: float) -> FloatArray:
    """Largest distance of a phase current from the mean of the three, percent of it; NaN where it says nothing."""
    mean = current_a.mean(axis=1)
    farthest = np.abs(current_a - mean[:, None]).max(axis=1)
    return np.where(mean >= least_a, ratio(farthest * 100.0, mean), np.nan)
