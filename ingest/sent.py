"""Values in another unit than their property's: converted, and kept as sent where that does not give them back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from devices.sent import as_sent, is_plain
from ingest.storage import QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg
    from numpy.typing import NDArray

    from ingest.records import Block
    from ingest.registry import Layout
    from ingest.written import Written


@dataclass(frozen=True, slots=True)
class Unlike:
    """Cells of one layout whose stored value does not give back what was sent; all of shape (n,)."""

    layout: int
    device: NDArray[np.int32]
    time_us: NDArray[np.int64]
    column: NDArray[np.intp]
    stored: NDArray[np.float64]
    sent: NDArray[np.float64]

    @classmethod
    def of(cls, block: Block, row: NDArray[np.intp], column: NDArray[np.intp], sent: NDArray[np.float64]) -> Unlike:
        """The cells of a block at these rows and columns."""
        return cls(block.layout, block.device[row], block.time_us[row], column, block.value[row, column], sent)


def convert(
    value: NDArray[np.float64], layout: Layout
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]] | None:
    """Bring values to their canonical units, in place.

    Args:
        value: as sent, NaN: none; shape (n, slots).
        layout: with at least one converting column.

    Returns:
        Row, column and value as sent of the cells that are not had back from what stands now; None where there is none.
    """
    at = layout.converting
    factor, addend = layout.factor[at], layout.addend[at]
    sent = value[:, at]
    with np.errstate(over="ignore"):  # infinity is out of every bound
        stored = sent * factor + addend
    value[:, at] = stored
    odd = ~is_plain(sent) & ~np.isnan(sent)
    if not odd.any():
        return None
    row, place = np.nonzero(odd)
    differs = as_sent(stored[odd], factor[place], addend[place]) != sent[odd]
    row, place = row[differs], place[differs]
    return (row, at[place], sent[row, place]) if len(row) else None


def note_sent(connection: psycopg.Connection[dict[str, Any]], unlike: Iterable[Unlike], written: Written) -> None:
    """Keep what was sent beside the observations of this transaction that do not give it back."""
    found = _stored(unlike, written)
    if found:
        device_keys, times_us, slots = (list(part) for part in zip(*found, strict=True))
        connection.execute(
            QUERIES["note_sent"],
            {"device_keys": device_keys, "times_us": times_us, "slots": slots, "values": list(found.values())},
        )


def _stored(unlike: Iterable[Unlike], written: Written) -> dict[tuple[int, int, int], float]:
    """Values as sent by device key, time and slot, of cells that were stored: not refused, doubled or in conflict."""
    found: dict[tuple[int, int, int], float] = {}
    keys = written.columns.snapshot.device_key
    for cells in unlike:
        of_layout = [part for part in written.stored if part.block.layout == cells.layout]
        for part in of_layout:
            rows = np.flatnonzero(np.isin(part.block.device, cells.device)).tolist()
            device, time_us = part.block.device, part.block.time_us
            row_of = {(int(device[row]), int(time_us[row])): row for row in rows}
            for place, key in enumerate(zip(cells.device.tolist(), cells.time_us.tolist(), strict=True)):
                row, column = row_of.get(key), int(cells.column[place])
                # Of two messages with one time the other one may stand: then this was not what was sent.
                if row is None or not part.cells[row, column] or part.block.value[row, column] != cells.stored[place]:
                    continue
                found.setdefault((int(keys[key[0]]), key[1], column + 1), float(cells.sent[place]))
    return found
