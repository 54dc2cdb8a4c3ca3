"""The ledger's share of one batch: counts in readings by hour of receipt, town, source and family."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ingest.parameters import array_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.columns import Columns
    from ingest.records import Tally

_HOUR_US: Final = 3_600_000_000
KINDS: Final = ("received", "stored", "duplicate", "conflict", "rejected", "missing")
"""What the ledger counts; the first is the sum of the others."""
LedgerKey = tuple[int, str, str, str]
"""Hour of receipt since 1970, town, source, family."""
UNKNOWN: Final = "-"
"""Town and source of what no registered device sent; one for all, so that strangers cannot fill the ledger."""


@dataclass(frozen=True, slots=True)
class LedgerShare:
    """Parallel lists, one element an entry; counts in readings."""

    hours: list[int]  # of receipt, since 1970
    town_ids: list[str]
    sources: list[str]
    families: list[str]
    counts: dict[str, list[int]]  # received, stored, duplicate, conflict, rejected, missing

    def parameters(self) -> dict[str, Any]:
        """The entries as parameters of the statement `log_batch`."""
        written = {hour: datetime.fromtimestamp(hour * 3_600, tz=UTC).isoformat() for hour in dict.fromkeys(self.hours)}
        return {
            "hours": array_text([written[hour] for hour in self.hours]),
            "town_ids": array_text(self.town_ids),
            "sources": array_text(self.sources),
            "families": array_text(self.families),
            **{kind: array_text(counts) for kind, counts in self.counts.items()},
        }


def ledger_key(columns: Columns, message: int) -> LedgerKey:
    """The ledger entry in which a message of the batch is counted."""
    route = columns.routes[message]
    device = columns.snapshot.by_id.get(route.source)
    town_id, source = (device.town_id, device.device_id) if device else (UNKNOWN, UNKNOWN)
    return (columns.messages[message].received_us // _HOUR_US, town_id, source, route.family)


def share_of(entries: Mapping[LedgerKey, Mapping[str, int]]) -> LedgerShare:
    """A share out of counts by entry and kind; a kind that is not named is 0."""
    return LedgerShare(
        hours=[hour for hour, *_ in entries],
        town_ids=[key[1] for key in entries],
        sources=[key[2] for key in entries],
        families=[key[3] for key in entries],
        counts={kind: [counts.get(kind, 0) for counts in entries.values()] for kind in KINDS},
    )


def ledger_share(columns: Columns, tally: Tally) -> LedgerShare:
    """Sum a batch's tally by ledger entry. Outcomes are what the writer found, never received minus something."""
    # The router hands out one object a topic, so its identity tells routes apart at a tenth of what hashing it costs.
    hours = np.array([message.received_us for message in columns.messages], dtype=np.int64) // _HOUR_US
    routes = list(map(id, columns.routes))
    if len(hours) and hours.min() != hours.max():
        pairs: list[Any] = list(zip(hours.tolist(), routes, strict=True))
    else:
        pairs = routes
    # Of each pair the last message that has it; any would do.
    of_pair = dict(zip(pairs, range(len(pairs)), strict=True))
    of_message = list(map(of_pair.__getitem__, pairs))
    entries: dict[LedgerKey, int] = {}
    entry_of_last = np.zeros(len(of_message), dtype=np.intp)
    for index in of_pair.values():
        entry_of_last[index] = entries.setdefault(ledger_key(columns, index), len(entries))
    entry_of = entry_of_last[of_message]

    def summed(kind: str) -> list[int]:
        # Counts in float64 are exact up to 2^53.
        sums = np.bincount(entry_of, weights=getattr(tally, kind), minlength=len(entries)).astype(np.int64)
        counts: list[int] = sums.tolist()
        return counts

    return LedgerShare(
        hours=[hour for hour, *_ in entries],
        town_ids=[key[1] for key in entries],
        sources=[key[2] for key in entries],
        families=[key[3] for key in entries],
        counts={kind: summed(kind) for kind in KINDS},
    )
