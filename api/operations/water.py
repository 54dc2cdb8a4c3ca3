"""Water: river levels against alarm levels, and streets under water."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.columns import newest
from api.operations.figures import FigureKind, figure, level
from api.windows import LOCAL_ZONE
from devices.environment import flood, sites
from devices.models import Bilingual

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Fleet, Stream
    from api.operations.history import History
    from api.operations.present import Present
    from api.schemas import Figure

PROPERTIES: Final = ("water-level", "water-depth")
ALARM: Final = FigureKind(
    "flood-alarm",
    Bilingual("Báo động lũ", "Flood alarm level"),
    "1",
    "index",
    flood.FORMULA,
    "alarm level (0 to 3) of the newest water level, held until the water is the hysteresis below it",
)
LEVEL: Final = FigureKind(
    "water-level", Bilingual("Mực nước", "Water level"), "m", "observed", None, "newest water level above the datum"
)
STREET: Final = FigureKind(
    "street-depth",
    Bilingual("Ngập đường", "Water on the street"),
    "m",
    "index",
    sites.STREET_FORMULA,
    "newest depth of water on the road, classed by our own depths (devices/environment/sites.yaml)",
)
_LEVELS: Final = (
    level("below-alarm", Bilingual("Dưới báo động I", "Below alarm level I"), 0),
    level("alarm-1", Bilingual("Báo động I", "Alarm level I"), 2),
    level("alarm-2", Bilingual("Báo động II", "Alarm level II"), 3),
    level("alarm-3", Bilingual("Báo động III", "Alarm level III"), 4),
)
_RISE_S: Final = (3600, 10_800)


def add(figures: Figures, fleet: Fleet, present: Present, quarters: History) -> None:
    """Alarm levels, levels and depths, of each gauge and of the town.

    Args:
        figures: to add to.
        fleet: the devices.
        present: what they said last.
        quarters: the last 24 hours.
    """
    gauges: list[Figure] = []
    for stream in fleet.observing("water-level"):
        past = _Past(quarters, stream, quarters.rows(stream), quarters.coverage(stream)[:, -13:-1].mean(axis=1))
        for number, (at, current) in enumerate(zip(stream.at.tolist(), present.current(stream).tolist(), strict=True)):
            lines = _gauge(fleet, present, past, number, at, current=current)
            figures.of_site[fleet.devices[at].site] += lines
            gauges.append(lines[0])
    if gauges:
        known = [line for line in gauges if line["value"] is not None]
        worst = max(known, key=lambda line: (line["value"] or 0.0, -_below(line)), default=None)
        figures.of_town.append(
            {**worst, "how": f"highest of {len(known)} of {len(gauges)} gauges; {ALARM.how}"}
            if worst
            else figure(ALARM, None, now_us=present.now_us, detail={"gauges": len(gauges)})
        )
    for stream in fleet.observing("water-depth"):
        _streets(figures, fleet, present, stream)


def _below(line: Figure) -> float:
    distance = (line["detail"] or {}).get("distance_to_next_m")
    return float("-inf") if distance is None else float(distance)


@dataclass(frozen=True, slots=True)
class _Past:
    quarters: History
    stream: Stream
    rows: NDArray[np.intp]  # of the stream's devices in the history
    coverage: NDArray[np.float64]  # of the last three whole hours


def _gauge(fleet: Fleet, present: Present, past: _Past, number: int, at: int, *, current: bool) -> list[Figure]:
    now_us, slot, row = present.now_us, past.stream.slot, past.rows[number]
    levels, times = past.quarters.last[row, :, slot], past.quarters.last_us[row, :, slot]
    time_us = int(present.time_us[at, slot])
    value = float(present.value[at, slot]) if current else None
    if current and time_us > (newest(times) or 0):
        levels, times = np.append(levels, present.value[at, slot]), np.append(times, time_us)
    there = ~np.isnan(levels)
    levels, times = levels[there], times[there]
    common: dict[str, Any] = {
        "now_us": now_us,
        "time_us": int(times[-1]) if len(times) else None,
        "coverage": float(past.coverage[number]),
        "flagged": int(past.quarters.flagged[row, :, slot].sum()),
    }
    reason = "no-reading" if not len(times) else "not-current"
    observed = figure(
        LEVEL, value, quality=int(present.quality[at, slot]), **{**common, "coverage": float(current)}, reason=reason
    )
    site = fleet.sites[fleet.devices[at].site]
    day = _day(now_us)
    station = flood.station_of(site.site_id, day)
    if station is None:
        return [figure(ALARM, None, reason="no-alarm-levels", **common), observed]
    rates = [flood.rise_m_per_h(times / 1e6, levels, span) if len(times) else None for span in _RISE_S]
    detail: dict[str, Any] = {
        "station": station.name,
        "river": station.river,
        "alarm_levels_m": station.levels,
        "source": station.source,
        "grade": station.grade,
        "hysteresis_m": flood.hysteresis_on(day),
        "rise_formula": flood.RATE_FORMULA,
        "rise_1h_m_per_h": rates[0],
        "rise_3h_m_per_h": rates[1],
    }
    if value is None:
        return [figure(ALARM, None, reason=reason, detail=detail, **common), observed]
    alarm = int(flood.alarm_levels(levels, station.levels, flood.hysteresis_on(day))[-1])
    ahead = [flood.outlook(value, alarm, station.levels, rate) for rate in rates]
    detail |= {
        "water_level_m": value,
        "next_level": ahead[0].next_level,
        "distance_to_next_m": ahead[0].distance_m,
        "hours_to_next_at_1h_rate": ahead[0].hours,
        "hours_to_next_at_3h_rate": ahead[1].hours,
    }
    words = flood.bulletin(value, station.levels)
    return [figure(ALARM, float(alarm), text=words, level=_LEVELS[alarm], detail=detail, **common), observed]


def _day(now_us: int) -> date:
    return datetime.fromtimestamp(now_us / 1e6, LOCAL_ZONE).date()


def _streets(figures: Figures, fleet: Fleet, present: Present, stream: Stream) -> None:
    for at, current in zip(stream.at.tolist(), present.current(stream).tolist(), strict=True):
        time_us, value = int(present.time_us[at, stream.slot]), float(present.value[at, stream.slot])
        known = newest(present.time_us[at : at + 1, stream.slot])
        depth = sites.street_level(max(0.0, value), _day(present.now_us)) if current else None
        figures.of_site[fleet.devices[at].site].append(
            figure(
                STREET,
                value if current else None,
                now_us=present.now_us,
                time_us=time_us if known is not None else None,
                coverage=float(current),
                quality=int(present.quality[at, stream.slot]),
                reason="not-current" if known is not None else "no-reading",
                text=depth.name.record() if depth else None,
                level=level(depth.id, depth.name.record(), depth.severity) if depth else None,
            )
        )
