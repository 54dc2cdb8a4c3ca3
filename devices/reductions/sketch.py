"""A quantile sketch: counts in bins that follow from a value's own bits, so that merging is exact.

A bin holds the values of one sign, one binary exponent and the same first `MANTISSA_BITS` bits of the mantissa. Taking
those bits is a shift, exact and the same on every machine, where a logarithm is neither. Every quantile of the sketch
lies within `RELATIVE_ERROR` of the value of that rank, for magnitudes from `LEAST` to below `GREATEST`; smaller ones
count as 0, greater ones in the outermost bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from devices.reductions.rows import Options, Partials, Rows

MANTISSA_BITS: Final = 7
RELATIVE_ERROR: Final = 1 / (2 ** (MANTISSA_BITS + 1) + 1)
"""0.39 %: half a bin against its middle, in the first bin after a power of two."""
LEAST: Final = 2.0**-40
GREATEST: Final = 2.0**40
_SHIFT: Final = 52 - MANTISSA_BITS
_MAGNITUDE: Final = np.int64(0x7FFF_FFFF_FFFF_FFFF)
_FIRST: Final = int(np.float64(LEAST).view(np.int64)) >> _SHIFT
_LAST_BIN: Final = (int(np.float64(GREATEST).view(np.int64)) >> _SHIFT) - _FIRST  # bins of one sign: 1.._LAST_BIN
_SPAN: Final = 2 * _LAST_BIN + 1


def bins_of(value: NDArray[np.float64]) -> NDArray[np.int32]:
    """The bin of each value, growing with it: negative below 0, 0 for about 0, positive above; within 16 bits."""
    bits = value.view(np.int64)
    magnitude = ((bits & _MAGNITUDE) >> _SHIFT).astype(np.int32)
    magnitude -= _FIRST - 1
    np.clip(magnitude, 0, _LAST_BIN, out=magnitude)
    negative = bits < 0
    if negative.any():
        np.negative(magnitude, out=magnitude, where=negative)
    return magnitude


def values_of(bins: NDArray[np.integer]) -> NDArray[np.float64]:
    """What stands for each bin: the harmonic mean of its borders, least wrong relative to either."""
    magnitude = np.abs(bins.astype(np.int64))
    low = ((magnitude + (_FIRST - 1)) << _SHIFT).view(np.float64)
    high = ((magnitude + _FIRST) << _SHIFT).view(np.float64)
    return np.where(magnitude == 0, 0.0, np.sign(bins) * (2.0 * low / (low + high) * high))


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts of the bins of many groups, those above 0 only, sorted by (group, bin)."""

    group: NDArray[np.intp]
    bin: NDArray[np.int32]
    count: NDArray[np.int64]
    groups: int

    @classmethod
    def empty(cls, groups: int) -> Sketch:
        """Of no readings."""
        return cls(np.zeros(0, np.intp), np.zeros(0, np.int32), np.zeros(0, np.int64), groups)

    @classmethod
    def side_by_side(cls, sketches: Sequence[Sketch]) -> Sketch:
        """Groups of the first, then those of the second, and so on; at least one."""
        offsets = np.cumsum([0, *(sketch.groups for sketch in sketches)])
        return cls(
            np.concatenate([sketch.group + offset for sketch, offset in zip(sketches, offsets, strict=False)]),
            np.concatenate([sketch.bin for sketch in sketches]),
            np.concatenate([sketch.count for sketch in sketches]),
            int(offsets[-1]),
        )

    def merged(self, other: Sketch) -> Sketch:
        """Both together, exactly."""
        if not len(self.group):
            return other
        if not len(other.group):
            return self
        key = np.concatenate((self._key(), other._key()))
        count = np.concatenate((self.count, other.count))
        return self._summed(key, count, max(self.groups, other.groups))

    def moved(self, place: NDArray[np.intp], groups: int) -> Sketch:
        """With each group in another place, several perhaps in one; those whose place is -1 are left out."""
        group = place[self.group]
        kept = group >= 0
        moved = Sketch(group[kept], self.bin[kept], self.count[kept], groups)
        return self._summed(moved._key(), moved.count, groups) if kept.any() else Sketch.empty(groups)

    @staticmethod
    def _summed(key: NDArray[np.int64], count: NDArray[np.int64], groups: int) -> Sketch:
        order = np.argsort(key, kind="stable")
        key, count = key[order], count[order]
        starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        group, bin_number = np.divmod(key[starts], _SPAN)
        return Sketch(
            group,
            (bin_number - _LAST_BIN).astype(np.int32),
            np.add.reduceat(count, starts),
            groups,
        )

    def _key(self) -> NDArray[np.int64]:
        return self.group.astype(np.int64) * _SPAN + (self.bin + _LAST_BIN)

    def quantiles(self, wanted: Sequence[float]) -> NDArray[np.float64]:
        """Quantiles 0..1 of every group, shape (groups, len(wanted)); NaN where there is no reading.

        Within `RELATIVE_ERROR` of what SQL calls percentile_disc: reading number ceil(q * n) of n sorted ones.
        """
        total = np.bincount(self.group, self.count, minlength=self.groups).astype(np.int64)
        result = np.full((self.groups, len(wanted)), np.nan)
        there = np.flatnonzero(total)
        if not len(there):
            return result
        reached = np.cumsum(self.count)
        before = np.cumsum(total)[there] - total[there]
        represented = values_of(self.bin)
        for at, q in enumerate(wanted):
            rank = np.maximum(np.ceil(q * total[there]).astype(np.int64), 1) - 1
            result[there, at] = represented[np.searchsorted(reached, before + rank, side="right")]
        return result


def fold_sketch(rows: Rows) -> Sketch:
    """Count the bins of some rows."""
    if not len(rows):
        return Sketch.empty(rows.groups)
    bins = bins_of(np.ascontiguousarray(rows.value))
    lowest = int(bins.min())
    span = int(bins.max()) - lowest + 1
    # 32 bits where they hold it: sorting is most of the work and goes twice as fast.
    key_type = np.int32 if rows.groups * span < np.iinfo(np.int32).max else np.int64
    key: NDArray[Any] = rows.group.astype(key_type)
    key *= span
    key += bins - lowest
    if rows.groups * span <= 4 * len(rows):
        counts = np.bincount(key, minlength=rows.groups * span)
        there = np.flatnonzero(counts)
        counts = counts[there]
    else:
        key.sort()
        starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        there, counts = key[starts].astype(np.int64), np.diff(np.r_[starts, len(key)])
    group, bin_number = np.divmod(there, span)
    return Sketch(group.astype(np.intp), (bin_number + lowest).astype(np.int32), counts, rows.groups)


def add_sketch(state: Partials, rows: Rows) -> None:
    """Count the bins of further rows."""
    state["sketch"] = state["sketch"].merged(fold_sketch(rows))


def merge_sketch(left: Partials, right: Partials, _: Options) -> Partials:
    """Both together."""
    return {"sketch": left["sketch"].merged(right["sketch"])}


def finish_sketch(state: Partials) -> Partials:
    """Percentiles; and, as acousticians name them, the level exceeded 10, 50 and 90 % of the time."""
    p10, p50, p90, p95, p99 = state["sketch"].quantiles((0.1, 0.5, 0.9, 0.95, 0.99)).T
    return {"p50": p50, "p90": p90, "p95": p95, "p99": p99, "l10": p90, "l50": p50, "l90": p10}
