"""Lamps one at a time, in plain Python: what the vectorised functions have to equal."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.lighting.rules import LampRules


def dark(power: float, level: float, rated: float, rule: LampRules) -> bool:
    """Below a tenth of what is expected, or below what a controller draws alone."""
    if math.isnan(power) or math.isnan(level) or math.isnan(rated):
        return False
    expected = rated * (rule.standby_share + (1 - rule.standby_share) * level / 100)
    return power < max(rule.lit_share * expected, rule.standby_share * rated)


def told_and_dark(commanded: Sequence[float], power: Sequence[float], rated: float, rule: LampRules) -> bool:
    """The newest reports that tell, in order of time, all told to burn and dark."""
    if math.isnan(rated):
        return False
    tell = [(c, p) for c, p in zip(commanded, power, strict=True) if not math.isnan(c) and not math.isnan(p)]
    last = tell[-rule.dark_reports :]
    return len(last) == rule.dark_reports and all(c > 0 and dark(p, c, rated, rule) for c, p in last)


def transitions(time_s: Sequence[float], level: Sequence[float], state: Sequence[float], since_s: float) -> int:
    """Changes between reports that tell."""
    seen: list[bool] = []
    for time, of_level, of_state in zip(time_s, level, state, strict=True):
        value = of_level if math.isnan(of_state) else of_state
        if time >= since_s and not math.isnan(value):
            seen.append(value > 0)
    return sum(before != after for before, after in pairwise(seen))


def lit_hours(time_s: Sequence[float], level: Sequence[float], start: float, end: float, hold: float) -> float | None:
    """Second by second: lit where the newest report before is not older than `hold` and not 0."""
    lit = known = 0
    for second in range(int(start), int(end)):
        before = [(t, v) for t, v in zip(time_s, level, strict=True) if t <= second]
        if not before or second - before[-1][0] >= hold or math.isnan(before[-1][1]):
            continue
        known += 1
        lit += before[-1][1] > 0
    return lit / 3600 if known else None
