"""The per-device limit: readings a device may have in one minute of phenomenon time.

Counted in phenomenon time, so that a back-fill is no flood: a day of history holds as many readings a minute as the day
itself did. What is above is refused, with its bytes, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.reasons import Reason
from ingest.refuse import refuse_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.columns import Columns
    from ingest.records import Block
    from ingest.validate import Checked

_MINUTE_US: Final = 60_000_000
_MINUTE_BITS: Final = 34
"""Minutes of the years -6000 to 9999 fit below a device key, with `_FIRST_MINUTE` taken off."""
_FIRST_MINUTE: Final = -(2**33)
_KEPT_COUNTS: Final = 131_072
_DENSE: Final = 8
"""Codes of (device, minute) are counted in a plain array when it is at most this many times longer than the rows."""


class DeviceMinutes:
    """How many readings each device had in each minute, within a bound of memory.

    Two generations of counts, each sorted by key: what was not touched while `kept` other counts were is forgotten, so
    a device may then have its share of that minute again, and nothing is ever refused that the limit allows.
    """

    def __init__(self, kept: int = _KEPT_COUNTS) -> None:
        self._kept = kept
        self._young = _Counts.none()
        self._old = _Counts.none()

    def add(self, key: NDArray[np.int64], readings: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count further readings; answers how many there were before.

        Args:
            key: distinct and ascending, shape (n,).
            readings: how many more of each, shape (n,).
        """
        before, known = self._young.find(key)
        strangers = np.flatnonzero(~known)
        if len(strangers):
            before[strangers], _ = self._old.find(key[strangers])
        self._young.put(key, before + readings, known)
        if len(self._young.key) > self._kept:
            self._old, self._young = self._young, _Counts.none()
        return before


@dataclass(slots=True)
class _Counts:
    key: NDArray[np.int64]  # ascending
    readings: NDArray[np.int64]

    @staticmethod
    def none() -> _Counts:
        return _Counts(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

    def find(self, key: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if not len(self.key):
            return np.zeros(len(key), dtype=np.int64), np.zeros(len(key), dtype=np.bool_)
        at = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        known = self.key[at] == key
        return np.where(known, self.readings[at], 0), known

    def put(self, key: NDArray[np.int64], readings: NDArray[np.int64], known: NDArray[np.bool_]) -> None:
        if known.any():
            self.readings[np.searchsorted(self.key, key[known])] = readings[known]
        new = ~known
        if new.any():
            at = np.searchsorted(self.key, key[new])
            self.key = np.insert(self.key, at, key[new])
            self.readings = np.insert(self.readings, at, readings[new])


class DeviceLimit:
    """Refuses what a device sends above its share of a minute.

    A row counts with all its readings whether it is taken or not: once a minute is full, the rest of it is refused.
    """

    def __init__(self, readings_a_minute: int, *, subjects: int, kept: int = _KEPT_COUNTS) -> None:
        self._limit = readings_a_minute
        self._subjects = subjects
        self._minutes = DeviceMinutes(kept)

    def apply(self, columns: Columns, checked: Checked) -> Checked:
        """The batch without the excess, which became rejections; to be called once a batch."""
        blocks = [self._within_limit(columns, block, checked) for block in checked.blocks]
        return replace(checked, blocks=blocks)

    def _within_limit(self, columns: Columns, block: Block, checked: Checked) -> Block:
        if not len(block):
            return block
        absent = np.isnan(block.value)
        slots = block.value.shape[1]
        readings = slots - np.count_nonzero(absent, axis=1) if absent.any() else np.full(len(block), slots)
        minute = block.time_us // _MINUTE_US
        code, key_of = _codes(columns.snapshot.device_key, block.device, minute)
        total = np.bincount(code, weights=readings).astype(np.int64)
        present = np.flatnonzero(total)
        key = key_of(present)
        order = np.argsort(key)  # device keys need not ascend with the device's index
        before = np.empty(len(key), dtype=np.int64)
        before[order] = self._minutes.add(key[order], total[present][order])
        full = present[before + total[present] > self._limit]
        if not len(full):
            return block
        counted = np.zeros(len(total), dtype=np.int64)
        counted[present] = before
        over = _over(code, readings, counted, full, self._limit)
        detail = f"more than {self._limit} readings of this device in one minute of phenomenon time"
        refuse_rows(columns, block.take(over), checked, Reason.RATE_LIMITED, detail, subjects=self._subjects)
        return block.take(~over)


def _codes(device_key: NDArray[np.int32], device: NDArray[np.int32], minute: NDArray[np.int64]) -> tuple[Any, Any]:
    """A small code of each row's (device, minute), and how to make keys that hold beyond this batch out of codes."""
    first = int(minute.min())
    span = int(minute.max()) - first + 1
    if (int(device.max()) + 1) * span <= _DENSE * len(device) + 65_536:
        code = device * np.int64(span) + (minute - first)

        def dense(codes: NDArray[np.int64]) -> NDArray[np.int64]:
            return _key(device_key[codes // span], codes % span + first)

        return code, dense
    keys = _key(device_key[device], minute)
    unique, code = np.unique(keys, return_inverse=True)
    return code, lambda codes: unique[codes]


def _key(device_key: NDArray[np.int32], minute: NDArray[np.int64]) -> NDArray[np.int64]:
    return (device_key.astype(np.int64) << _MINUTE_BITS) + (minute - _FIRST_MINUTE)


def _over(
    code: NDArray[np.int64], readings: NDArray[Any], before: NDArray[np.int64], full: NDArray[np.intp], limit: int
) -> NDArray[np.bool_]:
    """Which rows are above the limit, in the order in which they came."""
    over = np.zeros(len(code), dtype=np.bool_)
    rows = np.flatnonzero(np.isin(code, full))
    rows = rows[np.argsort(code[rows], kind="stable")]
    ends = np.cumsum(readings[rows])
    starts = np.flatnonzero(np.r_[True, code[rows][1:] != code[rows][:-1]])
    lengths = np.diff(np.r_[starts, len(rows)])
    base = np.repeat((ends - readings[rows])[starts], lengths)
    over[rows] = before[code[rows]] + ends - base > limit
    return over
