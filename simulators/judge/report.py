"""The judgement: by fault class what became of every reading, what was compared beside, and every deviation."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulators.judge.claims import FATES
from simulators.judge.findings import KINDS, Findings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.judge.claims import Claim

NO_FAULT = "none"


@dataclass(slots=True)
class Report:
    """A judgement."""

    messages: int
    acknowledged: int
    complete: bool  # every journal has its end
    fates_by_fault: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    fates: Counter[str] = field(default_factory=Counter)  # every reading once
    refused_by_reason: Counter[str] = field(default_factory=Counter)
    refused_again: int = 0
    compared: dict[str, int] = field(default_factory=dict)  # what was compared beside -> how many
    notes: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    @property
    def good(self) -> bool:
        """Whether nothing deviates."""
        return not self.findings.count

    def count(self, claims: Iterable[Claim]) -> None:
        """Count what became of readings."""
        for claim in claims:
            faults = (*claim.message.faults, *claim.message.device_faults.get(claim.device, ()))
            for fault in faults or (NO_FAULT,):
                self.fates_by_fault[fault][claim.fate] += claim.readings
            self.fates[claim.fate] += claim.readings
            if claim.fate == "refused":
                self.refused_by_reason[" or ".join(claim.reasons)] += claim.readings

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "good": self.good,
            "messages": self.messages,
            "acknowledged": self.acknowledged,
            "complete": self.complete,
            "readings": {fate: self.fates[fate] for fate in FATES},
            "readings_by_fault": {
                fault: {fate: counts[fate] for fate in FATES} for fault, counts in sorted(self.fates_by_fault.items())
            },
            "refused_by_reason": dict(sorted(self.refused_by_reason.items())),
            "refused_again": self.refused_again,
            "compared": self.compared,
            "notes": self.notes,
            "deviations": {
                kind: {"count": count, "examples": self.findings.texts[kind]}
                for kind, count in sorted(self.findings.count.items())
            },
        }

    def lines(self) -> list[str]:
        """Everything, for people."""
        width = max((len(fault) for fault in self.fates_by_fault), default=0)
        width = max(width, len("all readings"))
        lines = [
            f"{self.messages} messages, {self.acknowledged} acknowledged"
            + ("" if self.complete else "; a journal breaks off: its sender was killed"),
            "",
            f"{'fault':<{width}}" + "".join(f"{fate:>11}" for fate in FATES),
        ]
        table = [*sorted(self.fates_by_fault.items()), ("all readings", self.fates)]
        lines += [f"{name:<{width}}" + "".join(f"{counts[fate]:>11}" for fate in FATES) for name, counts in table]
        lines.append("")
        if self.refused_by_reason:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.refused_by_reason.items()))
            lines.append(f"refused as they should be: {reasons}")
        lines += [f"compared: {', '.join(f'{count} {what}' for what, count in self.compared.items())}", *self.notes]
        for kind, count in sorted(self.findings.count.items()):
            lines += ["", f"{kind}: {count} ({KINDS[kind]})"]
            lines += [f"  {text}" for text in self.findings.texts[kind]]
            if count > len(self.findings.texts[kind]):
                lines.append("  ...")
        lines += ["", "judgement: all is as it should be" if self.good else "judgement: it deviates"]
        return lines
