"""Small things over columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.operations.arrays import NEVER_US

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def newest(times_us: NDArray[np.int64]) -> int | None:
    """The newest of some times, Unix microseconds; None where there is none."""
    time_us = int(times_us.max(initial=NEVER_US))
    return None if time_us == NEVER_US else time_us


def number(value: Any) -> float | None:
    """A figure for JSON: None for NaN."""
    number = float(value)
    return None if number != number else number  # noqa: PLR0124 NaN alone differs from itself
