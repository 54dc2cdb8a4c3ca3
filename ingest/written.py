"""What one batch's transaction has written, for whoever keeps the account of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ingest.changes import changes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.columns import Columns
    from ingest.knocks import Knock
    from ingest.records import Block, Rejection, Tally

_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class StoredCells:
    """Readings of one block that were stored."""

    block: Block
    cells: NDArray[np.bool_]  # shape of block.value
    row_received_us: NDArray[np.int64]  # received time of the row each stands in; of an older row, where merged


@dataclass(slots=True)
class Written:
    """A batch, written and not yet committed."""

    columns: Columns
    tally: Tally
    rejections: list[Rejection]
    knocks: list[Knock]
    stored: list[StoredCells] = field(default_factory=list)

    def merged_elsewhere(self) -> dict[tuple[int, str], int]:
        """Readings that stand in a row received in another hour than their message, by hour (since 1970) and device.

        The ledger counts them in the hour of their message; so there this is positive, in the row's hour negative.
        """
        moved: dict[tuple[int, str], int] = defaultdict(int)
        received_us: NDArray[np.int64] | None = None
        for part in self.stored:
            new_rows = part.row_received_us is part.block.received_us
            if new_rows and part.block.owner is None:
                continue  # every row is of one message
            if received_us is None:
                received_us = np.array([message.received_us for message in self.columns.messages], dtype=np.int64)
            if new_rows and received_us.min() // _HOUR_US == received_us.max() // _HOUR_US:
                continue
            rows = np.nonzero(part.cells)[0]
            counted_in = received_us[part.block.owner_of(part.cells)] // _HOUR_US
            stands_in = part.row_received_us[rows] // _HOUR_US
            for at in np.flatnonzero(counted_in != stands_in).tolist():
                device_id = self.columns.snapshot.devices[int(part.block.device[rows[at]])].device_id
                moved[int(counted_in[at]), device_id] += 1
                moved[int(stands_in[at]), device_id] -= 1
        return {key: readings for key, readings in moved.items() if readings}

    def changes(self) -> bytes:
        """Which windows this batch touches, for the aggregator."""
        keys = self.columns.snapshot.device_key
        parts = []
        for part in self.stored:
            rows = part.cells.any(axis=1)
            if rows.any():
                parts.append(changes_of(keys[part.block.device[rows]], part.block.time_us[rows]))
        return b"".join(parts)

    def stored_by_message(self) -> dict[int, dict[str, int]]:
        """Stored readings by message of the batch and device."""
        counts: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for part in self.stored:
            owner = part.block.owner_of(part.cells)
            device = part.block.device[np.nonzero(part.cells)[0]]
            pairs: NDArray[Any] = np.stack([owner.astype(np.int64), device.astype(np.int64)])
            unique, readings = np.unique(pairs, axis=1, return_counts=True)
            for message, index, count in zip(*unique.tolist(), readings.tolist(), strict=True):
                counts[message][self.columns.snapshot.devices[index].device_id] += count
        return counts
