"""The slow way through decoding: reading by reading, with a reason for each refusal."""

from __future__ import annotations

import json
import re
from array import array
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from devices.reasons import Reason
from ingest.columns import LAST_TIMESTAMP_MS, QUALITY_BITS, SECONDS_BELOW
from ingest.records import Message, Rejection

if TYPE_CHECKING:
    from ingest.columns import Columns, Limits
    from ingest.registry import RegisteredDevice
    from ingest.route import Family

_RFC3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DEPTH: Final = 16
_SHOWN_CHARACTERS: Final = 120
_STATUS_WORDS: Final = {b"online": "online", b"offline": "offline"}


class _Undecodable(Exception):  # noqa: N818  # not an error of ours: a verdict on a payload
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class SlowDecoder:
    """Takes any payload of a registered device apart; what cannot be used becomes rejections, by reason."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last_assigned_us = 0

    def status(self, columns: Columns, index: int, device: RegisteredDevice) -> None:
        """Take a status word; an empty payload clears a retained message and says nothing."""
        payload = columns.messages[index].payload
        word = _STATUS_WORDS.get(payload)
        columns.received[index] = 1 if payload else 0
        if word is not None:
            columns.statuses.append((device.index, word, index))
        elif payload:
            columns.rejections.append(
                Rejection(
                    message=index,
                    reason=Reason.WRONG_SHAPE,
                    detail="a status is the bare word online or offline",
                    readings=1,
                    device_id=device.device_id,
                )
            )

    def message(self, columns: Columns, index: int, device: RegisteredDevice) -> None:
        """Append one telemetry or gateway message."""
        message = columns.messages[index]
        family = columns.routes[index].family
        try:
            body = parse(message.payload)
        except _Undecodable as verdict:
            columns.received[index] = 1
            columns.rejections.append(
                Rejection(
                    message=index,
                    reason=verdict.reason,
                    detail=verdict.detail,
                    readings=1,
                    device_id=device.device_id if family == "telemetry" else None,
                )
            )
            return
        walk = _Walk(columns, index, message, self._limits, self._next_us(message))
        if family == "gateway":
            walk.gateway(device, body)
        else:
            walk.telemetry(device, body)
        if walk.received > self._limits.readings:
            walk.refuse_whole(
                Reason.TOO_MANY_READINGS, f"{walk.received} readings, allowed are {self._limits.readings}"
            )
        self._last_assigned_us = max(self._last_assigned_us, walk.finish())

    def _next_us(self, message: Message) -> int:
        """First time for unstamped readings: strictly increasing, and the same again for a recognised redelivery."""
        return message.assigned_us or max(message.received_us, self._last_assigned_us + 1)


class _Walk:
    """One message on its way through; collects rows and refusals."""

    def __init__(self, columns: Columns, index: int, message: Message, limits: Limits, assigned_us: int) -> None:
        self.received = 0
        self._columns = columns
        self._index = index
        self._message = message
        self._limits = limits
        self._first_assigned_us = assigned_us
        self._assigned_us = assigned_us
        self._missing = 0
        self._rows_before = len(columns.row_message)
        self._values_before = len(columns.flat)
        self._refusals: dict[tuple[Reason, str | None], Rejection] = {}

    def gateway(self, gateway: RegisteredDevice, body: Any) -> None:
        if not isinstance(body, dict):
            self._refuse(Reason.WRONG_SHAPE, 'a gateway sends {"<device>": [{"ts": ..., "values": {...}}]}', 1)
            return
        for device_id, items in body.items():
            device = self._columns.snapshot.by_id.get(device_id)
            count = sum(_readings_in(item) for item in items) if isinstance(items, list) else 1
            if not count:
                continue
            if device is None or device.retired:
                state = "is not in the registry" if device is None else "is retired"
                self._refuse(Reason.UNKNOWN_DEVICE, f"'{device_id}' {state}", count, device_id=device_id)
            elif device.gateway_id != gateway.device_id:
                detail = f"'{device_id}' is not registered behind gateway '{gateway.device_id}'"
                self._refuse(Reason.NOT_ITS_GATEWAY, detail, count, device_id=device_id)
            elif not isinstance(items, list):
                self._refuse(Reason.WRONG_SHAPE, "a device's part is an array of items", 1, device_id=device_id)
            else:
                for item in items:
                    self._item(device, item)

    def telemetry(self, device: RegisteredDevice, body: Any) -> None:
        if isinstance(body, list):
            for item in body:
                self._item(device, item)
        elif isinstance(body, dict) and _is_plain(body):
            if body:
                self._readings(device, body, self._assign(), {}, 0)
        else:
            self._item(device, body)

    def finish(self) -> int:
        """Hand the refusals and counts over; returns the last time given to an unstamped reading, 0 if none was."""
        self._columns.received[self._index] = self.received
        self._columns.missing[self._index] = self._missing
        self._columns.rejections.extend(self._refusals.values())
        if self._assigned_us == self._first_assigned_us:
            return 0
        self._message.assigned_us = self._first_assigned_us
        return self._assigned_us - 1

    def refuse_whole(self, reason: Reason, detail: str) -> None:
        """Refuse everything the message holds, whatever was made of it so far."""
        self._columns.truncate_rows(self._rows_before, self._values_before)
        self._refusals.clear()
        self._missing = 0
        readings, self.received = self.received, 0
        self._refuse(reason, detail, readings)

    def _item(self, device: RegisteredDevice, item: Any) -> None:
        if not isinstance(item, dict) or not isinstance(item.get("values"), dict):
            detail = 'an item is {"ts": ..., "values": {...}}'
            self._refuse(Reason.WRONG_SHAPE, detail, 1, device_id=device.device_id, value=item)
            return
        values = item["values"]
        if not values:
            return
        about = {"ts": _shown(item["ts"])} if item.get("ts") is not None else {}
        quality = _quality_bits(item.get("quality"))
        if quality is None:
            detail = f'quality {_shown(item["quality"])!r}, allowed are "00", "01", "02"'
            self._refuse(Reason.BAD_QUALITY, detail, len(values), device_id=device.device_id, **about)
            return
        if item.get("ts") is None:
            self._readings(device, values, self._assign(), about, quality)
            return
        try:
            time_us = timestamp_us(item["ts"])
        except _Undecodable as verdict:
            self._refuse(verdict.reason, verdict.detail, len(values), device_id=device.device_id, **about)
            return
        self._readings(device, values, time_us, about, quality)

    def _assign(self) -> int | None:
        """A phenomenon time for unstamped readings; none where the message is retained and may be of any age."""
        if self._message.retained:
            return None
        self._assigned_us += 1
        return self._assigned_us - 1

    def _readings(
        self, device: RegisteredDevice, values: dict[str, Any], time_us: int | None, about: dict[str, Any], quality: int
    ) -> None:
        if time_us is None:
            detail = "the message is retained and bears no ts"
            self._refuse(Reason.RETAINED_UNSTAMPED, detail, len(values), device_id=device.device_id)
            return
        self.received += len(values)
        layout = device.layout
        good: dict[str, float] = {}
        for name, value in values.items():
            column = layout.column_of.get(name)
            if column is None:
                known = ", ".join(name for name in layout.names if name)
                detail = f"{device.device_id} has no datastream {_shown(name)!r}; it has {known or 'none'}"
                self._refuse(Reason.UNKNOWN_DATASTREAM, detail, 0, device_id=device.device_id, name=name, **about)
            elif value is None:
                self._missing += 1
            else:
                number, reason, detail = _number(value, layout.words[column])
                if reason is None:
                    good[name] = number
                else:
                    detail = f"{name}: {detail}"
                    subject = {"name": name, "value": value, **about}
                    self._refuse(reason, detail, 0, device_id=device.device_id, **subject)
        columns = self._columns
        if good and (shape := columns.shapes_of(layout).place(tuple(good))) is not None:
            columns.row_message.append(self._index)
            columns.row_device.append(device.index)
            columns.row_shape.append(shape)
            columns.row_quality.append(quality)
            columns.row_time_us.append(time_us)
            columns.flat.extend(array("d", good.values()))

    def _refuse(
        self, reason: Reason, detail: str, readings: int, *, device_id: str | None = None, **subject: Any
    ) -> None:
        """Refuse `readings` not yet counted as received, or (0) one that is."""
        self.received += readings
        # A gateway that lists thousands of strangers must not become thousands of rows.
        key = (reason, device_id if len(self._refusals) < self._limits.subjects else None)
        rejection = self._refusals.get(key)
        if rejection is None:
            rejection = self._refusals[key] = Rejection(
                message=self._index, reason=reason, detail=detail, readings=0, device_id=key[1], subjects=[]
            )
        rejection.readings += readings or 1
        if subject and len(rejection.subjects) < self._limits.subjects:
            rejection.subjects.append({key: _shown(value) for key, value in subject.items()})


def parse(payload: bytes) -> Any:
    """JSON text -> Python values, with the reason when it is none."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Undecodable(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise _Undecodable(Reason.TOO_DEEP, f"nested deeper than {_DEPTH}") from None
    except ValueError as error:
        raise _Undecodable(Reason.NOT_JSON, str(error)) from None
    if _deeper_than(body, _DEPTH):
        raise _Undecodable(Reason.TOO_DEEP, f"nested deeper than {_DEPTH}")
    return body


def count_readings(payload: bytes, family: Family, limits: Limits) -> int:
    """How many readings a message that is refused at the door holds; what cannot be decoded counts one."""
    if family not in ("telemetry", "gateway") or len(payload) > limits.payload_bytes:
        return 1
    try:
        body = parse(payload)
    except _Undecodable:
        return 1
    if family == "gateway" and isinstance(body, dict):
        parts = [part if isinstance(part, list) else [part] for part in body.values()]
        return max(1, sum(_readings_in(item) for part in parts for item in part))
    if isinstance(body, dict) and _is_plain(body):
        return max(1, len(body))
    return max(1, sum(_readings_in(item) for item in (body if isinstance(body, list) else [body])))


def _is_plain(body: dict[str, Any]) -> bool:
    """Whether a payload is name -> value alone, without the keys of an item."""
    return body.keys().isdisjoint(("values", "ts", "quality"))


def timestamp_us(ts: Any) -> int:
    """A contract timestamp -> Unix microseconds.

    Raises:
        _Undecodable: bad-timestamp or timestamp-in-seconds.
    """
    if isinstance(ts, str):
        try:
            if _RFC3339.fullmatch(ts) is None:
                raise ValueError  # noqa: TRY301
            return (datetime.fromisoformat(ts.upper()) - _EPOCH) // _MICROSECOND
        except (ValueError, OverflowError):
            detail = f"{_shown(ts)!r} is not an RFC 3339 time with offset"
            raise _Undecodable(Reason.BAD_TIMESTAMP, detail) from None
    if type(ts) is not int or not 0 <= ts <= LAST_TIMESTAMP_MS:
        detail = f"{_shown(ts)!r} is neither whole Unix milliseconds nor an RFC 3339 time"
        raise _Undecodable(Reason.BAD_TIMESTAMP, detail)
    if ts < SECONDS_BELOW:
        raise _Undecodable(Reason.TIMESTAMP_IN_SECONDS, f"{ts} would be before March 1973 in milliseconds")
    return ts * 1_000


def _quality_bits(quality: Any) -> int | None:
    return QUALITY_BITS.get(quality) if quality is None or isinstance(quality, str) else None


def _number(value: Any, words: Any) -> tuple[float, Reason | None, str]:
    if isinstance(value, str):
        if words is not None and value in words:
            return float(words[value]), None, ""
        allowed = ", ".join(words) if words else "numbers alone"
        return 0.0, Reason.UNKNOWN_WORD, f"{_shown(value)!r}, allowed are {allowed}"
    if not isinstance(value, int | float):
        return 0.0, Reason.WRONG_SHAPE, "a value is a number, true, false, a word or null"
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number in (float("inf"), float("-inf")):
        return 0.0, Reason.NOT_FINITE, "the number is too large to be finite"
    return number, None, ""


def _readings_in(item: Any) -> int:
    values = item.get("values") if isinstance(item, dict) else None
    return len(values) if isinstance(values, dict) else 1


def _shown(value: Any) -> Any:
    """A value as a rejection shows it: short, and text that PostgreSQL can keep."""
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < 1e300):  # noqa: PLR2004
        return value
    text = value if isinstance(value, str) else repr(value)
    return text[:_SHOWN_CHARACTERS].replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _deeper_than(body: Any, depth: int) -> bool:
    level: deque[tuple[Any, int]] = deque([(body, 1)])
    while level:
        value, at = level.popleft()
        if isinstance(value, dict | list):
            if at > depth:
                return True
            level.extend((child, at + 1) for child in (value.values() if isinstance(value, dict) else value))
    return False
