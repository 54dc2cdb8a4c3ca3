"""Figures that are what a device said last, where no index is made of it: signals, parking, feeders, sunlight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.operations.figures import FigureKind, figure, level
from devices.models import Bilingual
from devices.observed_properties import load_observed_properties

if TYPE_CHECKING:
    from api.operations.board import Figures
    from api.operations.fleet import Fleet, Stream
    from api.operations.present import Present
    from api.schemas import Figure, Level

SIGNAL: Final = FigureKind(
    "signal-mode",
    Bilingual("Chế độ đèn tín hiệu", "Signal mode"),
    "1",
    "observed",
    None,
    "newest mode of the controller",
)
FAILED_LAMPS: Final = FigureKind(
    "failed-signal-lamps",
    Bilingual("Bóng tín hiệu hỏng", "Failed signal lamps"),
    "1",
    "observed",
    None,
    "newest number of failed lamps that the controller reports",
)
PARKING: Final = FigureKind(
    "parking-occupied",
    Bilingual("Chỗ đỗ có xe", "Parking places taken"),
    "1",
    "observed",
    None,
    "places whose sensor reports a vehicle; `detail` counts the sensors that are current",
)
UV: Final = FigureKind("uv-index", Bilingual("Chỉ số UV", "UV index"), "1", "observed", None, "newest UV index")
FEEDER: Final = FigureKind(
    "feeder-power",
    Bilingual("Công suất lộ", "Feeder power"),
    "W",
    "observed",
    None,
    "newest total active power of the feeder meter",
)
_MODES: Final[dict[str, tuple[Bilingual, int]]] = {
    "off": (Bilingual("Tắt", "Off"), 3),
    "fixed-time": (Bilingual("Chu kỳ cố định", "Fixed time"), 0),
    "actuated": (Bilingual("Theo lưu lượng", "Actuated"), 0),
    "adaptive": (Bilingual("Thích ứng", "Adaptive"), 0),
    "manual": (Bilingual("Điều khiển tay", "Manual"), 1),
    "flashing": (Bilingual("Nháy vàng", "Flashing"), 2),
    "all-red": (Bilingual("Đỏ toàn bộ", "All red"), 3),
}
"""Words of the observed property `signal-mode`, with the severity they are shown by: our own choice."""


def add_traffic(figures: Figures, fleet: Fleet, present: Present) -> None:
    """Signals and parking places of each site, and the places taken in the town."""
    words = {number: word for word, number in load_observed_properties()["signal-mode"].words.items()}
    for stream in fleet.observing("signal-mode"):
        for at, line in _newest(SIGNAL, present, stream):
            mode = _MODES.get(words.get(int(line["value"]), "")) if line["value"] is not None else None
            if mode is not None:
                name, severity = mode
                line["text"] = {"vi": name.vi, "en": name.en}
                line["level"] = level(words[int(line["value"] or 0)], name, severity)
            figures.of_site[fleet.devices[at].site].append(line)
    for stream in fleet.observing("failed-lamps"):
        for at, line in _newest(FAILED_LAMPS, present, stream):
            if line["value"] is not None:
                line["level"] = _failed(line["value"])
            figures.of_site[fleet.devices[at].site].append(line)
    _add_parking(figures, fleet, present)


def add_environment(figures: Figures, fleet: Fleet, present: Present) -> None:
    """The sunlight of each site."""
    _add_plain(figures, fleet, present, UV, fleet.observing("uv-index"))


def add_lighting(figures: Figures, fleet: Fleet, present: Present) -> None:
    """The power of each feeder meter."""
    feeders = [s for s in fleet.observing("active-power") if s.profile == "feeder-meter" and s.name == "power"]
    _add_plain(figures, fleet, present, FEEDER, feeders)


def _failed(number: float) -> Level:
    if number > 0:
        return level("failed", Bilingual("Có bóng hỏng", "Lamps failed"), 2)
    return level("sound", Bilingual("Bình thường", "Sound"), 0)


def _add_plain(
    figures: Figures, fleet: Fleet, present: Present, kind: FigureKind, streams: list[Stream] | tuple[Stream, ...]
) -> None:
    for stream in streams:
        for at, line in _newest(kind, present, stream):
            figures.of_site[fleet.devices[at].site].append(line)


def _newest(kind: FigureKind, present: Present, stream: Stream) -> list[tuple[int, Figure]]:
    """What each device of a stream said last, where it is current."""
    lines = []
    for at, current in zip(stream.at.tolist(), present.current(stream).tolist(), strict=True):
        time_us = int(present.time_us[at, stream.slot])
        known = time_us > 0
        line = figure(
            kind,
            float(present.value[at, stream.slot]) if current else None,
            now_us=present.now_us,
            time_us=time_us if known else None,
            coverage=float(current),
            quality=int(present.quality[at, stream.slot]),
            reason="not-current" if known else "no-reading",
        )
        lines.append((at, line))
    return lines


def _add_parking(figures: Figures, fleet: Fleet, present: Present) -> None:
    by_site: dict[int, list[Figure]] = {}
    for stream in fleet.observing("parking-occupied"):
        for at, line in _newest(PARKING, present, stream):
            by_site.setdefault(fleet.devices[at].site, []).append(line)
    for site, lines in by_site.items():
        figures.of_site[site].append(_taken(lines, present.now_us))
    if by_site:
        figures.of_town.append(_taken([line for lines in by_site.values() for line in lines], present.now_us))


def _taken(lines: list[Figure], now_us: int) -> Figure:
    current = [line["value"] for line in lines if line["value"] is not None]
    times = [line["phenomenon_time"] for line in lines if line["phenomenon_time"] is not None]
    taken = sum(current) if current else None
    free = len(current) - taken if taken is not None else None
    return figure(
        PARKING,
        taken,
        now_us=now_us,
        time_us=int(max(times).timestamp() * 1e6) if times else None,
        coverage=len(current) / len(lines),
        reason="not-current" if times else "no-reading",
        detail={"places": len(lines), "current": len(current), "free": free},
    )
