"""What figures there are, and how one is put together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from devices.figures import MISSING_TEXTS, Missing
from devices.models import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.schemas import Figure, Level, Name, Obtained
    from devices.figures import Figures as Indices


@dataclass(frozen=True, slots=True)
class FigureKind:
    """A figure that a view may show."""

    figure_id: str
    name: Bilingual
    unit: str  # UCUM
    obtained: Obtained
    formula: str | None  # of an index
    how: str


REASONS: Final[Mapping[str, Bilingual]] = MappingProxyType(
    {
        "no-reading": Bilingual("Chưa có số liệu.", "Nothing was observed."),
        "not-current": Bilingual("Số liệu đã cũ hoặc bị loại.", "The newest observation is old or left out."),
        "too-few-readings": Bilingual("Không đủ số liệu.", "Too little was observed."),
        "no-particle": Bilingual(
            "Không có PM2.5 lẫn PM10 đủ số liệu (2 trong 3 giờ gần nhất).",
            "Neither PM2.5 nor PM10 has two of the newest three hours.",
        ),
        "too-few-hours": Bilingual(
            "Không có PM2.5 lẫn PM10 đủ số liệu (18 trong 24 giờ của ngày).",
            "Neither PM2.5 nor PM10 has 18 hours of the day.",
        ),
        "no-alarm-levels": Bilingual("Chưa đặt mức báo động cho trạm này.", "No alarm levels are set for this gauge."),
        "no-full-period": Bilingual(
            "Không chất nào đủ số liệu cho thời gian trung bình của nó.",
            "No substance was observed long enough for its averaging period.",
        ),
        "too-few-days": Bilingual("Chưa đủ số ngày có số liệu trong năm.", "Too few days of the year were observed."),
        "cabinet-out": Bilingual("Tủ mất điện.", "Its cabinet is out."),
        "opposite-directions": Bilingual("Gió triệt tiêu nhau.", "The directions cancel out."),
    }
)


def both(text: Bilingual) -> Name:
    """A text in the contract's shape."""
    return {"vi": text.vi, "en": text.en}


def level(level_id: str, name: Bilingual, severity: int, colour: str | None = None) -> Level:
    """A class of a norm in the contract's shape."""
    return {"id": level_id, "name": both(name), "colour": colour, "severity": severity}


def figure(
    kind: FigureKind,
    value: float | None,
    *,
    now_us: int,
    time_us: int | None = None,
    coverage: float | None = None,
    quality: int | None = 0,
    flagged: int = 0,
    reason: str | None = None,
    reason_text: Bilingual | None = None,
    text: Bilingual | None = None,
    level: Level | None = None,
    indicative: bool = False,
    detail: dict[str, Any] | None = None,
) -> Figure:
    """A figure in the contract's shape.

    Args:
        kind: what it is.
        value: in the kind's unit; None or NaN: missing, then `reason` says why (`no-reading` where it does not).
        now_us: Unix microseconds.
        time_us: of the newest observation in it.
        coverage: 0..1 of what it is made of; of what a device said last 1 while it is current, else 0.
        quality: bits of what is in it.
        flagged: observations left out.
        reason: a word of `REASONS`, or one that comes with its own `reason_text`.
        reason_text: in words.
        text: the figure in words; a missing one has none.
        level: its class; a missing one has none.
        indicative: of a low-cost sensor.
        detail: what it is made of.
    """
    missing = value is None or not math.isfinite(value)
    why = (reason or "no-reading") if missing else None
    words = reason_text or REASONS.get(why or "")
    return {
        "id": kind.figure_id,
        "name": both(kind.name),
        "value": None if missing else value,
        "unit": kind.unit,
        "text": both(text) if text is not None and not missing else None,
        "level": None if missing else level,
        "reason": why,
        "reason_text": both(words) if missing and words else None,
        "obtained": kind.obtained,
        "formula": kind.formula,
        "how": kind.how,
        "phenomenon_time": datetime.fromtimestamp(time_us / 1e6, UTC) if time_us is not None else None,
        "age_s": max(0.0, (now_us - time_us) / 1e6) if time_us is not None else None,
        "coverage": min(1.0, coverage) if coverage is not None else None,
        "quality": None if missing else quality,
        "flagged": flagged,
        "indicative": indicative,
        "detail": detail,
    }


def index_line(kind: FigureKind, indices: Indices, row: int, common: Mapping[str, Any], **more: Any) -> Figure:
    """A figure out of an index of many things."""
    value, reason = indices.at(row)
    words = MISSING_TEXTS[Missing(int(indices.missing[row]))] if reason else None
    return figure(kind, value, reason=reason, reason_text=words, **common, **more)


def newest_of(lines: Sequence[Figure]) -> int | None:
    """Of some figures the newest observation, Unix microseconds; None where none has one."""
    times = [line["phenomenon_time"] for line in lines if line["phenomenon_time"] is not None]
    return round(max(times).timestamp() * 1e6) if times else None


def coverage_of(lines: Sequence[Figure]) -> float | None:
    """Mean coverage of some figures, each weighing the same; None where there is none."""
    shares = [line["coverage"] or 0.0 for line in lines]
    return sum(shares) / len(shares) if shares else None


def severity_of(figures: list[Figure]) -> int | None:
    """The worst severity of some figures; 0 where one has a value and none a class; None where none has a value."""
    classes = [line["level"]["severity"] for line in figures if line["level"] and line["value"] is not None]
    if classes:
        return max(classes)
    return 0 if any(line["value"] is not None for line in figures) else None


def worst_first(figures: list[Figure]) -> list[Figure]:
    """Sorted by severity, those without a value last; else as they came."""
    return sorted(figures, key=lambda line: (line["value"] is None, -(line["level"] or {"severity": 0})["severity"]))
