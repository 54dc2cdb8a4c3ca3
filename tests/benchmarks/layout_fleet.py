"""The readings that every layout stores: a steady fleet and a smaller irregular one, as numpy columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

POSTGRES_EPOCH_US = 946_684_800_000_000
"""2000-01-01T00:00Z in microseconds since 1970: where PostgreSQL counts its timestamps from."""

MINUTE_US = 60_000_000
DAY_US = 1_440 * MINUTE_US
FIRST_US = 1_773_964_800_000_000 - POSTGRES_EPOCH_US
"""2026-03-20T00:00Z, microseconds since 2000-01-01."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What devices said at given times, one element (one matrix row) a device and time.

    Attributes:
        device_key: int32.
        time_us: Phenomenon time, int64, microseconds since 2000-01-01T00:00Z.
        received_us: Received time, the same unit.
        value: float64[rows, slots]; NaN where the device said nothing.
        slots: int64, how many slots the device's profile has; columns from there on are NaN.
        quality: int16[rows, slots] or None where every flag is 0.
    """

    device_key: NDArray[np.int32]
    time_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    value: NDArray[np.float64]
    slots: NDArray[np.int64]
    quality: NDArray[np.int16] | None = None

    def __len__(self) -> int:
        return len(self.device_key)

    @property
    def readings(self) -> int:
        """How many values are there."""
        return int(np.count_nonzero(~np.isnan(self.value)))

    def take(self, index: NDArray[np.integer[Any]] | NDArray[np.bool_] | slice) -> Rows:
        """The rows at the given places."""
        return Rows(
            self.device_key[index],
            self.time_us[index],
            self.received_us[index],
            self.value[index],
            self.slots[index],
            None if self.quality is None else self.quality[index],
        )

    def by_device(self) -> Rows:
        """The same rows in the order of the unique key, as every batch is written."""
        return self.take(np.lexsort((self.time_us, self.device_key)))


def steady(devices: int, minutes: int, first_us: int, rng: np.random.Generator, slots: int = 6) -> Rows:
    """A fleet where every device says all its values every minute, in order of time; values have one decimal."""
    count = devices * minutes
    keys = np.tile(np.arange(1, devices + 1, dtype=np.int32), minutes)
    time_us = first_us + np.repeat(np.arange(minutes, dtype=np.int64) * MINUTE_US, devices)
    value = np.round(rng.normal(25.0, 5.0, (count, slots)), 1)
    received_us = time_us + rng.integers(50_000, 2_000_000, count)
    return Rows(keys, time_us, received_us, value, np.full(count, slots))


def irregular(devices: int, first_key: int, days: int, first_us: int, rng: np.random.Generator) -> Rows:
    """Devices of 3, 5 and 8 slots that speak about every ten minutes and leave every fifth value out."""
    per_device = days * 144
    keys = np.repeat(np.arange(first_key, first_key + devices, dtype=np.int32), per_device)
    span_us = days * DAY_US
    time_us = first_us + np.sort(rng.integers(0, span_us // 1000, (devices, per_device)) * 1000, axis=1).ravel()
    slots = irregular_slots(keys, first_key)
    value = np.round(rng.normal(25.0, 5.0, (len(keys), 8)), 1)
    value[rng.random(value.shape) < 0.2] = np.nan
    value[np.arange(8)[None, :] >= slots[:, None]] = np.nan
    first_of_key = np.concatenate(([True], (np.diff(keys) != 0) | (np.diff(time_us) != 0)))
    rows = Rows(keys, time_us, time_us + rng.integers(50_000, 60_000_000, len(keys)), value, slots)
    spoke = first_of_key & ~np.isnan(value).all(axis=1)
    kept = rows.take(spoke)
    return kept.take(np.argsort(kept.time_us, kind="stable"))


def irregular_slots(keys: NDArray[np.int32], first_key: int) -> NDArray[np.int64]:
    """How many slots an irregular device has."""
    return np.array([3, 5, 8])[(keys - first_key) % 3]


def with_flags(rows: Rows, share: float, rng: np.random.Generator) -> Rows:
    """The same rows, with a flag on one value in the given share of them."""
    quality = np.zeros(rows.value.shape, np.int16)
    flagged = np.flatnonzero(rng.random(len(rows)) < share)
    quality[flagged, rng.integers(0, rows.slots[flagged])] = 1
    return replace(rows, quality=quality)
