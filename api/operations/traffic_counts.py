"""Vehicles of counters by class: each class over the time in which it was observed, the whole only of all classes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.columns import number
from api.windows import LOCAL_ZONE
from devices.figures import UNKNOWN, Missing, because
from devices.profiles import load_catalogue
from devices.traffic import calendars, comparison, flow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from api.operations.fleet import Fleet, Stream
    from api.operations.history import History
    from devices.traffic import pcu

COUNT: Final = "vehicle-count"
COVERAGE_MIN: Final = 0.75
"""What is observed less is not compared with other weeks (project policy)."""
_HOUR_S: Final = 3600


def units_detail(units: pcu.PcuFlow, row: int, coefficients: pcu.PcuSet) -> dict[str, Any]:
    """What a flow in units is made of: the set of coefficients, and the vehicles that have none."""
    until = coefficients.until
    return {
        "uncounted_per_h": number(units.uncounted[row]),
        "coefficients": coefficients.id,
        "coefficients_source": coefficients.source,
        "coefficients_grade": coefficients.grade,
        "coefficients_from": coefficients.first.isoformat(),
        "coefficients_until": until.isoformat() if until else None,
    }


def classes_of(profile: str, counts: Sequence[Stream]) -> list[str]:
    """The vehicle class of each count of a profile."""
    known = load_catalogue().get(profile)
    by_name = (
        {stream.name: stream.qualifiers.get("class", stream.name) for stream in known.datastreams} if known else {}
    )
    return [by_name.get(stream.name, stream.name.removeprefix("flow-")) for stream in counts]


def counted(history: History, stream: Stream) -> NDArray[np.float64]:
    """Vehicles of each step as observed; NaN for none; shape (devices, t)."""
    rows = history.rows(stream)
    count = history.count[rows, :, stream.slot]
    return np.where(count > 0, np.nan_to_num(history.added["sum"][rows, :, stream.slot]), np.nan)


def observed_s(history: History, counts: Sequence[Stream]) -> NDArray[np.float64]:
    """How much of each step each class was observed, s; shape (classes, devices, t)."""
    spans = [history.count[history.rows(stream), :, stream.slot] * stream.interval_s for stream in counts]
    return np.minimum(np.stack(spans), history.step_s).astype(np.float64)


def hourly(history: History, counts: Sequence[Stream]) -> NDArray[np.float64]:
    """Vehicles an hour by class, of the time observed: a minute that is missing is not one without vehicles.

    NaN where a class was not observed; shape (classes, devices, t).
    """
    number = np.stack([counted(history, stream) for stream in counts])
    length_s = observed_s(history, counts)
    return flow.vehicle_flow(number, np.where(length_s > 0, length_s, np.nan)).value


def coverage(history: History, counts: Sequence[Stream]) -> NDArray[np.float64]:
    """Observed share of the class that was observed least, 0..1; shape (devices, t)."""
    least: NDArray[np.float64] = np.stack([history.coverage(stream) for stream in counts]).min(axis=0)
    return least


def full_rate(
    number: NDArray[np.float64], count: NDArray[np.float64], interval_s: int, length_s: int
) -> NDArray[np.float64]:
    """Vehicles an hour of windows observed for `COVERAGE_MIN` at least; NaN for others.

    Args:
        number: vehicles of each window, NaN: none observed.
        count: how many reports made it, NaN: none.
        interval_s: how often one is due.
        length_s: of a window.
    """
    length = np.minimum(count * interval_s, length_s)
    enough = length >= COVERAGE_MIN * length_s
    return np.where(enough, number * _HOUR_S / np.where(enough, length, 1.0), np.nan)


def missing_classes(number: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Why a counter has no whole: codes of `Missing` out of what each class has, NaN: none; classes first."""
    there = ~np.isnan(number)
    codes = np.where(there.all(axis=0), 0, np.where(there.any(axis=0), Missing.CLASS_MISSING, Missing.NO_READING))
    return codes.astype(np.uint8)


@dataclass(frozen=True, slots=True)
class HourComparison:
    """The newest whole hour against the same of past weeks; n counters."""

    of_all: comparison.Comparison  # vehicles an hour of all classes; shape (n,)
    usual: NDArray[np.float64]  # vehicles an hour by class, NaN: not known; shape (classes, n)
    coverage: NDArray[np.float64]  # of the hour; shape (n,)
    end_us: int


def compare_hours(hours: Sequence[History], counts: Sequence[Stream]) -> HourComparison:
    """Compare rates over the time observed.

    Args:
        hours: the newest whole hour, then the same of past weeks, one step each.
        counts: streams of the classes of one profile.
    """
    shares = [coverage(history, counts) for history in hours]
    now, *past = (
        np.where(
            np.stack([history.coverage(stream) for stream in counts])[..., 0] >= COVERAGE_MIN,
            hourly(history, counts)[..., 0],
            np.nan,
        )
        for history in hours
    )
    by_week = np.stack(past)
    of_all = comparison.compare(now.sum(axis=0), by_week.sum(axis=1), "/h")
    seen = missing_classes(hourly(hours[0], counts)[..., 0])
    why = np.where(seen > 0, seen, np.where(np.isnan(now).any(axis=0), Missing.TOO_FEW_READINGS, 0)).astype(np.uint8)
    return HourComparison(
        comparison.Comparison(of_all.usual, because(of_all.difference, why), of_all.weeks),
        comparison.compare(now, by_week, "/h").usual.value,
        shares[0][:, 0],
        (hours[0].first_s + _HOUR_S) * 1_000_000,
    )


def zero_states(
    fleet: Fleet,
    at: NDArray[np.intp],
    classes: Sequence[str],
    number: NDArray[np.float64],
    usual: NDArray[np.float64],
    start_s: int,
) -> NDArray[np.uint8]:
    """What the counts of each counter mean where motor traffic may be banned: places in `calendars.FLOW_STATES`.

    Args:
        fleet: the devices.
        at: positions of the counters; shape (n,).
        classes: of vehicles.
        number: vehicles observed, NaN: none; shape (classes, n).
        usual: vehicles there usually are in the time each class was observed, NaN: not known; shape (classes, n).
        start_s: of the period, Unix seconds.
    """
    day = datetime.fromtimestamp(start_s, UTC).astimezone(LOCAL_ZONE).date()
    states = np.full(len(at), UNKNOWN, np.uint8)
    for row, device in enumerate(at.tolist()):
        site = fleet.sites[fleet.devices[device].site]
        calendar = calendars.calendar_at(site.site_id, site.latitude, site.longitude, day)
        banned = np.array(
            [bool(calendar and calendar.banned(np.array([float(start_s)]), name)[0]) for name in classes], np.bool_
        )
        concerned = banned if banned.any() else np.ones(len(classes), np.bool_)
        states[row] = calendars.judge_zero(
            np.array([number[concerned, row].sum()]),
            np.array([banned.any()]),
            np.array([usual[concerned, row].sum()]),
        )[0]
    return states
