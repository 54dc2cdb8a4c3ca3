"""Passwords of devices: made here, shown once, kept as a salted hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

PASSWORD_BYTES: Final = 20
"""Random bytes of a password. At 160 bits nobody can try them all, so one round of the hash is enough: see
docs/decisions/0011-device-accounts.md. That is why passwords are made and never taken."""
SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Password:
    """A new password and what is kept of it."""

    text: str = field(repr=False)  # 27 characters of A-Z a-z 0-9 - _
    salt: bytes = field(repr=False)  # SALT_BYTES
    digest: bytes = field(repr=False)  # 32 bytes, SHA-256 of salt and text


def make_password() -> Password:
    """A password nobody had before."""
    text, salt = secrets.token_urlsafe(PASSWORD_BYTES), secrets.token_bytes(SALT_BYTES)
    return Password(text, salt, hashlib.sha256(salt + text.encode()).digest())
