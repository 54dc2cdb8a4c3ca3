"""What the judge found: each deviation by its kind, a bounded number of them in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

KINDS: Final = {
    "missing": "sent and acknowledged, not stored",
    "value": "stored with another value than was sent",
    "quality": "stored with another instrument status than was sent",
    "never-sent": "stored, but never sent",
    "refusal-missing": "has to be refused, and no refusal says so",
    "refusal-reason": "refused, but with another reason, or without one",
    "expectation": "the sender expected something else",
    "latest": "the latest value is not the newest one",
    "ledger": "the account does not balance, or not with the tables",
    "statistics": "window statistics at rest differ from the plain computation",
    "api": "the API answers something else than is stored",
    "vn-aqi": "VN_AQI differs from the plain computation",
    "lamp-fault": "a lamp or cabinet fault is missing, or is none",
    "restless": "the pipeline did not become quiet in time",
}
SHOWN_PER_KIND: Final = 20


@dataclass(slots=True)
class Findings:
    """Deviations; everything counts, the first of each kind are kept in words."""

    count: Counter[str] = field(default_factory=Counter)
    texts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, text: str, readings: int = 1) -> None:
        """Note a deviation of a kind of `KINDS` that concerns some readings, windows or rows."""
        if kind not in KINDS:
            raise KeyError(kind)
        self.count[kind] += readings
        texts = self.texts.setdefault(kind, [])
        if len(texts) < SHOWN_PER_KIND:
            texts.append(text)
