"""Payload bytes -> columns, for the contract's JSON.

Two ways to the same columns. The fast one decodes typed (msgspec) and appends whole rows; it takes every payload that
is as the contract asks. Whatever it cannot take (a word for a value, null, a text timestamp, anything wrong) goes
through `ingest.decode_slow`, reading by reading, where refusals get their reasons. A property test holds the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from devices.reasons import Reason
from ingest.columns import LAST_TIMESTAMP_MS, QUALITY_BITS, SECONDS_BELOW
from ingest.decode_slow import SlowDecoder, count_readings
from ingest.records import Message, Rejection
from ingest.route import Route, Router

if TYPE_CHECKING:
    from ingest.columns import Columns, Limits
    from ingest.registry import RegisteredDevice, RegistrySnapshot


_KEPT_DOORS: Final = 200_000
"""Bound of what is remembered of topics: registered fleets fit, invented topics only empty it."""


class Item(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What one device observed at one time, as the contract writes it.

    With further keys it goes the slow way: what the typed decoder skips it does not check, not even for UTF-8.
    """

    values: dict[str, float | bool | str | None]
    ts: int | str | None = None
    quality: str | None = None


_TELEMETRY = msgspec.json.Decoder(Item | list[Item])
_GATEWAY = msgspec.json.Decoder(dict[str, list[Item]])


@dataclass(frozen=True, slots=True)
class _Door:
    """What is known of a topic before any payload is looked at."""

    route: Route
    device: RegisteredDevice | None  # whose topic it is; None where it is refused at the door
    refusal: tuple[Reason, str] | None


class Decoder:
    """Decodes messages into columns; remembers topics and the last time it gave to an unstamped reading."""

    def __init__(self, *, limits: Limits) -> None:
        self._limits = limits
        self._router = Router()
        self._slow = SlowDecoder(limits)
        self._doors: dict[str, _Door] = {}
        self._doors_of: RegistrySnapshot | None = None  # the registry the doors were made for

    def decode(self, messages: list[Message], columns: Columns) -> None:
        """Append what the messages hold to `columns`. Raises nothing for any payload: what is wrong is a rejection."""
        if columns.snapshot is not self._doors_of:
            self._doors, self._doors_of = {}, columns.snapshot
        doors, limits = self._doors, self._limits
        for message in messages:
            index = len(columns.messages)
            payload = message.payload
            door = doors.get(message.topic) or self._door(message, columns.snapshot)
            route, device = door.route, door.device
            columns.messages.append(message)
            columns.routes.append(route)
            columns.payload_bytes += len(payload)
            family = route.family
            if device is None or len(payload) > limits.payload_bytes:
                detail = f"{len(payload)} bytes, allowed are {limits.payload_bytes}"
                refusal = door.refusal or (Reason.TOO_LARGE, detail)
                _refuse_whole(columns, index, *refusal, count_readings(payload, family, limits), route)
                continue
            if family == "status":
                self._slow.status(columns, index, device)
                continue
            rows, values = len(columns.row_message), len(columns.flat)
            try:
                if family == "telemetry":
                    body = _TELEMETRY.decode(payload)
                    items = [body] if type(body) is Item else body
                    # An array of doubles refuses words and null with a TypeError, which sends the message the slow way.
                    taken = _append_items(columns, index, device, items)
                else:
                    taken = _append_gateway(columns, index, device, _GATEWAY.decode(payload))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError, OverflowError):
                taken = False
            readings = len(columns.flat) - values
            if taken and readings <= limits.readings:
                columns.received.append(readings)
                columns.missing.append(0)
            else:
                columns.truncate_rows(rows, values)
                self._slow.message(columns, index, device)

    def _door(self, message: Message, snapshot: RegistrySnapshot) -> _Door:
        if len(self._doors) >= _KEPT_DOORS:
            self._doors.clear()
        route = self._router.route(message.topic)
        device = snapshot.by_id.get(route.source)
        until_us = device.former_towns.get(route.town_id) if device else None
        moved = until_us is not None and message.received_us < until_us
        refusal = _refusal_at_the_door(route, device, moved=moved)
        door = _Door(route, None if refusal else device, refusal)
        # A topic of the town a device moved from is open for some time, so what was found now says nothing of later.
        if until_us is None:
            self._doors[message.topic] = door
        return door


def _refusal_at_the_door(route: Route, device: RegisteredDevice | None, *, moved: bool) -> tuple[Reason, str] | None:
    if route.family == "unknown":
        return Reason.BAD_TOPIC, "the topic must be thubon/v1/<town>/<device>/telemetry, gateway or status"
    if device is None:
        return Reason.UNKNOWN_DEVICE, f"'{route.source}' is not in the registry"
    if device.retired:
        return Reason.UNKNOWN_DEVICE, f"'{route.source}' is retired"
    if device.town_id != route.town_id and not moved:
        return Reason.WRONG_TOWN, f"'{route.source}' belongs to '{device.town_id}', the topic says '{route.town_id}'"
    return None


def _refuse_whole(columns: Columns, index: int, reason: Reason, detail: str, readings: int, route: Route) -> None:
    columns.received.append(readings)
    columns.missing.append(0)
    device_id = route.source if route.family in ("telemetry", "status") else None
    columns.rejections.append(
        Rejection(message=index, reason=reason, detail=detail, readings=readings, device_id=device_id)
    )


def _append_gateway(columns: Columns, index: int, gateway: RegisteredDevice, body: dict[str, list[Item]]) -> bool:
    """Append a gateway's rows; False when anything asks for the slow path (rows may have been appended then)."""
    by_id = columns.snapshot.by_id
    for device_id, items in body.items():
        device = by_id.get(device_id)
        if device is None or device.retired or device.gateway_id != gateway.device_id:
            return False
        if not _append_items(columns, index, device, items):
            return False
    return True


def _append_items(columns: Columns, index: int, device: RegisteredDevice, items: list[Item]) -> bool:
    """Append one device's rows; False when anything asks for the slow path (rows may have been appended then)."""
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
        columns.flat.extend(item.values.values())  # type: ignore[arg-type]
        columns.row_message.append(index)
        columns.row_device.append(device_index)
        columns.row_shape.append(shape.index)
        columns.row_quality.append(quality)
        columns.row_time_us.append(ts * 1_000)
    return True
