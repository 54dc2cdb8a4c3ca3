"""What lamps and cabinets reported in a night, as observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from api.operations.fleet import QUERIES
from api.operations.history import Recent, newest_reports
from api.operations.lighting_fleet import COMMANDED, ENERGY, LEVEL, single_streams

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from api.database import Database
    from api.operations.fleet import Fleet

_REPORTS_MAX: Final = 1_500
"""Reports of a device in a night, at most, the newest; more than one a minute for a day and a night."""


async def read_night(database: Database, fleet: Fleet, at: NDArray[np.intp], first: datetime, last: datetime) -> Recent:
    """Level, commanded level and energy of devices in slots 0, 1 and 2."""
    slots = [np.zeros(len(fleet.devices), np.int64) for _ in range(3)]
    for of_property, name in zip(slots, (LEVEL, COMMANDED, ENERGY), strict=True):
        for stream in single_streams(fleet, name):
            of_property[stream.at] = stream.slot + 1
    nothing = Recent(np.zeros(0, np.intp), np.zeros(0, np.int64), np.zeros((0, 3)))
    if first >= last:
        return nothing
    # An array has no element 0, which makes the value null: the profile does not have it.
    first_slots, second_slots, third_slots = (of_property[at].tolist() for of_property in slots)
    row = await database.row(
        QUERIES["operations_night"],
        {
            "device_keys": fleet.keys[at].tolist(),
            "first_slots": first_slots,
            "second_slots": second_slots,
            "third_slots": third_slots,
            "first": first,
            "last": last,
        },
    )
    if row is None or row["device_keys"] is None:
        return nothing
    times_us = np.frombuffer(row["times_us"], ">i8").astype(np.int64)
    values = np.stack(
        [np.frombuffer(row[name], ">f8") for name in ("first_values", "second_values", "third_values")], axis=-1
    ).astype(np.float64)
    devices = fleet.positions(row["device_keys"])
    order = np.lexsort((times_us, devices))
    return Recent(devices[order], times_us[order], values[order])


def newest_of_night(reports: Recent, at: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The reports of some devices, as many columns as the one that reported most often needs."""
    many = np.bincount(reports.at[np.isin(reports.at, at)]).max(initial=1)
    return newest_reports(reports, at, int(min(many, _REPORTS_MAX)))


def newest_us(times: NDArray[np.float64]) -> list[int | None]:
    """Of each device its newest report, Unix microseconds; None: none in the night."""
    newest_s = np.where(np.isnan(times), -np.inf, times).max(axis=1, initial=-np.inf)
    return [round(time * 1e6) if np.isfinite(time) else None for time in newest_s.tolist()]


def packed(times: NDArray[np.float64], *values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Rows with their reports at the beginning rather than at the end."""
    count = (~np.isnan(times)).sum(axis=1)
    shift = (np.arange(times.shape[1]) - count[:, None]) % times.shape[1]
    return tuple(np.take_along_axis(column, shift, axis=1) for column in (times, *values))
