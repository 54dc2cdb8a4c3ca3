"""Rows of devices and what stands before them, laid out as one series and judged. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.quality import Quality
from ingest.standing import BEFORE, LEAST_RUN, Runs, runs, spikes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.registry import Rules

NEVER: Final = np.iinfo(np.int64).min


@dataclass(slots=True)
class Before:
    """What stands before the first row of each device: arrays of shape (devices, watched slots[, BEFORE])."""

    value: NDArray[np.float64]  # the newest last; NaN: fewer stand there
    since_us: NDArray[np.int64]  # since when the newest stands
    count: NDArray[np.int64]  # and how often it was read

    @classmethod
    def nothing(cls, devices: int, slots: int) -> Before:
        """Before the first reading."""
        return cls(
            value=np.full((devices, slots, BEFORE), np.nan),
            since_us=np.full((devices, slots), NEVER),
            count=np.zeros((devices, slots), dtype=np.int64),
        )

    def joined(self, other: Before) -> Before:
        """These devices and the other's behind them."""
        return Before(
            value=np.concatenate([self.value, other.value]),
            since_us=np.concatenate([self.since_us, other.since_us]),
            count=np.concatenate([self.count, other.count]),
        )

    def put(self, at: NDArray[Any], other: Before) -> None:
        """Lay the other's devices over those at some places."""
        self.value[at], self.since_us[at], self.count[at] = other.value, other.since_us, other.count

    def of(self, slots: NDArray[np.intp]) -> Before:
        """The same before some of the slots."""
        return Before(self.value[:, slots], self.since_us[:, slots], self.count[:, slots])

    def taken(self, at: NDArray[Any]) -> Before:
        """The devices at some places."""
        return Before(self.value[at], self.since_us[at], self.count[at])


def against(
    before: Before, rules: Rules, value: NDArray[np.float64], time_us: NDArray[np.int64], starts: NDArray[np.intp]
) -> tuple[NDArray[np.int16], Before]:
    """Flags of watched values, shape (n, slots), and what stands after them.

    Args:
        before: what stands before them.
        rules: of the slots.
        value: shape (n, watched slots); NaN: nothing to judge.
        time_us: shape (n,).
        starts: first row of each device, ascending.
    """
    n, slots = value.shape
    some = np.flatnonzero(~np.isnan(value).all(axis=0))
    if len(some) < slots:
        # Messages of one reading fill one slot of many; in the others what stands stands on.
        flags = np.zeros((n, slots), dtype=np.int16)
        after = before.of(np.arange(slots))  # a copy
        if len(some):
            flags[:, some], told = against(before.of(some), rules.of(some), value[:, some], time_us, starts)
            after.value[:, some], after.since_us[:, some], after.count[:, some] = told.value, told.since_us, told.count
        return flags, after
    devices = len(starts)
    ordinal = np.repeat(np.arange(devices), np.diff(np.r_[starts, n]))
    # A row a slot; in it device after device, what stood before and then what is new.
    width = devices * BEFORE + n
    place = np.arange(n) + (ordinal + 1) * BEFORE
    kept = (starts + np.arange(devices) * BEFORE)[:, None] + np.arange(BEFORE)
    whole = np.empty((slots, width))
    whole[:, place] = value.T
    whole[:, kept] = before.value.transpose(1, 0, 2)
    since = np.empty((slots, width), dtype=np.int64)
    since[:, place] = time_us
    since[:, kept] = before.since_us.T[:, :, None]
    device = np.empty(width, dtype=np.intp)
    device[place] = ordinal
    device[kept] = np.arange(devices)[:, None]
    count = np.ones((slots, width), dtype=np.int64)
    # Counted down from the newest: right for those of its run, and of no effect for others.
    count[:, kept] = before.count.T[:, :, None] - np.arange(BEFORE)[::-1]
    group = np.repeat(np.arange(slots) * devices, width)
    group += np.tile(device, slots)
    series, since_us, counts = whole.ravel(), since.ravel(), count.ravel()
    least = np.repeat(rules.spike, width)
    there = np.arange(len(series))
    absent = np.isnan(series)
    if absent.any():
        there = np.flatnonzero(~absent)
        series, since_us, counts = series[there], since_us[there], counts[there]
        group, least = group[there], least[there]
    flags = np.zeros(slots * width, dtype=np.int16)
    flags[there[spikes(group, series, least)]] = Quality.SPIKE
    run = runs(group, series, since_us, counts)
    # Few have stood for long; the rest needs no further look.
    at = np.flatnonzero(run.count >= LEAST_RUN)
    slot, column = np.divmod(there[at], width)
    row_time = np.zeros(width, dtype=np.int64)
    row_time[place] = time_us
    at_bound = (series[at] <= rules.lower[slot]) | (series[at] >= rules.upper[slot])
    span_us = np.where(at_bound, rules.flat_us[slot], rules.stuck_us[slot])
    stands = row_time[column] - run.since_us[at] >= span_us
    kind = np.where(at_bound, np.int16(Quality.FLAT_AT_BOUND), np.int16(Quality.STUCK))
    flags[there[at[stands]]] |= kind[stands]
    return flags.reshape(slots, width)[:, place].T, _after(group, series, run, devices, slots)


def _after(
    group: NDArray[np.intp],
    series: NDArray[np.float64],
    run: Runs,
    devices: int,
    slots: int,
) -> Before:
    after = Before.nothing(devices, slots)
    if not len(group):
        return after
    last = np.flatnonzero(np.r_[group[1:] != group[:-1], True])
    slot, device = np.divmod(group[last], devices)
    place = last[:, None] - np.arange(BEFORE)[::-1]
    known = (place >= 0) & (group[np.maximum(place, 0)] == group[last][:, None])
    after.value[device, slot] = np.where(known, series[np.maximum(place, 0)], np.nan)
    after.since_us[device, slot] = run.since_us[last]
    after.count[device, slot] = run.count[last]
    return after
