"""Payload bytes -> columns, for the contract's JSON.

Two ways to the same columns. The fast one decodes typed (msgspec) and appends whole rows; it takes every payload that
is as the contract asks. Whatever it cannot take (a word for a value, null, a text timestamp, anything wrong) goes
through `ingest.decode_slow`, reading by reading, where refusals get their reasons. A property test holds the two equal.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import msgspec

from devices.reasons import Reason
from ingest.columns import LAST_TIMESTAMP_MS, QUALITY_BITS, SECONDS_BELOW
from ingest.decode_slow import SlowDecoder, count_readings
from ingest.records import Message, Rejection
from ingest.route import Route, Router

if TYPE_CHECKING:
    from ingest.columns import Columns, Limits
    from ingest.registry import RegisteredDevice


class Item(msgspec.Struct, gc=False):
    """What one device observed at one time, as the contract writes it."""

    values: dict[str, float | bool | str | None]
    ts: int | str | None = None
    quality: str | None = None


_TELEMETRY = msgspec.json.Decoder(Item | list[Item])
_GATEWAY = msgspec.json.Decoder(dict[str, list[Item]])


class Decoder:
    """Decodes messages into columns; remembers only the last time it gave to an unstamped reading."""

    def __init__(self, *, limits: Limits) -> None:
        self._limits = limits
        self._router = Router()
        self._slow = SlowDecoder(limits)

    def decode(self, messages: list[Message], columns: Columns) -> None:
        """Append what the messages hold to `columns`. Raises nothing for any payload: what is wrong is a rejection."""
        by_id = columns.snapshot.by_id
        route_of = self._router.route
        limits = self._limits
        for message in messages:
            index = len(columns.messages)
            route = route_of(message.topic)
            columns.messages.append(message)
            columns.routes.append(route)
            columns.payload_bytes += len(message.payload)
            family = route.family
            device = by_id.get(route.source)
            refusal = _refusal_at_the_door(route, device, message, limits)
            if refusal is not None or device is None:
                reason, detail = refusal or (Reason.UNKNOWN_DEVICE, "")
                readings = count_readings(message.payload, route.family, limits)
                _refuse_whole(columns, index, reason, detail, readings, route)
                continue
            if family == "status":
                self._slow.status(columns, index, device)
                continue
            rows, values = len(columns.row_message), len(columns.flat)
            try:
                body = _TELEMETRY.decode(message.payload) if family == "telemetry" else _GATEWAY.decode(message.payload)
                readings = _append_fast(columns, index, device, body, limits)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError, OverflowError):
                readings = -1
            if readings < 0:
                columns.truncate_rows(rows, values)
                self._slow.message(columns, index, device)
            else:
                columns.received.append(readings)
                columns.missing.append(0)


def _refusal_at_the_door(
    route: Route, device: RegisteredDevice | None, message: Message, limits: Limits
) -> tuple[Reason, str] | None:
    if route.family == "unknown":
        return Reason.BAD_TOPIC, "the topic must be thubon/v1/<town>/<device>/telemetry, gateway or status"
    if len(message.payload) > limits.payload_bytes:
        return Reason.TOO_LARGE, f"{len(message.payload)} bytes, allowed are {limits.payload_bytes}"
    if device is None:
        return Reason.UNKNOWN_DEVICE, f"'{route.source}' is not in the registry"
    if device.retired:
        return Reason.UNKNOWN_DEVICE, f"'{route.source}' is retired"
    if device.town_id != route.town_id:
        return Reason.WRONG_TOWN, f"'{route.source}' belongs to '{device.town_id}', the topic says '{route.town_id}'"
    return None


def _refuse_whole(columns: Columns, index: int, reason: Reason, detail: str, readings: int, route: Route) -> None:
    columns.received.append(readings)
    columns.missing.append(0)
    device_id = route.source if route.family in ("telemetry", "status") else None
    columns.rejections.append(
        Rejection(message=index, reason=reason, detail=detail, readings=readings, device_id=device_id)
    )


def _append_fast(
    columns: Columns,
    index: int,
    device: RegisteredDevice,
    body: Item | list[Item] | dict[str, list[Item]],
    limits: Limits,
) -> int:
    """Append the rows of a payload that is wholly as the contract asks.

    Returns:
        How many readings were appended, or -1 when anything asks for the slow path (rows may have been appended then).
    """
    values: list[float | bool | str | None] = []
    if isinstance(body, dict):
        by_id = columns.snapshot.by_id
        for device_id, items in body.items():
            carried = by_id.get(device_id)
            if carried is None or carried.retired or carried.gateway_id != device.device_id:
                return -1
            if not _append_items(columns, index, carried, items, values):
                return -1
    elif not _append_items(columns, index, device, [body] if isinstance(body, Item) else body, values):
        return -1
    if len(values) > limits.readings:
        return -1
    # array() refuses words and null with a TypeError, which sends the whole message the slow way.
    columns.flat.extend(array("d", values))  # type: ignore[arg-type]
    return len(values)


def _append_items(
    columns: Columns,
    index: int,
    device: RegisteredDevice,
    items: list[Item],
    values: list[float | bool | str | None],
) -> bool:
    layout = device.layout
    shape_of = layout.shape_of
    device_index = device.index
    for item in items:
        ts = item.ts
        quality = QUALITY_BITS.get(item.quality, -1)
        if type(ts) is not int or not SECONDS_BELOW <= ts <= LAST_TIMESTAMP_MS or quality < 0:
            return False
        names = tuple(item.values)
        shape = shape_of.get(names) or layout.shape(names)
        if shape.unknown:
            return False
        values.extend(item.values.values())
        columns.row_message.append(index)
        columns.row_device.append(device_index)
        columns.row_shape.append(shape.index)
        columns.row_quality.append(quality)
        columns.row_time_us.append(ts * 1_000)
    return True
