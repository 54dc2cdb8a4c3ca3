"""A limit above which the readings of a datastream are counted at rest, as it holds from date to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from devices.environment.limits import load_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from devices.environment.limits import Period

_EVER: Final = np.iinfo(np.int64).min
_EPOCH: Final = date(1970, 1, 1)
_DAY_US: Final = 86_400_000_000
_LOCAL_US: Final = 7 * 3_600_000_000
"""Asia/Ho_Chi_Minh is UTC+07:00."""


@dataclass(frozen=True, slots=True)
class DatedLimit:
    """Values in the property's unit, each from a time on; infinity: no limit is in force."""

    from_us: tuple[int, ...]  # Unix microseconds, ascending; before the first no limit is in force
    value: tuple[float, ...]  # as many

    def at(self, time_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """The limit in force at each of these times, of their shape; infinity: none."""
        values = np.array([np.inf, *self.value])
        found: NDArray[np.float64] = values[np.searchsorted(np.array(self.from_us), time_us, side="right")]
        return found

    def on(self, time: datetime) -> float | None:
        """The limit in force at an aware time; None: none."""
        since = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        found = float(self.at(np.array([since]))[0])
        return found if np.isfinite(found) else None


def always(value: float) -> DatedLimit:
    """One value at all times."""
    return DatedLimit((_EVER,), (value,))


def of_regulation(property_id: str, period: Period) -> DatedLimit | None:
    """The limits of `limits.yaml` for a property and averaging period, from date to date; None: there are none."""
    rows = sorted(
        (row for row in load_limits() if (row.property, row.period, row.area) == (property_id, period, None)),
        key=lambda row: row.first,
    )
    if not rows:
        return None
    changes = {row.until: np.inf for row in rows if row.until is not None}
    changes |= {row.first: row.limit for row in rows}  # where one begins as another ends, it holds
    ordered = sorted(changes.items())
    return DatedLimit(tuple(_midnight_us(day) for day, _ in ordered), tuple(float(value) for _, value in ordered))


def _midnight_us(day: date) -> int:
    return (day - _EPOCH).days * _DAY_US - _LOCAL_US
