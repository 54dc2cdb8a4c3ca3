"""Whole rows become rejections: for checks that come after validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ingest.records import Block, Rejection

if TYPE_CHECKING:
    from devices.reasons import Reason
    from ingest.columns import Columns
    from ingest.validate import Checked


def refuse_rows(
    columns: Columns, excess: Block, checked: Checked, reason: Reason, detail: str, *, subjects: int
) -> None:
    """Add one rejection a message and device to `checked`, and its readings to the tally.

    Args:
        columns: the batch.
        excess: the rows to refuse, with everything in them.
        checked: takes the rejections; its blocks stay as they are.
        reason: why.
        detail: the same for people.
        subjects: how many refused readings one rejection names at most.
    """
    if not len(excess):
        return
    devices = columns.snapshot.devices
    names = columns.snapshot.layouts[excess.layout].names
    present = ~np.isnan(excess.value)
    readings = present.sum(axis=1)
    np.add.at(checked.tally.rejected, excess.message, readings)
    pair = excess.message.astype(np.int64) * len(devices) + excess.device
    unique, first, which = np.unique(pair, return_index=True, return_inverse=True)
    sums = np.bincount(which, weights=readings).astype(np.int64)
    for at, row, count in zip(unique.tolist(), first.tolist(), sums.tolist(), strict=True):
        named = np.flatnonzero(present[row])[:subjects].tolist()
        time_ms = int(excess.time_us[row]) // 1_000
        checked.rejections.append(
            Rejection(
                message=at // len(devices),
                reason=reason,
                detail=detail,
                readings=count,
                device_id=devices[at % len(devices)].device_id,
                subjects=[
                    {"name": names[column], "ts": time_ms, "value": float(excess.value[row, column])}
                    for column in named
                ],
            )
        )
