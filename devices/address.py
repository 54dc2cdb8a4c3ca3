"""Where a database is, as somebody wrote it down: checked before any use, so that no error ever repeats it."""

from __future__ import annotations

import re
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

Address = TypeVar("Address")


def check_address(address: Address) -> Address:
    """The same address, a text, a secret or a URL.

    Raises:
        ValueError: it cannot be read; the text says so without its password, as the driver's own would not.
    """
    text = address.get_secret_value() if isinstance(address, SecretStr) else str(address)
    try:
        ports = str(conninfo_to_dict(text).get("port", ""))
        readable = re.fullmatch(r"[\d,]*", ports) is not None
    except psycopg.Error:
        readable = False
    if not readable:
        form = "postgresql://user:password@host:5432/name, special characters of the password percent-encoded"
        raise ValueError(f"is not a PostgreSQL address such as {form}")
    return address
