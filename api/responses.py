"""JSON out, cursors out and in."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from api.errors import Problem, bad_parameter
from api.invalid import InvalidCode, invalid_words

Key = TypeVar("Key")


class JsonResponse(Response):
    """A JSON answer that no cache keeps: what it tells is a moment's truth and may need a login.

    Aware UTC datetimes become RFC 3339 with `Z`.
    """

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, *, etag: int | None = None) -> None:
        """Encode.

        Args:
            content: what to tell.
            status_code: of the answer.
            etag: version of the one thing told, for If-Match.
        """
        headers = {"Cache-Control": "no-store"}
        if etag is not None:
            headers["ETag"] = f'"{etag}"'
        super().__init__(msgspec.json.encode(content), status_code, headers=headers)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Whole microseconds since 1970 of an aware time: exact, as a cursor needs it."""
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The UTC time of `to_micros`.

    Raises:
        Problem: 400, no time is that far away, so the cursor is none of ours.
    """
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise _unknown_cursor() from None


def to_cursor(*key: str | int) -> str:
    """An opaque cursor out of the key of the last row handed out."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def from_cursor(cursor: str, shape: type[Key]) -> Key:
    """The key inside a cursor that `to_cursor` made.

    Args:
        cursor: as a client sent it.
        shape: the tuple type that was put in.

    Raises:
        Problem: 400, the cursor is none of ours.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise _unknown_cursor() from None


def _unknown_cursor() -> Problem:
    return bad_parameter("cursor", invalid_words(InvalidCode.CURSOR))
