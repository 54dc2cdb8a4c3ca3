"""The air of a local day: VN_AQI, and means of hours, of the day and of the year against their limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations import air
from api.operations.columns import newest
from api.operations.figures import FigureKind, figure
from api.operations.fleet import QUERIES
from devices.environment import limits, vn_aqi
from devices.environment.averaging import YEAR_DAYS, averaging_on
from devices.models import Bilingual

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Stream
    from api.operations.history import History
    from api.operations.summary import Day
    from api.schemas import Figure

BEFORE: Final = 7
"""Hours of the day before that the 8-h means need."""
_DAY_S: Final = 86_400
LIMITS_DAY: Final = FigureKind(
    "air-limits-day",
    Bilingual("So với QCVN không khí trong ngày", "Air of the day against its limits"),
    "%",
    "index",
    limits.FORMULA,
    "highest hour, highest eight hours and mean of the local day in percent of the limit for their own averaging period"
    " (QCVN 05:2023/BTNMT)",
)
LIMITS_YEAR: Final = FigureKind(
    "air-limits-year",
    Bilingual("So với QCVN không khí trong năm", "Air of the year against its limits"),
    "%",
    "index",
    limits.YEAR_FORMULA,
    "mean of the day means of the 365 days that end with this one, in percent of the limit of a year"
    " (QCVN 05:2023/BTNMT)",
)


@dataclass(frozen=True, slots=True)
class YearMeans:
    """One pollutant of the devices of one profile over 365 days."""

    profile: str
    property_id: str
    at: NDArray[np.intp]  # positions in the fleet, ascending; n of them
    sums: NDArray[np.float64]  # of the means of days full enough; shape (n,)
    days: NDArray[np.int64]  # how many they are; shape (n,)
    newest_us: NDArray[np.int64]  # end of the newest of them, 0: none; shape (n,)


async def read_years(asked: Day) -> list[YearMeans]:
    """Means of days, of every pollutant that has a limit of a year."""
    by_profile: dict[str, list[Stream]] = {}
    for stream in asked.fleet.observing(*air.PROPERTIES):
        if limits.limit_for(stream.property_id, "P1Y", asked.day) is not None:
            by_profile.setdefault(stream.profile, []).append(stream)
    found = []
    for streams in by_profile.values():
        found += await _read_profile(asked, streams)
    return found


async def _read_profile(asked: Day, streams: Sequence[Stream]) -> list[YearMeans]:
    fleet, least = asked.fleet, averaging_on(asked.day).air.day_coverage_min
    row = await asked.database.row(
        QUERIES["operations_days"],
        {
            "device_keys": fleet.keys_of(streams),
            "slots": [stream.slot + 1 for stream in streams],
            "leasts": [max(1, ceil(least * _DAY_S / stream.interval_s)) for stream in streams],
            "first": asked.end - timedelta(days=YEAR_DAYS),
            "last": asked.end,
        },
    )
    made = {stream.slot: _nothing(stream) for stream in streams}
    if row is None or row["device_keys"] is None:
        return list(made.values())
    sums = np.frombuffer(row["sums"], ">f8")
    columns = (fleet.positions(row["device_keys"]).tolist(), row["slots"], sums.tolist(), row["days"], row["newest"])
    for at, slot, total, days, newest_s in zip(*columns, strict=True):
        year = made[slot - 1]
        place = int(np.searchsorted(year.at, at))
        year.sums[place], year.days[place], year.newest_us[place] = total, days, (newest_s + _DAY_S) * 1_000_000
    return list(made.values())


def _nothing(stream: Stream) -> YearMeans:
    many = len(stream.at)
    return YearMeans(
        stream.profile,
        stream.property_id,
        stream.at,
        np.zeros(many),
        np.zeros(many, np.int64),
        np.zeros(many, np.int64),
    )


def add_air(figures: Figures, asked: Day, hours: History, years: Sequence[YearMeans]) -> None:
    """VN_AQI of the day and the means of day and year against their limits, of each station, and the town's VN_AQI.

    Args:
        figures: to add to.
        asked: the day.
        hours: its hours, and `BEFORE` before them.
        years: means of the 365 days that end with it.
    """
    fleet, now_us = asked.fleet, asked.now_us
    stations: list[Figure] = []
    for indicative, at, means, streams in air.station_columns(fleet, hours, slice(0, BEFORE + 24)):
        made = vn_aqi.daily(means)
        of_particles = [streams[name] for name in vn_aqi.PARTICLES if name in streams]
        shares = {name: hours.coverage(stream)[:, BEFORE:] for name, stream in streams.items()}
        of_profile = [year for year in years if year.profile == of_particles[0].profile]
        for row, device in enumerate(at.tolist()):
            mine = np.searchsorted(hours.at, device)
            line = air.aqi_figure(
                (air.DAY, air.DAY_INDICATIVE),
                made,
                row,
                indicative=indicative,
                now_us=now_us,
                time_us=newest(hours.last_us[mine, BEFORE:, of_particles[0].slot]),
                coverage=max(asked.share(shares[stream.property_id][row]) for stream in of_particles),
                flagged=int(hours.flagged[mine, BEFORE:, [stream.slot for stream in of_particles]].sum()),
                station=air.station_of(fleet, device),
                reason="too-few-hours",
            )
            of_device = {name: values[row] for name, values in means.items() if name in streams}
            common: dict[str, Any] = {
                "now_us": now_us,
                "time_us": newest(hours.last_us[mine, BEFORE:][:, [streams[name].slot for name in of_device]]),
                "coverage": max(asked.share(shares[name][row]) for name in of_device),
                "flagged": int(hours.flagged[mine, BEFORE:][:, [streams[name].slot for name in of_device]].sum()),
            }
            figures.of_site[fleet.devices[device].site] += [
                line,
                figure(LIMITS_DAY, **common, **of_day(of_device, asked.day, indicative)),
                _of_year(asked, of_profile, device, indicative),
            ]
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


def of_day(means: dict[str, NDArray[np.float64]], day: date, indicative: bool) -> dict[str, Any]:
    """The day's means against their limits, as `figure` takes them.

    Args:
        means: of hours, the last 24 those of the day, `BEFORE` before them; NaN: none; by observed property.
        day: local day.
        indicative: of a low-cost sensor.
    """
    lines = []
    for name, hours in means.items():
        eights = vn_aqi.eight_hour_means(hours[None])[0]
        of_day = float(vn_aqi.mean_of(hours[BEFORE:], averaging_on(day).air.hours_of_day_min))
        for period, values in (("PT1H", hours[BEFORE:]), ("PT8H", eights), ("P1D", np.array([of_day]))):
            known = values[~np.isnan(values)]
            line = air.limit_line(name, period, day, float(known.max(initial=-np.inf)) if len(known) else np.nan)  # type: ignore[arg-type]
            if line is not None:
                lines.append({**line, "times_exceeded": int((known > line["limit"]).sum())})
    return air.against_limits(lines, indicative)


def _of_year(asked: Day, years: Sequence[YearMeans], device: int, indicative: bool) -> Figure:
    """The means of the year against their limits; those of too few days are told with their number."""
    days_min = averaging_on(asked.day).air.days_of_year_min
    lines, short, days_most, newest_us = [], [], 0, 0
    for year in years:
        place = int(np.searchsorted(year.at, device))
        days = int(year.days[place])
        mean = float(limits.year_mean(year.sums[place], year.days[place], days_min))
        line = air.limit_line(year.property_id, "P1Y", asked.day, mean)
        if line is not None:
            lines.append({**line, "days": days})
        else:
            short.append({"property": year.property_id, "days": days, "reason": "too-few-days"})
        days_most, newest_us = max(days_most, days), max(newest_us, int(year.newest_us[place]))
    made = air.against_limits(lines, indicative, "too-few-days" if days_most else "no-reading")
    made["detail"] |= {"too_few": short, "days_min": days_min, "days_of_year": YEAR_DAYS}
    return figure(LIMITS_YEAR, now_us=asked.now_us, time_us=newest_us or None, coverage=days_most / YEAR_DAYS, **made)
