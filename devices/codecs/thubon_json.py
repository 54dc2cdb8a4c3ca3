"""The contract's JSON, decoded reading by reading: plain, slow and meant to be read.

This is the meaning of a payload: the catalogue's examples are checked with it, and a fast decoder can be held equal
to it. What is refused is refused reading by reading, so that a bad reading never spoils its neighbours; only where the
parts of a message cannot be told apart does a refusal stand for a larger part and count one.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from devices.models import (
    DATASTREAM_NAME_PATTERN,
    IDENTIFIER_PATTERN,
    QUALITY_CALIBRATING,
    QUALITY_FAULT,
    QUALITY_GOOD,
    Reading,
    Refusal,
)
from devices.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from devices.models import ProfileDatastream

QUALITY_BY_CODE: Final = {"00": QUALITY_GOOD, "01": QUALITY_CALIBRATING, "02": QUALITY_FAULT}
"""Instrument status as TT 10/2021/TT-BTNMT writes it -> quality bit set."""
SECONDS_BELOW_MS: Final = 10**11
"""Whole milliseconds below this (March 1973) were surely meant as seconds."""
LAST_TIMESTAMP_MS: Final = 253_402_300_799_999
"""The end of the year 9999, the last instant that RFC 3339 can write."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class PayloadLimits:
    """Bounds on one message."""

    payload_bytes: int = 262_144
    depth: int = 16  # objects and arrays inside each other, the outermost counting 1
    readings: int = 10_000


@dataclass(slots=True)
class Decoded:
    """What became of one message; in readings, received = taken + refused + missing."""

    readings: list[Reading] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    missing: int = 0  # sent as null

    @property
    def received(self) -> int:
        """How many readings the message held; what could not be told apart counts one."""
        return len(self.readings) + sum(refusal.readings for refusal in self.refusals) + self.missing


class _RefusedError(Exception):
    """A part of the message cannot be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def decode_telemetry(
    payload: bytes,
    device_id: str,
    datastreams: Mapping[str, ProfileDatastream],
    *,
    retained: bool = False,
    limits: PayloadLimits | None = None,
) -> Decoded:
    """Decode what a device published on its telemetry topic.

    Args:
        payload: the message's bytes, of any content.
        device_id: the device of the topic.
        datastreams: those of the device, by name.
        retained: whether the broker kept the message; its unstamped readings are then of unknown age and refused.
        limits: bounds on the message.

    Returns:
        Readings in canonical units and refusals; never raises for a payload.
    """
    bounds = limits or PayloadLimits()
    decoded = Decoded()
    try:
        body = _parse(payload, bounds)
    except _RefusedError as refused:
        return Decoded(refusals=[Refusal(refused.reason, refused.detail, 1, device_id)])
    if isinstance(body, list):
        for item in body:
            _item(decoded, device_id, datastreams, item, retained=retained)
    elif isinstance(body, dict) and body.keys().isdisjoint({"values", "ts", "quality"}):
        _item(decoded, device_id, datastreams, {"values": body}, retained=retained)
    else:
        _item(decoded, device_id, datastreams, body, retained=retained)
    return _bounded(decoded, bounds, device_id)


def decode_gateway(
    payload: bytes,
    carried: Mapping[str, Mapping[str, ProfileDatastream]],
    *,
    registered: Collection[str] = (),
    retained: bool = False,
    limits: PayloadLimits | None = None,
) -> Decoded:
    """Decode what a gateway published for its devices.

    Args:
        payload: the message's bytes, of any content.
        carried: the datastreams, by name, of each device that is registered behind this gateway.
        registered: ids of all registered devices, to tell a stranger from a device of another gateway.
        retained: as for `decode_telemetry`.
        limits: bounds on the message.

    Returns:
        Readings in canonical units and refusals; never raises for a payload.
    """
    bounds = limits or PayloadLimits()
    decoded = Decoded()
    try:
        body = _parse(payload, bounds)
    except _RefusedError as refused:
        return Decoded(refusals=[Refusal(refused.reason, refused.detail, 1)])
    if not isinstance(body, dict):
        detail = 'a gateway sends {"<device>": [{"ts": ..., "values": {...}}]}'
        return Decoded(refusals=[Refusal(Reason.WRONG_SHAPE, detail, 1)])
    for device_id, items in body.items():
        about = device_id if re.fullmatch(IDENTIFIER_PATTERN, device_id) else None
        count = sum(_readings_in(item) for item in items) if isinstance(items, list) else 1
        if device_id in carried and isinstance(items, list):
            for item in items:
                _item(decoded, device_id, carried[device_id], item, retained=retained)
        elif device_id in carried:
            decoded.refusals.append(Refusal(Reason.WRONG_SHAPE, "a device's part is an array of items", 1, about))
        elif count and device_id in registered:
            detail = f"{_shown(device_id)} is not registered behind this gateway"
            decoded.refusals.append(Refusal(Reason.NOT_ITS_GATEWAY, detail, count, about))
        elif count:
            detail = f"{_shown(device_id)} is not in the registry"
            decoded.refusals.append(Refusal(Reason.UNKNOWN_DEVICE, detail, count, about))
    return _bounded(decoded, bounds, None)


def _parse(payload: bytes, limits: PayloadLimits) -> Any:
    if len(payload) > limits.payload_bytes:
        raise _RefusedError(Reason.TOO_LARGE, f"{len(payload)} bytes; allowed: {limits.payload_bytes}")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _RefusedError(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise _RefusedError(Reason.TOO_DEEP, f"nested deeper than {limits.depth}") from None
    except ValueError as error:
        raise _RefusedError(Reason.NOT_JSON, str(error)) from None
    if _deeper_than(body, limits.depth):
        raise _RefusedError(Reason.TOO_DEEP, f"nested deeper than {limits.depth}")
    return body


def _refuse_constant(name: str) -> Any:
    # Python reads NaN and Infinity; RFC 8259 does not have them.
    raise ValueError(f"{name} is not JSON")


def _deeper_than(body: Any, depth: int) -> bool:
    level = [body]
    for _ in range(depth):
        level = [child for value in level for child in _children(value)]
    return any(isinstance(value, dict | list) for value in level)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _readings_in(item: Any) -> int:
    values = item.get("values") if isinstance(item, dict) else None
    return len(values) if isinstance(values, dict) else 1


def _item(
    decoded: Decoded, device_id: str, datastreams: Mapping[str, ProfileDatastream], item: Any, *, retained: bool
) -> None:
    if not isinstance(item, dict) or not isinstance(item.get("values"), dict):
        detail = f'an item is {{"ts": ..., "values": {{...}}}}, got {_shown(item)}'
        decoded.refusals.append(Refusal(Reason.WRONG_SHAPE, detail, 1, device_id))
        return
    values = item["values"]
    try:
        quality = _quality(item.get("quality"))
        time_us = _time_us(item.get("ts"), retained=retained)
    except _RefusedError as refused:
        # What is wrong with the time or the quality is wrong with every reading beside it.
        if values:
            decoded.refusals.append(Refusal(refused.reason, refused.detail, len(values), device_id))
        return
    for name, sent in values.items():
        try:
            value = _value(name, sent, datastreams)
        except _RefusedError as refused:
            about = name if re.fullmatch(DATASTREAM_NAME_PATTERN, name) else None
            decoded.refusals.append(Refusal(refused.reason, f"{_shown(name)}: {refused.detail}", 1, device_id, about))
            continue
        if value is None:
            decoded.missing += 1
        else:
            decoded.readings.append(Reading(device_id, name, value, time_us, quality))


def _value(name: str, sent: Any, datastreams: Mapping[str, ProfileDatastream]) -> float | None:
    """The value in the canonical unit; None where there is no reading."""
    datastream = datastreams.get(name)
    if datastream is None:
        raise _RefusedError(Reason.UNKNOWN_DATASTREAM, f"not in the profile; allowed: {', '.join(datastreams)}")
    if sent is None:
        return None
    if isinstance(sent, str):
        if sent not in datastream.words:
            allowed = ", ".join(datastream.words) or "numbers, without quotes"
            raise _RefusedError(Reason.UNKNOWN_WORD, f"{_shown(sent)} is not known; allowed: {allowed}")
        number = datastream.words[sent]
    elif isinstance(sent, bool | int | float):
        number = _number(sent)
    else:
        raise _RefusedError(Reason.WRONG_SHAPE, "a value is a number, true, false, a word or null")
    value = number * datastream.factor + datastream.addend
    if not datastream.lower_bound <= value <= datastream.upper_bound:
        bounds = f"{datastream.lower_bound:g} to {datastream.upper_bound:g} {datastream.unit}"
        raise _RefusedError(Reason.OUT_OF_BOUNDS, f"{value:g} {datastream.unit}; allowed: {bounds}")
    return value


def _number(sent: float) -> float:
    try:
        number = float(sent)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _RefusedError(Reason.NOT_FINITE, "the number is too large to be finite")
    return number


def _quality(sent: Any) -> int:
    if sent is None:
        return QUALITY_GOOD
    if not isinstance(sent, str) or sent not in QUALITY_BY_CODE:
        raise _RefusedError(Reason.BAD_QUALITY, f'quality {_shown(sent)}; allowed: "00", "01", "02"')
    return QUALITY_BY_CODE[sent]


def _time_us(sent: Any, *, retained: bool) -> int | None:
    """Unix microseconds, digits beyond them cut; None where the reading bears no time."""
    if sent is None:
        if retained:
            raise _RefusedError(Reason.RETAINED_UNSTAMPED, "the message is retained and bears no ts")
        return None
    if isinstance(sent, str):
        return _text_us(sent)
    if type(sent) is not int or not 0 <= sent <= LAST_TIMESTAMP_MS:
        detail = f"{_shown(sent)} is neither whole Unix milliseconds nor an RFC 3339 string"
        raise _RefusedError(Reason.BAD_TIMESTAMP, detail)
    if sent < SECONDS_BELOW_MS:
        detail = f"{sent} ms is before March 1973; send milliseconds, not seconds"
        raise _RefusedError(Reason.TIMESTAMP_IN_SECONDS, detail)
    return sent * 1000


def _text_us(sent: str) -> int:
    match = _RFC3339.fullmatch(sent)
    try:
        if match is None:
            raise ValueError  # noqa: TRY301 - the same end as a date that does not exist
        day, clock, fraction, offset = match.groups()
        whole = datetime.fromisoformat(f"{day}T{clock}{offset.upper()}")
        since = whole - _EPOCH
    except (ValueError, OverflowError):
        detail = f"{_shown(sent)} is not an RFC 3339 time with offset"
        raise _RefusedError(Reason.BAD_TIMESTAMP, detail) from None
    return since // timedelta(microseconds=1) + int(f"{fraction or '':0<6.6}")


def _bounded(decoded: Decoded, limits: PayloadLimits, device_id: str | None) -> Decoded:
    if decoded.received <= limits.readings:
        return decoded
    detail = f"{decoded.received} readings; allowed: {limits.readings}"
    return Decoded(refusals=[Refusal(Reason.TOO_MANY_READINGS, detail, decoded.received, device_id)])


def _shown(value: Any) -> str:
    # ASCII escapes: a detail must be text that PostgreSQL can keep, and JSON can hold U+0000 and half characters.
    text = ascii(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
