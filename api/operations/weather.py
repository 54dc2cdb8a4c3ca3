"""Weather: rain of the last hours with its classes, mean wind and gusts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from api.operations.columns import newest, number
from api.operations.figures import FigureKind, both, figure, level
from api.windows import LOCAL_ZONE
from devices.environment import rain, wind
from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Fleet
    from api.operations.history import History
    from api.schemas import Figure

RAIN: Final = "rainfall"
WIND_PROPERTIES: Final = ("wind-speed", "wind-direction", "wind-gust")
RAIN_24H: Final = FigureKind(
    "rain-24h",
    Bilingual("Mưa 24 giờ", "Rain of 24 hours"),
    "mm",
    "index",
    rain.SUM_FORMULA,
    "rain observed in the last 24 hours, with the class of the met service; at least so much where coverage is below 1",
)
DIRECTION: Final = FigureKind(
    "wind-direction-mean",
    Bilingual("Hướng gió trung bình", "Mean wind direction"),
    "deg",
    "index",
    wind.DIRECTION_FORMULA,
    "direction of the mean vector of the last hour's directions",
)
GUST: Final = FigureKind(
    "wind-gust",
    Bilingual("Gió giật", "Gust"),
    "m/s",
    "index",
    wind.GUST_FORMULA,
    "highest gust of the last hour and the present one",
)
_SEVERITY: Final = {"heavy": 2, "very-heavy": 3}
_EXTREME: Final = 4


def add(figures: Figures, fleet: Fleet, now_us: int, quarters: History, hours: History) -> None:
    """Rain and wind of each station, and the most rain of the town.

    Args:
        figures: to add to.
        fleet: the devices.
        now_us: Unix microseconds.
        quarters: the last 24 hours and the present quarter of an hour.
        hours: whole hours and the present one.
    """
    lines: list[Figure] = []
    for stream in fleet.observing(RAIN):
        rows = quarters.rows(stream)
        count = quarters.count[rows, :, stream.slot]
        height = np.where(count > 0, np.nan_to_num(quarters.added["sum"][rows, :, stream.slot]), np.nan)
        # The present quarter stands beside the first, of which it takes the place: 24 hours, to some minutes.
        covered = quarters.coverage(stream)
        elapsed = max(1, (now_us // 1_000_000 - quarters.first_s) % 900 // stream.interval_s)
        covered[:, -1] = np.minimum(1.0, count[:, -1] / elapsed)
        sums, shares = rain.rain_sums(height, covered, 900)
        for row, at in enumerate(stream.at.tolist()):
            line = _rain(sums[row], shares[row], now_us, newest(quarters.last_us[rows[row], :, stream.slot]))
            lines.append(line)
            figures.of_site[fleet.devices[at].site].append(line)
    known = [line for line in lines if line["value"] is not None]
    if lines:
        most = max(known, key=lambda line: line["value"] or 0.0, default=None)
        figures.of_town.append(
            {**most, "how": f"most of {len(known)} of {len(lines)} gauges; {RAIN_24H.how}"}
            if most
            else figure(RAIN_24H, None, now_us=now_us, detail={"gauges": len(lines)})
        )
    _add_wind(figures, fleet, now_us, hours)


def _rain(sums: NDArray[np.float64], shares: NDArray[np.float64], now_us: int, time_us: int | None) -> Figure:
    total = number(sums[-1])
    table = rain.rain_table(datetime.fromtimestamp(now_us / 1e6, LOCAL_ZONE).date())
    of_12h, of_24h = (
        rain.rain_class(float(sums[3]), 12, table),
        rain.rain_class(float(sums[4]), 24, table),
    )
    warned = bool(sums[1] > table.warning_3h_mm)
    severity = _EXTREME if warned else _SEVERITY.get(of_24h.id if of_24h else "", 0)
    return figure(
        RAIN_24H,
        total,
        now_us=now_us,
        time_us=time_us,
        coverage=float(shares[-1]),
        text=of_24h.name.record() if of_24h else None,
        level=level(of_24h.id, of_24h.name.record(), severity) if of_24h else None,
        detail={
            "sums_mm": {f"{span}h": number(value) for span, value in zip(rain.SPANS_H, sums, strict=True)},
            "coverage": {f"{span}h": float(value) for span, value in zip(rain.SPANS_H, shares, strict=True)},
            "class_12h": both(of_12h.name.record()) if of_12h else None,
            "class_24h": both(of_24h.name.record()) if of_24h else None,
            "class_formula": rain.CLASS_FORMULA,
            "above_warning_3h": warned,
        },
    )


def _add_wind(figures: Figures, fleet: Fleet, now_us: int, hours: History) -> None:
    speeds = {stream.profile: stream for stream in fleet.observing("wind-speed")}
    for stream in fleet.observing("wind-direction"):
        rows = hours.rows(stream)
        count = hours.count[rows, -2:, stream.slot].sum(axis=1)
        east, north = (
            np.nan_to_num(hours.added[name][rows, -2:, stream.slot]).sum(axis=1) for name in ("east", "north")
        )
        degrees, steady = wind.direction_of(east, north, count), wind.resultant_length(east, north, count)
        share = hours.coverage(stream)
        speed = speeds.get(stream.profile)
        means = hours.mean(speed)[:, -2:] if speed is not None else None
        for row, at in enumerate(stream.at.tolist()):
            there = not np.isnan(degrees[row])
            same = means is not None and len(means) == len(rows)
            pace = means[row][~np.isnan(means[row])] if means is not None and same else np.zeros(0)
            figures.of_site[fleet.devices[at].site].append(
                figure(
                    DIRECTION,
                    float(degrees[row]),
                    now_us=now_us,
                    time_us=newest(hours.last_us[rows[row], -2:, stream.slot]),
                    coverage=float(share[row, -2]),
                    flagged=int(hours.flagged[rows[row], -2:, stream.slot].sum()),
                    reason="opposite-directions" if count[row] else "no-reading",
                    text=wind.compass_name(float(degrees[row])) if there else None,
                    detail={
                        "mean_speed_m_per_s": float(pace[-1]) if len(pace) else None,
                        "resultant_length": number(steady[row]),
                        "resultant_formula": wind.RESULTANT_FORMULA,
                    },
                )
            )
    for stream in fleet.observing("wind-gust"):
        rows = hours.rows(stream)
        share = hours.coverage(stream)
        gusts, _ = wind.highest_gust(hours.max[rows, -2:, stream.slot])
        for row, at in enumerate(stream.at.tolist()):
            figures.of_site[fleet.devices[at].site].append(
                figure(
                    GUST,
                    float(gusts[row]),
                    now_us=now_us,
                    time_us=newest(hours.last_us[rows[row], -2:, stream.slot]),
                    coverage=float(share[row, -2]),
                )
            )
