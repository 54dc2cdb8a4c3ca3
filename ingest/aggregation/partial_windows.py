"""From rows to windows, from windows to coarser windows: what the aggregator computes, without the database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from devices.reductions.rows import Rows
from devices.reductions.sketch import Sketch
from devices.reductions.table import REDUCTIONS, Aggregation
from ingest.aggregation.store import BASIC, FLAGS, Windows
from ingest.aggregation.windows import QUARTER, SECOND_US, start_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from devices.reductions.rows import Partials
    from ingest.aggregation.fleet import Kind
    from ingest.aggregation.store import Observations

_START_BITS: Final = 31
"""A window's key: the device above these bits, the number of its first quarter since 1970 in them."""
_START_MASK: Final = (1 << _START_BITS) - 1


@dataclass(frozen=True)
class Work:
    """The reductions of one kind of devices."""

    kind: Kind

    @cached_property
    def aggregation(self) -> Aggregation:
        """All that some slot keeps."""
        return Aggregation((*BASIC, *self.kind.keeps))

    @cached_property
    def basic(self) -> Aggregation:
        """What all slots keep."""
        return Aggregation(BASIC)

    @cached_property
    def _dense(self) -> Aggregation:
        """All but the sketch, which merges many groups into one in one go."""
        return Aggregation((*BASIC, *(name for name in self.kind.keeps if name != "sketch")))

    @property
    def slots(self) -> int:
        """Slots of a device."""
        return len(self.kind.slots)

    def empty(self, windows: int) -> Partials:
        """Partials of windows without readings."""
        return self.aggregation.empty(windows * self.slots)

    def quarters(self, observations: Observations) -> Windows:
        """The quarter hours that some rows fall into, of these rows alone."""
        starts, window = self._place(observations)
        windows, slots = len(starts), self.slots
        device_key = (starts >> _START_BITS).astype(np.int32)
        start_us = (starts & _START_MASK) * (QUARTER * SECOND_US)
        there = ~np.isnan(observations.value)
        good = there & ~observations.flagged
        group = window * slots + np.arange(slots)
        size = windows * slots
        changed_us = np.full(windows, np.iinfo(np.int64).min)
        row, _ = np.nonzero(there)
        np.maximum.at(changed_us, window[there], observations.received_us[row])
        partials = self.empty(windows)
        options = self.kind.options(start_us)
        row, _ = np.nonzero(good)
        self.basic.add(partials, Rows(group[good], observations.time_us[row], observations.value[good], size))
        for name, keeping in self.kind.keeps.items():
            chosen = good & keeping
            row, _ = np.nonzero(chosen)
            weight = None
            if name == "harmonic-mean" and self.kind.weighing is not None:
                counted = np.where(good, observations.value, 0.0)[:, self.kind.weighing].sum(axis=1)
                weight = counted[row]
            own = Aggregation((name,))
            state = own.empty(size)
            rows = Rows(group[chosen], observations.time_us[row], observations.value[chosen], size, weight, options)
            own.add(state, rows)
            for column in REDUCTIONS[name].columns:
                partials[column.name] = state[column.name]
            if name == "sketch":
                partials["sketch"] = state["sketch"]
        flagged = np.bincount(group[observations.flagged], minlength=size)
        return Windows(device_key, start_us, changed_us, flagged, partials, _flags(observations.quality, group, size))

    def _place(self, observations: Observations) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Keys of the windows, sorted, and the window of each cell, shape (n, slots)."""
        there = ~np.isnan(observations.value)
        shifts = np.unique(self.kind.shift_us)
        key = np.empty(observations.value.shape, dtype=np.int64)
        device = observations.device_key.astype(np.int64) << _START_BITS
        for shift in shifts:
            placed = start_of(observations.time_us - shift, QUARTER) // (QUARTER * SECOND_US)
            key[:, self.kind.shift_us == shift] = (device | placed)[:, None]
        if len(shifts) == 1:
            # All slots of a row fall into one window: look at rows instead of cells.
            rows, window = np.unique(key[:, 0], return_inverse=True)
            seen = np.zeros(len(rows), dtype=np.bool_)
            seen[window[there.any(axis=1)]] = True
            if seen.all():
                return rows, np.broadcast_to(window[:, None], key.shape)
        keys = np.unique(key[there])
        return keys, np.searchsorted(keys, key)

    def merge(self, left: Partials, right: Partials, windows: int) -> Partials:
        """Partials of the same windows, the left ones' readings before the right ones'; sketches are left out."""
        merged = self._dense.merge(left, right, self.kind.holding(windows))
        for name, keeping in self.kind.keeps.items():
            # What lies between two spans would be added for slots that do not keep it, too.
            for column in REDUCTIONS[name].columns:
                values = merged[column.name].reshape(windows, self.slots, -1)
                values[:, ~keeping] = column.fill
        return merged

    def take(self, windows: Windows, at: NDArray[np.intp]) -> Windows:
        """Some of these windows."""
        cells = (at[:, None] * self.slots + np.arange(self.slots)).ravel()
        partials: Partials = {name: column[cells] for name, column in windows.partials.items() if name != "sketch"}
        if "sketch" in windows.partials:
            place = np.full(len(windows) * self.slots, -1, dtype=np.intp)
            place[cells] = np.arange(len(cells))
            partials["sketch"] = windows.partials["sketch"].moved(place, len(cells))
        return Windows(
            windows.device_key[at],
            windows.start_us[at],
            windows.changed_us[at],
            windows.flagged[cells],
            partials,
            None if windows.flags is None else windows.flags[cells],
        )

    def join(self, standing: Windows, new: Windows) -> tuple[Windows, NDArray[np.bool_]]:
        """New windows with what stands of them; also which of them stand."""
        if not len(standing):
            return new, np.zeros(len(new), dtype=np.bool_)
        old_key, new_key = _key(standing), _key(new)
        place = np.minimum(np.searchsorted(old_key, new_key), len(old_key) - 1)
        stands = old_key[place] == new_key
        at = np.flatnonzero(stands)
        if not len(at):
            return new, stands
        left, right = self.take(standing, place[at]), self.take(new, at)
        merged = self.merge(left.partials, right.partials, len(at))
        cells = (at[:, None] * self.slots + np.arange(self.slots)).ravel()
        for name, column in merged.items():
            new.partials[name][cells] = column
        if "sketch" in new.partials:
            whole: Sketch = new.partials["sketch"]
            new.partials["sketch"] = whole.merged(left.partials["sketch"].moved(cells, whole.groups))
        new.flagged[cells] += left.flagged
        _add_flags(new, cells, left.flags)
        new.changed_us[at] = np.maximum(new.changed_us[at], left.changed_us)
        return new, stands

    def as_stored(self, windows: Windows) -> Windows:
        """As they are when read back: moments are stored about the mean that sum and count give."""
        partials = dict(windows.partials)
        known = partials["count"] > 0
        partials["mean_of_moment"] = np.divide(
            partials["sum"], partials["count"], out=np.zeros(len(known)), where=known
        )
        return replace(windows, partials=partials)

    def together(self, parts: Sequence[Windows]) -> Windows:
        """Windows of several blocks, sorted; of a window that stands in several, the last one."""
        if len(parts) == 1:
            return parts[0]
        flags = None
        if any(part.flags is not None for part in parts):
            none = [np.zeros((len(part.flagged), FLAGS), dtype=np.int64) for part in parts]
            flags = np.concatenate(
                [zero if part.flags is None else part.flags for part, zero in zip(parts, none, strict=True)]
            )
        names = [name for name in parts[0].partials if name != "sketch"]
        partials: Partials = {name: np.concatenate([part.partials[name] for part in parts]) for name in names}
        if "sketch" in parts[0].partials:
            partials["sketch"] = Sketch.side_by_side([part.partials["sketch"] for part in parts])
        whole = Windows(
            np.concatenate([part.device_key for part in parts]),
            np.concatenate([part.start_us for part in parts]),
            np.concatenate([part.changed_us for part in parts]),
            np.concatenate([part.flagged for part in parts]),
            partials,
            flags,
        )
        key = _key(whole)
        order = np.argsort(key, kind="stable")
        last = np.r_[key[order[1:]] != key[order[:-1]], np.ones(min(1, len(order)), dtype=np.bool_)]
        return self.take(whole, order[last])

    def roll_up(self, fine: Windows, length_s: int) -> Windows:
        """Coarser windows of all these windows."""
        if not len(fine):
            return fine
        parent_key = (fine.device_key.astype(np.int64) << _START_BITS) | (
            start_of(fine.start_us, length_s) // (QUARTER * SECOND_US)
        )
        starts = np.flatnonzero(np.r_[True, parent_key[1:] != parent_key[:-1]])
        size = np.diff(np.r_[starts, len(fine)])
        parent = np.repeat(np.arange(len(starts)), size)
        result = self.take(fine, starts)
        for rank in range(1, int(size.max(initial=0))):
            at = np.flatnonzero(size > rank)
            left, right = self.take(result, at), self.take(fine, starts[at] + rank)
            merged = self.merge(left.partials, right.partials, len(at))
            cells = (at[:, None] * self.slots + np.arange(self.slots)).ravel()
            for name, column in merged.items():
                result.partials[name][cells] = column
            result.flagged[cells] += right.flagged
            _add_flags(result, cells, right.flags)
            result.changed_us[at] = np.maximum(result.changed_us[at], right.changed_us)
        if "sketch" in fine.partials:
            cells = (parent[:, None] * self.slots + np.arange(self.slots)).ravel()
            result.partials["sketch"] = fine.partials["sketch"].moved(cells, len(starts) * self.slots)
        result.start_us = start_of(result.start_us, length_s)
        return result


def _flags(quality: NDArray[np.int16] | None, group: NDArray[np.intp], size: int) -> NDArray[np.int64] | None:
    """Readings by flag, shape (size, FLAGS); None where none bears one."""
    if quality is None or not quality.any():
        return None
    row, slot = np.nonzero(quality)
    at, bits = group[row, slot], quality[row, slot]
    return np.stack([np.bincount(at[(bits & (1 << bit)) != 0], minlength=size) for bit in range(FLAGS)], axis=1)


def _add_flags(onto: Windows, cells: NDArray[np.intp], flags: NDArray[np.int64] | None) -> None:
    if flags is None:
        return
    if onto.flags is None:
        onto.flags = np.zeros((len(onto.flagged), FLAGS), dtype=np.int64)
    onto.flags[cells] += flags


def _key(windows: Windows) -> NDArray[np.int64]:
    return (windows.device_key.astype(np.int64) << _START_BITS) | (windows.start_us // (QUARTER * SECOND_US))
