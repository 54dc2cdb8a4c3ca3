"""Devices that send and that nobody registered: who they are, for people to take in or turn away.

Counted from the refusals of a batch before a flood of them is gathered, and written in the batch's own transaction, so
that a knock is as true as its refusals. Retired devices do not knock: they were sent away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from devices.reasons import Reason
from ingest.route import is_identifier
from ingest.storage import QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from ingest.columns import Columns
    from ingest.records import Rejection

KNOCKS_KEPT: Final = 10_000
"""Rows of `knock` at most; who comes when it is full is in the ledger and among the refusals alone."""
KNOCKS_LEFT: Final = 8_000
"""Rows that tidying leaves, so that invented names keep nobody out for long."""
_A_BATCH: Final = 1_000
_SAMPLE_BYTES: Final = 4_096
_REASONS: Final = frozenset({Reason.UNKNOWN_DEVICE, Reason.WRONG_TOWN})


class Knock(msgspec.Struct, gc=False):
    """What one batch holds of one unregistered device in one town."""

    device_id: str
    town_id: str
    reason: Reason
    gateway_id: str | None  # who spoke for it, where it did not speak itself
    first_us: int
    last_us: int
    topic: str  # of the newest message
    messages: int = 0
    readings: int = 0
    sample: bytes | None = None  # of the newest message that holds readings


def find_knocks(columns: Columns, rejections: Iterable[Rejection]) -> list[Knock]:
    """The knocks among a batch's refusals, `_A_BATCH` at most.

    Args:
        columns: the batch.
        rejections: all of its refusals, before any were gathered.
    """
    found: dict[tuple[str, str], Knock] = {}
    for rejection in rejections:
        if rejection.reason not in _REASONS:
            continue
        message, route = columns.messages[rejection.message], columns.routes[rejection.message]
        device_id = rejection.device_id or route.source
        if rejection.reason is Reason.UNKNOWN_DEVICE and device_id in columns.snapshot.by_id:
            continue
        knock = found.get((device_id, route.town_id))
        if knock is None:
            if len(found) == _A_BATCH or not is_identifier(device_id):
                continue
            knock = found[device_id, route.town_id] = Knock(
                device_id=device_id,
                town_id=route.town_id,
                reason=rejection.reason,
                gateway_id=route.source if device_id != route.source else None,
                first_us=message.received_us,
                last_us=message.received_us,
                topic=message.topic,
            )
        knock.messages += 1
        knock.readings += rejection.readings
        knock.last_us = max(knock.last_us, message.received_us)
        knock.topic = message.topic
        if route.family != "status":
            knock.sample = message.payload[:_SAMPLE_BYTES]
    return list(found.values())


def note_knocks(connection: psycopg.Connection[dict[str, Any]], knocks: list[Knock]) -> None:
    """Write a batch's knocks; within its transaction."""
    if not knocks:
        return
    connection.execute(
        QUERIES["note_knocks"],
        {
            "device_ids": [knock.device_id for knock in knocks],
            "town_ids": [knock.town_id for knock in knocks],
            "reasons": [knock.reason.value for knock in knocks],
            "gateway_ids": [knock.gateway_id for knock in knocks],
            "firsts_us": [knock.first_us for knock in knocks],
            "lasts_us": [knock.last_us for knock in knocks],
            "messages": [knock.messages for knock in knocks],
            "readings": [knock.readings for knock in knocks],
            "topics": [knock.topic for knock in knocks],
            "samples": [knock.sample for knock in knocks],
            "room": KNOCKS_KEPT,
        },
    )
