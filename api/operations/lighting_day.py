"""The lighting of a town in the night that begins on a local day: hours lit, energy, saving, availability, gaps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.board import Figures
from api.operations.columns import number
from api.operations.figures import FigureKind, figure, level
from api.operations.fleet import QUERIES
from api.operations.history import Recent, SlotWindows, newest_reports, read_slots
from api.operations.lighting import COMMANDED, ENERGY, LAMP_PROPERTY, LEVEL, Inputs, rated_powers, single_streams
from api.operations.summary import day_span, make_summary
from api.operations.traffic import index_line
from devices.lighting import energy, rules, sun
from devices.models import Bilingual

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from api.database import Database
    from api.operations.fleet import Fleet
    from api.operations.summary import Summary
    from devices.figures import Figures as Indices

_REPORTS_MAX: Final = 1_500
"""Reports of a device in a night, at most, the newest; more than one a minute for a day and a night."""
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
GAP: Final = FigureKind(
    "energy-gap",
    Bilingual("Chênh lệch điện năng", "Energy not found at the lamps"),
    "%",
    "index",
    energy.GAP_FORMULA,
    "what the meter counted in the night and no lamp behind it drew, percent of the meter",
)


async def read_day(database: Database, _town: str, fleet: Fleet, day: date, now: datetime) -> Summary:
    """The night's figures of each site and of the town."""
    of_lamps = {stream.profile for stream in fleet.observing(LAMP_PROPERTY)}
    lamp_at = np.flatnonzero([device.profile in of_lamps for device in fleet.devices])
    with_door = {stream.profile for stream in fleet.observing("door-open", "circuit-state")}
    cabinet_at = np.flatnonzero([device.profile in with_door for device in fleet.devices])
    at = np.sort(np.concatenate([lamp_at, cabinet_at]))
    figures = Figures()
    if not len(at):
        return make_summary(fleet, figures, datetime.now(UTC))
    nights = [sun.night_of(day, site.latitude, site.longitude) for site in fleet.sites]
    first, last = min(night.sunset for night in nights), max(night.sunrise for night in nights)
    reports = await _read_night(database, fleet, at, first, min(last, now))
    start, _ = day_span(day)
    light = [stream for stream in fleet.observing(LEVEL, "active-power") if stream.profile in of_lamps]
    days = await read_slots(
        database,
        fleet,
        light,
        length_s=86_400,
        first=datetime.fromtimestamp(start.timestamp() - 6 * 86_400, UTC),
        last=datetime.fromtimestamp(start.timestamp() + 86_400, UTC),
    )
    return await asyncio.to_thread(
        lambda: make_summary(
            fleet, _figures(figures, fleet, (lamp_at, cabinet_at), reports, days, nights, day, now), datetime.now(UTC)
        )
    )


async def _read_night(
    database: Database, fleet: Fleet, at: NDArray[np.intp], first: datetime, last: datetime
) -> Recent:
    """Level, commanded level and energy of devices in slots 0, 1 and 2."""
    slots = [np.zeros(len(fleet.devices), np.int64) for _ in range(3)]
    for of_property, name in zip(slots, (LEVEL, COMMANDED, ENERGY), strict=True):
        for stream in single_streams(fleet, name):
            of_property[stream.at] = stream.slot + 1
    nothing = Recent(np.zeros(0, np.intp), np.zeros(0, np.int64), np.zeros((0, 3)))
    if first >= last:
        return nothing
    # An array has no element 0, which makes the value null: the profile does not have it.
    first_slots, second_slots, third_slots = (of_property[at].tolist() for of_property in slots)
    row = await database.row(
        QUERIES["operations_night"],
        {
            "device_keys": fleet.keys[at].tolist(),
            "first_slots": first_slots,
            "second_slots": second_slots,
            "third_slots": third_slots,
            "first": first,
            "last": last,
        },
    )
    if row is None or row["device_keys"] is None:
        return nothing
    times_us = np.frombuffer(row["times_us"], ">i8").astype(np.int64)
    values = np.stack(
        [np.frombuffer(row[name], ">f8") for name in ("first_values", "second_values", "third_values")], axis=-1
    ).astype(np.float64)
    devices = fleet.positions(row["device_keys"])
    order = np.lexsort((times_us, devices))
    return Recent(devices[order], times_us[order], values[order])


def _newest(reports: Recent, at: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The reports of some devices, as many columns as the one that reported most often needs."""
    many = np.bincount(reports.at[np.isin(reports.at, at)]).max(initial=1)
    return newest_reports(reports, at, int(min(many, _REPORTS_MAX)))


def _figures(
    figures: Figures,
    fleet: Fleet,
    devices: tuple[NDArray[np.intp], NDArray[np.intp]],
    reports: Recent,
    days: SlotWindows,
    nights: list[sun.Night],
    day: date,
    now: datetime,
) -> Figures:
    lamp_at, cabinet_at = devices
    ruling, now_us = rules.rules_of(day), int(now.timestamp() * 1e6)
    times, values = _newest(reports, lamp_at)
    # Reports stand at the end; their order is what counts, so what is before them is left out.
    of_sites = [nights[fleet.devices[at].site] for at in lamp_at.tolist()]
    start_s = np.array([night.sunset.timestamp() for night in of_sites])
    end_s = np.minimum(np.array([night.sunrise.timestamp() for night in of_sites]), now.timestamp())
    interval_s = np.array([float(fleet.devices[at].interval_s) for at in lamp_at.tolist()])
    burned = energy.burn_times(
        *_packed(times, values[..., 0], values[..., 1]),
        start_s=start_s,
        end_s=np.maximum(end_s, start_s + 1),
        hold_s=_HOLD_INTERVALS * interval_s,
    )
    drawn = energy.increase(values[..., 2])
    _, boxes = _newest(reports, cabinet_at)
    metered = energy.increase(boxes[..., 2])
    place_of = {device: place for place, device in enumerate(cabinet_at.tolist())}
    cabinet = np.array([place_of.get(fleet.devices[at].gateway, -1) for at in lamp_at.tolist()], np.intp)
    start, _ = day_span(day)
    nothing = Recent(np.zeros(0, np.intp), np.zeros(0, np.int64), np.zeros((0, 0)))
    first_day = int(start.timestamp())
    rated = rated_powers(fleet, Inputs(nothing, days, days, days, first_day, first_day), lamp_at, ruling)
    saving = energy.dimming_saving(drawn, rated, burned.lit.value, burned.covered)
    available = energy.availability(burned.lit_as_commanded.value, burned.commanded_seen.value)
    summed = energy.lamp_energy(drawn, cabinet, len(cabinet_at), ruling.cabinet.silent_lamps_max_share)
    gap = energy.energy_gap(metered, summed.total.value)
    newest_us = np.where(np.isnan(times), 0, times).max(axis=1, initial=0) * 1e6
    told = burned.commanded.value
    for row, at in enumerate(lamp_at.tolist()):
        common: dict[str, Any] = {
            "now_us": now_us,
            "time_us": int(newest_us[row]) if newest_us[row] else None,
            "coverage": float(burned.covered[row]),
        }
        detail = {"device": fleet.devices[at].device_id}
        figures.of_site[fleet.devices[at].site] += [
            index_line(BURN, burned.lit, row, common, detail={**detail, "commanded_h": number(told[row])}),
            index_line(AVAILABILITY, available, row, common, detail=detail, level=_level(available, row)),
            index_line(SAVING, saving, row, common, detail={**detail, "energy_kwh": number(drawn[row])}),
        ]
    for row, at in enumerate(cabinet_at.tolist()):
        common = {"now_us": now_us}
        high = bool(gap.value[row] > ruling.cabinet.meter_gap_percent)
        detail = {"device": fleet.devices[at].device_id}
        figures.of_site[fleet.devices[at].site] += [
            index_line(
                GAP,
                gap,
                row,
                common,
                detail={**detail, "lamps": int(summed.lamps[row]), "silent_lamps": int(summed.silent[row])},
                level=level("gap", Bilingual("Chênh lệch lớn", "A large gap"), 2)
                if high
                else level("none", Bilingual("Khớp", "They agree"), 0),
            ),
            figure(METER_ENERGY, float(metered[row]), now_us=now_us, detail=detail),
            index_line(LAMPS_ENERGY, summed.total, row, common, detail=detail),
        ]
    _town(figures, burned, drawn, metered, now_us)
    return figures


def _packed(times: NDArray[np.float64], *values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Rows with their reports at the beginning rather than at the end."""
    count = (~np.isnan(times)).sum(axis=1)
    shift = (np.arange(times.shape[1]) - count[:, None]) % times.shape[1]
    return tuple(np.take_along_axis(column, shift, axis=1) for column in (times, *values))


def _town(
    figures: Figures,
    burned: energy.BurnTimes,
    drawn: NDArray[np.float64],
    metered: NDArray[np.float64],
    now_us: int,
) -> None:
    known = ~np.isnan(burned.lit_as_commanded.value)
    both, told = (column.value[known].sum(keepdims=True) for column in (burned.lit_as_commanded, burned.commanded_seen))
    share = float(known.mean()) if len(known) else None
    common: dict[str, Any] = {"now_us": now_us, "coverage": share}
    available = energy.availability(both if known.any() else np.array([np.nan]), told)
    detail: dict[str, Any] = {"lamps": len(known)}
    line = index_line(AVAILABILITY, available, 0, common, level=_level(available, 0), detail=detail)
    figures.of_town.append(line)
    for kind, column in ((LAMPS_ENERGY, drawn), (METER_ENERGY, metered)):
        there = ~np.isnan(column)
        detail = {"counters": len(column), "counted": int(there.sum())}
        total = float(column[there].sum()) if there.any() else None
        coverage = float(there.mean()) if len(there) else None
        figures.of_town.append(figure(kind, total, now_us=now_us, coverage=coverage, detail=detail))


def _level(available: Indices, row: int) -> Any:
    value = available.value[row]
    if np.isnan(value):
        return None
    full = 99.0  # percent; what contracts for street lighting usually promise is our own choice here
    return (
        level("available", Bilingual("Đạt", "Available"), 0)
        if value >= full
        else level("lacking", Bilingual("Chưa đạt", "Lacking"), 1)
    )
