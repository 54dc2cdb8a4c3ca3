"""Random damage to a valid payload: to its bytes, or to its JSON."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -0.0, -1, 1e308, -1e308, 10**30, 10**400, 5e-324, 2**63, 2**64, "", "12", "low", "\x00",
    "\ud800", "Điện Bàn", "x" * 5_000, [], {}, [[]], {"values": {}}, [None],
    "2026-02-30T08:00:00Z", "9999-12-31T23:59:59-23:59",
    1_763_880_000, 1_763_880_000_000, 253_402_300_800_000, 1.5,
)  # fmt: skip
_KEYS: Final = (
    "ts",
    "values",
    "quality",
    "",
    "unknown",
    "pm25",
    "\x00",
    "Ộ",
    "a" * 300,
    "fuzz-air-station",
    "stranger",
)
_RAW: Final = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"\xff",
    b"\xed\xa0\x80",
    b"\x00",
    b"\xef\xbb\xbf",
    b"[" * 40,
    b"{" * 40,
    b"\\u",
)


def damage(payload: bytes, body: Any, chance: random.Random) -> bytes:
    """The payload after one to three kinds of damage; one in ten stays whole.

    Args:
        payload: as it would have been sent.
        body: the same before it became text.
        chance: where randomness comes from.
    """
    kind = chance.random()
    if kind < 0.1:
        return payload
    if kind < 0.6:
        changed = copy.deepcopy(body)
        for _ in range(chance.randint(1, 3)):
            changed = _change(changed, chance)
        payload = json.dumps(changed).encode()
        if kind < 0.5:
            return payload
    for _ in range(chance.randint(1, 3)):
        payload = chance.choice(_BYTES)(payload, chance)
    return payload[:300_000]


def _odd(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(_ODD))


def _change(body: Any, chance: random.Random) -> Any:
    """Replace, remove, rename or double one thing somewhere in it."""
    if isinstance(body, dict) and body:
        key = chance.choice([*body])
        if isinstance(body[key], dict | list) and chance.random() < 0.8:
            body[key] = _change(body[key], chance)
            return body
        what = chance.randrange(4)
        if what == 0:
            body[key] = _odd(chance)
        elif what == 1:
            del body[key]
        elif what == 2:
            body[chance.choice(_KEYS)] = body.pop(key)
        else:
            body[chance.choice(_KEYS)] = _odd(chance)
        return body
    if isinstance(body, list) and body:
        at = chance.randrange(len(body))
        if isinstance(body[at], dict | list) and chance.random() < 0.8:
            body[at] = _change(body[at], chance)
        elif chance.random() < 0.5:
            body.insert(at, copy.deepcopy(body[at]))
        else:
            body[at] = _odd(chance)
        return body
    return _odd(chance)


def _flip(payload: bytes, chance: random.Random) -> bytes:
    if not payload:
        return payload
    at = chance.randrange(len(payload))
    return payload[:at] + bytes([payload[at] ^ (1 << chance.randrange(8))]) + payload[at + 1 :]


def _cut(payload: bytes, chance: random.Random) -> bytes:
    return payload[: chance.randint(0, len(payload))]


def _remove(payload: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(payload))
    return payload[:at] + payload[at + chance.randint(1, 8) :]


def _insert(payload: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(payload))
    return payload[:at] + chance.choice((chance.randbytes(chance.randint(1, 4)), chance.choice(_RAW))) + payload[at:]


def _double(payload: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(payload))
    return payload[:at] + payload[at : at + chance.randint(1, 60)] + payload[at:]


def _repeat(payload: bytes, chance: random.Random) -> bytes:
    return payload * chance.randint(2, 3)


_BYTES: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _flip,
    _flip,
    _cut,
    _remove,
    _insert,
    _double,
    _repeat,
)
