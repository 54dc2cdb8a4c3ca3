"""Payload bytes -> columns, for the contract's JSON.

Three ways to the same columns. Messages of one item, as most are, are taken many at once, column by column. Others are
decoded typed (msgspec) too and taken one after the other, with as many items as they have. Whatever is not as the
contract asks (null, a text timestamp, anything wrong) goes through `ingest.decode_slow`, reading by reading, where
refusals get their reasons. Property tests hold them equal.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from devices.reasons import Reason
from ingest.columns import LAST_TIMESTAMP_MS, QUALITY_BITS, SECONDS_BELOW
from ingest.decode_slow import SlowDecoder, count_readings
from ingest.records import Message, Rejection
from ingest.route import Family, Route, Router

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.columns import Columns, Limits
    from ingest.registry import RegisteredDevice, RegistrySnapshot


_KEPT_DOORS: Final = 200_000
"""Bound of what is remembered of topics: registered fleets fit, invented topics only empty it."""


class Item(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What one device observed at one time, as the contract writes it.

    With further keys it goes the slow way: what the typed decoder skips it does not check, not even for UTF-8.
    """

    values: dict[str, float | bool]  # null goes the slow way
    ts: int | str | None = None
    quality: str | None = None


class PlainItem(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """An item that asks for no second look."""

    values: dict[str, float | bool]
    ts: Annotated[int, msgspec.Meta(ge=SECONDS_BELOW, le=LAST_TIMESTAMP_MS)]
    quality: Literal["00", "01", "02"] | None = None


class WordedItem(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """An item with a word among its values, as lamps send their state."""

    values: dict[str, float | bool | str]
    ts: int | str | None = None
    quality: str | None = None


_PLAIN = msgspec.json.Decoder(PlainItem)
_TELEMETRY = msgspec.json.Decoder(Item | list[Item])
_GATEWAY = msgspec.json.Decoder(dict[str, list[Item]])
_WORDED_TELEMETRY = msgspec.json.Decoder(WordedItem | list[WordedItem])
_WORDED_GATEWAY = msgspec.json.Decoder(dict[str, list[WordedItem]])
_NOT_TYPED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(slots=True)
class _Door:
    """What is known of a topic before any payload is looked at."""

    route: Route
    family: Family
    device: RegisteredDevice | None  # whose topic it is; None where it is refused at the door
    refusal: tuple[Reason, str] | None
    plain: RegisteredDevice | None  # the same, as long as all of its messages could be taken many at once


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
        known = self._doors.get
        doors = [known(message.topic) or self._door(message, columns.snapshot) for message in messages]
        first = columns.add_messages(messages, [door.route for door in doors])
        plain = [at for at, door in enumerate(doors) if door.plain is not None]
        taken = bool(plain) and self._take_many(columns, first, messages, doors, plain)
        if taken and len(plain) == len(messages):
            return
        self._take_each(
            columns, first, messages, doors, [at for at, door in enumerate(doors) if not taken or door.plain is None]
        )

    def _take_many(
        self, columns: Columns, first: int, messages: list[Message], doors: list[_Door], chosen: list[int]
    ) -> bool:
        """Append messages of one item each; False, with nothing appended, where one asks for another way."""
        payloads = [messages[at].payload for at in chosen]
        if max(map(len, payloads)) > self._limits.payload_bytes:
            return False
        try:
            items = list(map(_PLAIN.decode, payloads))
        except _NOT_TYPED:
            return False
        devices = [door.plain for door in doors if door.plain is not None]
        values = [item.values for item in items]
        widths = list(map(len, values))
        shapes = _shapes(columns, devices, list(map(tuple, values)))
        if shapes is None or max(widths) > self._limits.readings:
            return False
        index = [first + at for at in chosen]
        columns.row_message.fromlist(index)
        columns.row_device.fromlist([device.index for device in devices])
        columns.row_shape.fromlist(shapes)
        columns.row_quality.fromlist([QUALITY_BITS[item.quality] for item in items])
        columns.row_time_us.fromlist([item.ts * 1_000 for item in items])
        columns.flat.fromlist(list(chain.from_iterable(map(dict.values, values))))
        received = columns.received
        for at, width in zip(index, widths, strict=True):
            received[at] = width
        return True

    def _take_each(
        self, columns: Columns, first: int, messages: list[Message], doors: list[_Door], chosen: list[int]
    ) -> None:
        """Append messages one after the other."""
        payload_bytes_max, readings_max = self._limits.payload_bytes, self._limits.readings
        received, hand = columns.received, _Hand(columns)
        telemetry, flat = _TELEMETRY.decode, hand.flat
        for at in chosen:
            index, message, door = first + at, messages[at], doors[at]
            payload, device = message.payload, door.device
            if device is None or len(payload) > payload_bytes_max:
                door.plain = None
                self._refuse_whole(columns, index, door, payload)
                continue
            values_before = len(flat)
            one = False
            try:
                if door.family == "telemetry":
                    body = telemetry(payload)
                    one = type(body) is Item
                    taken = hand.take(index, device, (body,) if type(body) is Item else body)
                elif door.family == "gateway":
                    taken = hand.take_gateway(index, device, _GATEWAY.decode(payload))
                else:
                    self._slow.status(columns, index, device)
                    continue
            except _NOT_TYPED:
                taken = False
            if not (taken and one):
                door.plain = None
            if not taken:
                hand.drop(index, values_before)
                taken = hand.take_worded(index, device, door.family, payload)
            readings = len(flat) - values_before
            if taken and readings <= readings_max:
                received[index] = readings
            else:
                door.plain = None
                hand.drop(index, values_before)
                hand.put_down()
                self._slow.message(columns, index, device)
        hand.put_down()

    def _door(self, message: Message, snapshot: RegistrySnapshot) -> _Door:
        if len(self._doors) >= _KEPT_DOORS:
            self._doors.clear()
        route = self._router.route(message.topic)
        device = snapshot.by_id.get(route.source)
        until_us = device.former_towns.get(route.town_id) if device else None
        moved = until_us is not None and message.received_us < until_us
        refusal = _refusal_at_the_door(route, device, moved=moved)
        welcome = None if refusal else device
        door = _Door(route, route.family, welcome, refusal, welcome if route.family == "telemetry" else None)
        # A topic of the town a device moved from is open for some time, so what was found now says nothing of later.
        if until_us is None:
            self._doors[message.topic] = door
        return door

    def _refuse_whole(self, columns: Columns, index: int, door: _Door, payload: bytes) -> None:
        too_large = Reason.TOO_LARGE, f"{len(payload)} bytes, allowed are {self._limits.payload_bytes}"
        reason, detail = door.refusal or too_large
        readings = columns.received[index] = count_readings(payload, door.family, self._limits)
        columns.rejections.append(
            Rejection(
                message=index,
                reason=reason,
                detail=detail,
                readings=readings,
                device_id=door.route.source if door.family in ("telemetry", "status") else None,
            )
        )


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


def _shapes(
    columns: Columns, devices: Sequence[RegisteredDevice], names: Sequence[tuple[str, ...]]
) -> list[int] | None:
    """The shape of each message's names; None where a device does not know them all."""
    layouts = {device.layout.index: device.layout for device in devices}
    known = {index: columns.shapes_of(layout) for index, layout in layouts.items()}
    found = [known[device.layout.index].place_of.get(each) for device, each in zip(devices, names, strict=True)]
    if None in found:
        found = [known[device.layout.index].place(each) for device, each in zip(devices, names, strict=True)]
    shapes = [place for place in found if place is not None]
    return shapes if len(shapes) == len(found) else None


class _Hand:
    """Rows on their way into columns, in lists: a value costs a third of what appending it to an array does."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._rows: list[tuple[int, int, int, int, int]] = []  # message, device, shape, quality, time_us
        self.flat: list[float] = []

    def take_gateway(self, index: int, gateway: RegisteredDevice, body: dict[str, list[Item]]) -> bool:
        """Take a gateway's rows; False when anything asks for the slow path (rows may have been taken then)."""
        by_id = self._columns.snapshot.by_id
        for device_id, items in body.items():
            device = by_id.get(device_id)
            if device is None or device.retired or device.gateway_id != gateway.device_id:
                return False
            if not self.take(index, device, items):
                return False
        return True

    def take(self, index: int, device: RegisteredDevice, items: Sequence[Item]) -> bool:
        """Take one device's rows; False when anything asks for the slow path (rows may have been taken then)."""
        shapes = self._columns.shapes_of(device.layout)
        place_of = shapes.place_of.get
        device_index = device.index
        for item in items:
            ts = item.ts
            quality = QUALITY_BITS.get(item.quality, -1)
            if type(ts) is not int or not SECONDS_BELOW <= ts <= LAST_TIMESTAMP_MS or quality < 0:
                return False
            values = item.values
            names = tuple(values)
            shape = place_of(names)
            if shape is None and (shape := shapes.place(names)) is None:
                return False
            self.flat.extend(values.values())
            self._rows.append((index, device_index, shape, quality, ts * 1_000))
        return True

    def take_worded(self, index: int, device: RegisteredDevice, family: Family, payload: bytes) -> bool:
        """Take a message with words for values; False when anything asks for the slow path."""
        try:
            if family == "telemetry":
                told = _WORDED_TELEMETRY.decode(payload)
                return self.take(index, device, _spoken([told] if type(told) is WordedItem else told, device))
            by_id = self._columns.snapshot.by_id
            for device_id, items in _WORDED_GATEWAY.decode(payload).items():
                carried = by_id.get(device_id)
                if carried is None or carried.retired or carried.gateway_id != device.device_id:
                    return False
                if not self.take(index, carried, _spoken(items, carried)):
                    return False
        except (*_NOT_TYPED, KeyError):
            return False
        return True

    def drop(self, index: int, values: int) -> None:
        """Forget the rows of the message `index`, the last one taken from, and all values after the first `values`."""
        del self._rows[bisect_left(self._rows, (index,)) :]
        del self.flat[values:]

    def put_down(self) -> None:
        """Append what was taken to the columns."""
        columns = self._columns
        if self._rows:
            message, device, shape, quality, time_us = zip(*self._rows, strict=True)
            columns.row_message.fromlist(list(message))
            columns.row_device.fromlist(list(device))
            columns.row_shape.fromlist(list(shape))
            columns.row_quality.fromlist(list(quality))
            columns.row_time_us.fromlist(list(time_us))
            columns.flat.fromlist(self.flat)
            self._rows.clear()
            self.flat.clear()


def _spoken(items: Sequence[WordedItem], device: RegisteredDevice) -> list[Item]:
    """The items with numbers for words.

    Raises:
        KeyError: a word that its datastream does not know.
    """
    words_of = device.layout.words_of
    return [
        Item(
            values={
                name: words_of[name][value] if type(value) is str else value  # type: ignore[misc]
                for name, value in item.values.items()
            },
            ts=item.ts,
            quality=item.quality,
        )
        for item in items
    ]
