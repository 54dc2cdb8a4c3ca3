"""How a target is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One target, measured."""

    target: str
    text: str
    met: bool

    def __str__(self) -> str:
        return f"{self.target} {self.text} {'ok' if self.met else 'short'}"
