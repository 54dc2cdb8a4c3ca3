"""The registry's statements, one a file."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import LiteralString


@cache
def load_query(name: str) -> LiteralString:
    """The statement in `<name>.sql` of this folder."""
    # Ours, so as trusted as a literal in the code; mypy takes LiteralString for str.
    return (files("devices.queries") / f"{name}.sql").read_text(encoding="utf-8")
