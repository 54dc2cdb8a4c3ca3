"""Rejections on their way to the database: what was refused, why, and the bytes as they came."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg.types.json import Jsonb

from devices.reasons import Reason
from ingest.ledger import UNKNOWN
from ingest.records import Block, Rejection
from ingest.route import is_identifier

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    from ingest.columns import Columns

ROW_TYPES: Final = (
    *("timestamptz", "text", "text", "text", "text", "text", "text", "text"),
    *("int4", "jsonb", "bytea", "int4", "bool", "int2"),
    *("int4", "int4", "int4", "timestamptz", "int4"),
)
_KEPT_PAYLOAD_BYTES: Final = 1_048_576
_KEPT_DETAIL_CHARACTERS: Final = 2_000


def conflict_rejections(
    columns: Columns, refused: Block, standing: NDArray[np.float64], *, subjects: int
) -> list[Rejection]:
    """One rejection a row whose cells conflict, keeping both values.

    Args:
        columns: the batch.
        refused: rows; only the cells that conflict are not NaN.
        standing: the values that stay, shape of `refused.value`.
        subjects: how many cells one rejection names at most.
    """
    names = columns.snapshot.layouts[refused.layout].names
    owned = refused if refused.owner is not None else replace(refused, owner=_owners(refused))
    rejections: dict[tuple[int, int], Rejection] = {}
    for row, column in np.argwhere(~np.isnan(refused.value)).tolist():
        message = int(owned.owner[row, column])  # type: ignore[index]
        rejection = rejections.get((message, row))
        if rejection is None:
            device_id = columns.snapshot.devices[int(refused.device[row])].device_id
            rejection = rejections[message, row] = Rejection(
                message=message,
                reason=Reason.CONFLICT,
                detail=(
                    f"{names[column]} is {refused.value[row, column]:g} here, {standing[row, column]:g} stands already"
                    " for the same time and stays"
                ),
                readings=0,
                device_id=device_id,
                subjects=[],
            )
        rejection.readings += 1
        if len(rejection.subjects) < subjects:
            rejection.subjects.append(
                {
                    "name": names[column],
                    "ts": int(refused.time_us[row]) / 1_000,
                    "value": float(refused.value[row, column]),
                    "standing": float(standing[row, column]),
                }
            )
    return list(rejections.values())


def copy_rows(copy: psycopg.Copy, columns: Columns, rejections: list[Rejection], time_of: Any) -> None:
    """Write rejections to an open COPY of the statement `copy_rejections`.

    Args:
        copy: the open COPY.
        columns: the batch the rejections speak of.
        rejections: what to write.
        time_of: Unix microseconds -> aware datetime.
    """
    copy.set_types(ROW_TYPES)
    # A redelivered message has the received time of the first delivery, and often the same place in its batch.
    salt = random.getrandbits(30)
    for rejection in rejections:
        message = columns.messages[rejection.message]
        route = columns.routes[rejection.message]
        device = columns.snapshot.by_id.get(route.source)
        copy.write_row(
            (
                time_of(message.received_us),
                device.town_id if device else UNKNOWN,
                route.source,
                rejection.device_id if rejection.device_id and is_identifier(rejection.device_id) else None,
                route.family,
                message.topic,
                rejection.reason.value,
                storable_detail(rejection.detail),
                rejection.readings,
                Jsonb(rejection.subjects) if rejection.subjects else None,
                message.payload[:_KEPT_PAYLOAD_BYTES],
                len(message.payload),
                message.retained,
                message.qos,
                salt + rejection.message,
                columns.received[rejection.message],
                columns.missing[rejection.message],
                time_of(message.assigned_us) if message.assigned_us else None,
                rejection.unkept,
            )
        )


def storable_detail(text: str) -> str:
    """A detail that PostgreSQL can keep: bounded, and JSON can hold U+0000 and half characters, it cannot."""
    return text[:_KEPT_DETAIL_CHARACTERS].replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _owners(block: Block) -> NDArray[np.int32]:
    return np.repeat(block.message[:, None], block.value.shape[1], axis=1)
