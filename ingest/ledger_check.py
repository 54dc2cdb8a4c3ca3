"""Proves the ledger against the tables: every reading that came is where the ledger says it is.

Three things are compared, all as of one moment, by hour of receipt:

* each entry's sum: received = stored + duplicate + conflict + rejected + missing;
* stored, against the readings in `observation_set`, by a device together with those behind its gateway;
* rejected and conflict, against the refusals.

Status words are in no table of readings, so of them only the sum and the refusals are compared. Chunks that retention
dropped were counted when they were dropped; hours whose refusals retention began to delete are left out, and named.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ingest.ledger import KINDS
from ingest.storage import named_errors
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

LEDGER_QUERIES: Final = load_queries("ingest_ledger")
EVER: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
_HOUR: Final = timedelta(hours=1)

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the ledger says."""

    hour: datetime
    where: str
    what: str
    ledger: int
    table: int

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.hour:%Y-%m-%dT%H:%MZ} {self.where}: {self.what} {self.ledger} in the ledger, {self.table} found"
            f" ({self.table - self.ledger:+d})"
        )


@dataclass(slots=True)
class Proof:
    """What a check found."""

    differences: list[Difference] = field(default_factory=list)
    entries: int = 0
    totals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    refusals_since: datetime | None = None  # first hour whose refusals are all kept; None: all are


def check(connection: psycopg.Connection[dict[str, Any]], first: datetime, last: datetime) -> Proof:
    """Compare the hours of receipt from `first` to before `last`, both whole hours; reads all of their observations.

    Raises:
        StorageAwayError: the server does not answer.
    """
    span = {"first": first, "last": last}
    with named_errors(), connection.transaction():
        connection.execute(LEDGER_QUERIES["one_moment"])
        entries = connection.execute(LEDGER_QUERIES["ledger_entries"], {**span, "town": None}).fetchall()
        observed = connection.execute(LEDGER_QUERIES["observed_readings"], span).fetchall()
        adjusted = connection.execute(LEDGER_QUERIES["ledger_adjustments"], span).fetchall()
        gateways = connection.execute(LEDGER_QUERIES["gateways"]).fetchall()
        refused = connection.execute(LEDGER_QUERIES["refused_readings"], span).fetchall()
        mark = connection.execute(LEDGER_QUERIES["refusals_kept_since"]).fetchone()
    proof = Proof(entries=len(entries), refusals_since=_next_hour(mark["until"]) if mark else None)
    for entry in entries:
        for kind in KINDS:
            proof.totals[kind] += entry[kind]
    proof.differences += _unbalanced(entries)
    proof.differences += _misplaced(entries, observed, adjusted, groups(gateways))
    proof.differences += _miscounted(entries, refused, proof.refusals_since)
    proof.differences.sort(key=lambda each: (each.hour, each.where, each.what))
    return proof


def groups(gateways: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Name of each device's group: those that a chain of gateways, present or former, joins."""
    parent: dict[str, str] = {}

    def root(device_id: str) -> str:
        while parent.setdefault(device_id, device_id) != device_id:
            parent[device_id] = parent[parent[device_id]]
            device_id = parent[device_id]
        return device_id

    for pair in gateways:
        parent[root(pair["device_id"])] = root(pair["gateway_id"])
    return {device_id: root(device_id) for device_id in list(parent)}


def _unbalanced(entries: Rows) -> list[Difference]:
    found = []
    for entry in entries:
        outcomes = sum(entry[kind] for kind in KINDS[1:])
        if outcomes != entry["received"] or any(entry[kind] < 0 for kind in KINDS):
            found.append(Difference(entry["hour"], _where(entry), "received", entry["received"], outcomes))
    return found


def _misplaced(entries: Rows, observed: Rows, adjusted: Rows, group_of: Mapping[str, str]) -> list[Difference]:
    ledger: dict[tuple[datetime, str], int] = defaultdict(int)
    table: dict[tuple[datetime, str], int] = defaultdict(int)
    for entry in entries:
        if entry["family"] != "status":
            ledger[entry["hour"], group_of.get(entry["source"], entry["source"])] += entry["stored"]
    for row in (*observed, *adjusted):
        table[row["hour"], group_of.get(row["device_id"], row["device_id"])] += row["readings"]
    return [
        Difference(hour, group, "stored", ledger[hour, group], table[hour, group])
        for hour, group in sorted(ledger.keys() | table.keys())
        if ledger[hour, group] != table[hour, group]
    ]


def _miscounted(entries: Rows, refused: Rows, since: datetime | None) -> list[Difference]:
    found = []
    ledger = {_key(entry): entry for entry in entries}
    table = {_key(row): row for row in refused}
    for key in sorted(ledger.keys() | table.keys()):
        if since is not None and key[0] < since:
            continue
        for kind in ("rejected", "conflict"):
            said = ledger[key][kind] if key in ledger else 0
            counted = table[key][kind] if key in table else 0
            if said != counted:
                found.append(Difference(key[0], "/".join(key[1:]), kind, said, counted))
    return found


def _key(row: Mapping[str, Any]) -> tuple[datetime, str, str, str]:
    return (row["hour"], row["town_id"], row["source"], row["family"])


def _where(entry: Mapping[str, Any]) -> str:
    return "/".join(_key(entry)[1:])


def _next_hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0) + _HOUR


def whole_hours(first: datetime | None, last: datetime | None) -> tuple[datetime, datetime]:
    """The whole hours that a span touches; open ends are as wide as times go."""
    begin = (first or EVER[0]).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end = (last or EVER[1]).astimezone(UTC)
    rest = end - end.replace(minute=0, second=0, microsecond=0)
    return begin, end if not rest else end - rest + _HOUR


def describe(proof: Proof, reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """What to print of a check: every difference, then the sums."""
    lines = [str(difference) for difference in proof.differences]
    if proof.refusals_since is not None:
        lines.append(f"refusals received before {proof.refusals_since:%Y-%m-%dT%H:%MZ} are deleted and not compared")
    lines += describe_brokers(reports)
    sums = " ".join(f"{kind}={readings}" for kind, readings in proof.totals.items())
    verdict = f"{len(proof.differences)} differences" if proof.differences else "equal"
    lines.append(f"{proof.entries} entries, {sums}: {verdict}")
    return lines


def describe_brokers(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line a broker that dropped messages: those never reached the ledger."""
    return [
        f"broker {report['broker']} dropped {report['dropped']} messages, the last before"
        f" {report['dropped_time']:%Y-%m-%dT%H:%M:%SZ}; they are in no count"
        for report in reports
        if report["dropped"]
    ]
