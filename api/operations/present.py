"""What the devices of a fleet said last and how they stand, as columns."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from api.operations import arrays
from api.operations.fleet import QUERIES
from devices.quality import LEFT_OUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.database import Database
    from api.operations.fleet import Fleet, Stream
    from devices.models import Domain

CURRENT_INTERVALS = 3
"""A value is current for so many intervals of its datastream."""


@dataclass(frozen=True, slots=True)
class Present:
    """A moment; n devices of the fleet in its order, s slots."""

    now_us: int
    state: NDArray[np.str_]  # online, stale, offline, never-seen; shape (n,)
    value: NDArray[np.float64]  # NaN: never observed; shape (n, s)
    time_us: NDArray[np.int64]  # `arrays.NEVER_US`: never; shape (n, s)
    quality: NDArray[np.int64]  # shape (n, s)

    def current(self, stream: Stream) -> NDArray[np.bool_]:
        """Which devices of a stream have a current value: admitted, at most three intervals old, device online."""
        at, slot = stream.at, stream.slot
        fresh = self.time_us[at, slot] > self.now_us - CURRENT_INTERVALS * stream.interval_s * 1_000_000
        good = (self.quality[at, slot] & int(LEFT_OUT)) == 0
        current: NDArray[np.bool_] = fresh & good & (self.state[at] == "online") & ~np.isnan(self.value[at, slot])
        return current


async def read_present(database: Database, town: str, domain: Domain, fleet: Fleet) -> Present:
    """Read the moment."""
    rows = await database.rows(QUERIES["operations_present"], {"town": town, "domain": domain})
    devices, slots = len(fleet.keys), fleet.slots
    state = np.full(devices, "never-seen", "U10")
    value = np.full((devices, slots), np.nan)
    time_us = np.full((devices, slots), arrays.NEVER_US)
    quality = np.zeros((devices, slots), np.int64)
    for row in rows:
        at = fleet.positions(row["device_keys"])
        known = at >= 0
        state[at[known]] = np.array(row["states"])[known]
        count = row["slots"]
        if not count:
            continue
        size, width = len(at), min(count, slots)
        value[at[known], :width] = arrays.float8s(row["value_by_slot"], size, count)[known, :width]
        time_us[at[known], :width] = arrays.times_us(row["time_by_slot"], size, count)[known, :width]
        quality[at[known], :width] = arrays.integers(row["quality_by_slot"], size, count, size=2)[known, :width]
    return Present(time.time_ns() // 1_000, state, value, time_us, quality)
