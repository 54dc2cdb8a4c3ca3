"""Window statistics a second time: plain sums over the stored observations, window by window."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.judge.outcomes import Rows
    from simulators.judge.payloads import Registered

LENGTHS_S: Final = (900, 3_600, 86_400)
LEFT_OUT_BITS: Final = 1 | 2 | 8 | 16 | 32
"""Calibrating, fault, spike, stuck, flat at a bound: stored and shown, and no part of any statistic."""
LOCAL_OFFSET_S: Final = 7 * 3_600
"""Days are those of Asia/Ho_Chi_Minh, which knows no summer time."""
_ROUNDING: Final = 1e-9


@dataclass(slots=True)
class Window:
    """One window of one datastream."""

    count: int = 0
    flagged: int = 0  # readings left out for their quality
    values: list[float] = field(default_factory=list)
    first: tuple[int, float] | None = None  # (phenomenon time in Unix microseconds, value)
    last: tuple[int, float] | None = None

    def add(self, time_us: int, value: float, quality: int) -> None:
        """Take an observation."""
        if quality & LEFT_OUT_BITS:
            self.flagged += 1
            return
        self.count += 1
        self.values.append(value)
        if self.first is None or time_us < self.first[0]:
            self.first = (time_us, value)
        if self.last is None or time_us > self.last[0]:
            self.last = (time_us, value)

    @property
    def sum(self) -> float | None:
        """None where nothing is in it."""
        return math.fsum(self.values) if self.values else None

    @property
    def mean(self) -> float | None:
        """Arithmetic mean."""
        return math.fsum(self.values) / len(self.values) if self.values else None

    def mean_of(self, observed_property: str) -> float | None:
        """The mean that makes sense for a property: levels add as energies, directions as vectors."""
        if not self.values:
            return None
        if observed_property == "sound-level-equivalent":
            return 10.0 * math.log10(math.fsum(10.0 ** (value / 10.0) for value in self.values) / len(self.values))
        if observed_property == "wind-direction":
            east = math.fsum(math.sin(math.radians(value)) for value in self.values)
            north = math.fsum(math.cos(math.radians(value)) for value in self.values)
            no_direction = math.hypot(east, north) <= _ROUNDING * len(self.values)
            return None if no_direction else math.degrees(math.atan2(east, north)) % 360.0
        return self.mean


Windows = dict[tuple[str, int, int], Window]
"""(datastream name, length in seconds, start in Unix seconds) -> window."""


def start_of(time_s: int, length_s: int) -> int:
    """Start of the window that holds a time; both Unix seconds."""
    offset_s = LOCAL_OFFSET_S if length_s == 86_400 else 0  # noqa: PLR2004 - a day
    return (time_s + offset_s) // length_s * length_s - offset_s


def fold(rows: Rows, device: Registered, through_us: int | None = None) -> Windows:
    """All windows of one device.

    Args:
        rows: its observations.
        device: says what period a value covers; it stands in the window that holds the period's start.
        through_us: up to which phenomenon time observations count; None: all.
    """
    windows: Windows = {}
    for (name, time_us), row in rows.items():
        if through_us is not None and time_us > through_us:
            continue
        placed_s = time_us // 1_000_000 - device.streams[name].shift_s
        for length_s in LENGTHS_S:
            key = (name, length_s, start_of(placed_s, length_s))
            window = windows.get(key)
            if window is None:
                window = windows[key] = Window()
            window.add(time_us, row.value, row.quality)
    return windows


def differences(window: Window, row: Mapping[str, Any]) -> list[str]:
    """In what a row of the view of statistics differs from a window; empty when it does not."""
    plain: dict[str, Any] = {"count": window.count, "flagged": window.flagged}
    if window.first is not None and window.last is not None:
        plain |= {"min": min(window.values), "max": max(window.values), "first": window.first[1]}
        plain |= {"last": window.last[1], "first_us": window.first[0], "last_us": window.last[0]}
    else:
        plain |= dict.fromkeys(("min", "max", "first", "last", "first_us", "last_us"))
    found = [f"{name} {row[name]} instead of {value}" for name, value in plain.items() if row[name] != value]
    scale = max((abs(value) for value in window.values), default=0.0)
    for name, value, slack in (("sum", window.sum, scale * window.count), ("mean", window.mean, scale)):
        if not close(row[name], value, slack):
            found.append(f"{name} {row[name]} instead of {value}")
    return found


def close(told: float | None, plain: float | None, scale: float) -> bool:
    """Whether two numbers are the same but for rounding; `scale`: size of what went into them."""
    if told is None or plain is None:
        return told is None and plain is None
    return math.isclose(told, plain, rel_tol=_ROUNDING, abs_tol=_ROUNDING * max(scale, 1e-9))
