"""The latest values, the ledger and the windows at rest against what is stored."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from simulators.judge.windows import differences, fold, start_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from simulators.judge.findings import Findings
    from simulators.judge.outcomes import Rows
    from simulators.judge.payloads import Registered
    from simulators.judge.store import Span

_DAY_S = 86_400
_OUTCOMES = ("stored", "duplicate", "conflict", "rejected", "missing")


def check_latest(
    device: str, rows: Rows, latest: Mapping[tuple[str, str], tuple[int, float, int]], findings: Findings, last_us: int
) -> int:
    """The latest value of each datastream is its newest observation.

    Args:
        device: whose.
        rows: its observations up to `last_us`.
        latest: as the database tells it.
        findings: takes the deviations.
        last_us: what is newer than this is not in `rows`, and not looked at; Unix microseconds.

    Returns:
        How many were compared.
    """
    newest: dict[str, int] = {}
    for name, time_us in rows:
        newest[name] = max(time_us, newest.get(name, time_us))
    for name, time_us in newest.items():
        told = latest.get((device, name))
        row = rows[name, time_us]
        if told is None or (told[0] < last_us and told != (time_us, row.value, row.quality)):
            stands = "nothing" if told is None else f"{told[1]:g} of {told[0]} us, quality {told[2]}"
            findings.add(
                "latest", f"{device}:{name}: {stands}; newest is {row.value:g} of {time_us} us, quality {row.quality}"
            )
    return len(newest)


def check_ledger(
    entries: Iterable[Mapping[str, Any]],
    stored: Iterable[Mapping[str, Any]],
    refused: Iterable[Mapping[str, Any]],
    findings: Findings,
) -> int:
    """Every entry balances, and the hours agree with what is stored and refused.

    Returns:
        How many entries were compared.
    """
    told = list(entries)
    by_hour: Counter[str] = Counter()
    by_entry: Counter[str] = Counter()
    for entry in told:
        outcomes = sum(entry[name] for name in _OUTCOMES)
        if entry["received"] != outcomes:
            findings.add("ledger", f"{_entry(entry)}: received {entry['received']}, outcomes {outcomes}")
        if entry["family"] != "status":
            by_hour[f"{entry['hour']:%Y-%m-%dT%H}Z: stored"] += entry["stored"]
        by_entry += Counter({f"{_entry(entry)}: {kind}": entry[kind] for kind in ("rejected", "conflict")})
    by_hour.subtract({f"{row['hour']:%Y-%m-%dT%H}Z: stored": row["readings"] for row in stored})
    for row in refused:
        by_entry.subtract({f"{_entry(row)}: {kind}": row[kind] for kind in ("rejected", "conflict")})
    for what, surplus in (*by_hour.items(), *by_entry.items()):
        if surplus:
            findings.add("ledger", f"{what} differs by {surplus:+d} from the tables")
    return len(told)


def _entry(row: Mapping[str, Any]) -> str:
    return f"{row['hour']:%Y-%m-%dT%H}Z {row['town_id']}/{row['source']}/{row['family']}"


def check_windows(
    device: Registered,
    rows: Rows,
    at_rest: Mapping[tuple[str, int, int], Mapping[str, Any]],
    folded: tuple[datetime, datetime | None, datetime | None] | None,
    span: Span,
    findings: Findings,
) -> int:
    """Windows at rest are those of the plain computation: all of them, and no others.

    Args:
        device: whose.
        rows: all its observations that may stand in a window of the span.
        at_rest: its windows that start in the span.
        folded: how far the database says they are true; None: there are none.
        span: whole local days.
        findings: takes the deviations.

    Returns:
        How many windows were compared.
    """
    through_us = -1 if folded is None else round(folded[0].timestamp() * 1e6)
    stale_from = _stale_from(folded)
    plain = {
        key: window
        for key, window in fold(rows, device, through_us).items()
        if span[0] <= key[2] < span[1] and key[2] < stale_from[key[1]]
    }
    for key, window in plain.items():
        told = at_rest.get(key)
        wrong = ["it is not there"] if told is None else differences(window, told)
        if wrong:
            findings.add("statistics", f"{_where(device.device_id, key)}: {'; '.join(wrong)}")
    for key in at_rest:
        if key not in plain and key[2] < stale_from[key[1]]:
            findings.add("statistics", f"{_where(device.device_id, key)}: there are no such observations")
    return len(plain)


def _stale_from(folded: tuple[datetime, datetime | None, datetime | None] | None) -> dict[int, float]:
    """From which start on windows of a length are older than those below them; Unix seconds."""
    stale = {900: float("inf"), 3_600: float("inf"), _DAY_S: float("inf")}
    if folded is not None:
        for length_s, time in ((3_600, folded[1]), (_DAY_S, folded[2]), (_DAY_S, folded[1])):
            if time is not None:
                stale[length_s] = min(stale[length_s], start_of(int(time.timestamp()), length_s))
    return stale


def _where(device: str, key: tuple[str, int, int]) -> str:
    return f"{device}:{key[0]}, {key[1]} s from {key[2]}"
