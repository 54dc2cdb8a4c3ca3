"""What was sent by a device against what is stored of it."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.judge.claims import Claim
    from simulators.judge.findings import Findings
    from simulators.judge.payloads import Bounds

STATUS_BITS: Final = 3
"""Quality bits that come from the instrument's status; the others are the platform's own judgement."""
CLOCKS_US: Final = 2_000_000
"""By how much the clocks of sender and platform may differ."""


class Row(NamedTuple):
    """A stored observation."""

    value: float
    quality: int
    received_us: int


Rows = dict[tuple[str, int], Row]
"""(datastream name, phenomenon time in Unix microseconds) -> what stands there."""


def settle(
    claims: Iterable[Claim], rows: Rows, findings: Findings, *, bounds: Bounds, began_us: int | None, device: str
) -> list[Claim]:
    """Give each claim of one device its fate.

    Args:
        claims: in the order in which they were sent.
        rows: all that is stored of the device in the span of the claims and of the run.
        findings: takes the deviations.
        bounds: what the platform was told to take.
        began_us: when the run began, Unix microseconds; None where something may have been sent that nobody wrote
            down, so that nothing can be said of what nobody claims.
        device: its id.

    Returns:
        The claims that must have been refused instead of stored; their fate is open.
    """
    refused: list[Claim] = []
    by_key: dict[tuple[str, int], list[Claim]] = defaultdict(list)
    unstamped: list[Claim] = []
    for claim in claims:
        if claim.time_us is None and claim.value is not None:
            unstamped.append(claim)
        elif claim.value is None:
            claim.fate = "null" if claim.certain else "unsure" if claim.possible else "lost"
        else:
            by_key[claim.name, claim.time_us or 0].append(claim)
    left = dict(rows)
    for key, same in by_key.items():
        refused += _settle_key(same, left.pop(key, None), findings, bounds)
    _settle_unstamped(unstamped, left, findings)
    if began_us is not None:
        for (name, time_us), row in left.items():
            if row.received_us >= began_us:
                findings.add("never-sent", f"{device}:{name} at {time_us} us is {row.value:g}")
    return refused


def _settle_key(claims: list[Claim], row: Row | None, findings: Findings, bounds: Bounds) -> list[Claim]:
    """Claims of one datastream and time against the row that stands there."""
    possible = [claim for claim in claims if claim.possible]
    for claim in claims:
        if not claim.possible:
            claim.fate = "lost"
    if row is None:
        return _settle_absent(possible, findings)
    same = [claim for claim in possible if math.isclose(claim.value or 0.0, row.value, rel_tol=1e-12, abs_tol=1e-12)]
    if not same:
        for claim in claims:
            claim.fate = "wrong"
        kind = "value" if possible else "never-sent"
        findings.add(kind, f"{claims[0]}: sent {claims[0].value:g}, stored {row.value:g}")
        return []
    for claim in same:
        claim.fate = "duplicate"
    same[0].fate = "stored"
    _check_row(same, row, findings, bounds)
    return _conflicting([claim for claim in possible if claim not in same], same[0], row, findings)


def _check_row(same: list[Claim], row: Row, findings: Findings, bounds: Bounds) -> None:
    """What else must hold of a row whose value is as sent."""
    owner = same[0]
    if all(claim.quality != row.quality & STATUS_BITS for claim in same):
        owner.fate = "wrong"
        findings.add("quality", f"{owner}: sent {owner.quality}, stored {row.quality}")
    if "clock-ahead" in owner.reasons and (owner.time_us or 0) > row.received_us + bounds.ahead_s * 1e6:
        owner.fate = "wrong"
        findings.add("refusal-missing", f"{owner}: ahead of its receipt by more than {bounds.ahead_s:g} s, and stored")


def _conflicting(others: list[Claim], owner: Claim, row: Row, findings: Findings) -> list[Claim]:
    """Claims of another value than the one that stands: the first to come stays, the others are refused."""
    refused = []
    for claim in others:
        if claim.certain and (claim.message.acknowledged_us or 0) < owner.message.sent_us:
            claim.fate = "wrong"
            findings.add("value", f"{claim}: sent {claim.value:g} first, {row.value:g} stands in its place")
        else:
            claim.reasons, claim.may_store = ("conflict",), False
            refused.append(claim)
    return refused


def _settle_absent(possible: list[Claim], findings: Findings) -> list[Claim]:
    for claim in possible:
        if not claim.certain and not claim.reasons:
            claim.fate = "unsure"
        elif not claim.reasons:
            claim.fate = "missing"
            findings.add("missing", f"{claim}: sent {claim.value:g}")
    return [claim for claim in possible if claim.reasons]


def _settle_unstamped(claims: list[Claim], left: Rows, findings: Findings) -> None:
    """Readings without a time are there at least once, at a time not before they were sent."""
    places: dict[tuple[str, float], list[int]] = defaultdict(list)
    for name, time_us in sorted(left):
        places[name, left[name, time_us].value].append(time_us)
    for claim in claims:
        times = places.get((claim.name, claim.value or 0.0), [])
        at = next((time for time in times if time >= claim.message.sent_us - CLOCKS_US), None)
        if not claim.possible:
            claim.fate = "lost"
        elif at is not None:
            times.remove(at)
            del left[claim.name, at]
            claim.fate = "stored"
        elif claim.certain:
            claim.fate = "missing"
            findings.add("missing", f"{claim}: sent {claim.value or 0.0:g} without a time")
        else:
            claim.fate = "unsure"
    sent = {(claim.name, claim.value) for claim in claims if claim.possible}
    for name, time_us in list(left):
        if (name, left[name, time_us].value) in sent:
            del left[name, time_us]  # a redelivery: unstamped readings are at least once
