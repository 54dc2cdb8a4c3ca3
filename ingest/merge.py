"""Two messages of one device and time become one row: absent values merge, equal are duplicates, others conflict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.records import Block


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of new cells against the cells that stand already; masks of shape (n, slots), pairwise disjoint."""

    fresh: NDArray[np.bool_]  # nothing stood there: it is stored
    duplicate: NDArray[np.bool_]  # the same value stands there
    conflict: NDArray[np.bool_]  # another value stands there and stays


def compare(standing: NDArray[np.float64], new: NDArray[np.float64]) -> Verdict:
    """Compare new cells with standing ones, NaN meaning none; both float64 of shape (n, slots)."""
    has_new = ~np.isnan(new)
    fresh = has_new & np.isnan(standing)
    duplicate = standing == new
    return Verdict(fresh=fresh, duplicate=duplicate, conflict=has_new & ~fresh & ~duplicate)


@dataclass(frozen=True, slots=True)
class Unique:
    """A block without two rows of one device and time.

    `conflicts`: pairs of (row in the sorted input, mask of its cells) for people; counts are by message.
    """

    block: Block  # sorted by (device, time)
    duplicate: NDArray[np.int64]  # shape (messages,)
    conflict: NDArray[np.int64]
    refused: Block  # rows with cells that conflict, other cells NaN
    standing: NDArray[np.float64]  # what stood where they conflict, shape of refused.value


def make_unique(block: Block, messages: int) -> Unique:
    """Sort by (device, time) and merge rows of the same key in the order in which they came.

    Args:
        block: rows in order of receipt.
        messages: how many messages the batch has.
    """
    order = np.lexsort((block.time_us, block.device))
    block = block.take(order)
    nothing = np.zeros(messages, dtype=np.int64)
    first = np.ones(len(block), dtype=np.bool_)
    first[1:] = (block.device[1:] != block.device[:-1]) | (block.time_us[1:] != block.time_us[:-1])
    if first.all():
        none = block.take(np.zeros(0, dtype=np.intp))
        return Unique(block=block, duplicate=nothing, conflict=nothing, refused=none, standing=none.value)

    starts = np.flatnonzero(first)
    base = starts[np.cumsum(first) - 1]
    rank = np.arange(len(block)) - base
    value, quality = block.value.copy(), block.quality.copy()
    owner = np.repeat(block.message[:, None], value.shape[1], axis=1)
    duplicate, conflict = nothing.copy(), nothing.copy()
    refused_cells = np.zeros(value.shape, dtype=np.bool_)
    standing = np.full(value.shape, np.nan)
    for rank_now in range(1, int(rank.max()) + 1):
        rows = np.flatnonzero(rank == rank_now)
        onto = base[rows]
        verdict = compare(value[onto], block.value[rows])
        at_row, at_column = np.nonzero(verdict.fresh)
        value[onto[at_row], at_column] = block.value[rows[at_row], at_column]
        quality[onto[at_row], at_column] = block.quality[rows[at_row], at_column]
        owner[onto[at_row], at_column] = block.message[rows[at_row]]
        np.add.at(duplicate, block.message[rows], verdict.duplicate.sum(axis=1))
        np.add.at(conflict, block.message[rows], verdict.conflict.sum(axis=1))
        refused_cells[rows] = verdict.conflict
        standing[rows] = np.where(verdict.conflict, value[onto], np.nan)
    with_conflict = np.flatnonzero(refused_cells.any(axis=1))
    refused = block.take(with_conflict)
    refused = replace(refused, value=np.where(refused_cells[with_conflict], refused.value, np.nan))
    return Unique(
        block=replace(block, value=value, quality=quality, owner=owner).take(starts),
        duplicate=duplicate,
        conflict=conflict,
        refused=refused,
        standing=standing[with_conflict],
    )
