"""What must have been refused against the refusals that stand."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.judge.claims import Claim
    from simulators.judge.findings import Findings


class Refusal(NamedTuple):
    """A row of refusals."""

    source: str
    topic: str
    payload: bytes
    reason: str
    readings: int
    unkept: int  # of readings: those of other messages of a flood, whose bytes were not kept


@dataclass(slots=True)
class Standing:
    """Readings refused, not yet claimed by anybody."""

    by_message: dict[tuple[str, bytes], Counter[str]]
    floods: Counter[tuple[str, str]]  # (source, reason)

    @classmethod
    def of(cls, rows: Iterable[Refusal]) -> Standing:
        """Count rows."""
        by_message: dict[tuple[str, bytes], Counter[str]] = defaultdict(Counter)
        floods: Counter[tuple[str, str]] = Counter()
        for row in rows:
            by_message[row.topic, row.payload][row.reason] += row.readings - row.unkept
            floods[row.source, row.reason] += row.unkept
        return cls(by_message, floods)

    def take(self, claim: Claim) -> bool:
        """Take the readings of a claim out of those of its reasons; whether there were enough."""
        counts = self.by_message.get((claim.message.topic, claim.message.payload), Counter())
        for reason in claim.reasons:
            if counts[reason] >= claim.readings:
                counts[reason] -= claim.readings
                return True
        for reason in claim.reasons:
            for source in (_source(claim.message.topic), "-"):
                if self.floods[source, reason] >= claim.readings:
                    self.floods[source, reason] -= claim.readings
                    return True
        return False


def settle_refusals(claims: Iterable[Claim], standing: Standing, findings: Findings, *, complete: bool) -> int:
    """Give each claim that cannot be stored its fate.

    Args:
        claims: in any order.
        standing: the refusals; what is claimed is taken out of them.
        findings: takes the deviations.
        complete: whether everything that was sent is claimed, so that no other refusal may stand.

    Returns:
        Readings that were refused more often than they were sent, as redeliveries are.
    """
    missing: list[Claim] = []
    expected: dict[_Message, set[str]] = defaultdict(set)
    for claim in sorted(claims, key=lambda each: not each.certain):
        if claim.possible:
            expected[_message(claim)].update(claim.reasons)
        if not claim.possible:
            claim.fate = "lost"
        elif standing.take(claim):
            claim.fate = "refused"
        elif claim.certain:
            missing.append(claim)
        else:
            claim.fate = "unsure"
    again = 0
    strange: dict[_Message, Counter[str]] = {}
    for key, counts in standing.by_message.items():
        again += sum(counts[reason] for reason in expected[key])
        if others := Counter({reason: n for reason, n in counts.items() if n and reason not in expected[key]}):
            strange[key] = others
    _report(missing, strange, findings)
    if complete:
        _report_strange(missing, strange, findings)
    return again


def _report(missing: list[Claim], strange: dict[_Message, Counter[str]], findings: Findings) -> None:
    """Claims without their refusal."""
    for claim in missing:
        wanted = " or ".join(claim.reasons)
        if others := strange.get(_message(claim)):
            claim.fate = "wrong"
            findings.add("refusal-reason", f"{claim}: has to be {wanted}, is {', '.join(others)}", claim.readings)
        else:
            claim.fate = "missing"
            findings.add("refusal-missing", f"{claim}: has to be refused as {wanted}", claim.readings)


def _report_strange(missing: list[Claim], strange: dict[_Message, Counter[str]], findings: Findings) -> None:
    """Refusals that no claim has and that do not stand in the place of another."""
    answered = {_message(claim) for claim in missing}
    for key, counts in strange.items():
        if key not in answered:
            what = ", ".join(f"{n} readings as {reason}" for reason, n in counts.items())
            findings.add("refusal-reason", f"{key[0]} {key[1][:80]!r}: refused, {what}", sum(counts.values()))


_Message = tuple[str, bytes]
"""Topic and payload: messages alike are not told apart."""


def _message(claim: Claim) -> _Message:
    return claim.message.topic, claim.message.payload


def _source(topic: str) -> str:
    parts = topic.split("/")
    return parts[3] if len(parts) > 3 else "-"  # noqa: PLR2004 - thubon/v1/<town>/<device>/...
