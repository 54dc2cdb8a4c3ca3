"""Cabinets of a town now: their faults by rule, and the energy that no lamp behind them drew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from api.operations.figures import FigureKind, figure, index_line, level
from api.operations.history import newest_reports
from api.operations.lighting_fleet import DAY_S, Slots, intervals, silent_line
from devices.lighting import cabinets, energy, lamps
from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Fleet
    from api.operations.history import Recent
    from api.schemas import Figure
    from devices.figures import Figures as Indices

REPORTS: Final = 10
"""So many newest reports of a lamp or a cabinet are looked at."""
CABINET: Final = FigureKind(
    "cabinet-faults",
    Bilingual("Tình trạng tủ", "State of the cabinet"),
    "1",
    "index",
    cabinets.FORMULA,
    "number of faults of the cabinet by rule; its silence is told by `silent-devices`",
)
GAP: Final = FigureKind(
    "energy-gap",
    Bilingual("Chênh lệch điện năng", "Energy not found at the lamps"),
    "%",
    "index",
    energy.GAP_FORMULA,
    "what the meter counted on the last whole local day and no lamp behind it drew, percent of the meter",
)
CABINETS_FAULTY: Final = FigureKind(
    "cabinets-faulty",
    Bilingual("Tủ có lỗi", "Cabinets with a fault"),
    "1",
    "index",
    cabinets.FORMULA,
    "cabinets of the town with a fault by rule; silent ones apart",
)
_SEVERE: Final = cabinets.GROUP_DARK | cabinets.SUPPLY_LOST | cabinets.NOT_SWITCHED_ON
_ALARMS: Final = cabinets.PHASE_LOSS | cabinets.LEAKAGE | cabinets.DOOR_OPEN | cabinets.SUPPLY_VOLTAGE


@dataclass(frozen=True, slots=True)
class DayGap:
    """What the meters of m cabinets counted on the last whole local day and no lamp drew."""

    percent: Indices  # shape (m,)
    readings: NDArray[np.float64]  # of each meter on that day, NaN: none; shape (m,)
    lamps: NDArray[np.intp]  # behind each; shape (m,)
    silent: NDArray[np.intp]  # those of them whose energy is not known; shape (m,)
    end_us: int  # of the day


def newest_of_cabinets(fleet: Fleet, recent: Recent, at: NDArray[np.intp]) -> cabinets.Cabinets:
    """What cabinets said last."""
    times, values = newest_reports(recent, at, REPORTS)
    slots = Slots(fleet, at)

    def phases(property_id: str, name: str) -> NDArray[np.float64]:
        return np.stack(
            [lamps.newest(slots.of(values, property_id, f"{name}-l{phase}")) for phase in (1, 2, 3)], axis=-1
        )

    return cabinets.Cabinets(
        time_s=lamps.newest(times),
        interval_s=intervals(fleet, at),
        voltage_v=phases("voltage", "voltage"),
        current_a=phases("current", "current"),
        leakage_ma=lamps.newest(slots.of(values, "leakage-current")),
        door=lamps.newest(slots.of(values, "door-open")),
        circuit=lamps.newest(slots.of(values, "circuit-state")),
        mode=lamps.newest(slots.of(values, "cabinet-mode")),
    )


def add_cabinets(
    figures: Figures,
    fleet: Fleet,
    at: NDArray[np.intp],
    found: cabinets.CabinetFaults,
    newest_s: NDArray[np.float64],
    gap: DayGap,
    now_us: int,
) -> None:
    """Faults and energy gaps of each cabinet, and how many of the town have a fault.

    Args:
        figures: to add to.
        fleet: the devices.
        at: positions of the cabinets.
        found: what is wrong with them.
        newest_s: Unix seconds of what each said last, NaN: nothing of late.
        gap: of their meters.
        now_us: Unix microseconds.
    """
    if not len(at):
        return
    real = found.bits & ~np.uint16(cabinets.COMMUNICATION)
    for row, device in enumerate(at.tolist()):
        heard_us = None if np.isnan(newest_s[row]) else round(newest_s[row] * 1e6)
        figures.of_site[fleet.devices[device].site] += [
            _faults_line(fleet, device, found, row, int(real[row]), int(gap.lamps[row]), now_us, heard_us),
            silent_line(0 if found.judged[row] else 1, 1, now_us, heard_us),
            _gap_line(fleet, gap, row, device, now_us),
        ]
    # A silent cabinet whose lamps are dark is known to be at fault; of other silent ones nothing is known.
    known = found.judged | (real != 0)
    faulty = int((real != 0).sum())
    severe = bool((real & np.uint16(_SEVERE)).any())
    by_fault = {name: int(((found.bits >> bit) & 1).sum()) for bit, name in enumerate(cabinets.CABINET_FAULTS)}
    silent = by_fault.pop("communication")
    heard = newest_s[~np.isnan(newest_s)]
    figures.of_town.append(
        figure(
            CABINETS_FAULTY,
            float(faulty) if known.any() else None,
            now_us=now_us,
            time_us=round(heard.max() * 1e6) if len(heard) else None,
            coverage=float(known.mean()),
            reason="not-current" if len(heard) else "no-reading",
            level=level("faults", Bilingual("Có tủ lỗi", "Faulty cabinets"), 3 if severe else 1)
            if faulty
            else level("none", Bilingual("Không có tủ lỗi", "No faulty cabinet"), 0),
            detail={
                "cabinets": len(at),
                "judged": int(found.judged.sum()),
                "silent": silent,
                "by_fault": by_fault,
            },
        )
    )


def _faults_line(
    fleet: Fleet,
    device: int,
    found: cabinets.CabinetFaults,
    row: int,
    bits: int,
    fed: int,
    now_us: int,
    heard_us: int | None,
) -> Figure:
    faulty = [bit for bit in range(len(cabinets.CABINET_FAULTS)) if bits >> bit & 1]
    names = [cabinets.CABINET_FAULT_NAMES[bit] for bit in faulty]
    words = Bilingual(", ".join(name.vi for name in names), ", ".join(name.en for name in names)) if names else None
    severity = 3 if bits & _SEVERE else 2 if bits & _ALARMS else 1 if bits else 0
    judged = bool(found.judged[row])
    return figure(
        CABINET,
        float(len(faulty)) if judged or faulty else None,
        now_us=now_us,
        time_us=heard_us,
        coverage=float(judged),
        reason="not-current" if heard_us is not None else "no-reading",
        text=words,
        level=level(
            cabinets.CABINET_FAULTS[faulty[0]] if faulty else "none",
            words or Bilingual("Bình thường", "Sound"),
            severity,
        ),
        detail={
            "device": fleet.devices[device].device_id,
            "faults": [cabinets.CABINET_FAULTS[bit] for bit in faulty],
            "silent": not judged,
            "lamps": fed,
            "dark_lamps": int(found.dark_lamps[row]),
            "suppresses_lamps": bool(found.out[row]),
        },
    )


def _gap_line(fleet: Fleet, gap: DayGap, row: int, device: int, now_us: int) -> Figure:
    of_device = fleet.devices[device]
    readings = 0.0 if np.isnan(gap.readings[row]) else float(gap.readings[row])
    lamps_there, silent = int(gap.lamps[row]), int(gap.silent[row])
    metered = min(1.0, readings * of_device.interval_s / DAY_S)
    speaking = (lamps_there - silent) / lamps_there if lamps_there else 0.0
    common = {"now_us": now_us, "time_us": gap.end_us if readings else None, "coverage": min(metered, speaking)}
    detail = {"device": of_device.device_id, "lamps": lamps_there, "silent_lamps": silent}
    return index_line(GAP, gap.percent, row, common, detail=detail)
