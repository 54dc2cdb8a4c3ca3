"""Window statistics of some devices of a fleet on a regular grid of time, and the rows that are not in windows yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from api.operations import arrays
from api.operations.fleet import QUERIES
from devices.quality import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from api.database import Database
    from api.operations.fleet import Fleet, Stream

_ADDED: Final = (
    "sum",
    "energy",
    "east",
    "north",
    "weight",
    "weight_by_value",
    "increase",
    "held_value_s",
    "held_s",
)
_STATES: Final = 8
_ENERGETIC: Final = "sound-level-equivalent"
_CIRCULAR: Final = "wind-direction"
Step = Literal[900, 3600]


@dataclass(frozen=True, slots=True)
class History:
    """Windows of d devices, t steps, s slots; every column of shape (d, t, s)."""

    first_s: int  # start of the first step, Unix seconds
    step_s: int
    at: NDArray[np.intp]  # position of each of its devices in the fleet, ascending; shape (d,)
    count: NDArray[np.int64]
    flagged: NDArray[np.int64]
    min: NDArray[np.float64]  # NaN: no reading; the next two, too
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    last_us: NDArray[np.int64]  # Unix microseconds; `arrays.NEVER_US`: no reading
    added: Mapping[str, NDArray[np.float64]]  # sums; NaN where a slot does not keep them
    state_s: NDArray[np.float64]  # (d, t, s, 8) seconds in each state; NaN where a slot does not keep them

    def rows(self, stream: Stream) -> NDArray[np.intp]:
        """The devices of a stream in these columns; those that are not here are left out."""
        return np.flatnonzero(np.isin(self.at, stream.at))

    def mean(self, stream: Stream) -> NDArray[np.float64]:
        """Arithmetic means of a stream, NaN for no reading; shape (devices of the stream, t)."""
        rows = self.rows(stream)
        count = self.count[rows, :, stream.slot]
        return np.where(count > 0, self.added["sum"][rows, :, stream.slot] / np.maximum(count, 1), np.nan)

    def coverage(self, stream: Stream) -> NDArray[np.float64]:
        """Observed share of each step of a stream, 0..1; shape (devices of the stream, t)."""
        due = max(1, self.step_s // stream.interval_s)
        share: NDArray[np.float64] = np.minimum(1.0, self.count[self.rows(stream), :, stream.slot] / due)
        return share

    def full(self, stream: Stream, least: float) -> NDArray[np.float64]:
        """Means of the steps that are at least so full; NaN for others."""
        return np.where(self.coverage(stream) >= least, self.mean(stream), np.nan)


async def read_history(
    database: Database,
    fleet: Fleet,
    keys: Sequence[int],
    *,
    first_s: int,
    steps: int,
    step_s: Step,
    wanted: Sequence[str] = (),
    tail: bool = False,
) -> History:
    """Read windows.

    Args:
        database: to read from.
        fleet: the devices.
        keys: of the devices to read, ascending.
        first_s: start of the first step, Unix seconds, a multiple of `step_s`.
        steps: how many.
        step_s: length of one.
        wanted: columns to read beside count, flagged and sum: `min`, `max`, `last`, names of `added`, `state_s`; the
            others stay NaN.
        tail: whether to count in what is committed but not folded yet; of a device that reports often that is a quarter
            of an hour at most. Sums over what lies between readings (increase, held, states) stay as folded.
    """
    span = {
        "device_keys": list(keys),
        "wanted": list(wanted),
        "first": datetime.fromtimestamp(first_s, UTC),
        "last": datetime.fromtimestamp(first_s + steps * step_s, UTC),
    }
    builder = _Builder(fleet, fleet.positions(keys), first_s, steps, step_s)
    if keys:
        name = "operations_hours" if step_s == 3600 else "operations_quarters"  # noqa: PLR2004 an hour
        for row in await database.rows(QUERIES[name], span):
            builder.add_windows(row)
        if tail:
            # After the windows: what is folded between the two is missing for once, as its coverage says, never double.
            for row in await database.rows(QUERIES["operations_recent"], {**span, "beyond": True}):
                builder.add_rows(row)
    return builder.history()


class _Builder:
    """Fills the columns."""

    def __init__(self, fleet: Fleet, at: NDArray[np.intp], first_s: int, steps: int, step_s: int) -> None:
        self._fleet, self._at, self._first_s, self._step_s = fleet, at, first_s, step_s
        self._row_of = np.full(len(fleet.keys) + 1, -1)
        self._row_of[at] = np.arange(len(at))
        self._shape = (len(at), steps, fleet.slots)
        self._count = np.zeros(self._shape, np.int64)
        self._flagged = np.zeros(self._shape, np.int64)
        self._min, self._max = np.full(self._shape, np.inf), np.full(self._shape, -np.inf)
        self._last = np.full(self._shape, np.nan)
        self._last_us = np.full(self._shape, arrays.NEVER_US)
        self._added = {name: np.full(self._shape, np.nan) for name in _ADDED}
        self._state_s = np.full((*self._shape, _STATES), np.nan)

    def add_windows(self, row: Mapping[str, Any]) -> None:
        """A row of `operations_hours` or `operations_quarters`."""
        slots, starts = row["slots"], np.array(row["starts"])
        size, width = len(starts), min(slots, self._fleet.slots)
        order = np.argsort(starts, kind="stable")
        device = self._row_of[self._fleet.positions(row["device_keys"])][order]
        step = ((starts - self._first_s) // self._step_s)[order]
        place = (device, step)

        def column(name: str) -> NDArray[np.float64]:
            return arrays.float8s(row[name], size, slots)[order, :width]

        count = arrays.integers(row["count"], size, slots, size=4)[order, :width]
        np.add.at(self._count[..., :width], place, count)
        flagged = arrays.integers(row["flagged"], size, slots, size=4)[order, :width]
        np.add.at(self._flagged[..., :width], place, flagged)
        if row["min"] is not None:
            np.minimum.at(self._min[..., :width], place, column("min"))
        if row["max"] is not None:
            np.maximum.at(self._max[..., :width], place, column("max"))
        if row["last"] is not None:
            which, slot = np.nonzero(count > 0)
            last_us = arrays.times_us(row["last_time"], size, slots)[order, :width]
            cells = (device[which], step[which], slot)
            self._keep_last(cells, column("last")[which, slot], last_us[which, slot])
        for name in _ADDED:
            if row[name] is not None:
                self._begin(name, place, width)
                np.add.at(self._added[name][..., :width], place, column(name))
        if row["state_s"] is not None:
            states = arrays.float8s(row["state_s"], size, slots * _STATES)[order].reshape(size, slots, _STATES)
            where = (*place, slice(0, width))
            self._state_s[where] = np.where(np.isnan(self._state_s[where]), 0.0, self._state_s[where])
            np.add.at(self._state_s[:, :, :width], place, states[:, :width])

    def _keep_last(
        self, cells: tuple[NDArray[Any], ...], value: NDArray[np.float64], time_us: NDArray[np.int64]
    ) -> None:
        """Keep the newest; these are in order of time, so that of one cell the last assignment stands."""
        newer = time_us > self._last_us[cells]
        chosen = tuple(part[newer] for part in cells)
        self._last[chosen], self._last_us[chosen] = value[newer], time_us[newer]

    def _begin(self, name: str, place: tuple[NDArray[Any], NDArray[Any]], width: int) -> None:
        column = self._added[name][..., :width]
        column[place] = np.where(np.isnan(column[place]), 0.0, column[place])

    def add_rows(self, row: Mapping[str, Any]) -> None:
        """A row of `operations_recent`."""
        slots, size = row["slots"], len(row["device_keys"])
        times_us = np.array(row["times_us"], np.int64)
        order = np.argsort(times_us, kind="stable")
        values = arrays.float8s(row["value_by_slot"], size, slots)[order]
        quality = arrays.integers(row["quality_by_slot"], size, slots, size=2)[order]
        times_us, at = times_us[order], self._fleet.positions(row["device_keys"])[order]
        for stream in self._fleet.streams:
            if stream.slot >= slots:
                continue
            value = values[:, stream.slot]
            step = ((times_us - stream.shift_us) // 1_000_000 - self._first_s) // self._step_s
            mine = np.isin(at, stream.at) & ~np.isnan(value) & (step >= 0) & (step < self._shape[1])
            good = mine & ((quality[:, stream.slot] & int(LEFT_OUT)) == 0)
            np.add.at(self._flagged[..., stream.slot], (self._row_of[at[mine & ~good]], step[mine & ~good]), 1)
            self._add_values(stream, (self._row_of[at[good]], step[good]), value[good], times_us[good])

    def _add_values(
        self,
        stream: Stream,
        place: tuple[NDArray[Any], NDArray[Any]],
        value: NDArray[np.float64],
        time_us: NDArray[np.int64],
    ) -> None:
        if not len(value):
            return
        slot = stream.slot
        np.add.at(self._count[..., slot], place, 1)
        np.minimum.at(self._min[..., slot], place, value)
        np.maximum.at(self._max[..., slot], place, value)
        self._keep_last((*place, np.full(len(value), slot)), value, time_us)
        parts = {"sum": value}
        if stream.property_id == _ENERGETIC:
            parts["energy"] = 10.0 ** (value / 10.0)
        if stream.property_id == _CIRCULAR:
            parts["east"], parts["north"] = np.sin(np.deg2rad(value)), np.cos(np.deg2rad(value))
        for name, part in parts.items():
            column = self._added[name][..., slot]
            column[place] = np.where(np.isnan(column[place]), 0.0, column[place])
            np.add.at(column, place, part)

    def history(self) -> History:
        """What was added."""
        none = self._count == 0
        self._min[none | np.isinf(self._min)] = np.nan
        self._max[none | np.isinf(self._max)] = np.nan
        return History(
            self._first_s,
            self._step_s,
            self._at,
            self._count,
            self._flagged,
            self._min,
            self._max,
            self._last,
            self._last_us,
            self._added,
            self._state_s,
        )


@dataclass(frozen=True, slots=True)
class Recent:
    """Rows of some devices as observed; r rows, oldest first in each device, s slots."""

    at: NDArray[np.intp]  # position of the device; shape (r,)
    time_us: NDArray[np.int64]  # shape (r,)
    value: NDArray[np.float64]  # NaN: none, or left out for its quality; shape (r, s)

    def values(self, stream: Stream, device: int) -> NDArray[np.float64]:
        """What one device observed in a stream."""
        value: NDArray[np.float64] = self.value[self.at == device, stream.slot]
        return value[~np.isnan(value)]


async def read_recent(database: Database, fleet: Fleet, keys: Sequence[int], *, first_s: int, last_s: int) -> Recent:
    """Read rows of some devices, of phenomenon times after `first_s` and up to `last_s`."""
    parts: list[tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64]]] = [
        (np.zeros(0, np.intp), np.zeros(0, np.int64), np.zeros((0, fleet.slots)))
    ]
    parameters = {
        "device_keys": list(keys),
        "first": datetime.fromtimestamp(first_s, UTC),
        "last": datetime.fromtimestamp(last_s, UTC),
        "beyond": False,
    }
    for row in await database.rows(QUERIES["operations_recent"], parameters) if keys else ():
        slots, size = row["slots"], len(row["device_keys"])
        quality = arrays.integers(row["quality_by_slot"], size, slots, size=2)
        sent = arrays.float8s(row["value_by_slot"], size, slots)
        value = np.full((size, fleet.slots), np.nan)
        width = min(slots, fleet.slots)
        value[:, :width] = np.where((quality & int(LEFT_OUT)) == 0, sent, np.nan)[:, :width]
        parts.append((fleet.positions(row["device_keys"]), np.array(row["times_us"], np.int64), value))
    at, time_us, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((time_us, at))
    return Recent(at[order], time_us[order], value[order])


def newest_reports(
    recent: Recent, devices: NDArray[np.intp], many: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The newest rows of some devices, the newest last.

    Args:
        recent: rows.
        devices: positions, ascending; n of them.
        many: how many rows of each.

    Returns:
        Unix seconds, NaN where there are fewer rows, shape (n, many); and values, shape (n, many, slots).
    """
    place = np.searchsorted(devices, recent.at)
    mine = (
        (place < len(devices)) & (devices[np.minimum(place, max(0, len(devices) - 1))] == recent.at)
        if len(devices)
        else (np.zeros(len(recent.at), np.bool_))
    )
    row, time_us, value = place[mine], recent.time_us[mine], recent.value[mine]
    count = np.bincount(row, minlength=len(devices))
    behind = np.cumsum(count)[row] - 1 - np.arange(len(row))  # how many newer rows the device has
    column = many - 1 - behind
    there = column >= 0
    times = np.full((len(devices), many), np.nan)
    values = np.full((len(devices), many, recent.value.shape[1]), np.nan)
    times[row[there], column[there]] = time_us[there] / 1e6
    values[row[there], column[there]] = value[there]
    return times, values


async def read_slots(
    database: Database,
    fleet: Fleet,
    streams: Sequence[Stream],
    *,
    length_s: Literal[900, 3600, 86400],
    first: datetime,
    last: datetime,
) -> SlotWindows:
    """Windows at rest of single slots, where whole rows of thousands of devices would be too much to move."""
    keys = np.concatenate([fleet.keys[stream.at] for stream in streams]) if streams else np.zeros(0, np.int32)
    slots = np.concatenate([np.full(len(stream.at), stream.slot + 1) for stream in streams]) if streams else keys
    rows = await database.rows(
        QUERIES["operations_slots"],
        {"device_keys": keys.tolist(), "slots": slots.tolist(), "length_s": length_s, "first": first, "last": last},
    )
    row = rows[0]
    if row["device_keys"] is None:
        nothing = np.zeros(0)
        return SlotWindows(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.int64), nothing, {})
    columns = {
        name: np.frombuffer(row[name], ">f8").astype(np.float64)
        for name in ("sum", "max", "weight", "weight_by_value", "increase")
    }
    return SlotWindows(
        fleet.positions(row["device_keys"]),
        np.array(row["slots"]) - 1,
        np.array(row["starts"], np.int64),
        np.frombuffer(row["count"], ">i4").astype(np.float64),
        columns,
    )


@dataclass(frozen=True, slots=True)
class SlotWindows:
    """Windows of single slots, a row each, in no order."""

    at: NDArray[np.intp]  # position of the device
    slot: NDArray[np.intp]  # from 0
    start_s: NDArray[np.int64]
    count: NDArray[np.float64]
    columns: Mapping[str, NDArray[np.float64]]

    def grid(
        self, stream: Stream, name: str, first_s: int, step_s: int, steps: int, devices: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """A column (or `count`) of a stream on a grid of time; NaN where nothing was observed; (devices, steps)."""
        grid = np.full((len(devices), steps), np.nan)
        if not len(self.at) or not len(devices):
            return grid
        place = np.minimum(np.searchsorted(devices, self.at), len(devices) - 1)
        step = (self.start_s - first_s) // step_s
        mine = (
            (self.slot == stream.slot)
            & np.isin(self.at, stream.at)
            & (devices[place] == self.at)
            & (step >= 0)
            & (step < steps)
            & (self.count > 0)
        )
        values = self.count if name == "count" else self.columns[name]
        grid[place[mine], step[mine]] = values[mine]
        return grid
