"""The judge's own reading of the contract: topic and payload -> what each reading in it says, or why it is refused.

Written from the public contract alone, value by value; slow and plain.
"""

from __future__ import annotations

import json
import math
import re
from calendar import timegm
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ID: Final = r"[a-z0-9][a-z0-9-]{0,62}"
_TOPIC: Final = re.compile(rf"thubon/v1/({_ID})/({_ID})/(telemetry|gateway|status)")
_HEARD: Final = re.compile(r"thubon/v1/[^/]*/[^/]*/(telemetry|gateway|status)")
"""What the platform subscribes to; anything else never reaches it."""
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_QUALITY: Final = {None: 0, "00": 0, "01": 1, "02": 2}
_ITEM_KEYS: Final = frozenset(("ts", "values", "quality"))
_OLDEST_MS: Final = 10**11
_NEWEST_MS: Final = 253_402_300_799_999
_DEPTH: Final = 16
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class Stream:
    """A datastream as the registry describes it."""

    name: str
    observed_property: str
    factor: float  # stored = sent * factor + addend
    addend: float
    lower: float  # of the stored value, inclusive
    upper: float
    words: Mapping[str, float]
    interval_s: int
    shift_s: int  # by how much the timestamp lies after the start of the period it speaks of


@dataclass(frozen=True, slots=True)
class Registered:
    """A device as the registry describes it."""

    device_id: str
    town_id: str
    profile: str
    gateway_id: str | None
    commissioned_us: int
    retired: bool
    interval_s: int
    place: tuple[float, float]  # latitude, longitude
    streams: Mapping[str, Stream]
    site_id: str
    rated_power_w: float | None = None  # of a lamp, as registered
    fed_by_id: str | None = None  # the cabinet that feeds it, as registered


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the platform was told to take; its defaults."""

    payload_bytes: int = 262_144
    message_readings: int = 10_000
    ahead_s: float = 300.0
    retention_days: float = 400.0
    readings_a_minute: int = 6_000


class Told(NamedTuple):
    """One reading of a message, or readings of it that are refused together."""

    device: str
    name: str  # empty where the refusal concerns no single datastream
    value: float | None  # canonical unit, its bounds not yet looked at; None: sent as null, or refused
    time_us: int | None  # None: unstamped
    quality: int
    reason: str | None  # None: to be stored, or null
    readings: int = 1


class _Refused(Exception):  # noqa: N818 - a verdict on a payload, not an error of ours
    """Why it is refused."""


def tell(
    topic: str, payload: bytes, *, retained: bool, devices: Mapping[str, Registered], bounds: Bounds
) -> list[Told]:
    """What a message says, reading by reading; empty for status words and for topics nobody listens to."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        return [_refusal("", "bad-topic")] if _HEARD.fullmatch(topic) else []
    town, source, family = match.groups()
    device = devices.get(source)
    reason = None
    if device is None or device.retired:
        reason = "unknown-device"
    elif device.town_id != town:
        reason = "wrong-town"
    elif len(payload) > bounds.payload_bytes:
        reason = "too-large"
    if reason is not None or device is None:
        count = 1 if family == "status" or len(payload) > bounds.payload_bytes else _readings(payload, family)
        return [_refusal(source, reason or "unknown-device", count)]
    if family == "status":
        return [] if payload in (b"", b"online", b"offline") else [_refusal(source, "wrong-shape")]
    try:
        body = _parse(payload)
    except _Refused as refused:
        return [_refusal(source, str(refused))]
    told = list(
        _gateway(device, body, devices, retained) if family == "gateway" else _telemetry(device, body, retained)
    )
    count = sum(each.readings for each in told)
    return [_refusal(source, "too-many-readings", count)] if count > bounds.message_readings else told


def _refusal(device: str, reason: str, readings: int = 1) -> Told:
    return Told(device, "", None, None, 0, reason, readings)


def _telemetry(device: Registered, body: Any, retained: bool) -> Iterator[Told]:
    if isinstance(body, list):
        for item in body:
            yield from _item(device, item, retained)
    elif isinstance(body, dict) and not _ITEM_KEYS & body.keys():
        yield from _item(device, {"values": body}, retained)
    else:
        yield from _item(device, body, retained)


def _gateway(gateway: Registered, body: Any, devices: Mapping[str, Registered], retained: bool) -> Iterator[Told]:
    if not isinstance(body, dict):
        yield _refusal(gateway.device_id, "wrong-shape")
        return
    for name, items in body.items():
        device = devices.get(name)
        if device is None or device.retired or device.gateway_id != gateway.device_id:
            count = sum(_of_item(item) for item in items) if isinstance(items, list) else 1
            stranger = device is None or device.retired
            if count:
                yield _refusal(name, "unknown-device" if stranger else "not-its-gateway", count)
        elif not isinstance(items, list):
            yield _refusal(name, "wrong-shape")
        else:
            for item in items:
                yield from _item(device, item, retained)


def _item(device: Registered, item: Any, retained: bool) -> Iterator[Told]:
    values = item.get("values") if isinstance(item, dict) else None
    if not isinstance(values, dict):
        yield _refusal(device.device_id, "wrong-shape")
        return
    if not values:
        return
    sent = item.get("quality")
    quality = _QUALITY.get(sent) if sent is None or isinstance(sent, str) else None
    try:
        if quality is None:
            raise _Refused("bad-quality")  # noqa: TRY301 - one end for all that spoils a whole item
        time_us = _time_us(item.get("ts"))
        if time_us is None and retained:
            raise _Refused("retained-unstamped")  # noqa: TRY301
    except _Refused as refused:
        yield _refusal(device.device_id, str(refused), len(values))
        return
    for name, value in values.items():
        try:
            yield Told(device.device_id, name, _value(device, name, value), time_us, quality, None)
        except _Refused as refused:
            yield Told(device.device_id, name, None, time_us, quality, str(refused))


def _value(device: Registered, name: str, sent: Any) -> float | None:
    stream = device.streams.get(name)
    if stream is None:
        raise _Refused("unknown-datastream")
    if sent is None:
        return None
    if isinstance(sent, str):
        if sent not in stream.words:
            raise _Refused("unknown-word")
        number = float(stream.words[sent])
    elif isinstance(sent, (bool, int, float)):
        try:
            number = float(sent)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise _Refused("not-finite")
    else:
        raise _Refused("wrong-shape")
    return number * stream.factor + stream.addend


def _time_us(sent: Any) -> int | None:
    if sent is None:
        return None
    if isinstance(sent, str):
        return _text_us(sent)
    if type(sent) is not int or not 0 <= sent <= _NEWEST_MS:
        raise _Refused("bad-timestamp")
    if sent < _OLDEST_MS:
        raise _Refused("timestamp-in-seconds")
    return sent * 1_000


def _text_us(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise _Refused("bad-timestamp")
    year, month, day, hour, minute, second = (int(match[at]) for at in range(1, 7))
    offset_h, offset_m = int(match[9] or 0), int(match[10] or 0)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = 0 if not 1 <= month <= 12 else 28 if month == 2 and not leap else _DAYS[month - 1]  # noqa: PLR2004
    if year < 1 or not 1 <= day <= days or hour > 23 or minute > 59 or second > 59 or offset_h > 23 or offset_m > 59:  # noqa: PLR2004
        raise _Refused("bad-timestamp")
    offset_s = (offset_h * 3_600 + offset_m * 60) * (-1 if match[8] == "-" else 1)
    seconds = timegm((year, month, day, hour, minute, second)) - offset_s
    return seconds * 1_000_000 + int((match[7] or "").ljust(6, "0")[:6])


def _parse(payload: bytes) -> Any:
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise _Refused("not-utf8") from None
    try:
        body = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise _Refused("too-deep") from None
    except ValueError:
        raise _Refused("not-json") from None
    level = [body]
    for _ in range(_DEPTH):
        level = [child for value in level for child in _children(value)]
    if any(isinstance(value, (dict, list)) for value in level):
        raise _Refused("too-deep")
    return body


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _of_item(item: Any) -> int:
    values = item.get("values") if isinstance(item, dict) else None
    return len(values) if isinstance(values, dict) else 1


def _readings(payload: bytes, family: str) -> int:
    """Readings of a message that is refused as a whole; what cannot be decoded counts one."""
    try:
        body = _parse(payload)
    except _Refused:
        return 1
    if family == "gateway" and isinstance(body, dict):
        items = [item for part in body.values() for item in (part if isinstance(part, list) else [part])]
    elif isinstance(body, dict) and not _ITEM_KEYS & body.keys():
        return max(1, len(body))
    else:
        items = body if isinstance(body, list) else [body]
    return max(1, sum(_of_item(item) for item in items))
