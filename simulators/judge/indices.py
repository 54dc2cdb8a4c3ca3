"""What the API makes of observations, VN_AQI and faults of the lighting, against the plain computation."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from simulators.judge.air import HOUR_FULL, HOURS_BEFORE, PARTICLES, POLLUTANTS, of_day, of_hour
from simulators.judge.lamps import (
    BY_HAND,
    CABINET_FAULTS,
    LAMP_FAULTS,
    LOOK_BACK_S,
    RATED_DAYS,
    REPORTS,
    elevation_deg,
    judge_cabinet,
    judge_lamp,
    newest,
    rated_power,
    suppressed,
    wrong_faults,
)
from simulators.judge.store import time_of
from simulators.judge.told import of_day as figures_of_day
from simulators.judge.told import of_each_device, ranked
from simulators.judge.windows import LEFT_OUT_BITS, fold, start_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulators.judge.findings import Findings
    from simulators.judge.http import Api
    from simulators.judge.lamps import Reports, Verdict
    from simulators.judge.outcomes import Rows
    from simulators.judge.payloads import Registered
    from simulators.judge.store import Span
    from simulators.judge.told import Told
    from simulators.judge.windows import Windows

_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_HORIZON_DEG: Final = -0.833
_HOURLY: Final = ("vn-aqi-hour", "vn-aqi-hour-indicative")
_ASK_AGAIN_S: Final = 2.0

Wrongs = list[tuple[str, str]]
"""(kind of deviation, in words)."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Devices of a run with their observations."""

    devices: Mapping[str, Registered]
    rows: Callable[[str, Span], Rows]  # of a device in a span
    newest_received_us: int
    cached_s: float  # an answer may be this old; until then a deviation is asked for again

    def observing(self, observed_property: str) -> list[Registered]:
        """The devices that observe a property."""
        return [
            device
            for device in self.devices.values()
            if not device.retired
            and any(stream.observed_property == observed_property for stream in device.streams.values())
        ]


def check_air(api: Api, fleet: Fleet, span: Span, findings: Findings) -> int:
    """VN_AQI of the newest whole hour and of every local day of a span, of reference stations and of indicative ones.

    The stations are those that have an index by the plain computation, whether the API tells of them or not.

    Returns:
        How many indices were compared; where plainly there is none there must be none, and it is not counted.
    """
    stations = {each.device_id: each for name in PARTICLES for each in fleet.observing(name)}
    compared = 0
    for town in sorted({device.town_id for device in stations.values()}):
        mine = {name: device for name, device in stations.items() if device.town_id == town}
        compared += _until_right(partial(_hours, api, town, fleet, mine), fleet, findings)
        for start_s in range(span[0] + _DAY_S, min(span[1] - _DAY_S, int(time.time())), _DAY_S):
            compared += _until_right(partial(_days, api, town, fleet, mine, start_s), fleet, findings)
    return compared


def check_lighting(api: Api, fleet: Fleet, findings: Findings) -> int:
    """Faults of lamps and of cabinets now.

    Returns:
        How many devices were compared.
    """
    towns = sorted({device.town_id for device in fleet.observing("lamp-state")})
    return sum(_until_right(partial(_lighting, api, fleet, town), fleet, findings) for town in towns)


def _until_right(ask: Callable[[], tuple[int, float, Wrongs]], fleet: Fleet, findings: Findings) -> int:
    """Ask; where the answer deviates and may have been made before the newest data came, ask again."""
    surely_new_s = fleet.newest_received_us / 1e6 + fleet.cached_s
    while True:
        compared, generated_s, wrongs = ask()
        if not wrongs or generated_s >= surely_new_s or time.time() >= surely_new_s + fleet.cached_s:
            break
        time.sleep(_ASK_AGAIN_S)
    for kind, text in wrongs:
        findings.add(kind, text)
    return compared


def _hourly_means(device: Registered, windows: Windows, first_s: int, hours: int) -> dict[str, list[float | None]]:
    """Means of hours that are full enough, oldest first, of each pollutant."""
    name_of = {stream.observed_property: name for name, stream in reversed(list(device.streams.items()))}
    means: dict[str, list[float | None]] = {}
    for pollutant in POLLUTANTS:
        means[pollutant] = []
        for start_s in range(first_s, first_s + hours * _HOUR_S, _HOUR_S):
            name = name_of.get(pollutant, "")
            window = windows.get((name, _HOUR_S, start_s))
            full = window is not None and window.count * device.streams[name].interval_s >= HOUR_FULL * _HOUR_S
            means[pollutant].append(window.mean if full and window is not None else None)
    return means


def _hours(api: Api, town: str, fleet: Fleet, stations: Mapping[str, Registered]) -> tuple[int, float, Wrongs]:
    told: dict[str, Told] = {}
    made_s = []
    for by in _HOURLY:
        ranking = ranked(api, town, "environment", by)
        made_s.append(ranking.generated_s)
        told |= of_each_device(
            api, ranking, by, stations.values(), lambda figure: figure["detail"]["station"]["device"]
        )
    wrongs: Wrongs = []
    compared = 0
    for device_id, device in stations.items():
        mine = told.get(device_id)
        now_s = mine.generated_s if mine else min(made_s)
        end_s = int(now_s) // _HOUR_S * _HOUR_S
        windows = fold(fleet.rows(device_id, (end_s - 12 * _HOUR_S, int(now_s) + _DAY_S)), device)
        means = _hourly_means(device, windows, end_s - 12 * _HOUR_S, 12)
        index = of_hour({name: values[::-1] for name, values in means.items()})
        compared += index is not None
        value = mine.figure["value"] if mine else None
        if value != index:
            wrongs.append(("vn-aqi", f"{device_id}, hour to {end_s}: {value} instead of {index}"))
    return compared, min(made_s), wrongs


def _days(
    api: Api, town: str, fleet: Fleet, stations: Mapping[str, Registered], start_s: int
) -> tuple[int, float, Wrongs]:
    day = time_of(start_s + 7 * _HOUR_S).date()
    places = [device.place for device in stations.values()]
    figures, made_s = figures_of_day(api, town, day.isoformat(), places)
    told = {
        figure["detail"]["station"]["device"]: figure["value"]
        for figure in figures
        if figure["id"].startswith("vn-aqi-day")
    }
    wrongs: Wrongs = []
    compared = 0
    first_s = start_s - HOURS_BEFORE * _HOUR_S
    for device_id, device in stations.items():
        windows = fold(fleet.rows(device_id, (first_s, start_s + _DAY_S + _HOUR_S)), device)
        index = of_day(_hourly_means(device, windows, first_s, HOURS_BEFORE + 24))
        compared += index is not None
        if told.get(device_id) != index:
            wrongs.append(("vn-aqi", f"{device_id} on {day}: {told.get(device_id)} instead of {index}"))
    return compared, made_s, wrongs


def _lighting(api: Api, fleet: Fleet, town: str) -> tuple[int, float, Wrongs]:
    of_lamps = ranked(api, town, "lighting", "lamp-faults")
    lamps, cabinets = _plain_lighting(fleet, town, of_lamps.generated_s)
    told = {
        lamp["device"]: _with_silence(lamp)
        for figure in of_lamps.figures.values()
        for lamp in figure["detail"]["lamps"]
    }
    wrongs = _compare(lamps, told, LAMP_FAULTS)
    by = "cabinet-faults"
    boxes = [fleet.devices[name] for name in cabinets]
    ranking = ranked(api, town, "lighting", by)
    of_boxes = of_each_device(api, ranking, by, boxes, lambda figure: str(figure["detail"]["device"]))
    wrongs += _compare(
        cabinets, {name: _with_silence(each.figure["detail"]) for name, each in of_boxes.items()}, CABINET_FAULTS
    )
    return len(lamps) + len(cabinets), of_lamps.generated_s, wrongs


def _with_silence(told: Mapping[str, Any]) -> list[str]:
    """Faults that are told of a device; its silence, which is no fault and stands apart, among them."""
    silent = told["silent"] and "suppressed" not in told["faults"]
    return [*told["faults"], "communication"] if silent else list(told["faults"])


def _compare(verdicts: Mapping[str, Verdict], told: Mapping[str, Sequence[str]], judged: frozenset[str]) -> Wrongs:
    wrongs: Wrongs = []
    for device_id, verdict in verdicts.items():
        if device_id not in told:
            wrongs.append(("lamp-fault", f"{device_id}: nothing is told of it"))
        elif wrong := wrong_faults(verdict, told[device_id], judged):
            plain = ", ".join(sorted(verdict.faults)) or "none"
            wrongs.append(("lamp-fault", f"{device_id}: {', '.join(sorted(wrong))} differ; plainly {plain}"))
    return wrongs


def _plain_lighting(fleet: Fleet, town: str, now_s: float) -> tuple[dict[str, Verdict], dict[str, Verdict]]:
    """Verdicts on the lamps and on the cabinets of a town."""
    lamps = [device for device in fleet.observing("lamp-state") if device.town_id == town]
    cabinets = [device for device in fleet.observing("door-open") if device.town_id == town and device not in lamps]
    cabinets = [
        device for device in cabinets if any(s.observed_property == "circuit-state" for s in device.streams.values())
    ]
    reports_of = {device.device_id: _reports(fleet, device, now_s) for device in (*lamps, *cabinets)}
    verdicts: dict[str, Verdict] = {}
    behind: dict[str, list[str]] = defaultdict(list)
    for lamp in lamps:
        cabinet_id = lamp.fed_by_id or lamp.gateway_id or ""
        mode = newest(reports_of.get(cabinet_id, {}), "cabinet-mode")
        behind[cabinet_id].append(lamp.device_id)
        verdicts[lamp.device_id] = judge_lamp(
            reports_of[lamp.device_id],
            rated_w=_rated_power(fleet, lamp, now_s),
            now_s=now_s,
            place=lamp.place,
            interval_s=lamp.interval_s,
            by_hand=mode in BY_HAND,
        )
    of_cabinets: dict[str, Verdict] = {}
    for cabinet in cabinets:
        mine = behind[cabinet.device_id]
        of_cabinets[cabinet.device_id], out = judge_cabinet(
            reports_of[cabinet.device_id],
            [(verdicts[name], newest(reports_of[name], "commanded-light-level")) for name in mine],
            now_s=now_s,
            interval_s=cabinet.interval_s,
            night=elevation_deg(now_s, *cabinet.place) < _HORIZON_DEG,
        )
        for name in mine:
            if out or (verdicts[name].unfed and of_cabinets[cabinet.device_id].without_supply):
                suppressed(verdicts[name])
    return verdicts, of_cabinets


def _reports(fleet: Fleet, device: Registered, now_s: float) -> Reports:
    """The newest reports of a device, by observed property and by name."""
    rows = fleet.rows(device.device_id, (math.floor(now_s) - LOOK_BACK_S, math.ceil(now_s)))
    reports: Reports = {}
    for (name, time_us), row in rows.items():
        report = reports.setdefault(time_us / 1e6, {})
        if not row.quality & LEFT_OUT_BITS:
            report[name] = report[device.streams[name].observed_property] = row.value
    return dict(sorted(reports.items())[-REPORTS:])


def _rated_power(fleet: Fleet, lamp: Registered, now_s: float) -> float | None:
    if lamp.rated_power_w is not None:
        return lamp.rated_power_w
    today_s = start_of(int(now_s), _DAY_S)
    windows = fold(fleet.rows(lamp.device_id, (today_s - RATED_DAYS * _DAY_S, today_s)), lamp)
    name_of = {stream.observed_property: name for name, stream in lamp.streams.items()}
    days = []
    for start_s in range(today_s - RATED_DAYS * _DAY_S, today_s, _DAY_S):
        power = windows.get((name_of.get("active-power", ""), _DAY_S, start_s))
        level = windows.get((name_of.get("light-level", ""), _DAY_S, start_s))
        if power is not None and level is not None and power.values and level.values:
            days.append((max(power.values), max(level.values)))
    return rated_power(days)


def received_until(rows: Rows) -> int:
    """When the newest of some observations was received, Unix microseconds."""
    return max((row.received_us for row in rows.values()), default=0)
