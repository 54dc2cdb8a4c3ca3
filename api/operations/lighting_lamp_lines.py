"""What is told of the lamps of one site: their faults, their states, their silence."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Final

from api.operations.figures import FigureKind, figure, level
from api.operations.lighting_fleet import silent_line
from devices.figures import UNKNOWN
from devices.lighting import faults, lamps
from devices.models import Bilingual

if TYPE_CHECKING:
    from api.schemas import Figure

LAMP: Final = FigureKind(
    "lamp-faults",
    Bilingual("Tình trạng đèn", "State of the lamps"),
    "1",
    "index",
    faults.FORMULA,
    "number of lamps of the site with a fault by rule, of those that speak; those dark because of their cabinet count"
    " as its fault, silent ones are told by `silent-devices`",
)
STATE: Final = FigureKind(
    "lamp-state",
    Bilingual("Trạng thái đèn", "Lamp state"),
    "1",
    "index",
    lamps.STATE_FORMULA,
    "lamps of the site that burn: by their power, where the rated power is known, else as they report",
)
SEVERITY: Final = {
    faults.LAMP_FAILURE: 2,
    faults.DAY_BURNING: 1,
    faults.CYCLING: 1,
    faults.POWER_DRIFT: 1,
    faults.LOW_POWER_FACTOR: 1,
    faults.SUPPLY_VOLTAGE: 2,
    faults.SUPPRESSED: 0,
}
OWN_FAULTS: Final = (1 << len(faults.FAULTS)) - 1 - faults.SUPPRESSED - faults.COMMUNICATION
"""Bits of a lamp's own faults: neither its cabinet's nor its silence."""
_SOUND: Final = Bilingual("Bình thường", "Sound")


@dataclass(frozen=True, slots=True)
class PlainLamps:
    """Lamps as plain lists: thousands of single elements are taken out of these many times faster than of arrays."""

    device: list[str]
    bits: list[int]
    newest_s: list[float]  # NaN: silent
    judged: list[bool]
    rated_w: list[float]  # NaN: not known
    rated_from: tuple[str | None, ...]
    burning: list[int]  # the next three, too: places in `lamps.STATES` or UNKNOWN
    commanded: list[int]
    reported: list[int]
    measured: list[int]
    disagrees: list[bool]
    cabinet: list[str | None]  # the device that feeds it; None: not known


def _heard_us(plain: PlainLamps, rows: list[int]) -> int | None:
    heard = [plain.newest_s[row] for row in rows if not isnan(plain.newest_s[row])]
    return round(max(heard) * 1e6) if heard else None


def faults_line(plain: PlainLamps, rows: list[int], now_us: int) -> Figure:
    """How many of some lamps of a site have a fault, of those that speak; null where none does."""
    all_bits = 0
    for row in rows:
        all_bits |= plain.bits[row]
    found = [bit for bit in range(len(faults.FAULTS)) if (all_bits & ~faults.COMMUNICATION) >> bit & 1]
    names = [faults.FAULT_NAMES[bit] for bit in found]
    words = Bilingual(", ".join(name.vi for name in names), ", ".join(name.en for name in names)) if names else None
    speaking = sum(plain.judged[row] for row in rows)
    heard_us = _heard_us(plain, rows)
    severity = max((SEVERITY[1 << bit] for bit in found), default=0)
    silent_because = "cabinet-out" if all_bits & faults.SUPPRESSED else "not-current"
    return figure(
        LAMP,
        float(sum(plain.bits[row] & OWN_FAULTS != 0 for row in rows)) if speaking else None,
        now_us=now_us,
        time_us=heard_us,
        coverage=speaking / len(rows),
        reason=silent_because if heard_us is not None else "no-reading",
        text=words,
        level=level(faults.FAULTS[found[0]] if found else "none", words or _SOUND, severity),
        detail={
            "lamps": [
                {
                    "device": plain.device[row],
                    "faults": [faults.FAULTS[bit] for bit in found if plain.bits[row] >> bit & 1],
                    "silent": not plain.judged[row],
                    "rated_w": None if isnan(plain.rated_w[row]) else plain.rated_w[row],
                    "rated_from": plain.rated_from[row],
                    "cabinet": plain.cabinet[row],
                }
                for row in rows
            ]
        },
    )


def silence_line(plain: PlainLamps, rows: list[int], now_us: int) -> Figure:
    """How many of some lamps of a site are silent."""
    silent = sum(not plain.judged[row] for row in rows)
    return silent_line(silent, len(rows), now_us, _heard_us(plain, rows))


def _word(place: int) -> str | None:
    return None if place == UNKNOWN else lamps.STATES[place]


def state_line(plain: PlainLamps, rows: list[int], now_us: int) -> Figure:
    """How many of some lamps of a site burn, and each as commanded, reported and measured."""
    known = [row for row in rows if plain.burning[row] != UNKNOWN]
    single = plain.burning[known[0]] if len(rows) == 1 and known else None
    return figure(
        STATE,
        float(sum(plain.burning[row] > 0 for row in known)) if known else None,
        now_us=now_us,
        time_us=int(max(plain.newest_s[row] for row in known) * 1e6) if known else None,
        coverage=len(known) / len(rows),
        reason="not-current" if _heard_us(plain, rows) is not None else "no-reading",
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
