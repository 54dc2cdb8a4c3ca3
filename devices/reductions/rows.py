"""What reductions work on: readings as columns, partials as arrays over groups.

A group is one datastream in one window; groups are numbered from 0 by the caller. Numbering them window by window
(window * datastreams + datastream) keeps readings that arrive together close together in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Partials: TypeAlias = "dict[str, Any]"
"""Partial column -> array of shape (groups,), (groups, k), or a `Sketch`."""

NEVER_FIRST: Final = np.iinfo(np.int64).max
NEVER_LAST: Final = np.iinfo(np.int64).min
HOLD_INTERVALS: Final = 3
"""A value holds for three reporting intervals at most; after that the device counts as silent."""
STATES: Final = 8
"""Time is kept for the states 0 to 6; whatever else a state is counts as state 7."""


@dataclass(frozen=True, slots=True)
class Options:
    """What some reductions need to know beside the readings; a number for all groups or an array of shape (groups,)."""

    hold_us: int | NDArray[np.int64] = NEVER_FIRST  # a value holds until the next one, at most so long
    limit: float | NDArray[np.float64] = np.inf  # of the exceedance; a reading exceeds it when it is greater

    def hold_of(self, group: NDArray[np.intp]) -> int | NDArray[np.int64]:
        """The longest hold of each of these groups, microseconds."""
        return self.hold_us if isinstance(self.hold_us, int) else self.hold_us[group]

    def limit_of(self, group: NDArray[np.intp]) -> float | NDArray[np.float64]:
        """The limit of each of these groups."""
        return self.limit[group] if isinstance(self.limit, np.ndarray) else self.limit


@dataclass
class Rows:
    """Readings of some groups: columns of one length n, no value NaN, in the order in which they came.

    Of readings of one group at one time, the one that came later is taken for the later.
    """

    group: NDArray[np.intp]  # 0..groups-1
    time_us: NDArray[np.int64]  # phenomenon time, Unix microseconds
    value: NDArray[np.float64]
    groups: int
    weight: NDArray[np.float64] | None = None  # None: every reading weighs 1
    options: Options = field(default_factory=Options)

    def __len__(self) -> int:
        """How many readings."""
        return len(self.group)

    @cached_property
    def count(self) -> NDArray[np.int64]:
        """Readings of each group, shape (groups,)."""
        return np.bincount(self.group, minlength=self.groups)

    def total(self, per_row: NDArray[Any]) -> NDArray[np.float64]:
        """Sum of a column by group, float64 of shape (groups,)."""
        total: NDArray[np.float64] = np.bincount(self.group, per_row, minlength=self.groups).astype(
            np.float64, copy=False
        )
        return total

    @property
    def is_sparse(self) -> bool:
        """Whether there are more groups than readings, so that going through all groups would cost more."""
        return self.groups > len(self)

    def add_to(self, column: NDArray[np.float64], per_row: NDArray[np.float64]) -> None:
        """Add the sums of a column by group, in place."""
        if self.is_sparse:
            np.add.at(column, self.group, per_row)
        else:
            column += self.total(per_row)

    @cached_property
    def in_order(self) -> Rows:
        """The same readings sorted by group and time."""
        order = np.lexsort((self.time_us, self.group))
        if (order[1:] > order[:-1]).all():
            return self
        return Rows(
            group=self.group[order],
            time_us=self.time_us[order],
            value=self.value[order],
            groups=self.groups,
            weight=None if self.weight is None else self.weight[order],
            options=self.options,
        )

    @cached_property
    def follows(self) -> NDArray[np.intp]:
        """Of readings in order: where a reading of the same group stands one place before, shape (<= n - 1,)."""
        return np.flatnonzero(self.group[1:] == self.group[:-1]) + 1

    @classmethod
    def of(
        cls,
        group: NDArray[Any],
        time_us: NDArray[np.int64],
        value: NDArray[np.float64],
        groups: int,
        *,
        weight: NDArray[np.float64] | None = None,
        options: Options | None = None,
    ) -> Rows:
        """Rows of columns in which NaN stands for no reading."""
        there = ~np.isnan(value)
        if not there.all():
            group, time_us, value = group[there], time_us[there], value[there]
            weight = None if weight is None else weight[there]
        return cls(group.astype(np.intp, copy=False), time_us, value, groups, weight, options or Options())
