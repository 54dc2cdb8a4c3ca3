"""What a lamp was told, what it says it does, and what its power shows: three views of it that should agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from devices.figures import UNKNOWN, BoolArray, CodeArray, Figures, FloatArray, Missing, figures, ratio
from devices.models import Bilingual

if TYPE_CHECKING:
    from devices.lighting.rules import LampRules, RatedRules

STATE_FORMULA: Final = "lighting.lamp-state/1"
RATED_FORMULA: Final = "lighting.rated-power/1"
STATES: Final = ("off", "dimmed", "on")
STATE_NAMES: Final = (Bilingual("Tắt", "Off"), Bilingual("Giảm sáng", "Dimmed"), Bilingual("Sáng", "On"))
_STATE_OF_WORD: Final = np.array([0, 2, 1, 2], np.uint8)
"""Of the words of the observed property `lamp-state`: off, on, low, booting-up."""


@dataclass(frozen=True, slots=True)
class Reports:
    """The newest reports of n lamps, oldest first; NaN: the report did not hold it, or there is no such report.

    All arrays are of shape (n, k) and of stored units.
    """

    time_s: FloatArray  # Unix seconds; NaN: no report
    commanded: FloatArray  # percent
    level: FloatArray  # percent
    power_w: FloatArray
    state: FloatArray  # number of the word
    failure: FloatArray  # 0, 1
    power_factor: FloatArray
    voltage_v: FloatArray


def newest(values: FloatArray) -> FloatArray:
    """The newest value of each lamp that is there; shape (n, k) -> (n,), NaN where none is."""
    there = ~np.isnan(values)
    place = values.shape[-1] - 1 - np.argmax(there[..., ::-1], axis=-1)
    return np.where(there.any(axis=-1), np.take_along_axis(values, place[..., None], axis=-1)[..., 0], np.nan)


def rated_power(daily_max_w: FloatArray, daily_max_level: FloatArray, rule: RatedRules) -> Figures:
    """Power at full level: median of a day's highest power by level, over days on which the lamp burned nearly in full.

    Days far below the best one are left out: on them the lamp was dark, and dark must not become what is expected.
    Near the top a driver draws nearly in proportion to its level, so a day that only reached 90 % counts as well.

    Args:
        daily_max_w: highest power of each day, NaN: none; shape (n, days).
        daily_max_level: highest level of each day, percent; shape (n, days).
        rule: which days count.
    """
    usable = ~np.isnan(daily_max_w) & (daily_max_w > 0) & (daily_max_level >= rule.level_percent)
    at_full = np.where(usable, ratio(daily_max_w * 100.0, daily_max_level), np.nan)
    best = np.fmax.reduce(at_full, axis=-1, initial=0.0)
    at_full = np.where(at_full >= rule.day_share_min * best[..., None], at_full, np.nan)
    enough = (~np.isnan(at_full)).sum(axis=-1) >= rule.days_min
    value = (
        np.nanmedian(np.where(enough[..., None], at_full, 0.0), axis=-1) if usable.shape[-1] else np.zeros(enough.shape)
    )
    return figures(RATED_FORMULA, "W", value, (Missing.TOO_FEW_READINGS, ~enough))


def expected_power(level_percent: FloatArray, rated_w: FloatArray, rule: LampRules) -> FloatArray:
    """Power of a sound lamp at a level: rated (standby + (1 - standby) level), W; NaN where either is not known."""
    share = level_percent / 100.0
    return np.asarray(rated_w * (rule.standby_share + (1.0 - rule.standby_share) * share), np.float64)


def is_dark(power_w: FloatArray, level_percent: FloatArray, rated_w: FloatArray, rule: LampRules) -> BoolArray:
    """Whether a lamp gives no light for its level: P < 10 % of what is expected, or what a controller draws alone.

    Never true where power, level or rated power is not known.
    """
    limit = np.fmax(rule.lit_share * expected_power(level_percent, rated_w, rule), rule.standby_share * rated_w)
    return np.asarray((power_w < limit) & ~np.isnan(level_percent))


@dataclass(frozen=True, slots=True)
class LampStates:
    """Places in STATES, UNKNOWN where it cannot be told; shape (n,)."""

    commanded: CodeArray
    reported: CodeArray  # by the word, else by the level
    measured: CodeArray  # by the power
    disagrees: BoolArray  # one of the three that are known says off, and another says it burns


def lamp_states(reports: Reports, rated_w: FloatArray, rule: LampRules) -> LampStates:
    """State of each lamp as commanded, as reported and as measured, by the newest value of each.

    Args:
        reports: of n lamps.
        rated_w: NaN: not known, nothing is measured then; shape (n,).
        rule: when a lamp is dimmed, and when dark.
    """
    word = newest(reports.state)
    by_word = _STATE_OF_WORD[np.clip(np.nan_to_num(word), 0, len(_STATE_OF_WORD) - 1).astype(np.intp)]
    commanded = _of_level(newest(reports.commanded), rule)
    reported = np.where(np.isnan(word), _of_level(newest(reports.level), rule), by_word).astype(np.uint8)
    power = newest(reports.power_w)
    share = (power - rule.standby_share * rated_w) / ((1.0 - rule.standby_share) * rated_w)
    # In full as far as the tolerated drift allows: an old lamp in full draws what a new one does at four fifths.
    lit = np.where(share * 100.0 >= rule.full_level_percent * rule.drift_low, 2, 1)
    dark = is_dark(power, np.nan_to_num(newest(reports.level)), rated_w, rule)
    measured = np.where(np.isnan(share), UNKNOWN, np.where(dark, 0, lit)).astype(np.uint8)
    views = np.stack([commanded, reported, measured])
    return LampStates(
        commanded=commanded,
        reported=reported,
        measured=measured,
        disagrees=(views == 0).any(axis=0) & ((views > 0) & (views != UNKNOWN)).any(axis=0),
    )


def _of_level(level: FloatArray, rule: LampRules) -> CodeArray:
    state = np.where(level > 0, np.where(level >= rule.full_level_percent, 2, 1), 0)
    return np.where(np.isnan(level), UNKNOWN, state).astype(np.uint8)
