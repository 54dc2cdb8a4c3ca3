"""The environment of a town on a local day, out of its hours."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations import air
from api.operations.air_day import BEFORE, add_air, read_years
from api.operations.board import Figures
from api.operations.columns import newest, number
from api.operations.figures import FigureKind, figure, level
from api.operations.history import read_history
from api.operations.noise_day import add_noise, read_exceeded
from api.operations.summary import make_summary
from devices.environment import flood, rain, sites, wind
from devices.models import Bilingual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.operations.air_day import YearMeans
    from api.operations.fleet import Stream
    from api.operations.history import History
    from api.operations.noise_day import Exceeded
    from api.operations.summary import Day, Summary
    from api.schemas import Figure

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
GUST_DAY: Final = FigureKind(
    "highest-gust",
    Bilingual("Gió giật mạnh nhất", "Highest gust"),
    "m/s",
    "index",
    wind.GUST_FORMULA,
    "highest gust of the day",
)
DIRECTION_DAY: Final = FigureKind(
    "wind-direction-day",
    Bilingual("Hướng gió trung bình ngày", "Mean wind direction of the day"),
    "deg",
    "index",
    wind.DIRECTION_FORMULA,
    "direction of the mean vector of the day's directions; its length, 1 steady and 0 from all sides, in `detail`",
)
DEPTH_DAY: Final = FigureKind(
    "highest-street-depth",
    Bilingual("Ngập đường sâu nhất", "Deepest water on the street"),
    "m",
    "index",
    sites.STREET_FORMULA,
    "deepest water of the day's hours on the road, classed by our own depths (devices/environment/sites.yaml)",
)


async def read_day(asked: Day) -> Summary:
    """The day's figures of each site and of the town."""
    fleet = asked.fleet
    hours = await read_history(
        asked.database,
        fleet,
        fleet.keys_of(
            fleet.observing(
                *air.PROPERTIES,
                "water-level",
                "rainfall",
                "sound-level-equivalent",
                "wind-gust",
                "wind-direction",
                "water-depth",
            )
        ),
        first_s=asked.start_s - BEFORE * 3600,
        steps=BEFORE + 24,
        step_s=3600,
        wanted=("max", "last", "energy", "east", "north"),
        tail=True,
    )
    years = await read_years(asked)
    exceeded = [await read_exceeded(asked, stream) for stream in fleet.observing("sound-level-equivalent")]
    return await asyncio.to_thread(_made, asked, hours, years, exceeded)


def _made(asked: Day, hours: History, years: Sequence[YearMeans], exceeded: Sequence[Exceeded]) -> Summary:
    """Put the figures together: of thousands of devices that takes longer than the loop may stand still."""
    fleet, figures = asked.fleet, Figures()
    add_air(figures, asked, hours, years)
    for of_stream in exceeded:
        add_noise(figures, asked, hours, BEFORE, of_stream)
    for property_id, add in _EACH.items():
        for stream in fleet.observing(property_id):
            add(figures, asked, hours, stream)
    figures.of_town += _worst_of_town(figures)
    return make_summary(fleet, figures, datetime.now(UTC))


def _badness(line: Figure) -> tuple[int, float]:
    return (line["level"] or {"severity": -1})["severity"], line["value"] or 0.0


def _worst_of_town(figures: Figures) -> list[Figure]:
    """Of each figure where more is worse the worst of the town's sites."""
    lines = [line for of_site in figures.of_site.values() for line in of_site]
    worst: list[Figure] = []
    for kind in (HIGHEST_LEVEL, RAIN_DAY, GUST_DAY, DEPTH_DAY):
        mine = [line for line in lines if line["id"] == kind.figure_id]
        known = [line for line in mine if line["value"] is not None]
        # Levels of rivers have their own datum each: the alarm goes before the height.
        found = max(known, key=_badness, default=None)
        if found is not None:
            worst.append({**found, "how": f"worst of {len(known)} of {len(mine)} sites; {kind.how}"})
        elif mine:
            worst.append(mine[0])
    return worst


def _add_levels(figures: Figures, asked: Day, hours: History, stream: Stream) -> None:
    rows, common = hours.rows(stream), _days(asked, hours, stream)
    highest, _ = wind.highest_gust(hours.max[rows][:, BEFORE:, stream.slot])
    for row, at in enumerate(stream.at.tolist()):
        station = flood.station_of(asked.fleet.sites[asked.fleet.devices[at].site].site_id, asked.day)
        value = number(highest[row])
        reached = (
            int(flood.alarm_levels(np.array([value]), station.levels, 0.0)[0]) if station and value is not None else 0
        )
        _append(
            figures,
            asked,
            at,
            figure(
                HIGHEST_LEVEL,
                value,
                text=flood.bulletin(value, station.levels) if station and value is not None else None,
                level=level(f"alarm-{reached}", _ALARMS[reached], (0, 2, 3, 4)[reached]) if station else None,
                detail={"station": station.name, "source": station.source} if station else None,
                **common[row],
            ),
        )


_ALARMS: Final = (
    Bilingual("Dưới báo động I", "Below alarm level I"),
    Bilingual("Báo động I", "Alarm level I"),
    Bilingual("Báo động II", "Alarm level II"),
    Bilingual("Báo động III", "Alarm level III"),
)


def _add_rain(figures: Figures, asked: Day, hours: History, stream: Stream) -> None:
    rows, common = hours.rows(stream), _days(asked, hours, stream)
    count = hours.count[rows, BEFORE:, stream.slot]
    total = np.nan_to_num(hours.added["sum"][rows, BEFORE:, stream.slot]).sum(axis=1)
    for row, at in enumerate(stream.at.tolist()):
        value = float(total[row]) if count[row].any() else None
        found = rain.rain_class(value, 24, rain.rain_table(asked.day)) if value is not None else None
        _append(
            figures,
            asked,
            at,
            figure(
                RAIN_DAY,
                value,
                text=found.name.record() if found else None,
                level=level(found.id, found.name.record(), {"heavy": 2, "very-heavy": 3}.get(found.id, 0))
                if found
                else None,
                **common[row],
            ),
        )


def _add_gusts(figures: Figures, asked: Day, hours: History, stream: Stream) -> None:
    rows, common = hours.rows(stream), _days(asked, hours, stream)
    gusts, _ = wind.highest_gust(hours.max[rows][:, BEFORE:, stream.slot])
    for row, at in enumerate(stream.at.tolist()):
        _append(figures, asked, at, figure(GUST_DAY, float(gusts[row]), **common[row]))


def _add_directions(figures: Figures, asked: Day, hours: History, stream: Stream) -> None:
    rows, common = hours.rows(stream), _days(asked, hours, stream)
    count = hours.count[rows, BEFORE:, stream.slot].sum(axis=1)
    east, north = (
        np.nan_to_num(hours.added[name][rows, BEFORE:, stream.slot]).sum(axis=1) for name in ("east", "north")
    )
    degrees, steady = wind.direction_of(east, north, count), wind.resultant_length(east, north, count)
    for row, at in enumerate(stream.at.tolist()):
        value = float(degrees[row])
        _append(
            figures,
            asked,
            at,
            figure(
                DIRECTION_DAY,
                value,
                reason="opposite-directions" if count[row] else "no-reading",
                text=None if np.isnan(value) else wind.compass_name(value),
                detail={"resultant_length": number(steady[row]), "resultant_formula": wind.RESULTANT_FORMULA},
                **common[row],
            ),
        )


def _add_depths(figures: Figures, asked: Day, hours: History, stream: Stream) -> None:
    rows, common = hours.rows(stream), _days(asked, hours, stream)
    deepest, place = wind.highest_gust(hours.max[rows][:, BEFORE:, stream.slot])
    for row, at in enumerate(stream.at.tolist()):
        value = number(deepest[row])
        depth = sites.street_level(max(0.0, value), asked.day) if value is not None else None
        _append(
            figures,
            asked,
            at,
            figure(
                DEPTH_DAY,
                value,
                text=depth.name.record() if depth else None,
                level=level(depth.id, depth.name.record(), depth.severity) if depth else None,
                detail={"deepest_hour": f"{int(place[row]):02}:00" if depth else None},
                **common[row],
            ),
        )


def _days(asked: Day, hours: History, stream: Stream) -> list[dict[str, Any]]:
    """What every figure of a day bears, of each device of a stream."""
    rows, share = hours.rows(stream), hours.coverage(stream)[:, BEFORE:]
    last_us, flagged = hours.last_us[rows, BEFORE:, stream.slot], hours.flagged[rows, BEFORE:, stream.slot]
    return [
        {
            "now_us": asked.now_us,
            "time_us": newest(last_us[row]),
            "coverage": asked.share(share[row]),
            "flagged": int(flagged[row].sum()),
        }
        for row in range(len(rows))
    ]


def _append(figures: Figures, asked: Day, at: int, line: Figure) -> None:
    figures.of_site[asked.fleet.devices[at].site].append(line)


_EACH: Final = {
    "water-level": _add_levels,
    "rainfall": _add_rain,
    "wind-gust": _add_gusts,
    "wind-direction": _add_directions,
    "water-depth": _add_depths,
}
"""How the figures of an observed property come to be."""
