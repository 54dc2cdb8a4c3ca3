"""Who may read: the bearer token, the page's signed cookie, and the brake on guessing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

COOKIE_NAME = "thubon_session"
_PURPOSE = b"thubon page session, version 1"
_EXPIRY = struct.Struct(">Q")
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who may read everything."""

    role: Literal["viewer"]
    expires_s: float | None  # Unix seconds; None: no end


class TokenGuard:
    """Knows the token, and signs and checks sessions with a key made from it: a new token ends every session.

    Args:
        token: the bearer token; None: nobody can log in (open viewer).
        session_s: life of a session, seconds.
        clock: Unix seconds.
    """

    def __init__(self, token: str | None, session_s: int, clock: Callable[[], float] = time.time) -> None:
        self._token_digest = hashlib.sha256(token.encode()).digest() if token is not None else None
        self._key = hmac.digest(token.encode(), _PURPOSE, "sha256") if token is not None else None
        self._clock = clock
        self.session_s = session_s

    def knows(self, token: str) -> bool:
        """Whether this is the token, in a time that tells nothing about it."""
        if self._token_digest is None:
            return False
        return hmac.compare_digest(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest(), self._token_digest)

    def new_session(self) -> str:
        """A cookie value that holds for `session_s` seconds from now.

        Raises:
            RuntimeError: there is no token to sign with.
        """
        if self._key is None:
            raise RuntimeError("no token is set, so no session can be signed")
        content = _EXPIRY.pack(int(self._clock()) + self.session_s) + secrets.token_bytes(_NONCE_BYTES)
        return base64.urlsafe_b64encode(content + hmac.digest(self._key, content, "sha256")).decode()

    def session_viewer(self, cookie: str) -> Viewer | None:
        """Who a cookie speaks for; None when it is forged, foreign or expired."""
        if self._key is None:
            return None
        try:
            raw = base64.b64decode(cookie, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        content, signature = raw[:-32], raw[-32:]
        if len(content) != _EXPIRY.size + _NONCE_BYTES:
            return None
        if not hmac.compare_digest(signature, hmac.digest(self._key, content, "sha256")):
            return None
        (expires_s,) = _EXPIRY.unpack_from(content)
        return Viewer("viewer", float(expires_s)) if expires_s > self._clock() else None


class LoginBrake:
    """Slows down guessing: some failures in a span of time for each address, then a wait.

    Remembers a bounded number of addresses, dropping the one that failed longest ago.

    Args:
        failures: how many failed logins an address has in `span_s`.
        span_s: seconds.
        addresses: how many addresses are remembered.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        failures: int = 10,
        span_s: float = 60.0,
        addresses: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._span_s = span_s
        self._addresses = addresses
        self._clock = clock
        self._failed: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """How long this address has to wait before its next try, seconds; 0: it may try."""
        began, count = self._failed.get(address, (0.0, 0))
        if count < self._failures:
            return 0.0
        return max(0.0, began + self._span_s - self._clock())

    def failed(self, address: str) -> None:
        """Remember a failed login."""
        now = self._clock()
        began, count = self._failed.pop(address, (now, 0))
        self._failed[address] = (now, 1) if now - began >= self._span_s else (began, count + 1)
        while len(self._failed) > self._addresses:
            self._failed.popitem(last=False)
