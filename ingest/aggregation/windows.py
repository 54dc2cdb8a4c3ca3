"""Windows of time: half-open, quarters and hours of UTC, days of Asia/Ho_Chi_Minh. All in Unix microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeVar

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    Microseconds = TypeVar("Microseconds", int, NDArray[np.int64])

Length = Literal[900, 3600, 86400]
QUARTER: Final = 900
HOUR: Final = 3_600
DAY: Final = 86_400
COARSER: Final[tuple[tuple[Length, Length], ...]] = ((QUARTER, HOUR), (HOUR, DAY))
"""(finer, coarser): each window is folded from those of the next finer length."""

SECOND_US: Final = 1_000_000
_LOCAL_US: Final = 7 * 3_600 * SECOND_US
"""Asia/Ho_Chi_Minh is UTC+07:00 and has been since 1975-06-13, without daylight saving time."""


def start_of(time_us: Microseconds, length_s: int) -> Microseconds:
    """The start of the window that holds a time."""
    length_us = length_s * SECOND_US
    offset_us = _LOCAL_US if length_s == DAY else 0
    return (time_us + offset_us) // length_us * length_us - offset_us


def end_of(time_us: Microseconds, length_s: int) -> Microseconds:
    """The end of the window that holds a time."""
    start: Any = start_of(time_us, length_s)
    return start + length_s * SECOND_US  # type: ignore[no-any-return]
