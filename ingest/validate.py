"""Decoded columns -> blocks of checked rows in canonical units; what fails a check becomes a rejection.

Vectorised over a whole batch: for each set of names that occurs, its rows are gathered into one matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.reasons import Reason
from ingest.records import Block, Rejection, Tally
from ingest.sent import Unlike, convert

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.columns import Columns
    from ingest.knocks import Knock
    from ingest.registry import Layout

_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """Which phenomenon times are believed."""

    ahead_s: float = 300.0  # how far in the future of its receipt a reading may be
    retention_s: float = 400 * 86_400.0  # older observations are dropped, so older readings are not taken


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch after validation: what may be stored, and what became of the rest so far."""

    blocks: list[Block]
    rejections: list[Rejection]
    tally: Tally  # received, missing and rejected are filled; the writer fills the others
    knocks: list[Knock] | None = None  # of all rejections, where some were gathered since
    unlike: list[Unlike] = field(default_factory=list)  # values that their conversion does not give back


def validate(columns: Columns, rules: TimeRules, *, subjects: int) -> Checked:
    """Check all rows of `columns`.

    Args:
        columns: decoded messages; not changed.
        rules: which times are believed.
        subjects: how many refused readings one rejection names at most.
    """
    rejections = list(columns.rejections)
    row_device = np.frombuffer(columns.row_device, dtype=np.int32)
    blocks: list[Block] = []
    unlike: list[Unlike] = []
    if len(row_device):
        snapshot = columns.snapshot
        row_layout = snapshot.layout_of[row_device]
        row_shape = np.frombuffer(columns.row_shape, dtype=np.int32)
        present = np.flatnonzero(np.bincount(row_layout, minlength=len(snapshot.layouts))).tolist()
        row_width = np.empty(len(row_device), dtype=np.int64)
        for index in present:
            rows = row_layout == index
            widths = np.array([len(shape) for shape in columns.shapes[index].columns], dtype=np.int64)
            row_width[rows] = widths[row_shape[rows]]
        offset = np.cumsum(row_width) - row_width
        # Decoding takes plain messages before others; of two that say the same time the one that came first stands.
        order = np.argsort(np.frombuffer(columns.row_message, dtype=np.int32), kind="stable")
        for index in present:
            rows = order[row_layout[order] == index] if len(present) > 1 else order
            block = _gather(columns, snapshot.layouts[index], rows, row_shape, offset, unlike)
            block = _check_times(block, columns, rules, rejections, subjects)
            blocks.append(_check_bounds(block, columns, snapshot.layouts[index], rejections, subjects))
    return Checked(blocks=blocks, rejections=rejections, tally=_tally(columns, rejections), unlike=unlike)


def _gather(
    columns: Columns,
    layout: Layout,
    rows: NDArray[Any],
    row_shape: NDArray[np.int32],
    offset: NDArray[np.int64],
    unlike: list[Unlike],
) -> Block:
    flat = np.frombuffer(columns.flat, dtype=np.float64)
    value = np.full((len(rows), layout.slots), np.nan)
    shapes = row_shape[rows]
    present = np.flatnonzero(np.bincount(shapes)).tolist()
    for index in present:
        shape = columns.shapes[layout.index].columns[index]
        at = np.flatnonzero(shapes == index) if len(present) > 1 else np.arange(len(rows))
        first = offset[rows[at]]
        value[at[:, None], shape] = flat[first[:, None] + np.arange(len(shape))]
    changed = convert(value, layout) if layout.converting.size else None
    message = np.frombuffer(columns.row_message, dtype=np.int32)[rows]
    received_us = np.array([message.received_us for message in columns.messages], dtype=np.int64)
    row_quality = np.frombuffer(columns.row_quality, dtype=np.int16)[rows]
    block = Block(
        layout=layout.index,
        device=np.frombuffer(columns.row_device, dtype=np.int32)[rows],
        time_us=np.frombuffer(columns.row_time_us, dtype=np.int64)[rows],
        received_us=received_us[message],
        message=message,
        value=value,
        quality=np.where(np.isnan(value), np.int16(0), row_quality[:, None]).astype(np.int16, copy=False),
    )
    if changed is not None:
        unlike.append(Unlike.of(block, *changed))
    return block


def _check_times(block: Block, columns: Columns, rules: TimeRules, rejections: list[Rejection], subjects: int) -> Block:
    ahead = block.time_us > block.received_us + np.int64(rules.ahead_s * _SECOND_US)
    old = block.time_us < block.received_us - np.int64(rules.retention_s * _SECOND_US)
    behind = (block.time_us < columns.snapshot.commissioned_us[block.device]) & ~old
    bad = ahead | behind | old
    if not bad.any():
        return block
    details = (
        (ahead, Reason.CLOCK_AHEAD, f"more than {rules.ahead_s:g} s ahead of its receipt"),
        (behind, Reason.CLOCK_BEHIND, "before the device was commissioned"),
        (old, Reason.TOO_OLD, f"older than the {rules.retention_s / 86_400:g} days that are kept"),
    )
    names = columns.snapshot.layouts[block.layout].names
    for mask, reason, detail in details:
        rows = np.flatnonzero(mask)
        cells = np.argwhere(~np.isnan(block.value[rows]))
        cells[:, 0] = rows[cells[:, 0]]
        _refuse_cells(
            block, columns, cells, reason, lambda _row, _column, text=detail: text, names, rejections, subjects
        )
    return block.take(~bad)


def _check_bounds(block: Block, columns: Columns, layout: Layout, rejections: list[Rejection], subjects: int) -> Block:
    # Conversion may have overflowed to infinity; that is out of bounds as well. Comparisons with NaN are false.
    bad = (block.value < layout.lower) | (block.value > layout.upper)
    cells = np.argwhere(bad)
    if not len(cells):
        return block

    def detail(row: int, column: int) -> str:
        low, high = layout.lower[column], layout.upper[column]
        return f"{layout.names[column]} is {block.value[row, column]:g}, allowed are {low:g} to {high:g}"

    _refuse_cells(block, columns, cells, Reason.OUT_OF_BOUNDS, detail, layout.names, rejections, subjects)
    block.value[bad] = np.nan
    block.quality[bad] = 0
    kept = np.flatnonzero((~np.isnan(block.value)).any(axis=1))
    return block.take(kept)


def _refuse_cells(
    block: Block,
    columns: Columns,
    cells: NDArray[np.intp],
    reason: Reason,
    detail: Any,
    names: Any,
    rejections: list[Rejection],
    subjects: int,
) -> None:
    """One rejection a message and device, counting all its cells and naming the first few."""
    found: dict[tuple[int, int], Rejection] = {}
    for row, column in cells.tolist():
        key = (int(block.message[row]), int(block.device[row]))
        rejection = found.get(key)
        if rejection is None:
            rejection = found[key] = Rejection(
                message=key[0],
                reason=reason,
                detail=detail(row, column),
                readings=0,
                device_id=columns.snapshot.devices[key[1]].device_id,
                subjects=[],
            )
        rejection.readings += 1
        if len(rejection.subjects) < subjects:
            value = float(block.value[row, column])
            rejection.subjects.append(
                {
                    "name": names[column],
                    "ts": int(block.time_us[row]) // 1_000,
                    "value": value if np.isfinite(value) else str(value),
                }
            )
    rejections.extend(found.values())


def _tally(columns: Columns, rejections: list[Rejection]) -> Tally:
    messages = len(columns.messages)
    rejected = np.zeros(messages, dtype=np.int64)
    for rejection in rejections:
        rejected[rejection.message] += rejection.readings
    return Tally(
        received=np.array(columns.received, dtype=np.int64),
        missing=np.array(columns.missing, dtype=np.int64),
        rejected=rejected,
        stored=np.zeros(messages, dtype=np.int64),
        duplicate=np.zeros(messages, dtype=np.int64),
        conflict=np.zeros(messages, dtype=np.int64),
    )
