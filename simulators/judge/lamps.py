"""Faults of lamps and cabinets a second time, device by device, by the rules that docs/indices.md tells."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

Report = dict[str, float]
"""Observed property, or datastream name -> value, of one moment."""
Reports = dict[float, Report]
"""Unix seconds -> what was reported then."""

LOOK_BACK_S: Final = 2_700
"""How far back reports count; at most ten of them."""
REPORTS: Final = 10
RATED_DAYS: Final = 7
_STALE_INTERVALS: Final = 3
_DARK_REPORTS: Final = 2
_STANDBY: Final = 0.03
_LIT: Final = 0.1
_DARK_DAY: Final = 0.25
_CYCLING: Final = 3
_CYCLING_S: Final = 1_800
_LOW_V, _HIGH_V, _LOST_V = 207.0, 253.0, 100.0
_MARGIN_S: Final = 900.0
_LEAKAGE_MA: Final = 300.0
_DARK_LAMPS: Final = 2
_UNSURE_S: Final = 20.0
_UNSURE_DEG: Final = 0.7
BY_HAND: Final = (1.0, 3.0)

LAMP_FAULTS: Final = frozenset(
    {"lamp-failure", "day-burning", "cycling", "supply-voltage", "communication", "suppressed"}
)
CABINET_FAULTS: Final = frozenset({"group-dark", "supply-lost", "phase-loss", "leakage", "door-open", "communication"})
"""What is judged; drift, power factor and energy are the statistics' business."""
_OF_THE_CABINET: Final = frozenset({"lamp-failure", "supply-voltage", "communication"})


@dataclass(slots=True)
class Verdict:
    """What is wrong with one device."""

    faults: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)  # so near to a threshold that either answer is right
    dark: bool = False  # told to burn and dark
    silent: bool = False
    unfed: bool = False  # a lamp that says it has no voltage
    without_supply: bool = False  # a cabinet that tells why lamps of it may have none


def elevation_deg(time_s: float, latitude: float, longitude: float) -> float:
    """Height of the sun's centre over the horizon, degrees, good to some tenths; the low-precision almanac formulae."""
    days = time_s / 86_400.0 + 2_440_587.5 - 2_451_545.0
    mean = math.radians((357.529 + 0.98560028 * days) % 360.0)
    longitude_of_sun = (280.459 + 0.98564736 * days) + 1.915 * math.sin(mean) + 0.020 * math.sin(2.0 * mean)
    ecliptic, tilt = math.radians(longitude_of_sun % 360.0), math.radians(23.439 - 3.6e-7 * days)
    ascension = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    sidereal = math.radians((280.46061837 + 360.98564736629 * days + longitude) % 360.0)
    here, hour_angle = math.radians(latitude), sidereal - ascension
    sine = math.sin(here) * math.sin(declination) + math.cos(here) * math.cos(declination) * math.cos(hour_angle)
    return math.degrees(math.asin(sine))


def rated_power(days: Sequence[tuple[float, float]]) -> float | None:
    """Power at full level: median over days of (highest power, highest level), those that reached 90 %.

    Days below a quarter of the best of them do not count.
    """
    found = sorted(power * 100.0 / level for power, level in days if power > 0.0 and level >= 90.0)  # noqa: PLR2004
    if not found:
        return None
    found = [power for power in found if power >= _DARK_DAY * found[-1]]
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2.0


def newest(reports: Reports, what: str) -> float | None:
    """The newest value there is."""
    return next((reports[time][what] for time in sorted(reports, reverse=True) if what in reports[time]), None)


def judge_lamp(
    reports: Reports,
    *,
    rated_w: float | None,
    now_s: float,
    place: tuple[float, float],
    interval_s: float,
    by_hand: bool,
) -> Verdict:
    """Judge a lamp.

    Args:
        reports: its newest ones, by observed property.
        rated_w: None: not known; then only what it says of itself counts.
        now_s: Unix seconds.
        place: latitude, longitude.
        interval_s: its reporting interval.
        by_hand: somebody is at work at its cabinet.
    """
    verdict = _silence(reports, now_s, interval_s)
    if verdict.silent:
        return verdict
    verdict.dark = _is_dark(reports, rated_w)
    voltage = newest(reports, "voltage")
    checks = {
        "lamp-failure": verdict.dark or newest(reports, "lamp-failure") == 1.0,
        "cycling": _transitions(reports, now_s - _CYCLING_S) >= _CYCLING,
        "supply-voltage": voltage is not None and not _LOW_V <= voltage <= _HIGH_V,
    }
    verdict.faults |= {name for name, found in checks.items() if found}
    verdict.unfed = voltage is not None and voltage < _LOST_V
    level, power = newest(reports, "light-level"), newest(reports, "active-power")
    lit = (level or 0.0) > 0.0 or (rated_w is not None and power is not None and power >= _LIT * rated_w)
    heights = [elevation_deg(max(reports) + shift, *place) for shift in (-_MARGIN_S, 0.0, _MARGIN_S)]
    if lit and not by_hand and min(heights) > -_UNSURE_DEG:
        (verdict.unsure if min(heights) < _UNSURE_DEG else verdict.faults).add("day-burning")
    return verdict


def _silence(reports: Reports, now_s: float, interval_s: float) -> Verdict:
    rest_s = _STALE_INTERVALS * interval_s - (now_s - max(reports, default=-math.inf))
    verdict = Verdict(silent=rest_s < 0.0)
    if verdict.silent:
        verdict.faults.add("communication")
    if abs(rest_s) < _UNSURE_S:
        verdict.unsure |= LAMP_FAULTS | CABINET_FAULTS
    return verdict


def _is_dark(reports: Reports, rated_w: float | None) -> bool:
    """Whether the two newest reports that tell both show a lamp told to burn and dark."""
    if rated_w is None:
        return False
    told = [
        (report["commanded-light-level"], report["active-power"])
        for _, report in sorted(reports.items())
        if "commanded-light-level" in report and "active-power" in report
    ][-_DARK_REPORTS:]
    return len(told) == _DARK_REPORTS and all(
        level > 0.0 and power < max(_LIT * rated_w * (_STANDBY + (1.0 - _STANDBY) * level / 100.0), _STANDBY * rated_w)
        for level, power in told
    )


def _transitions(reports: Reports, since_s: float) -> int:
    burning = []
    for time, report in sorted(reports.items()):
        value = report.get("lamp-state", report.get("light-level"))
        if time >= since_s and value is not None:
            burning.append(value > 0.0)
    return sum(before != after for before, after in pairwise(burning))


def judge_cabinet(
    reports: Reports, lamps: Sequence[tuple[Verdict, float | None]], *, now_s: float, interval_s: float, night: bool
) -> tuple[Verdict, bool]:
    """Judge a cabinet by its newest values and by its lamps (verdict, newest commanded level).

    Returns:
        Its verdict, and whether its lamps are dark or silent because of it.
    """
    verdict = _silence(reports, now_s, interval_s)
    voltages = [newest(reports, f"voltage-l{phase}") for phase in (1, 2, 3)]
    lost = [value is not None and value < _LOST_V for value in voltages]
    told = [lamp for lamp, commanded in lamps if not lamp.silent and (commanded or 0.0) > 0.0]
    dark = [lamp for lamp, commanded in lamps if lamp.dark or (lamp.unfed and (commanded or 0.0) > 0.0)]
    group_dark = night and len(dark) >= _DARK_LAMPS and len(dark) == len(told)
    if group_dark:
        verdict.faults.add("group-dark")
    verdict.without_supply = verdict.silent or any(lost) or newest(reports, "circuit-state") == 0.0
    if not verdict.silent:
        checks = {
            "supply-lost": all(lost),
            "phase-loss": any(lost) and not all(lost),
            "leakage": (newest(reports, "leakage-current") or 0.0) > _LEAKAGE_MA,
            "door-open": newest(reports, "door-open") == 1.0,
        }
        verdict.faults |= {name for name, found in checks.items() if found}
    silent_group = verdict.silent and bool(lamps) and all(lamp.silent for lamp, _ in lamps)
    return verdict, group_dark or (not verdict.silent and all(lost)) or silent_group


def suppressed(verdict: Verdict) -> Verdict:
    """The verdict on a lamp whose cabinet is out: what shows it is the cabinet's fault."""
    if verdict.faults & _OF_THE_CABINET:
        verdict.faults = (verdict.faults - _OF_THE_CABINET) | {"suppressed"}
    return verdict


def wrong_faults(verdict: Verdict, told: Sequence[str], judged: frozenset[str]) -> set[str]:
    """Faults that are missing or too many in an answer, among those that are judged."""
    return ((verdict.faults ^ set(told)) & judged) - verdict.unsure
