"""Lamps of a town now: as commanded, reported and measured, and their faults by rule; silence is told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from api.operations.figures import FigureKind, figure, level
from api.operations.history import newest_reports
from api.operations.lighting_cabinets import REPORTS
from api.operations.lighting_fleet import (
    COMMANDED,
    DAY_S,
    LAMP_PROPERTY,
    LEVEL,
    POWER,
    RATED_DAYS,
    Slots,
    grid,
    intervals,
    places,
    rated_powers,
)
from api.operations.lighting_lamp_lines import OWN_FAULTS, SEVERITY, PlainLamps, faults_line, silence_line, state_line
from devices.figures import UNKNOWN
from devices.lighting import faults, lamps
from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Fleet
    from api.operations.lighting import Inputs
    from api.operations.lighting_fleet import Installed, Rated
    from api.schemas import Figure
    from devices.lighting.rules import LightingRules

LIT: Final = FigureKind(
    "lamps-lit",
    Bilingual("Đèn đang sáng", "Lamps lit"),
    "1",
    "index",
    lamps.STATE_FORMULA,
    "lamps of the town that burn now",
)
FAULTY: Final = FigureKind(
    "lamps-faulty",
    Bilingual("Đèn có lỗi", "Lamps with a fault"),
    "1",
    "index",
    faults.FORMULA,
    "lamps of the town with a fault by rule, one for each lamp; silent ones and those of a cabinet that is out apart",
)


@dataclass(frozen=True, slots=True)
class Lamps:
    """The lamps of a town as they are judged."""

    at: NDArray[np.intp]  # positions in the fleet, ascending; n of them
    reports: lamps.Reports
    rated: Rated
    states: lamps.LampStates
    found: faults.LampFaults


def judge_lamps(
    fleet: Fleet, inputs: Inputs, here: Installed, cabinet_mode: NDArray[np.float64], now_us: int, ruling: LightingRules
) -> Lamps:
    """States and faults of lamps by their newest reports and the hours of a day.

    Args:
        fleet: the devices.
        inputs: of the past.
        here: the lamps and their cabinets.
        cabinet_mode: number of each cabinet's mode, NaN: not known.
        now_us: Unix microseconds.
        ruling: the thresholds.
    """
    at = here.lamp_at
    times, values = newest_reports(inputs.recent, at, REPORTS)
    slots = Slots(fleet, at)
    reports = lamps.Reports(
        time_s=times,
        commanded=slots.of(values, COMMANDED),
        level=slots.of(values, LEVEL),
        power_w=slots.of(values, POWER),
        state=slots.of(values, LAMP_PROPERTY),
        failure=slots.of(values, "lamp-failure"),
        power_factor=slots.of(values, "power-factor"),
        voltage_v=slots.of(values, "voltage"),
    )
    rated = rated_powers(fleet, inputs.days, inputs.day_s - (RATED_DAYS - 1) * DAY_S, at, ruling)
    first_s = inputs.hour_s - DAY_S
    power, light = (
        grid(fleet, inputs.hours, property_id, "sum", first_s, 3600, 24, at)
        / grid(fleet, inputs.hours, property_id, "count", first_s, 3600, 24, at)
        for property_id in (POWER, LEVEL)
    )
    latitude, longitude = places(fleet, at)
    mode = np.where(here.cabinet >= 0, cabinet_mode[here.cabinet] if len(cabinet_mode) else np.nan, np.nan)
    found = faults.lamp_faults(
        reports,
        rated_w=rated.watts,
        now_s=now_us / 1e6,
        latitude_deg=latitude,
        longitude_deg=longitude,
        interval_s=intervals(fleet, at),
        cabinet_mode=mode,
        drift_ratio=faults.drift_ratio(power, light, rated.watts, ruling.lamp),
        rule=ruling.lamp,
    )
    return Lamps(at, reports, rated, lamps.lamp_states(reports, rated.watts, ruling.lamp), found)


def add_lamps(
    figures: Figures, fleet: Fleet, here: Installed, judged: Lamps, bits: NDArray[np.uint16], now_us: int
) -> None:
    """State, faults and silence of the lamps of each site, and how many of the town burn and have a fault.

    Args:
        figures: to add to.
        fleet: the devices.
        here: the lamps and their cabinets.
        judged: the lamps.
        bits: of `faults.FAULTS` of each, those of a dead cabinet suppressed.
        now_us: Unix microseconds.
    """
    states = judged.states
    burning = np.where(states.measured != UNKNOWN, states.measured, states.reported)
    newest_s = lamps.newest(judged.reports.time_s)
    by_site: dict[int, list[int]] = {}
    for row, device in enumerate(judged.at.tolist()):
        by_site.setdefault(fleet.devices[device].site, []).append(row)
    boxes = [fleet.devices[device].device_id for device in here.cabinet_at.tolist()]
    plain = PlainLamps(
        [fleet.devices[device].device_id for device in judged.at.tolist()],
        bits.tolist(),
        newest_s.tolist(),
        judged.found.judged.tolist(),
        judged.rated.watts.tolist(),
        judged.rated.source,
        burning.tolist(),
        states.commanded.tolist(),
        states.reported.tolist(),
        states.measured.tolist(),
        states.disagrees.tolist(),
        [boxes[place] if place >= 0 else None for place in here.cabinet.tolist()],
    )
    for site, rows in by_site.items():
        figures.of_site[site] += [
            faults_line(plain, rows, now_us),
            state_line(plain, rows, now_us),
            silence_line(plain, rows, now_us),
        ]
    known = burning != UNKNOWN
    time_us = int(np.nanmax(newest_s) * 1e6) if (~np.isnan(newest_s)).any() else None
    share = float(known.mean()) if len(known) else None
    figures.of_town += [
        figure(
            LIT,
            float(((burning > 0) & known).sum()) if known.any() else None,
            now_us=now_us,
            time_us=time_us,
            coverage=share,
            detail={"lamps": len(known), "known": int(known.sum())},
        ),
        faulty_lamps(bits, judged.found.judged, now_us, time_us),
    ]


def faulty_lamps(
    bits: NDArray[np.uint16], judged: NDArray[np.bool_], now_us: int, time_us: int | None = None
) -> Figure:
    """How many lamps of a town have a fault; silent ones are told apart, for stale is not failed.

    Args:
        bits: of `faults.FAULTS` of each lamp, those of a dead cabinet suppressed; shape (n,).
        judged: False: the lamp is silent; shape (n,).
        now_us: Unix microseconds.
        time_us: of the newest report.
    """
    real = bits & np.uint16(OWN_FAULTS)
    by_fault = {name: int(((bits >> bit) & 1).sum()) for bit, name in enumerate(faults.FAULTS)}
    silent = by_fault.pop("communication")
    detail = {"lamps": len(bits), "judged": int(judged.sum()), "silent": silent, "by_fault": by_fault}
    if not judged.any():
        reason = "not-current" if len(bits) else "no-reading"
        coverage = 0.0 if len(bits) else None
        return figure(FAULTY, None, now_us=now_us, time_us=time_us, reason=reason, coverage=coverage, detail=detail)
    all_bits = int(np.bitwise_or.reduce(real))
    severity = max((severity for bit, severity in SEVERITY.items() if all_bits & bit), default=0)
    return figure(
        FAULTY,
        float((real != 0).sum()),
        now_us=now_us,
        time_us=time_us,
        coverage=float(judged.mean()),
        level=level("faults", Bilingual("Có đèn lỗi", "Faulty lamps"), severity)
        if all_bits
        else level("none", Bilingual("Không có đèn lỗi", "No faulty lamp"), 0),
        detail=detail,
    )
