"""What a batch touched, as it stands in window_change: spans of rows of one device in one quarter hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ingest.aggregation.windows import QUARTER, start_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CHANGE: Final = np.dtype([("device_key", "<i4"), ("rows", "<i4"), ("first_us", "<i8"), ("last_us", "<i8")])


def changes_of(device_key: NDArray[np.int32], time_us: NDArray[np.int64]) -> bytes:
    """The changes that rows sorted by (device, time) make."""
    quarter = start_of(time_us, QUARTER)
    starts = np.flatnonzero(np.r_[True, (device_key[1:] != device_key[:-1]) | (quarter[1:] != quarter[:-1])])
    changes = np.zeros(len(starts), dtype=CHANGE)
    ends = np.r_[starts[1:], len(time_us)]
    changes["device_key"] = device_key[starts]
    changes["rows"] = ends - starts
    changes["first_us"] = time_us[starts]
    changes["last_us"] = time_us[ends - 1]
    return changes.tobytes()


def read_changes(stored: Sequence[bytes]) -> NDArray[Any]:
    """The changes of several batches, dtype `CHANGE`."""
    return np.frombuffer(b"".join(stored), dtype=CHANGE)
