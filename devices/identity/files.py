"""The two files between us and the broker: accounts, which we write, and state, which it writes."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import ValidationError

from devices.identity.accounts import HEADER, BrokerState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class AccountsFile:
    """The accounts file: written whole, then appended to while nobody else touches it.

    Args:
        path: of the file; its folder must exist and be ours to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: tuple[int, int, int] | None = None  # inode, bytes, time of change, as we left it
        self.lines = 0  # in the file since it was written whole

    def touched(self) -> bool:
        """Whether it is not as we left it: gone, put back from elsewhere, edited, or never written by us."""
        return self._left is None or self._seen() != self._left

    def write(self, accounts: Iterable[str]) -> str:
        """Replace it by one that holds exactly these accounts.

        Returns:
            The token that the broker repeats when it holds them.
        """
        token = secrets.token_hex(16)
        lines = [f"+ {line}\n" for line in accounts]
        new = self._path.with_name(f"{self._path.name}.new")
        with new.open("w", encoding="ascii") as file:
            file.write("".join([HEADER, *lines, f"= {token}\n"]))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        self._left, self.lines = self._seen(), len(lines)
        return token

    def append(self, changes: Iterable[str]) -> str:
        """Append changes ("+ ...", "- ..."); the broker reads them where it left off.

        Returns:
            The token that the broker repeats when it holds them.
        """
        token = secrets.token_hex(16)
        lines = [f"{line}\n" for line in changes]
        with self._path.open("a", encoding="ascii") as file:
            file.write("".join([*lines, f"= {token}\n"]))
            file.flush()
            os.fsync(file.fileno())
        self._left, self.lines = self._seen(), self.lines + len(lines)
        return token

    def _seen(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def read_state(path: Path) -> BrokerState | None:
    """What the broker says it holds; None where it said nothing, or nothing we understand."""
    with suppress(OSError, ValidationError):
        return BrokerState.model_validate_json(path.read_bytes())
    return None
