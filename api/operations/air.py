"""Air: VN_AQI of each station, and its means against the limits of the regulations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.columns import newest
from api.operations.figures import FigureKind, both, figure, level
from api.windows import LOCAL_ZONE
from devices.environment import limits, vn_aqi
from devices.environment.averaging import averaging_on
from devices.models import Bilingual
from devices.profiles import load_catalogue

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Fleet, Stream
    from api.operations.history import History
    from api.schemas import Figure, Level

PROPERTIES: Final = vn_aqi.POLLUTANTS
HOUR: Final = FigureKind(
    "vn-aqi-hour",
    Bilingual("VN_AQI giờ", "VN_AQI of the hour"),
    "1",
    "index",
    vn_aqi.HOUR_FORMULA,
    "VN_AQI (QĐ 1459/QĐ-TCMT): highest sub-index of the newest whole hour, NowCast over 12 h for PM",
)
HOUR_INDICATIVE: Final = FigureKind(
    "vn-aqi-hour-indicative",
    Bilingual("VN_AQI giờ (tham khảo)", "VN_AQI of the hour (indicative)"),
    "1",
    "index",
    vn_aqi.HOUR_FORMULA,
    "as VN_AQI of the hour, of a low-cost sensor: for work and research, never to be published as an AQI (TT 10/2021)",
)
DAY: Final = FigureKind(
    "vn-aqi-day",
    Bilingual("VN_AQI ngày", "VN_AQI of the day"),
    "1",
    "index",
    vn_aqi.DAY_FORMULA,
    "VN_AQI (QĐ 1459/QĐ-TCMT) of the local day: PM 24-h mean, gases highest hour, O3 highest hour and 8-h mean",
)
DAY_INDICATIVE: Final = FigureKind(
    "vn-aqi-day-indicative",
    Bilingual("VN_AQI ngày (tham khảo)", "VN_AQI of the day (indicative)"),
    "1",
    "index",
    vn_aqi.DAY_FORMULA,
    "as VN_AQI of the day, of a low-cost sensor: never to be published as an AQI (TT 10/2021)",
)
LIMITS: Final = FigureKind(
    "air-limits",
    Bilingual("So với QCVN không khí", "Air against its limits"),
    "%",
    "index",
    limits.FORMULA,
    "highest of the newest means in percent of the limit for their own averaging period (QCVN 05:2023/BTNMT)",
)
_SEVERITY: Final = {"good": 0, "moderate": 0, "poor": 1, "bad": 2, "very-bad": 3, "hazardous": 4}
_KEPT: Final = level("kept", Bilingual("Trong giới hạn", "Within limits"), 0)
_EXCEEDED: Final = level("exceeded", Bilingual("Vượt giới hạn", "Above a limit"), 2)


def aqi_level(index: float) -> Level:
    """The category of an index."""
    category = vn_aqi.category_of(index)
    return level(category.id, category.name.record(), _SEVERITY[category.id], category.colour)


def station_columns(
    fleet: Fleet, hours: History, columns: slice
) -> list[tuple[bool, NDArray[np.intp], dict[str, NDArray[np.float64]], dict[str, Stream]]]:
    """Of each profile that has particles: whether indicative, its devices, and hourly means of each pollutant."""
    least = vn_aqi.load_vn_aqi().policy.hour_coverage_min
    found = []
    catalogue = load_catalogue()
    by_profile: dict[str, dict[str, Stream]] = {}
    for stream in fleet.observing(*PROPERTIES):
        by_profile.setdefault(stream.profile, {}).setdefault(stream.property_id, stream)
    for profile, streams in by_profile.items():
        if not set(streams) & set(vn_aqi.PARTICLES):
            continue
        at = next(iter(streams.values())).at
        shape = (len(at), len(range(*columns.indices(hours.count.shape[1]))))
        means = {
            name: hours.full(streams[name], least)[:, columns]
            if name in streams and len(streams[name].at) == len(at)
            else np.full(shape, np.nan)
            for name in PROPERTIES
        }
        known = catalogue.get(profile)
        found.append((bool(known and known.indicative), at, means, streams))
    return found


def aqi_figure(
    kinds: tuple[FigureKind, FigureKind],
    made: vn_aqi.Aqi,
    row: int,
    *,
    indicative: bool,
    now_us: int,
    time_us: int | None,
    coverage: float,
    flagged: int,
    station: dict[str, Any],
    reason: str = "no-particle",
) -> Figure:
    """VN_AQI of one station with all that has to be told with it (table 3 of the decision)."""
    index = float(made.index[row])
    known = not np.isnan(index)
    category = vn_aqi.category_of(index) if known else None
    subs = {
        name: {
            "sub_index": None if np.isnan(sub) else float(sub),
            "concentration": None if np.isnan(amount) else float(amount),
        }
        for name, sub, amount in zip(made.names, made.sub_index[row], made.concentration[row], strict=True)
    }
    return figure(
        kinds[indicative],
        index,
        now_us=now_us,
        time_us=time_us,
        coverage=coverage,
        flagged=flagged,
        reason=reason,
        text=category.name.record() if category else None,
        level=aqi_level(index) if known else None,
        indicative=indicative,
        detail={
            "published": not indicative and known,
            "dominant": made.names[made.dominant[row]] if known else None,
            "pollutants": subs,
            "concentration_unit": "ug/m3",
            "effect": both(category.effect.record()) if category else None,
            "advice": both(category.advice.record()) if category else None,
            "advice_sensitive": both(category.advice_sensitive.record()) if category else None,
            "method": vn_aqi.load_vn_aqi().source,
            "station": station,
        },
    )


def station_of(fleet: Fleet, at: int) -> dict[str, Any]:
    """Who measured, for publication."""
    device = fleet.devices[at]
    site = fleet.sites[device.site]
    return {"device": device.device_id, "name": site.name, "latitude": site.latitude, "longitude": site.longitude}


def add(figures: Figures, fleet: Fleet, now_us: int, hours: History) -> None:
    """VN_AQI of the newest whole hour and the means against limits, of each station and of the town.

    Args:
        figures: to add to.
        fleet: the devices.
        now_us: Unix microseconds.
        hours: 24 whole hours and the present one.
    """
    stations: list[Figure] = []
    day = datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(LOCAL_ZONE).date()
    whole = slice(0, hours.count.shape[1] - 1)
    for indicative, at, means, streams in station_columns(fleet, hours, whole):
        made = vn_aqi.hourly({name: values[:, ::-1][:, : vn_aqi.NOWCAST_HOURS] for name, values in means.items()})
        of_particles = [streams[name] for name in vn_aqi.PARTICLES if name in streams]
        share = np.max([hours.coverage(stream)[:, whole][:, -12:].mean(axis=1) for stream in of_particles], axis=0)
        covered = {name: hours.coverage(stream)[:, whole][:, -24:].mean(axis=1) for name, stream in streams.items()}
        for row, device in enumerate(at.tolist()):
            mine = np.searchsorted(hours.at, device)
            line = aqi_figure(
                (HOUR, HOUR_INDICATIVE),
                made,
                row,
                indicative=indicative,
                now_us=now_us,
                time_us=newest(hours.last_us[mine, whole, of_particles[0].slot]),
                coverage=float(share[row]),
                flagged=int(hours.flagged[mine, whole, [stream.slot for stream in of_particles]].sum()),
                station=station_of(fleet, device),
            )
            figures.of_site[fleet.devices[device].site].append(line)
            if not indicative:
                stations.append(line)
            of_device = {name: values[row] for name, values in means.items() if name in streams}
            of_slots = [streams[name].slot for name in of_device]
            against = _limits_figure(of_device, day, indicative)
            figures.of_site[fleet.devices[device].site].append(
                figure(
                    LIMITS,
                    now_us=now_us,
                    time_us=newest(hours.last_us[mine, whole][:, of_slots]),
                    coverage=max(float(covered[name][row]) for name in of_device),
                    flagged=int(hours.flagged[mine, whole][-24:, of_slots].sum()),
                    **against,
                )
            )
    known = [line for line in stations if line["value"] is not None]
    worst = max(known, key=lambda line: line["value"] or 0.0, default=None)
    figures.of_town.append(
        {**worst, "how": f"highest of {len(known)} of {len(stations)} reference stations; {HOUR.how}"}
        if worst
        else figure(
            HOUR,
            None,
            now_us=now_us,
            reason="no-particle" if stations else "no-reading",
            detail={"stations": len(stations)},
        )
    )


def _limits_figure(means: dict[str, NDArray[np.float64]], day: date, indicative: bool) -> dict[str, Any]:
    """The newest means against their limits: of the last hour, the last eight and the last 24."""
    policy = averaging_on(day).air
    spans: dict[limits.Period, tuple[int, int]] = {
        "PT1H": (1, 1),
        "PT8H": (8, policy.hours_of_eight_min),
        "P1D": (24, policy.hours_of_day_min),
    }
    lines = [
        line
        for name, values in means.items()
        for period, (span, least) in spans.items()
        if (line := limit_line(name, period, day, float(vn_aqi.mean_of(values[-span:], least)))) is not None
    ]
    return against_limits(lines, indicative)


def limit_line(name: str, period: limits.Period, day: date, mean: float) -> dict[str, Any] | None:
    """A mean beside the limit of its averaging period; None where there is no mean or no limit.

    Args:
        name: observed property.
        period: over which the mean is taken.
        day: local day, whose limits are in force.
        mean: NaN: none.
    """
    limit = limits.limit_for(name, period, day)
    if limit is None or np.isnan(mean):
        return None
    return {
        "property": name,
        "period": period,
        "mean": mean,
        "limit": limit.limit,
        "unit": limit.unit,
        "percent": float(limits.share_of_limit(np.array(mean), limit)),
        "exceeded": bool(limits.exceeds(np.array(mean), limit)),
        "regulation": limit.regulation,
        "grade": limit.grade,
    }


def against_limits(lines: list[dict[str, Any]], indicative: bool, reason: str = "no-full-period") -> dict[str, Any]:
    """What a figure of the worst of some means says.

    Args:
        lines: of `limit_line`.
        indicative: of a low-cost sensor.
        reason: why there is none, where there is none.
    """
    above = any(line["exceeded"] for line in lines)
    return {
        "value": max((line["percent"] for line in lines), default=None),
        "reason": reason,
        "level": _EXCEEDED if above else _KEPT,
        "indicative": indicative,
        "detail": {"limits": sorted(lines, key=lambda line: -line["percent"])},
    }
