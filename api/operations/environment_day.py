"""The environment of a town on a local day, out of its hours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations import air
from api.operations.board import Figures
from api.operations.columns import newest, number
from api.operations.figures import FigureKind, figure, level
from api.operations.history import read_history
from api.operations.noise import band_of, local_hours
from api.operations.summary import make_summary
from devices.environment import flood, limits, noise, rain, sites, vn_aqi, wind
from devices.models import Bilingual

if TYPE_CHECKING:
    from datetime import date

    from api.operations.fleet import Fleet, Stream
    from api.operations.history import History
    from api.operations.summary import Day, Summary
    from api.schemas import Figure

_BEFORE: Final = 7
"""Hours of the day before that the 8-h means of O3 need."""
HIGHEST_LEVEL: Final = FigureKind(
    "highest-water-level",
    Bilingual("Mực nước cao nhất", "Highest water level"),
    "m",
    "window-statistics",
    None,
    "highest of the day's hours, in the wording of bulletins",
)
RAIN_DAY: Final = FigureKind(
    "rain-day",
    Bilingual("Mưa trong ngày", "Rain of the day"),
    "mm",
    "index",
    rain.SUM_FORMULA,
    "rain observed on the local day; at least so much where coverage is below 1",
)
NOISE_DAY: Final = FigureKind(
    "noise-day",
    Bilingual("Mức ồn ban ngày", "Noise by day"),
    "dB[SPL]",
    "index",
    noise.LAEQ_FORMULA,
    "energetic mean over 06-21 h against its limit",
)
NOISE_NIGHT: Final = FigureKind(
    "noise-night",
    Bilingual("Mức ồn ban đêm", "Noise by night"),
    "dB[SPL]",
    "index",
    noise.LAEQ_FORMULA,
    "energetic mean over 00-06 h and 21-24 h of the local day against its limit",
)
GUST_DAY: Final = FigureKind(
    "highest-gust",
    Bilingual("Gió giật mạnh nhất", "Highest gust"),
    "m/s",
    "index",
    wind.GUST_FORMULA,
    "highest gust of the day",
)
_KEPT: Final = level("kept", Bilingual("Trong giới hạn", "Within limits"), 0)
_EXCEEDED: Final = level("exceeded", Bilingual("Vượt giới hạn", "Above the limit"), 1)


async def read_day(asked: Day) -> Summary:
    """The day's figures of each site and of the town."""
    fleet, day, now_us = asked.fleet, asked.day, asked.now_us
    hours = await read_history(
        asked.database,
        fleet,
        fleet.keys_of(
            fleet.observing(
                *air.PROPERTIES, "water-level", "rainfall", "sound-level-equivalent", "wind-gust", "water-depth"
            )
        ),
        first_s=asked.start_s - _BEFORE * 3600,
        steps=_BEFORE + 24,
        step_s=3600,
        wanted=("max", "last", "energy"),
        tail=True,
    )
    figures = Figures()
    _add_aqi(figures, fleet, hours, now_us)
    for stream in fleet.observing("water-level"):
        _add_levels(figures, fleet, hours, stream, day, now_us)
    for stream in fleet.observing("rainfall"):
        _add_rain(figures, fleet, hours, stream, now_us)
    for stream in fleet.observing("sound-level-equivalent"):
        _add_noise(figures, fleet, hours, stream, day, now_us)
    for stream in fleet.observing("wind-gust"):
        _add_gusts(figures, fleet, hours, stream, now_us)
    return make_summary(fleet, figures, datetime.now(UTC))


def _add_aqi(figures: Figures, fleet: Fleet, hours: History, now_us: int) -> None:
    stations: list[Figure] = []
    for indicative, at, means, streams in air.station_columns(fleet, hours, slice(0, _BEFORE + 24)):
        made = vn_aqi.daily(means)
        of_particles = [streams[name] for name in vn_aqi.PARTICLES if name in streams]
        for row, device in enumerate(at.tolist()):
            mine = np.searchsorted(hours.at, device)
            line = air.aqi_figure(
                (air.DAY, air.DAY_INDICATIVE),
                made,
                row,
                indicative=indicative,
                now_us=now_us,
                time_us=newest(hours.last_us[mine, _BEFORE:, of_particles[0].slot]),
                coverage=float(np.max([hours.coverage(stream)[row, _BEFORE:].mean() for stream in of_particles])),
                flagged=int(hours.flagged[mine, _BEFORE:, [stream.slot for stream in of_particles]].sum()),
                station=air.station_of(fleet, device),
                reason="too-few-hours",
            )
            figures.of_site[fleet.devices[device].site].append(line)
            if not indicative:
                stations.append(line)
    known = [line for line in stations if line["value"] is not None]
    worst = max(known, key=lambda line: line["value"] or 0.0, default=None)
    if worst is not None:
        how = f"highest of {len(known)} of {len(stations)} reference stations; {air.DAY.how}"
        figures.of_town.append({**worst, "how": how})
    else:
        reason = "too-few-hours" if stations else "no-reading"
        figures.of_town.append(figure(air.DAY, None, now_us=now_us, reason=reason))


def _add_levels(figures: Figures, fleet: Fleet, hours: History, stream: Stream, day: date, now_us: int) -> None:
    rows = hours.rows(stream)
    highest, _ = wind.highest_gust(hours.max[rows][:, _BEFORE:, stream.slot])
    for row, at in enumerate(stream.at.tolist()):
        station = flood.station_of(fleet.sites[fleet.devices[at].site].site_id, day)
        value = number(highest[row])
        reached = (
            int(flood.alarm_levels(np.array([value]), station.levels, 0.0)[0]) if station and value is not None else 0
        )
        _append(
            figures,
            fleet,
            at,
            figure(
                HIGHEST_LEVEL,
                value,
                text=flood.bulletin(value, station.levels) if station and value is not None else None,
                level=level(f"alarm-{reached}", _ALARMS[reached], (0, 2, 3, 4)[reached]) if station else None,
                detail={"station": station.name, "source": station.source} if station else None,
                **_day(hours, stream, rows, row, now_us),
            ),
        )


_ALARMS: Final = (
    Bilingual("Dưới báo động I", "Below alarm level I"),
    Bilingual("Báo động I", "Alarm level I"),
    Bilingual("Báo động II", "Alarm level II"),
    Bilingual("Báo động III", "Alarm level III"),
)


def _add_rain(figures: Figures, fleet: Fleet, hours: History, stream: Stream, now_us: int) -> None:
    rows = hours.rows(stream)
    count = hours.count[rows, _BEFORE:, stream.slot]
    total = np.nan_to_num(hours.added["sum"][rows, _BEFORE:, stream.slot]).sum(axis=1)
    for row, at in enumerate(stream.at.tolist()):
        value = float(total[row]) if count[row].any() else None
        found = rain.rain_class(value, 24) if value is not None else None
        _append(
            figures,
            fleet,
            at,
            figure(
                RAIN_DAY,
                value,
                text=found.name.record() if found else None,
                level=level(found.id, found.name.record(), {"heavy": 2, "very-heavy": 3}.get(found.id, 0))
                if found
                else None,
                **_day(hours, stream, rows, row, now_us),
            ),
        )


def _add_noise(figures: Figures, fleet: Fleet, hours: History, stream: Stream, day: date, now_us: int) -> None:
    rows = hours.rows(stream)
    energy = np.nan_to_num(hours.added["energy"][rows, _BEFORE:, stream.slot])
    count = hours.count[rows, _BEFORE:, stream.slot].astype(np.float64)
    by_day = noise.is_day(local_hours(hours.first_s + _BEFORE * 3600, 24))
    share = hours.coverage(stream)[:, _BEFORE:]
    bands = {
        name: band_of(energy, count, share, np.flatnonzero(there))
        for name, there in (("day", by_day), ("night", ~by_day))
    }
    for row, at in enumerate(stream.at.tolist()):
        area = sites.noise_area(fleet.sites[fleet.devices[at].site].site_id)
        for kind, name in ((NOISE_DAY, "day"), (NOISE_NIGHT, "night")):
            limit = limits.limit_for("sound-level-equivalent", "day" if name == "day" else "night", day, area=area)
            band = bands[name]
            value = band.laeq[row]
            above = bool(limit and limits.exceeds(np.array(value), limit))
            detail = {"limit": limit.limit, "regulation": limit.regulation, "grade": limit.grade} if limit else None
            _append(
                figures,
                fleet,
                at,
                figure(
                    kind,
                    float(value),
                    level=_EXCEEDED if above else _KEPT,
                    reason=band.reason(row),
                    detail={"area": area, **(detail or {})},
                    **(_day(hours, stream, rows, row, now_us) | {"coverage": float(band.coverage[row])}),
                ),
            )


def _add_gusts(figures: Figures, fleet: Fleet, hours: History, stream: Stream, now_us: int) -> None:
    rows = hours.rows(stream)
    gusts, _ = wind.highest_gust(hours.max[rows][:, _BEFORE:, stream.slot])
    for row, at in enumerate(stream.at.tolist()):
        _append(figures, fleet, at, figure(GUST_DAY, float(gusts[row]), **_day(hours, stream, rows, row, now_us)))


def _day(hours: History, stream: Stream, rows: np.ndarray[Any, Any], row: int, now_us: int) -> dict[str, Any]:
    """What every figure of a day bears."""
    return {
        "now_us": now_us,
        "time_us": newest(hours.last_us[rows[row], _BEFORE:, stream.slot]),
        "coverage": float(hours.coverage(stream)[row, _BEFORE:].mean()),
        "flagged": int(hours.flagged[rows[row], _BEFORE:, stream.slot].sum()),
    }


def _append(figures: Figures, fleet: Fleet, at: int, line: Figure) -> None:
    figures.of_site[fleet.devices[at].site].append(line)
