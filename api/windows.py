"""Windows of time: half-open, aligned to the UTC epoch, days and months to Asia/Ho_Chi_Minh. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.schemas import ChosenResolution

LOCAL_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
DAY_S: Final = 86_400
FIXED_LENGTH_S: Final[dict[ChosenResolution, int]] = {"PT15M": 900, "PT1H": 3600}
CALENDAR_UNIT: Final[dict[ChosenResolution, Literal["day", "month"]]] = {"P1D": "day", "P1M": "month"}
TYPICAL_LENGTH_S: Final[dict[ChosenResolution, int]] = {"PT15M": 900, "PT1H": 3600, "P1D": 86_400, "P1M": 2_592_000}
"""From the finest to the coarsest; a month counts 30 days."""

AUTO_WINDOWS: Final = 300
"""How many windows `auto` gives at most, as long as a coarser resolution is left: about what a chart can show."""


def window_start(time: datetime, resolution: ChosenResolution) -> datetime:
    """The start of the window that holds an aware time; UTC."""
    if resolution in FIXED_LENGTH_S:
        length_s = FIXED_LENGTH_S[resolution]
        return datetime.fromtimestamp(int(time.timestamp() // length_s) * length_s, UTC)
    local = time.astimezone(LOCAL_ZONE).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if resolution == "P1M":
        local = local.replace(day=1)
    return local.astimezone(UTC)


def next_start(start: datetime, resolution: ChosenResolution) -> datetime:
    """The start of the window after the one that starts at `start`; UTC."""
    if resolution in FIXED_LENGTH_S:
        return start + timedelta(seconds=FIXED_LENGTH_S[resolution])
    local = start.astimezone(LOCAL_ZONE)
    if resolution == "P1D":
        return (local + timedelta(days=1)).astimezone(UTC)
    return local.replace(year=local.year + local.month // 12, month=local.month % 12 + 1).astimezone(UTC)


def windows_between(
    first: datetime, last: datetime, resolution: ChosenResolution
) -> Iterator[tuple[datetime, datetime]]:
    """The windows that touch [first, last), each whole: (start, end), oldest first."""
    start = window_start(first, resolution)
    while start < last:
        end = next_start(start, resolution)
        yield start, end
        start = end


def choose_resolution(first: datetime, last: datetime, interval_s: int) -> ChosenResolution:
    """The finest resolution that gives at most `AUTO_WINDOWS` windows, none shorter than the datastream's interval."""
    span_s = (last - first).total_seconds()
    fitting: list[ChosenResolution] = [
        resolution
        for resolution, length_s in TYPICAL_LENGTH_S.items()
        if span_s <= AUTO_WINDOWS * length_s and interval_s <= length_s
    ]
    return fitting[0] if fitting else "P1M"


def expected_count(start: datetime, end: datetime, now: datetime, interval_s: int) -> int:
    """How many observations were due in the part of a window that has passed; one each interval."""
    passed_s = (min(end, now) - start).total_seconds()
    return max(0, int(passed_s // interval_s))
