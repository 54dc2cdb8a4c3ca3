"""The traffic of a town on a local day, out of its hours."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.board import Figures
from api.operations.columns import newest, number
from api.operations.figures import FigureKind, coverage_of, figure, index_line, level, newest_of
from api.operations.history import read_history, read_slots
from api.operations.summary import make_summary
from api.operations.traffic_counts import (
    COUNT,
    classes_of,
    counted,
    coverage,
    full_rate,
    missing_classes,
    observed_s,
    units_detail,
)
from api.operations.traffic_speed import FREE_FLOW_DAYS, SPEED, free_flow_of
from devices.figures import MISSING_TEXTS, Missing, because
from devices.models import Bilingual
from devices.traffic import comparison, flow, pcu, service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.operations.fleet import Stream
    from api.operations.history import History, SlotWindows
    from api.operations.summary import Day, Summary
    from api.schemas import Figure

_DAY_S: Final = 86_400
VOLUME: Final = FigureKind(
    "day-volume",
    Bilingual("Số xe trong ngày", "Vehicles of the day"),
    "1",
    "window-statistics",
    None,
    "vehicles of all classes counted on the local day; the busiest hour in `detail`",
)
DAY_PCU: Final = FigureKind(
    "day-pcu-flow",
    Bilingual("Lưu lượng xe con quy đổi trong ngày", "Flow in passenger car units of the day"),
    "/h",
    "index",
    pcu.FORMULA,
    "counts of the local day by class times their coefficients, of the set that `detail` names, as an hourly rate of"
    " the time each class was observed",
)
DAY_SPEED: Final = FigureKind(
    "day-mean-speed",
    Bilingual("Tốc độ trung bình ngày", "Mean speed of the day"),
    "km/h",
    "window-statistics",
    flow.SPEED_FORMULA,
    "space-mean (harmonic, weighed by count) speed of the day",
)
CONGESTED_HOURS: Final = FigureKind(
    "congested-hours",
    Bilingual("Số giờ ùn tắc", "Congested hours"),
    "h",
    "index",
    service.SHARE_FORMULA,
    "hours of the day whose speed was at most 60 % of free flow",
)
PLANNING: Final = FigureKind(
    "planning-time-index",
    Bilingual("Chỉ số thời gian dự phòng", "Planning time index"),
    "1",
    "index",
    service.PLANNING_TIME_FORMULA,
    "95th percentile of the hours' travel times by that of free flow",
)
BUFFER: Final = FigureKind(
    "buffer-index",
    Bilingual("Chỉ số thời gian đệm", "Buffer index"),
    "1",
    "index",
    service.BUFFER_FORMULA,
    "(95th percentile - mean) / mean of the hours' travel times",
)
USUAL_DAY: Final = FigureKind(
    "same-day-difference",
    Bilingual("So với cùng thứ các tuần trước", "Against the same weekday of past weeks"),
    "%",
    "index",
    comparison.DIFFERENCE_FORMULA,
    "vehicles of the day against the mean of the same weekday of the past four weeks; of whole days alone",
)


async def read_day(asked: Day) -> Summary:
    """The day's figures of each counter and of the town."""
    fleet = asked.fleet
    counts, speeds = fleet.observing(COUNT), fleet.observing(SPEED)
    weeks, days = timedelta(weeks=comparison.WEEKS), timedelta(days=FREE_FLOW_DAYS)
    hours = await read_history(
        asked.database,
        fleet,
        fleet.keys_of(counts),
        first_s=asked.start_s,
        steps=24,
        step_s=3600,
        wanted=("last", "weight", "weight_by_value"),
        tail=True,
    )
    past = await read_slots(asked.database, fleet, counts, length_s=_DAY_S, first=asked.start - weeks, last=asked.start)
    free = await read_slots(asked.database, fleet, speeds, length_s=3600, first=asked.start - days, last=asked.start)
    return await asyncio.to_thread(_made, asked, hours, past, free)


def _made(asked: Day, hours: History, past: SlotWindows, free: SlotWindows) -> Summary:
    """Put the figures together: of thousands of devices that takes longer than the loop may stand still."""
    fleet, figures = asked.fleet, Figures()
    counts, speeds = fleet.observing(COUNT), fleet.observing(SPEED)
    lines: list[Figure] = []
    for profile in sorted({stream.profile for stream in counts}):
        of_profile = [stream for stream in counts if stream.profile == profile]
        lines += _profile(figures, asked, of_profile, hours, past)
    for speed in speeds:
        _speeds(figures, asked, hours, speed, free)
    figures.of_town.append(_of_town(lines, asked.now_us))
    return make_summary(fleet, figures, datetime.now(UTC))


def _of_town(lines: Sequence[Figure], now_us: int) -> Figure:
    known = [line["value"] for line in lines if line["value"] is not None]
    return figure(
        VOLUME,
        sum(known) if known else None,
        now_us=now_us,
        time_us=newest_of(lines),
        coverage=coverage_of(lines),
        flagged=sum(line["flagged"] for line in lines),
        detail={"counters": len(lines), "counted": len(known)},
    )


def _profile(figures: Figures, asked: Day, counts: list[Stream], hours: History, past: SlotWindows) -> list[Figure]:
    fleet, complete, at = asked.fleet, asked.complete, counts[0].at
    counts = [stream for stream in counts if np.array_equal(stream.at, at)]
    by_class = np.stack([counted(hours, stream) for stream in counts])
    by_hour = by_class.sum(axis=0)  # (devices, 24); NaN where a class is missing
    of_class = np.where(np.isnan(by_class).all(axis=2), np.nan, np.nansum(by_class, axis=2))
    volume = of_class.sum(axis=0)
    why = missing_classes(of_class)
    first_s = asked.start_s - comparison.WEEKS * 7 * _DAY_S
    # A day against days, each as the rate of the time observed; the newest one is of hours.
    reports = np.stack([hours.count[hours.rows(stream), :, stream.slot].sum(axis=1) for stream in counts])
    now = [
        full_rate(number_of, np.where(count > 0, count, np.nan), stream.interval_s, _DAY_S)
        for number_of, count, stream in zip(of_class, reports, counts, strict=True)
    ]
    usual = [
        full_rate(
            past.grid(stream, "sum", first_s, _DAY_S, comparison.WEEKS * 7, at),
            past.grid(stream, "count", first_s, _DAY_S, comparison.WEEKS * 7, at),
            stream.interval_s,
            _DAY_S,
        )
        for stream in counts
    ]
    whole = np.stack(now).sum(axis=0) * 24.0 if complete else np.full(len(at), np.nan)
    compared = comparison.compare(whole, np.stack(usual).sum(axis=0)[:, ::7].T * 24.0, "1")
    few = np.where(np.isnan(whole) & complete, Missing.TOO_FEW_READINGS, 0).astype(np.uint8)
    difference = because(compared.difference, np.where(why > 0, why, few).astype(np.uint8))
    share = coverage(hours, counts)
    observed = observed_s(hours, counts).sum(axis=2)  # (classes, devices)
    rates = flow.vehicle_flow(of_class, np.where(observed > 0, observed, np.nan)).value
    coefficients = pcu.pcu_set(asked.day, asked.pcu_set)
    units = pcu.pcu_flow(rates, classes_of(counts[0].profile, counts), 3600.0, coefficients)
    rows, slots = hours.rows(counts[0]), [stream.slot for stream in counts]
    lines = []
    for row, device in enumerate(at.tolist()):
        there = ~np.isnan(by_hour[row])
        busiest = int(np.nanargmax(by_hour[row])) if there.any() else None
        common: dict[str, Any] = {
            "now_us": asked.now_us,
            "time_us": newest(hours.last_us[rows[row]][:, slots]),
            "coverage": asked.share(share[row]),
            "flagged": int(hours.flagged[rows[row]][:, slots].sum()),
        }
        detail = {
            "busiest_hour": f"{busiest:02}:00" if busiest is not None else None,
            "vehicles_of_it": number(by_hour[row, busiest]) if busiest is not None else None,
        }
        of_day = figure(
            VOLUME,
            float(volume[row]),
            reason=Missing(int(why[row])).code,
            reason_text=MISSING_TEXTS[Missing(int(why[row]))],
            detail=detail,
            **common,
        )
        lines.append(of_day)
        figures.of_site[fleet.devices[device].site] += [
            of_day,
            index_line(DAY_PCU, units.flow, row, common, detail=units_detail(units, row, coefficients)),
            index_line(
                USUAL_DAY,
                difference,
                row,
                common,
                detail={"usual": number(compared.usual.value[row]), "weeks": int(compared.weeks[row])},
            ),
        ]
    return lines


def _speeds(figures: Figures, asked: Day, hours: History, speed: Stream, free_hours: SlotWindows) -> None:
    fleet = asked.fleet
    rows = hours.rows(speed)
    weight, by_value = (hours.added[name][rows, :, speed.slot] for name in ("weight", "weight_by_value"))
    with np.errstate(invalid="ignore", divide="ignore"):
        speeds = np.where(by_value > 0, weight / by_value, np.nan)
    free, _ = free_flow_of(fleet, free_hours, speed, asked.start_s * 1_000_000)
    table = service.service_table(asked.day)
    served = service.level_of_service(speeds, free[:, None], table)
    mean = flow.space_mean_speed(speeds, np.nan_to_num(weight))
    share = hours.coverage(speed)
    planning, buffer = service.planning_time_index(speeds, free), service.buffer_index(speeds)
    for row, device in enumerate(speed.at.tolist()):
        known = ~np.isnan(served.share.value[row])
        jammed = float(((served.state[row] >= 2) & known).sum())  # noqa: PLR2004 congested and jammed
        common: dict[str, Any] = {
            "now_us": asked.now_us,
            "time_us": newest(hours.last_us[rows[row], :, speed.slot]),
            "coverage": asked.share(share[row]),
            "flagged": int(hours.flagged[rows[row], :, speed.slot].sum()),
        }
        figures.of_site[fleet.devices[device].site] += [
            index_line(DAY_SPEED, mean, row, common),
            figure(
                CONGESTED_HOURS,
                jammed if known.any() else None,
                reason="too-few-readings",
                level=level("congested", Bilingual("Có ùn tắc", "Congestion"), 1)
                if jammed
                else level("free", Bilingual("Không ùn tắc", "No congestion"), 0),
                detail={"judged_hours": int(known.sum())},
                **common,
            ),
            index_line(PLANNING, planning, row, common),
            index_line(BUFFER, buffer, row, common),
        ]
