"""Lighting of a town now: lamps as commanded, reported and measured; faults of lamps and of cabinets; energy gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations import observed
from api.operations.board import Figures
from api.operations.figures import FigureKind, figure, level
from api.operations.history import newest_reports, read_recent, read_slots
from api.operations.summary import day_span
from api.windows import LOCAL_ZONE
from devices.figures import MISSING_TEXTS, UNKNOWN, Missing
from devices.lighting import cabinets, energy, faults, lamps, rules, sun
from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.database import Database
    from api.operations.fleet import Fleet, Stream
    from api.operations.history import Recent, SlotWindows
    from api.operations.present import Present
    from api.schemas import Figure
    from devices.lighting.rules import LightingRules

COMMANDED, LEVEL, POWER, ENERGY = "commanded-light-level", "light-level", "active-power", "active-energy"
LAMP_PROPERTY: Final = "lamp-state"
RECENT_S: Final = 2_700
"""So long a look back: six reports of a lamp in five minutes, and the half hour in which cycling is told."""
RATED_DAYS: Final = 7
_REPORTS: Final = 10

LAMP: Final = FigureKind(
    "lamp-faults",
    Bilingual("Tình trạng đèn", "State of the lamps"),
    "1",
    "index",
    faults.FORMULA,
    "number of lamps of the site with a fault by rule; those dark because of their cabinet count as its fault",
)
STATE: Final = FigureKind(
    "lamp-state",
    Bilingual("Trạng thái đèn", "Lamp state"),
    "1",
    "index",
    lamps.STATE_FORMULA,
    "lamps of the site that burn: by their power, where the rated power is known, else as they report",
)
CABINET: Final = FigureKind(
    "cabinet-faults",
    Bilingual("Tình trạng tủ", "State of the cabinet"),
    "1",
    "index",
    cabinets.FORMULA,
    "number of faults of the cabinet by rule",
)
GAP: Final = FigureKind(
    "energy-gap",
    Bilingual("Chênh lệch điện năng", "Energy not found at the lamps"),
    "%",
    "index",
    energy.GAP_FORMULA,
    "what the meter counted on the last whole local day and no lamp behind it drew, percent of the meter",
)
LIT: Final = FigureKind(
    "lamps-lit",
    Bilingual("Đèn đang sáng", "Lamps lit"),
    "1",
    "index",
    lamps.STATE_FORMULA,
    "lamps of the town that burn now",
)
FAULTY: Final = FigureKind(
    "lamps-faulty",
    Bilingual("Đèn có lỗi", "Lamps with a fault"),
    "1",
    "index",
    faults.FORMULA,
    "lamps of the town with a fault by rule, one for each lamp; silent ones and those of a cabinet that is out apart",
)
CABINETS_FAULTY: Final = FigureKind(
    "cabinets-faulty",
    Bilingual("Tủ có lỗi", "Cabinets with a fault"),
    "1",
    "index",
    cabinets.FORMULA,
    "cabinets of the town with a fault by rule",
)
RANKED_BY: Final = (LAMP.figure_id, CABINET.figure_id, GAP.figure_id)
_LAMP_SEVERITY: Final = {
    faults.LAMP_FAILURE: 2,
    faults.DAY_BURNING: 1,
    faults.CYCLING: 1,
    faults.POWER_DRIFT: 1,
    faults.LOW_POWER_FACTOR: 1,
    faults.SUPPLY_VOLTAGE: 2,
    faults.COMMUNICATION: 1,
    faults.SUPPRESSED: 0,
}
_SOUND: Final = Bilingual("Bình thường", "Sound")
_CABINET_SEVERE: Final = cabinets.GROUP_DARK | cabinets.SUPPLY_LOST | cabinets.NOT_SWITCHED_ON
_CABINET_ALARMS: Final = cabinets.PHASE_LOSS | cabinets.LEAKAGE | cabinets.DOOR_OPEN | cabinets.SUPPLY_VOLTAGE


@dataclass(frozen=True, slots=True)
class Inputs:
    """What of the past is needed."""

    recent: Recent
    days: SlotWindows  # highest power and level of whole days
    metered: SlotWindows  # increases of the last whole day
    hours: SlotWindows  # mean power and level of 24 hours
    day_s: int  # start of the last whole local day
    hour_s: int  # start of the present hour


async def read_inputs(database: Database, fleet: Fleet, now_us: int) -> Inputs:
    """Read the newest reports and windows of the last days."""
    now_s = now_us // 1_000_000
    now = datetime.fromtimestamp(now_s, UTC)
    today, _ = day_span(now.astimezone(LOCAL_ZONE).date())
    hour = datetime.fromtimestamp(now_s // 3600 * 3600, UTC)
    of_lamps = _of_lamps(fleet)
    light = [stream for stream in fleet.observing(LEVEL, POWER) if stream.profile in of_lamps]
    return Inputs(
        await read_recent(database, fleet, fleet.keys.tolist(), first_s=now_s - RECENT_S, last_s=now_s),
        await read_slots(database, fleet, light, length_s=86_400, first=today - timedelta(days=RATED_DAYS), last=today),
        await read_slots(
            database,
            fleet,
            fleet.observing(ENERGY),
            length_s=86_400,
            first=today - timedelta(days=1),
            last=today,
        ),
        await read_slots(database, fleet, light, length_s=3600, first=hour - timedelta(hours=24), last=hour),
        int((today - timedelta(days=1)).timestamp()),
        int(hour.timestamp()),
    )


def _of_lamps(fleet: Fleet) -> set[str]:
    return {stream.profile for stream in fleet.observing(LAMP_PROPERTY)}


class Slots:
    """Where the values of lamps, or of cabinets, stand: a profile's slot for each property."""

    def __init__(self, fleet: Fleet, at: NDArray[np.intp]) -> None:
        self._fleet, self.at = fleet, at
        self._profile = np.array([fleet.devices[device].profile for device in at.tolist()])

    def of(self, values: NDArray[np.float64], property_id: str, name: str | None = None) -> NDArray[np.float64]:
        """One property out of (devices, k, slots): (devices, k), NaN where a profile does not have it."""
        found = np.full(values.shape[:2], np.nan)
        for stream in self._fleet.observing(property_id):
            if name is None or stream.name == name:
                mine = (self._profile == stream.profile) & np.isin(self.at, stream.at)
                found[mine] = values[mine, :, stream.slot]
        return found


@dataclass(frozen=True, slots=True)
class Lamps:
    """The lamps of a town as they are judged."""

    at: NDArray[np.intp]  # positions in the fleet, ascending; n of them
    cabinet: NDArray[np.intp]  # place in the cabinets of each, -1: none
    reports: lamps.Reports
    rated_w: NDArray[np.float64]
    states: lamps.LampStates
    found: faults.LampFaults
    bits: NDArray[np.uint16]  # with those suppressed whose cabinet is out


def lighting_figures(fleet: Fleet, present: Present, inputs: Inputs) -> Figures:
    """Every figure of the domain; pure.

    Args:
        fleet: the devices.
        present: what they said last.
        inputs: of `read_inputs`.
    """
    figures = Figures()
    now_us = present.now_us
    ruling = rules.rules_of(datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(LOCAL_ZONE).date())
    of_lamps = _of_lamps(fleet)
    lamp_at = np.flatnonzero([device.profile in of_lamps for device in fleet.devices])
    with_door = {stream.profile for stream in fleet.observing("door-open", "circuit-state")}
    cabinet_at = np.flatnonzero([device.profile in with_door for device in fleet.devices])
    place_of = {device: place for place, device in enumerate(cabinet_at.tolist())}
    cabinet = np.array([place_of.get(fleet.devices[at].gateway, -1) for at in lamp_at.tolist()], np.intp)
    gap = energy_gaps(fleet, inputs, lamp_at, cabinet, cabinet_at, ruling)
    boxes, box_times = _cabinets(fleet, inputs.recent, cabinet_at)
    judged = _judge(fleet, inputs, lamp_at, cabinet, boxes, now_us, ruling)
    now_s = now_us / 1e6
    night = sun.is_night(np.full(len(cabinet_at), now_s), *_places(fleet, cabinet_at))
    of_boxes = cabinets.cabinet_faults(
        boxes,
        judged.found,
        cabinet,
        lamps.newest(judged.reports.commanded),
        night=night,
        now_s=now_s,
        gap_percent=gap.value,
        rules=ruling,
    )
    bits = faults.suppress(judged.found.bits, cabinet, of_boxes.out, judged.found.unfed, of_boxes.without_supply)
    _add_lamps(figures, fleet, judged, bits, now_us)
    _add_cabinets(figures, fleet, cabinet_at, of_boxes, box_times, gap, now_us)
    observed.add_lighting(figures, fleet, present)
    return figures


def _places(fleet: Fleet, at: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sites = [fleet.sites[fleet.devices[device].site] for device in at.tolist()]
    return np.array([site.latitude for site in sites]), np.array([site.longitude for site in sites])


def _intervals(fleet: Fleet, at: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.array([float(fleet.devices[device].interval_s) for device in at.tolist()])


def _cabinets(fleet: Fleet, recent: Recent, at: NDArray[np.intp]) -> tuple[cabinets.Cabinets, NDArray[np.float64]]:
    times, values = newest_reports(recent, at, _REPORTS)
    slots = Slots(fleet, at)

    def phases(property_id: str, name: str) -> NDArray[np.float64]:
        return np.stack(
            [lamps.newest(slots.of(values, property_id, f"{name}-l{phase}")) for phase in (1, 2, 3)], axis=-1
        )

    newest = lamps.newest(times)
    return (
        cabinets.Cabinets(
            time_s=newest,
            interval_s=_intervals(fleet, at),
            voltage_v=phases("voltage", "voltage"),
            current_a=phases("current", "current"),
            leakage_ma=lamps.newest(slots.of(values, "leakage-current")),
            door=lamps.newest(slots.of(values, "door-open")),
            circuit=lamps.newest(slots.of(values, "circuit-state")),
            mode=lamps.newest(slots.of(values, "cabinet-mode")),
        ),
        newest,
    )


def _judge(
    fleet: Fleet,
    inputs: Inputs,
    at: NDArray[np.intp],
    cabinet: NDArray[np.intp],
    boxes: cabinets.Cabinets,
    now_us: int,
    ruling: LightingRules,
) -> Lamps:
    times, values = newest_reports(inputs.recent, at, _REPORTS)
    slots = Slots(fleet, at)
    reports = lamps.Reports(
        time_s=times,
        commanded=slots.of(values, COMMANDED),
        level=slots.of(values, LEVEL),
        power_w=slots.of(values, POWER),
        state=slots.of(values, LAMP_PROPERTY),
        failure=slots.of(values, "lamp-failure"),
        power_factor=slots.of(values, "power-factor"),
        voltage_v=slots.of(values, "voltage"),
    )
    rated = rated_powers(fleet, inputs, at, ruling)
    power, light = (
        _grid(fleet, inputs.hours, property_id, "sum", inputs.hour_s - 86_400, 3600, 24, at)
        / _grid(fleet, inputs.hours, property_id, "count", inputs.hour_s - 86_400, 3600, 24, at)
        for property_id in (POWER, LEVEL)
    )
    latitude, longitude = _places(fleet, at)
    mode = np.where(cabinet >= 0, boxes.mode[cabinet] if len(boxes.mode) else np.nan, np.nan)
    found = faults.lamp_faults(
        reports,
        rated_w=rated,
        now_s=now_us / 1e6,
        latitude_deg=latitude,
        longitude_deg=longitude,
        interval_s=_intervals(fleet, at),
        cabinet_mode=mode,
        drift_ratio=faults.drift_ratio(power, light, rated, ruling.lamp),
        rule=ruling.lamp,
    )
    return Lamps(at, cabinet, reports, rated, lamps.lamp_states(reports, rated, ruling.lamp), found, found.bits)


def _grid(
    fleet: Fleet,
    windows: SlotWindows,
    property_id: str,
    name: str,
    first_s: int,
    step_s: int,
    steps: int,
    at: NDArray[np.intp],
) -> NDArray[np.float64]:
    """A column of a property, whatever profile it comes from."""
    grid = np.full((len(at), steps), np.nan)
    for stream in single_streams(fleet, property_id):
        part = windows.grid(stream, name, first_s, step_s, steps, at)
        grid = np.where(np.isnan(grid), part, grid)
    return grid


def single_streams(fleet: Fleet, property_id: str) -> list[Stream]:
    """Of each profile the stream that stands for the whole device: not that of a phase."""
    return [stream for stream in fleet.observing(property_id) if not stream.name.endswith(("-l1", "-l2", "-l3"))]


def rated_powers(fleet: Fleet, inputs: Inputs, at: NDArray[np.intp], ruling: LightingRules) -> NDArray[np.float64]:
    """Power at full level of each lamp out of the highest of whole days, W; NaN: not known."""
    first_s = inputs.day_s - (RATED_DAYS - 1) * 86_400
    highest, light = (
        _grid(fleet, inputs.days, property_id, "max", first_s, 86_400, RATED_DAYS, at) for property_id in (POWER, LEVEL)
    )
    return lamps.rated_power(highest, light, ruling.rated).value


def energy_gaps(
    fleet: Fleet,
    inputs: Inputs,
    lamp_at: NDArray[np.intp],
    cabinet: NDArray[np.intp],
    cabinet_at: NDArray[np.intp],
    ruling: LightingRules,
) -> Any:
    """What each cabinet's meter counted on the last whole day and no lamp drew."""
    drawn = _grid(fleet, inputs.metered, ENERGY, "increase", inputs.day_s, 86_400, 1, lamp_at)[:, 0]
    metered = _grid(fleet, inputs.metered, ENERGY, "increase", inputs.day_s, 86_400, 1, cabinet_at)[:, 0]
    total = energy.lamp_energy(drawn, cabinet, len(cabinet_at), ruling.cabinet.silent_lamps_max_share)
    return energy.energy_gap(metered, total.total.value)


def _add_lamps(figures: Figures, fleet: Fleet, judged: Lamps, bits: NDArray[np.uint16], now_us: int) -> None:
    states = judged.states
    burning = np.where(states.measured != UNKNOWN, states.measured, states.reported)
    newest_s = lamps.newest(judged.reports.time_s)
    by_site: dict[int, list[int]] = {}
    for row, device in enumerate(judged.at.tolist()):
        by_site.setdefault(fleet.devices[device].site, []).append(row)
    plain = _Plain(
        [fleet.devices[device].device_id for device in judged.at.tolist()],
        bits.tolist(),
        newest_s.tolist(),
        judged.found.judged.tolist(),
        judged.rated_w.tolist(),
        burning.tolist(),
        states.commanded.tolist(),
        states.reported.tolist(),
        states.measured.tolist(),
        states.disagrees.tolist(),
    )
    for site, rows in by_site.items():
        figures.of_site[site] += [_lamp_line(plain, rows, now_us), _state_line(plain, rows, now_us)]
    known = burning != UNKNOWN
    time_us = int(np.nanmax(newest_s) * 1e6) if (~np.isnan(newest_s)).any() else None
    share = float(known.mean()) if len(known) else None
    figures.of_town += [
        figure(
            LIT,
            float(((burning > 0) & known).sum()) if known.any() else None,
            now_us=now_us,
            time_us=time_us,
            coverage=share,
            detail={"lamps": len(known), "known": int(known.sum())},
        ),
        faulty_lamps(bits, judged.found.judged, now_us, time_us),
    ]


def faulty_lamps(
    bits: NDArray[np.uint16], judged: NDArray[np.bool_], now_us: int, time_us: int | None = None
) -> Figure:
    """How many lamps of a town have a fault; silent ones are told apart, for stale is not failed.

    Args:
        bits: of `faults.FAULTS` of each lamp, those of a dead cabinet suppressed; shape (n,).
        judged: False: the lamp is silent; shape (n,).
        now_us: Unix microseconds.
        time_us: of the newest report.
    """
    real = bits & ~np.uint16(faults.SUPPRESSED | faults.COMMUNICATION)
    by_fault = {name: int(((bits >> bit) & 1).sum()) for bit, name in enumerate(faults.FAULTS)}
    silent = by_fault.pop("communication")
    detail = {"lamps": len(bits), "judged": int(judged.sum()), "silent": silent, "by_fault": by_fault}
    if not judged.any():
        reason = "not-current" if len(bits) else "no-reading"
        coverage = 0.0 if len(bits) else None
        return figure(FAULTY, None, now_us=now_us, time_us=time_us, reason=reason, coverage=coverage, detail=detail)
    all_bits = int(np.bitwise_or.reduce(real))
    severity = max((severity for bit, severity in _LAMP_SEVERITY.items() if all_bits & bit), default=0)
    return figure(
        FAULTY,
        float((real != 0).sum()),
        now_us=now_us,
        time_us=time_us,
        coverage=float(judged.mean()),
        level=level("faults", Bilingual("Có đèn lỗi", "Faulty lamps"), severity)
        if all_bits
        else level("none", Bilingual("Không có đèn lỗi", "No faulty lamp"), 0),
        detail=detail,
    )


@dataclass(frozen=True, slots=True)
class _Plain:
    """Lamps as plain lists: thousands of single elements are taken out of these many times faster than of arrays."""

    device: list[str]
    bits: list[int]
    newest_s: list[float]  # NaN: silent
    judged: list[bool]
    rated_w: list[float]  # NaN: not known
    burning: list[int]  # the next three, too: places in `lamps.STATES` or UNKNOWN
    commanded: list[int]
    reported: list[int]
    measured: list[int]
    disagrees: list[bool]


def _lamp_line(plain: _Plain, rows: list[int], now_us: int) -> Figure:
    all_bits = 0
    for row in rows:
        all_bits |= plain.bits[row]
    found = [bit for bit in range(len(faults.FAULTS)) if all_bits >> bit & 1]
    names = [faults.FAULT_NAMES[bit] for bit in found]
    words = Bilingual(", ".join(name.vi for name in names), ", ".join(name.en for name in names)) if names else None
    heard = [plain.newest_s[row] for row in rows if not isnan(plain.newest_s[row])]
    severity = max((_LAMP_SEVERITY[1 << bit] for bit in found), default=0)
    return figure(
        LAMP,
        float(sum(plain.bits[row] & ~faults.SUPPRESSED != 0 for row in rows)) if heard else None,
        now_us=now_us,
        time_us=int(max(heard) * 1e6) if heard else None,
        coverage=sum(plain.judged[row] for row in rows) / len(rows),
        text=words,
        level=level(faults.FAULTS[found[0]] if found else "none", words or _SOUND, severity),
        detail={
            "lamps": [
                {
                    "device": plain.device[row],
                    "faults": [faults.FAULTS[bit] for bit in found if plain.bits[row] >> bit & 1],
                    "rated_w": None if isnan(plain.rated_w[row]) else plain.rated_w[row],
                }
                for row in rows
            ]
        },
    )


def _word(place: int) -> str | None:
    return None if place == UNKNOWN else lamps.STATES[place]


def _state_line(plain: _Plain, rows: list[int], now_us: int) -> Figure:
    known = [row for row in rows if plain.burning[row] != UNKNOWN]
    single = plain.burning[known[0]] if len(rows) == 1 and known else None
    return figure(
        STATE,
        float(sum(plain.burning[row] > 0 for row in known)) if known else None,
        now_us=now_us,
        time_us=int(max(plain.newest_s[row] for row in known) * 1e6) if known else None,
        text=lamps.STATE_NAMES[single] if single is not None else None,
        detail={
            "lamps": [
                {
                    "device": plain.device[row],
                    "commanded": _word(plain.commanded[row]),
                    "reported": _word(plain.reported[row]),
                    "measured": _word(plain.measured[row]),
                    "disagrees": plain.disagrees[row],
                }
                for row in rows
            ]
        },
    )


def _add_cabinets(
    figures: Figures,
    fleet: Fleet,
    at: NDArray[np.intp],
    found: cabinets.CabinetFaults,
    newest_s: NDArray[np.float64],
    gap: Any,
    now_us: int,
) -> None:
    if not len(at):
        return
    for row, device in enumerate(at.tolist()):
        bits = int(found.bits[row])
        faulty = [bit for bit in range(len(cabinets.CABINET_FAULTS)) if bits >> bit & 1]
        names = [cabinets.CABINET_FAULT_NAMES[bit] for bit in faulty]
        words = Bilingual(", ".join(name.vi for name in names), ", ".join(name.en for name in names)) if names else None
        severity = 3 if bits & _CABINET_SEVERE else 2 if bits & _CABINET_ALARMS else 1 if bits else 0
        heard = not np.isnan(newest_s[row])
        value, reason = gap.at(row)
        figures.of_site[fleet.devices[device].site] += [
            figure(
                CABINET,
                float(len(faulty)) if heard or found.bits[row] & cabinets.GROUP_DARK else None,
                now_us=now_us,
                time_us=int(newest_s[row] * 1e6) if heard else None,
                text=words,
                level=level(
                    cabinets.CABINET_FAULTS[faulty[0]] if faulty else "none",
                    words or Bilingual("Bình thường", "Sound"),
                    severity,
                ),
                detail={
                    "device": fleet.devices[device].device_id,
                    "faults": [cabinets.CABINET_FAULTS[bit] for bit in faulty],
                    "dark_lamps": int(found.dark_lamps[row]),
                    "suppresses_lamps": bool(found.out[row]),
                },
            ),
            figure(
                GAP,
                value,
                now_us=now_us,
                reason=reason,
                reason_text=MISSING_TEXTS[Missing(int(gap.missing[row]))] if reason else None,
            ),
        ]
    faulty_boxes = int((found.bits != 0).sum())
    severe = bool((found.bits & np.uint16(_CABINET_SEVERE)).any())
    figures.of_town.append(
        figure(
            CABINETS_FAULTY,
            float(faulty_boxes),
            now_us=now_us,
            time_us=int(np.nanmax(newest_s) * 1e6) if (~np.isnan(newest_s)).any() else None,
            coverage=float(found.judged.mean()),
            level=level("faults", Bilingual("Có tủ lỗi", "Faulty cabinets"), 3 if severe else 1)
            if faulty_boxes
            else level("none", Bilingual("Không có tủ lỗi", "No faulty cabinet"), 0),
            detail={
                "cabinets": len(at),
                "by_fault": {
                    name: int(((found.bits >> bit) & 1).sum()) for bit, name in enumerate(cabinets.CABINET_FAULTS)
                },
            },
        )
    )
