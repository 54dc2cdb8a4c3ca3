"""Faults of single lamps by rules; a lamp that is silent is stale and judged no further, for silence is not failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from devices.figures import ratio
from devices.lighting.lamps import Reports, expected_power, is_dark, newest
from devices.lighting.sun import elevation_deg
from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from devices.figures import BoolArray, FloatArray
    from devices.lighting.rules import LampRules

FORMULA: Final = "lighting.lamp-faults/1"
SILENCE_FORMULA: Final = "lighting.silence/1"
FAULTS: Final = (
    "lamp-failure",
    "day-burning",
    "cycling",
    "power-drift",
    "low-power-factor",
    "supply-voltage",
    "communication",
    "suppressed",
)
"""Fault i is bit 1 << i."""
FAULT_NAMES: Final = (
    Bilingual("Hỏng đèn", "Lamp failure"),
    Bilingual("Sáng ban ngày", "Burning by day"),
    Bilingual("Chập chờn", "Cycling"),
    Bilingual("Công suất lệch", "Power drift"),
    Bilingual("Hệ số công suất thấp", "Low power factor"),
    Bilingual("Điện áp ngoài giới hạn", "Supply voltage out of limits"),
    Bilingual("Mất liên lạc", "No communication"),
    Bilingual("Do tủ mất điện", "Because of its cabinet"),
)
LAMP_FAILURE, DAY_BURNING, CYCLING, POWER_DRIFT, LOW_POWER_FACTOR, SUPPLY_VOLTAGE, COMMUNICATION, SUPPRESSED = (
    1 << bit for bit in range(len(FAULTS))
)
_OF_THE_CABINET: Final = LAMP_FAILURE | LOW_POWER_FACTOR | POWER_DRIFT | SUPPLY_VOLTAGE | COMMUNICATION
"""What a lamp shows when its cabinet has no power; burning by day and cycling it cannot show then."""
_BY_HAND: Final = (1.0, 3.0)
"""Numbers of the cabinet modes `manual` and `maintenance`: somebody is at work there."""


@dataclass(frozen=True, slots=True)
class LampFaults:
    """What is wrong with each of n lamps."""

    bits: NDArray[np.uint16]  # of FAULTS
    dark: BoolArray  # told to burn and without light in the newest reports, shown by its power
    judged: BoolArray  # False: silent, so that nothing but the silence is known
    unfed: BoolArray  # speaks, and says that it has no voltage


def lamp_faults(
    reports: Reports,
    *,
    rated_w: FloatArray,
    now_s: float,
    latitude_deg: FloatArray,
    longitude_deg: FloatArray,
    interval_s: FloatArray,
    cabinet_mode: FloatArray,
    drift_ratio: FloatArray,
    rule: LampRules,
) -> LampFaults:
    """Judge lamps by their newest reports.

    Args:
        reports: of n lamps; some half an hour of them, for cycling.
        rated_w: NaN: not known, then only what the lamp says of itself counts; shape (n,).
        now_s: Unix seconds.
        latitude_deg: WGS 84; shape (n,).
        longitude_deg: WGS 84; shape (n,).
        interval_s: reporting intervals; shape (n,).
        cabinet_mode: number of the cabinet's mode, NaN: not known, automatic then; shape (n,).
        drift_ratio: mean power by mean expected power of 24 h, NaN: not known; shape (n,).
        rule: the thresholds.
    """
    last_s = newest(reports.time_s)
    silent = is_silent(last_s, now_s, interval_s, rule)
    dark = _dark(reports, rated_w, rule)
    by_hand = np.isin(cabinet_mode, _BY_HAND)
    level, power, factor, voltage = (
        newest(values) for values in (reports.level, reports.power_w, reports.power_factor, reports.voltage_v)
    )
    lit = (power >= np.fmax(rule.lit_share, rule.standby_share) * rated_w) | (level > 0)
    low, high = (rule.voltage_nominal_v * (1 + side * rule.voltage_tolerance) for side in (-1, 1))
    found = (
        (LAMP_FAILURE, dark | (newest(reports.failure) == 1)),
        (DAY_BURNING, lit & ~by_hand & _is_day(last_s, latitude_deg, longitude_deg, rule)),
        (CYCLING, _transitions(reports, now_s - rule.cycling_span_s) >= rule.cycling_transitions),
        (POWER_DRIFT, (drift_ratio < rule.drift_low) | (drift_ratio > rule.drift_high)),
        (LOW_POWER_FACTOR, (np.abs(factor) < rule.power_factor_min) & (level >= rule.power_factor_level_percent)),
        (SUPPLY_VOLTAGE, (voltage < low) | (voltage > high)),
    )
    bits = np.zeros(len(last_s), np.uint16)
    for bit, where in found:
        bits[where] |= bit
    bits[silent] = COMMUNICATION
    return LampFaults(bits=bits, dark=dark & ~silent, judged=~silent, unfed=(voltage < rule.supply_lost_v) & ~silent)


def is_silent(last_s: FloatArray, now_s: float, interval_s: FloatArray, rule: LampRules) -> BoolArray:
    """Whether devices have said nothing for too many of their reporting intervals: stale, which is not failed.

    Args:
        last_s: Unix seconds of the newest report, NaN: none; shape (n,).
        now_s: Unix seconds.
        interval_s: reporting intervals; shape (n,).
        rule: how many intervals.
    """
    return np.asarray(~(now_s - last_s <= rule.stale_intervals * interval_s))


def _dark(reports: Reports, rated_w: FloatArray, rule: LampRules) -> BoolArray:
    """Whether the newest reports that tell, as many as the rule asks for, all show a lamp told to burn and dark."""
    told = ~np.isnan(reports.commanded) & ~np.isnan(reports.power_w) & ~np.isnan(rated_w)[:, None]
    from_newest = np.cumsum(told[:, ::-1], axis=1)[:, ::-1]
    looked_at = told & (from_newest <= rule.dark_reports)
    each = (reports.commanded > 0) & is_dark(reports.power_w, reports.commanded, rated_w[:, None], rule)
    return np.asarray((looked_at.sum(axis=1) == rule.dark_reports) & (each | ~looked_at).all(axis=1))


def _is_day(time_s: FloatArray, latitude_deg: FloatArray, longitude_deg: FloatArray, rule: LampRules) -> BoolArray:
    """Whether the sun is up, and is so a margin before and after: switching a few minutes off sunset is no fault."""
    moments = time_s[:, None] + np.array([-rule.day_margin_s, 0.0, rule.day_margin_s])
    with np.errstate(invalid="ignore"):
        height = elevation_deg(moments, latitude_deg[:, None], longitude_deg[:, None])
    return np.asarray((height > rule.day_elevation_deg).all(axis=1))


def _transitions(reports: Reports, since_s: float) -> NDArray[np.intp]:
    """How often each lamp went on or off from one report to the next, both since a time."""
    by_level = np.where(np.isnan(reports.level), np.nan, reports.level > 0)
    burning = np.where(np.isnan(reports.state), by_level, reports.state > 0)
    usable = ~np.isnan(burning) & (reports.time_s >= since_s)
    # Reports that do not tell take the value before them, so that only neighbours that tell are compared.
    place = np.maximum.accumulate(np.where(usable, np.arange(burning.shape[1]), -1), axis=1)
    filled = np.where(place >= 0, np.take_along_axis(burning, np.maximum(place, 0), axis=1), np.nan)
    before, after = filled[:, :-1], filled[:, 1:]
    return np.asarray((~np.isnan(before) & (before != after)).sum(axis=1))


def drift_ratio(power_w: FloatArray, level_percent: FloatArray, rated_w: FloatArray, rule: LampRules) -> FloatArray:
    """Power by what is expected of the level, over the windows of 24 h in which the lamp burned.

    Args:
        power_w: mean power of windows, NaN: none; shape (n, t).
        level_percent: mean level of the same windows; shape (n, t).
        rated_w: shape (n,).
        rule: how power goes with level.

    Returns:
        Shape (n,); NaN where it burned in none of them or the rated power is not known.
    """
    burned = (level_percent > 0) & ~np.isnan(power_w)
    expected = np.where(burned, expected_power(level_percent, rated_w[:, None], rule), 0.0).sum(axis=1)
    drawn = np.where(burned, power_w, 0.0).sum(axis=1)
    return ratio(drawn, expected)


def suppress(
    bits: NDArray[np.uint16], cabinet: NDArray[np.intp], out: BoolArray, unfed: BoolArray, without_supply: BoolArray
) -> NDArray[np.uint16]:
    """Lamps behind a cabinet that is out: what they show of it is its fault, and one alarm is enough.

    Args:
        bits: of FAULTS; shape (n,).
        cabinet: place of each lamp's cabinet, -1: none; shape (n,).
        out: whether each cabinet is without power or silent with all its lamps; shape (m,).
        unfed: whether each lamp says that it has no voltage; shape (n,).
        without_supply: whether each cabinet tells why lamps of it may have no voltage; shape (m,).
    """
    behind = np.zeros(len(bits), np.bool_)
    linked = cabinet >= 0
    behind[linked] = out[cabinet[linked]] | (unfed[linked] & without_supply[cabinet[linked]])
    hidden = behind & ((bits & _OF_THE_CABINET) != 0)
    return np.where(hidden, (bits & ~np.uint16(_OF_THE_CABINET)) | SUPPRESSED, bits).astype(np.uint16)
