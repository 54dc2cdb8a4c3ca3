"""The lighting of a town in the night that begins on a local day: hours lit, energy, saving, availability, gaps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.board import Figures
from api.operations.columns import number
from api.operations.figures import FigureKind, figure, index_line, level
from api.operations.history import Recent, read_slots
from api.operations.lighting_cabinets import GAP as DAY_GAP
from api.operations.lighting_fleet import (
    DAY_S,
    LEVEL,
    POWER,
    RATED_DAYS,
    installed,
    intervals,
    rated_powers,
)
from api.operations.lighting_night import newest_of_night, newest_us, packed, read_night
from api.operations.summary import make_summary
from devices.figures import because
from devices.lighting import energy, rules, sun
from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.operations.fleet import Fleet
    from api.operations.history import SlotWindows
    from api.operations.lighting_fleet import Installed, Rated
    from api.operations.summary import Day, Summary
    from api.schemas import Level
    from devices.figures import Figures as Indices

_HOLD_INTERVALS: Final = 3

BURN: Final = FigureKind(
    "burn-hours",
    Bilingual("Số giờ sáng trong đêm", "Hours lit in the night"),
    "h",
    "index",
    energy.BURN_FORMULA,
    "hours lit between sunset and sunrise of that place, out of the reported level",
)
AVAILABILITY: Final = FigureKind(
    "availability",
    Bilingual("Độ khả dụng", "Availability"),
    "%",
    "index",
    energy.AVAILABILITY_FORMULA,
    "lamp-hours lit while told to burn, by lamp-hours told to burn, of the hours in which both are known",
)
SAVING: Final = FigureKind(
    "dimming-saving",
    Bilingual("Tiết kiệm nhờ giảm sáng", "Saved by dimming"),
    "%",
    "index",
    energy.SAVING_FORMULA,
    "1 - energy by (rated power times hours lit), of the night",
)
LAMPS_ENERGY: Final = FigureKind(
    "lamps-energy",
    Bilingual("Điện năng theo đèn", "Energy by the lamps"),
    "kW.h",
    "index",
    energy.ENERGY_FORMULA,
    "sum of the lamps' own counters over the night",
)
METER_ENERGY: Final = FigureKind(
    "meter-energy",
    Bilingual("Điện năng theo công tơ", "Energy by the meter"),
    "kW.h",
    "observed",
    None,
    "increase of the cabinet's counter over the night",
)
GAP: Final = replace(
    DAY_GAP, how="what the meter counted in the night and no lamp behind it drew, percent of the meter"
)


async def read_day(asked: Day) -> Summary:
    """The night's figures of each site and of the town."""
    fleet, database, here = asked.fleet, asked.database, installed(asked.fleet)
    at = np.sort(np.concatenate([here.lamp_at, here.cabinet_at]))
    figures = Figures()
    if not len(at):
        return make_summary(fleet, figures, datetime.now(UTC))
    nights = [sun.night_of(asked.day, site.latitude, site.longitude) for site in fleet.sites]
    first, last = min(night.sunset for night in nights), max(night.sunrise for night in nights)
    reports = await read_night(database, fleet, at, first, min(last, asked.now))
    light = [stream for stream in fleet.observing(LEVEL, POWER) if stream.profile in here.lamp_profiles]
    before = timedelta(days=RATED_DAYS - 1)
    days = await read_slots(database, fleet, light, length_s=86_400, first=asked.start - before, last=asked.end)
    return await asyncio.to_thread(
        lambda: make_summary(fleet, _figures(figures, asked, here, reports, days, nights), datetime.now(UTC))
    )


def _figures(
    figures: Figures, asked: Day, here: Installed, reports: Recent, days: SlotWindows, nights: list[sun.Night]
) -> Figures:
    fleet, ruling, first_s = asked.fleet, rules.rules_of(asked.day), asked.start_s - (RATED_DAYS - 1) * DAY_S
    lamp_at = here.lamp_at
    times, values = newest_of_night(reports, lamp_at)
    burned = _burned(fleet, here, nights, asked.now.timestamp(), (times, values))
    box_times, boxes = newest_of_night(reports, here.cabinet_at)
    drawn, metered = energy.increase(values[..., 2]), energy.increase(boxes[..., 2])
    rated = rated_powers(fleet, days, first_s, lamp_at, ruling)
    lamps = _Lamps(
        lamp_at,
        newest_us(times),
        burned,
        drawn,
        rated,
        energy.dimming_saving(drawn, rated.watts, burned.lit.value, burned.covered),
        energy.availability(burned.lit_as_commanded.value, burned.commanded_seen.value),
        ruling.availability_percent,
    )
    for row in range(len(lamp_at)):
        _add_lamp(figures, fleet, lamps, row, asked.now_us)
    share = ruling.cabinet.silent_lamps_max_share
    summed = energy.lamp_energy(drawn, here.cabinet, len(here.cabinet_at), share)
    meters = _Meters(
        here.cabinet_at,
        newest_us(box_times),
        _covered(fleet, here, nights, asked.now.timestamp(), box_times, boxes[..., 2]),
        metered,
        summed,
        because(energy.energy_gap(metered, summed.total.value), summed.total.missing),
    )
    for row in range(len(here.cabinet_at)):
        _add_meter(figures, fleet, meters, row, asked.now_us, ruling.cabinet.meter_gap_percent)
    _town(figures, lamps, meters, asked.now_us)
    return figures


@dataclass(frozen=True, slots=True)
class _Lamps:
    """The lamps of a night; n of them."""

    at: NDArray[np.intp]
    newest_us: list[int | None]
    burned: energy.BurnTimes
    drawn: NDArray[np.float64]  # kWh, NaN: not known
    rated: Rated
    saving: Indices
    available: Indices
    available_min: float  # percent


@dataclass(frozen=True, slots=True)
class _Meters:
    """The cabinets of a night; m of them."""

    at: NDArray[np.intp]
    newest_us: list[int | None]
    covered: NDArray[np.float64]  # share of the night in which the counter was reported, 0..1
    metered: NDArray[np.float64]  # kWh, NaN: not known
    lamps: energy.LampEnergy
    gap: Indices


def _spans(
    fleet: Fleet, at: NDArray[np.intp], nights: list[sun.Night], now_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end of what has passed of the night at each device, Unix seconds; the end after the start."""
    of_sites = [nights[fleet.devices[device].site] for device in at.tolist()]
    start_s = np.array([night.sunset.timestamp() for night in of_sites])
    end_s = np.minimum(np.array([night.sunrise.timestamp() for night in of_sites]), now_s)
    return start_s, np.maximum(end_s, start_s + 1)


def _burned(
    fleet: Fleet,
    here: Installed,
    nights: list[sun.Night],
    now_s: float,
    reports: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> energy.BurnTimes:
    times, values = reports
    start_s, end_s = _spans(fleet, here.lamp_at, nights, now_s)
    # Reports stand at the end; their order is what counts, so what is before them is left out.
    in_order = packed(times, values[..., 0], values[..., 1])
    hold_s = _HOLD_INTERVALS * intervals(fleet, here.lamp_at)
    return energy.burn_times(*in_order, start_s=start_s, end_s=end_s, hold_s=hold_s)


def _covered(
    fleet: Fleet,
    here: Installed,
    nights: list[sun.Night],
    now_s: float,
    times: NDArray[np.float64],
    counter: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Share of the night in which each meter's counter was reported, 0..1."""
    start_s, end_s = _spans(fleet, here.cabinet_at, nights, now_s)
    there = ~np.isnan(counter) & (times >= start_s[:, None]) & (times < end_s[:, None])
    due = np.maximum(1.0, (end_s - start_s) / intervals(fleet, here.cabinet_at))
    return np.asarray(np.minimum(1.0, there.sum(axis=1) / due))


def _add_lamp(figures: Figures, fleet: Fleet, lamps: _Lamps, row: int, now_us: int) -> None:
    device, burned = fleet.devices[int(lamps.at[row])], lamps.burned
    common = {"now_us": now_us, "time_us": lamps.newest_us[row], "coverage": float(burned.covered[row])}
    detail = {"device": device.device_id}
    told = number(burned.commanded.value[row])
    of_power = {"rated_w": number(lamps.rated.watts[row]), "rated_from": lamps.rated.source[row]}
    drawn = number(lamps.drawn[row])
    figures.of_site[device.site] += [
        index_line(BURN, burned.lit, row, common, detail={**detail, "commanded_h": told}),
        index_line(
            AVAILABILITY,
            lamps.available,
            row,
            common,
            detail=detail,
            level=_level(lamps.available, row, lamps.available_min),
        ),
        index_line(SAVING, lamps.saving, row, common, detail={**detail, "energy_kwh": drawn, **of_power}),
    ]


def _add_meter(figures: Figures, fleet: Fleet, meters: _Meters, row: int, now_us: int, gap_percent: float) -> None:
    device, summed = fleet.devices[int(meters.at[row])], meters.lamps
    lamps, silent = int(summed.lamps[row]), int(summed.silent[row])
    speaking = (lamps - silent) / lamps if lamps else 0.0
    metered = float(meters.covered[row])
    common: dict[str, Any] = {"now_us": now_us, "time_us": meters.newest_us[row]}
    detail = {"device": device.device_id}
    of_lamps = {**detail, "lamps": lamps, "silent_lamps": silent}
    high = bool(meters.gap.value[row] > gap_percent)
    figures.of_site[device.site] += [
        index_line(
            GAP,
            meters.gap,
            row,
            {**common, "coverage": min(metered, speaking)},
            detail=of_lamps,
            level=level("gap", Bilingual("Chênh lệch lớn", "A large gap"), 2)
            if high
            else level("none", Bilingual("Khớp", "They agree"), 0),
        ),
        figure(METER_ENERGY, float(meters.metered[row]), coverage=metered, detail=detail, **common),
        index_line(LAMPS_ENERGY, summed.total, row, {**common, "coverage": speaking}, detail=of_lamps),
    ]


def _town(figures: Figures, lamps: _Lamps, meters: _Meters, now_us: int) -> None:
    burned = lamps.burned
    known = ~np.isnan(burned.lit_as_commanded.value)
    both, told = (column.value[known].sum(keepdims=True) for column in (burned.lit_as_commanded, burned.commanded_seen))
    of_lamps, of_meters = (
        {"now_us": now_us, "time_us": max((time for time in times if time is not None), default=None)}
        for times in (lamps.newest_us, meters.newest_us)
    )
    covered = float(burned.covered.mean()) if len(known) else None
    available = energy.availability(both if known.any() else np.array([np.nan]), told)
    figures.of_town.append(
        index_line(
            AVAILABILITY,
            available,
            0,
            {**of_lamps, "coverage": covered},
            level=_level(available, 0, lamps.available_min),
            detail={"lamps": len(known), "known": int(known.sum())},
        )
    )
    columns = ((LAMPS_ENERGY, lamps.drawn, of_lamps, None), (METER_ENERGY, meters.metered, of_meters, meters.covered))
    for kind, column, common, shares in columns:
        there = ~np.isnan(column)
        coverage = (there if shares is None else shares).mean() if len(there) else None
        figures.of_town.append(
            figure(
                kind,
                float(column[there].sum()) if there.any() else None,
                coverage=None if coverage is None else float(coverage),
                detail={"counters": len(column), "counted": int(there.sum())},
                **common,  # type: ignore[arg-type]
            )
        )


def _level(available: Indices, row: int, least: float) -> Level | None:
    value = available.value[row]
    if np.isnan(value):
        return None
    return (
        level("available", Bilingual("Đạt", "Available"), 0)
        if value >= least
        else level("lacking", Bilingual("Chưa đạt", "Lacking"), 1)
    )
