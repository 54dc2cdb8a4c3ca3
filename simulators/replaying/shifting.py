"""Moves the times that a payload bears, and changes no other byte of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_TS: Final = re.compile(rb'("ts"\s*:\s*)(?:(\d{11,15})(?=[\s,}])|"([0-9TtZz:.+ -]{20,40})")')
"""A timestamp as the contract writes it: whole Unix milliseconds, or RFC 3339."""


def shifted(payload: bytes, shift_us: int) -> bytes:
    """The payload with every `ts` later by `shift_us` microseconds; what is no timestamp stays as it is.

    Numbers keep whole milliseconds (the shift is cut to them); texts become UTC with microseconds.
    """

    def move(match: re.Match[bytes]) -> bytes:
        head, number, text = match.groups()
        if number is not None:
            return head + str(int(number) + shift_us // 1_000).encode()
        try:
            moved = datetime.fromisoformat(text.decode().upper()) + timedelta(microseconds=shift_us)
            return head + b'"' + moved.astimezone(UTC).isoformat(timespec="microseconds").encode() + b'"'
        except (ValueError, OverflowError):
            return match[0]

    return _TS.sub(move, payload) if shift_us else payload
