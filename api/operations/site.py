"""A site's devices and their last 24 hours."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from api.names import datastream_label, flags_shape
from api.operations.arrays import NEVER_US
from api.operations.columns import number
from api.operations.history import read_history
from api.responses import from_micros
from api.statistics import mean_kind
from devices.environment.noise import laeq_of_energy
from devices.environment.wind import direction_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.operations.board import Board
    from api.operations.fleet import Fleet, Stream
    from api.operations.history import History
    from api.operations.schemas import Series, SeriesItem, SiteDevice
    from api.schemas import Value
    from api.services import Services

QUARTERS: Final = 97
"""24 hours and the quarter of an hour that is not over."""


async def read_site(
    services: Services, site_id: str, boards: list[Board]
) -> tuple[list[SiteDevice], list[Series], datetime, datetime]:
    """Devices, series, and the first and the last moment of these.

    Args:
        services: to read with.
        site_id: the site.
        boards: of the domains that have devices there.
    """
    first_s = (time.time_ns() // 1_000_000_000 // 900 - (QUARTERS - 1)) * 900
    devices: list[SiteDevice] = []
    series: list[Series] = []
    for board in boards:
        fleet = board.fleet
        if site_id not in fleet.site_by_id:
            continue
        members = list(fleet.sites[fleet.site_by_id[site_id]].devices)
        keys = fleet.keys[members].tolist()
        for at in members:
            device = fleet.devices[at]
            devices.append(
                {
                    "id": device.device_id,
                    "name": device.name,
                    "domain": board.domain,
                    "profile": device.profile,
                    "state": board.present.state[at].item(),
                    "latest": latest_of(board, at),
                }
            )
        history = await read_history(
            services.database,
            fleet,
            keys,
            first_s=first_s,
            steps=QUARTERS,
            step_s=900,
            wanted=("min", "max", "energy", "east", "north"),
            tail=True,
        )
        for row, at in enumerate(members):
            series += [series_of(fleet, history, stream, row, at) for stream in fleet.streams if np.isin(at, stream.at)]
    start = datetime.fromtimestamp(first_s, UTC)
    return devices, series, start, start + timedelta(seconds=QUARTERS * 900)


def latest_of(board: Board, at: int) -> list[Value]:
    """What a device said last, in the order of its slots; what it never said is left out."""
    fleet, present, device = board.fleet, board.present, board.fleet.devices[at]
    now_us = time.time_ns() // 1_000
    return [
        {
            "datastream": f"{device.device_id}:{stream.name}",
            "name": stream.name,
            "property": stream.property_id,
            "label": datastream_label(device.profile, stream.name, stream.property_id),
            "value": float(present.value[at, stream.slot]),
            "unit": stream.unit,
            "phenomenon_time": from_micros(int(present.time_us[at, stream.slot])),
            "quality": int(present.quality[at, stream.slot]),
            "flags": flags_shape(int(present.quality[at, stream.slot])),
            "age_s": max(0.0, (now_us - int(present.time_us[at, stream.slot])) / 1e6),
        }
        for stream in fleet.streams
        if stream.profile == device.profile
        and not np.isnan(present.value[at, stream.slot])
        and present.time_us[at, stream.slot] != NEVER_US
    ]


def series_of(fleet: Fleet, history: History, stream: Stream, row: int, at: int) -> Series:
    """One datastream's quarters of an hour."""
    device, slot = fleet.devices[at], stream.slot
    count, flagged = history.count[row, :, slot], history.flagged[row, :, slot]
    means = _means(history, stream, row)
    start = datetime.fromtimestamp(history.first_s, UTC)
    due = max(1, history.step_s // stream.interval_s)
    items: list[SeriesItem] = [
        {
            "start": start + timedelta(seconds=step * history.step_s),
            "count": int(count[step]),
            "coverage": min(1.0, int(count[step]) / due),
            "flagged": int(flagged[step]),
            "mean": number(means[step]),
            "min": number(history.min[row, step, slot]),
            "max": number(history.max[row, step, slot]),
        }
        for step in range(len(count))
    ]
    return {
        "datastream": f"{device.device_id}:{stream.name}",
        "device": device.device_id,
        "property": stream.property_id,
        "label": datastream_label(device.profile, stream.name, stream.property_id),
        "unit": stream.unit,
        "interval_s": stream.interval_s,
        "mean": mean_kind(stream.property_id),
        "items": items,
    }


def _means(history: History, stream: Stream, row: int) -> NDArray[np.float64]:
    count = history.count[row, :, stream.slot].astype(np.float64)
    column = {name: np.nan_to_num(values[row, :, stream.slot]) for name, values in history.added.items()}
    kind = mean_kind(stream.property_id)
    if kind == "energetic":
        return laeq_of_energy(column["energy"], count)
    if kind == "circular":
        return direction_of(column["east"], column["north"], count)
    return np.where(count > 0, column["sum"] / np.maximum(count, 1), np.nan)
