"""How long lamps burned, what they drew, what dimming saved, and what the meter counted that no lamp drew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from devices.figures import BoolArray, Figures, FloatArray, Missing, figures, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

BURN_FORMULA: Final = "lighting.burn-hours/1"
ENERGY_FORMULA: Final = "lighting.lamp-energy/1"
GAP_FORMULA: Final = "lighting.energy-gap/1"
SAVING_FORMULA: Final = "lighting.dimming-saving/1"
AVAILABILITY_FORMULA: Final = "lighting.availability/1"
COVERED_MIN: Final = 0.9
"""Share of a span in which the level has to be known, so that energy and hours are of the same time."""
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class BurnTimes:
    """Hours of a span, by lamp."""

    lit: Figures
    commanded: Figures
    lit_as_commanded: Figures  # both at once
    commanded_seen: Figures  # told to burn while the level was known as well
    covered: FloatArray  # share of the span in which the level was known, 0..1


def burn_times(
    time_s: FloatArray,
    level: FloatArray,
    commanded: FloatArray,
    *,
    start_s: float | FloatArray,
    end_s: float | FloatArray,
    hold_s: float | FloatArray,
) -> BurnTimes:
    """Hours lit, hours told to burn, and hours lit while told to.

    A value holds until the next report, for `hold_s` at most; beyond it nothing is known, which is not dark.

    Args:
        time_s: Unix seconds of reports in order, NaN: no report (at the end); shape (..., t).
        level: actual level, percent, NaN: not reported; shape (..., t).
        commanded: commanded level, percent, NaN: not reported; shape (..., t).
        start_s: of the span, inclusive; shape (...).
        end_s: of the span, exclusive; shape (...).
        hold_s: how long a value holds, > 0; shape (...).
    """
    start, end, hold = (np.asarray(value, np.float64)[..., None] for value in (start_s, end_s, hold_s))
    following = np.concatenate([time_s[..., 1:], np.full((*time_s.shape[:-1], 1), np.nan)], axis=-1)
    until = np.fmin(np.fmin(following, time_s + hold), end)
    held = np.fmax(until - np.fmax(time_s, start), 0.0)
    held = np.where(np.isnan(time_s), 0.0, held)

    def hours(formula_of: FloatArray, known: BoolArray) -> Figures:
        value = np.where(known & (formula_of > 0), held, 0.0).sum(axis=-1) / _HOUR_S
        seen = np.where(known, held, 0.0).sum(axis=-1)
        return figures(BURN_FORMULA, "h", value, (Missing.NO_READING, seen == 0))

    known, told = ~np.isnan(level), ~np.isnan(commanded)
    covered = np.where(known, held, 0.0).sum(axis=-1) / (end - start)[..., 0]
    return BurnTimes(
        lit=hours(level, known),
        commanded=hours(commanded, told),
        lit_as_commanded=hours(np.fmin(level, commanded), known & told),
        commanded_seen=hours(commanded, known & told),
        covered=covered,
    )


def increase(counter: FloatArray) -> FloatArray:
    """How much counters grew from the first to the last of their reports; one that falls began anew at zero.

    Args:
        counter: in order of time, NaN: no report, anywhere; shape (n, k).

    Returns:
        Shape (n,); NaN where fewer than two reports are there.
    """
    place = np.maximum.accumulate(np.where(np.isnan(counter), 0, np.arange(counter.shape[1])), axis=1)
    filled = np.take_along_axis(counter, place, axis=1)
    steps = filled[:, 1:] - filled[:, :-1]
    grown = np.where(np.isnan(steps), 0.0, np.where(steps >= 0, steps, filled[:, 1:]))
    seen = (~np.isnan(counter)).sum(axis=1)
    return np.where(seen > 1, grown.sum(axis=1), np.nan)


@dataclass(frozen=True, slots=True)
class LampEnergy:
    """What the lamps behind each of m cabinets drew."""

    total: Figures  # kWh; silent lamps within the tolerance count as much as the mean of the others
    lamps: NDArray[np.intp]
    silent: NDArray[np.intp]  # lamps whose energy is not known


def lamp_energy(
    increase_kwh: FloatArray, cabinet: NDArray[np.intp], cabinets: int, silent_max_share: float
) -> LampEnergy:
    """Sum of the lamps' own meters by cabinet.

    Args:
        increase_kwh: of each lamp's counter in the span, NaN: not known; shape (n,).
        cabinet: place of each lamp's cabinet, -1: none; shape (n,).
        cabinets: how many there are, m.
        silent_max_share: of the lamps of a cabinet, up to which the rest stands for all, 0..1.
    """
    linked = cabinet >= 0
    known = linked & ~np.isnan(increase_kwh)
    lamps = np.bincount(cabinet[linked], minlength=cabinets)
    speaking = np.bincount(cabinet[known], minlength=cabinets)
    drawn = np.bincount(cabinet[known], weights=increase_kwh[known], minlength=cabinets)
    total = ratio(drawn * lamps, speaking)
    silent = lamps - speaking
    return LampEnergy(
        total=figures(
            ENERGY_FORMULA,
            "kW.h",
            total,
            (Missing.NO_READING, speaking == 0),
            (Missing.TOO_FEW_READINGS, silent > silent_max_share * lamps),
        ),
        lamps=lamps,
        silent=silent,
    )


def energy_gap(meter_kwh: FloatArray, lamps_kwh: FloatArray) -> Figures:
    """What the meter counted and no lamp drew, percent of the meter; below 0 the lamps say they drew more.

    Args:
        meter_kwh: increase of the cabinet's or feeder's meter, NaN: not known.
        lamps_kwh: sum of its lamps over the same span, NaN: not known.
    """
    meter, lamps = np.broadcast_arrays(np.asarray(meter_kwh, np.float64), np.asarray(lamps_kwh, np.float64))
    value = ratio((meter - lamps) * 100.0, meter)
    return figures(GAP_FORMULA, "%", value, (Missing.NO_METER, ~(meter > 0)), (Missing.NO_READING, np.isnan(lamps)))


def dimming_saving(energy_kwh: FloatArray, rated_w: FloatArray, burn_h: FloatArray, covered: FloatArray) -> Figures:
    """What was not drawn since lamps did not burn in full: 1 - E / (P_rated h), percent.

    A counter goes on through a gap in which nobody knows whether the lamp burned, so that there is no figure beyond
    a small gap.

    Args:
        energy_kwh: drawn in the span, NaN: not known.
        rated_w: NaN: not known.
        burn_h: hours lit in the span, NaN: not known.
        covered: share of the span in which the level was known, 0..1.
    """
    energy, rated, burned, known = np.broadcast_arrays(energy_kwh, rated_w, burn_h, covered)
    in_full = rated * burned / 1000.0
    share = ratio(energy, in_full)
    return figures(
        SAVING_FORMULA,
        "%",
        (1.0 - share) * 100.0,
        (Missing.NO_READING, np.isnan(energy) | np.isnan(burned)),
        (Missing.TOO_FEW_READINGS, ~(known >= COVERED_MIN)),
        (Missing.NO_RATED_POWER, ~(rated > 0)),
        (Missing.NOT_LIT, ~(in_full > 0)),
    )


def availability(lit_h: FloatArray, commanded_h: FloatArray) -> Figures:
    """Lamp-hours lit by lamp-hours commanded, percent.

    Args:
        lit_h: hours lit while told to burn, NaN: not known.
        commanded_h: hours told to burn while it was known whether they did, NaN: not known.
    """
    lit, told = np.broadcast_arrays(np.asarray(lit_h, np.float64), np.asarray(commanded_h, np.float64))
    value = ratio(lit * 100.0, told)
    return figures(
        AVAILABILITY_FORMULA,
        "%",
        value,
        (Missing.NO_READING, np.isnan(lit) | np.isnan(told)),
        (Missing.NOT_COMMANDED, ~(told > 0)),
    )
