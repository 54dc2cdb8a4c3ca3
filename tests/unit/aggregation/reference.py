"""Slow plain reductions over one group's readings, to hold the vectorised ones against."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Reading = tuple[int, float]  # time in microseconds, value
STATES = 8


def in_time(readings: list[Reading]) -> list[Reading]:
    return sorted(readings, key=lambda reading: reading[0])


def exact_sum(values: list[float]) -> float:
    return float(sum((Fraction(value) for value in values), Fraction(0)))


def variance(values: list[float]) -> float:
    mean = sum((Fraction(value) for value in values), Fraction(0)) / len(values)
    return float(sum(((Fraction(value) - mean) ** 2 for value in values), Fraction(0)) / len(values))


def first(readings: list[Reading]) -> Reading:
    time = min(at for at, _ in readings)
    return next(reading for reading in readings if reading[0] == time)


def last(readings: list[Reading]) -> Reading:
    time = max(at for at, _ in readings)
    return [reading for reading in readings if reading[0] == time][-1]


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[max(math.ceil(q * len(values)), 1) - 1]


def energetic_mean(values: list[float]) -> float:
    return 10 * math.log10(math.fsum(10 ** (value / 10) for value in values) / len(values))


def directions(values: list[float]) -> tuple[float, float]:
    """East and north of the mean vector."""
    return (
        math.fsum(math.sin(math.radians(value)) for value in values) / len(values),
        math.fsum(math.cos(math.radians(value)) for value in values) / len(values),
    )


def harmonic_mean(values: list[float], weights: list[float]) -> float:
    taken = [(value, weight) for value, weight in zip(values, weights, strict=True) if value > 0 and weight > 0]
    if not taken:
        return math.nan
    return math.fsum(w for _, w in taken) / math.fsum(w / v for v, w in taken)


def time_weighted_mean(readings: list[Reading], hold_us: int) -> float:
    area, length = 0.0, 0.0
    for (at, value), (following, _) in itertools.pairwise(in_time(readings)):
        held = min(following - at, hold_us) / 1e6
        area += value * held
        length += held
    return area / length if length else in_time(readings)[-1][1]


def increase(readings: list[Reading]) -> tuple[float, int]:
    total, resets = 0.0, 0
    for (_, before), (_, after) in itertools.pairwise(in_time(readings)):
        total += after if after < before else after - before
        resets += after < before
    return total, resets


def states(readings: list[Reading], hold_us: int) -> tuple[list[float], int]:
    seconds, transitions = [0.0] * STATES, 0
    for (at, before), (following, after) in itertools.pairwise(in_time(readings)):
        state = int(before) if before in range(STATES - 1) else STATES - 1
        seconds[state] += min(following - at, hold_us) / 1e6
        transitions += before != after
    return seconds, transitions


def exceedance(readings: list[Reading], limit: float) -> tuple[int, int]:
    runs = [
        len(list(run)) for above, run in itertools.groupby(in_time(readings), key=lambda each: each[1] > limit) if above
    ]
    return sum(runs), max(runs, default=0)


def groups_of(group: np.ndarray, time_us: np.ndarray, value: np.ndarray, groups: int) -> list[list[Reading]]:
    """Readings of each group in the order in which they came, those that are NaN left out."""
    result: list[list[Reading]] = [[] for _ in range(groups)]
    for at, time, number in zip(group.tolist(), time_us.tolist(), value.tolist(), strict=True):
        if not math.isnan(number):
            result[at].append((time, number))
    return result
