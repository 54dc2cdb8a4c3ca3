"""The broker's accounts as text: what the accounts file says, and how the broker's answer is compared with it.

A line is what the view `broker_account_wanted` gives for a device; `images/broker/accounts.c` describes the file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEADER: Final = "thubon-accounts 1\n"
_UNTIL = re.compile(r"[:@]([1-9]\d*)(?=[, ]|$)")


class BrokerState(BaseModel):
    """What the broker says it holds, from its state file."""

    model_config = ConfigDict(extra="allow", frozen=True)  # refused_<reason>: how many connections or messages

    token: str
    accounts: int
    digest: str
    errors: int  # lines it could not read
    sessions: int  # devices connected

    def refused(self) -> dict[str, int]:
        """Refusals since the broker's start, by reason."""
        extra = self.model_extra or {}
        return {name.removeprefix("refused_"): int(count) for name, count in extra.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """What must be told to a broker that holds `held` for it to hold `wanted`."""

    lines: tuple[str, ...]  # "+ ..." and "- ...", without line ends
    put: Mapping[str, str] = field(default_factory=dict)  # device id -> line
    removed: tuple[str, ...] = ()  # device ids


def compare(wanted: Mapping[str, str], held: Mapping[str, str]) -> Change:
    """The change from `held` to `wanted`, both device id -> line."""
    put = {device_id: line for device_id, line in wanted.items() if held.get(device_id) != line}
    removed = tuple(sorted(held.keys() - wanted.keys()))
    lines = [f"+ {line}" for line in put.values()] + [f"- {device_id}" for device_id in removed]
    return Change(tuple(lines), put, removed)


def digest(lines: Iterable[str]) -> str:
    """What the broker answers for exactly these lines, in any order: the sum of the first 8 bytes of each SHA-256."""
    total = sum(int.from_bytes(hashlib.sha256(line.encode()).digest()[:8]) for line in lines)
    return f"{total % 2**64:016x}"


def next_end(lines: Iterable[str], *, now_s: float) -> float | None:
    """The first time after now, Unix seconds, at which one of the lines is to change by itself; None: never."""
    ends = (int(end) for line in lines for end in _UNTIL.findall(line))
    return min((end for end in ends if end > now_s), default=None)
