"""The account of a replay: refusals that are mended leave `rejected` and become what they are now, once.

A replayed message is decoded, checked and written whole. Readings of it that were stored the first time turn up as
duplicates of themselves; what the refusals say of the message as it came tells how many those are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

from devices.reasons import Reason
from ingest.errors import OutdatedError
from ingest.ledger import UNKNOWN, LedgerKey, LedgerShare, share_of
from ingest.rejections import storable_detail
from ingest.route import is_identifier
from ingest.storage import QUERIES
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from ingest.records import Rejection
    from ingest.written import Written

REPLAY_QUERIES: Final = load_queries("ingest_replay")
_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row of the table `rejection`."""

    key: int
    reason: str
    device_id: str | None
    readings: int  # of the message itself that are refused still
    replayed: int  # as read


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A message as its refusals tell it; all of them are here."""

    entry: LedgerKey  # where it is counted
    received: int  # readings, as it was decoded then
    missing: int
    refusals: Sequence[Refusal]


@dataclass(slots=True)
class Outcome:
    """What a replay did, in messages and readings."""

    messages: int = 0
    mended: int = 0  # readings that left `rejected`: now stored, duplicate, conflict, missing, or refused otherwise
    stored: int = 0
    duplicate: int = 0
    conflict: int = 0
    missing: int = 0
    refused: int = 0  # readings that are refused still or again

    def add(self, other: Outcome) -> None:
        """Add another outcome to this one."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True, slots=True)
class Now:
    """What decoding, checking and writing say of the message now, in readings."""

    received: int
    missing: int
    stored: int
    duplicate: int
    conflict: int
    rejections: Sequence[Rejection]


@dataclass(slots=True)
class Settlement:
    """What changes for one message."""

    leaving: dict[int, int]  # readings that leave each refusal, by key
    again: list[tuple[Rejection, int]]  # refusals to add, with their readings
    change: dict[str, int] = field(default_factory=dict)  # of its ledger entry

    @property
    def changes(self) -> bool:
        """Whether anything does."""
        return any(self.leaving.values()) or bool(self.again) or any(self.change.values())


def settle(message: RefusedMessage, now: Now) -> Settlement:
    """Compare what a message was with what it is.

    `received` grows only where the message counted as one reading because it could not be decoded.
    """
    before = [refusal for refusal in message.refusals if refusal.reason != Reason.CONFLICT.value]
    conflicts = [refusal for refusal in message.refusals if refusal.reason == Reason.CONFLICT.value]
    refused = sum(refusal.readings for refusal in before)
    conflicting = sum(refusal.readings for refusal in conflicts)
    # Neighbours that met their place taken: by themselves when they were stored then, or by another value.
    standing = message.received - message.missing - refused
    met = now.duplicate + now.conflict
    # Fewer than then: a check became stricter. What was accepted, or was null, stays so.
    stricter = max(0, standing - met) + max(0, message.missing - now.missing)
    leaving, again, still = _match(before, [r for r in now.rejections if r.reason is not Reason.CONFLICT], stricter)
    # More than then: mended readings whose place is taken. Which of the equal ones among a batch's conflicts counts as
    # a duplicate depends on the batch, so conflicts are counted as further ones only as far as there are more.
    further = max(0, met - standing)
    more = min(further, max(0, now.conflict - conflicting))
    _, more_conflicts, _ = _match(conflicts, [r for r in now.rejections if r.reason is Reason.CONFLICT], 0)
    change = {
        "stored": now.stored,
        "duplicate": further - more,
        "conflict": more,
        "missing": max(0, now.missing - message.missing),
        "rejected": still - refused,
    }
    change["received"] = sum(change.values())
    return Settlement(leaving=leaving, again=again + _first(more_conflicts, more), change=change)


def _match(
    before: Sequence[Refusal], now: Sequence[Rejection], forgiven: int
) -> tuple[dict[int, int], list[tuple[Rejection, int]], int]:
    """Refusals of the same reason and device stay; answers what leaves, what comes, and how much is refused after."""
    left = [rejection.readings for rejection in now]
    stay = {refusal.key: 0 for refusal in before}
    for refusal in before:
        for at, rejection in enumerate(now):
            if (rejection.reason.value, _kept_id(rejection)) == (refusal.reason, refusal.device_id):
                taken = min(left[at], refusal.readings - stay[refusal.key])
                left[at] -= taken
                stay[refusal.key] += taken
    for at in range(len(left)):
        cut = min(forgiven, left[at])
        left[at] -= cut
        forgiven -= cut
    for key, readings in stay.items():
        cut = min(forgiven, readings)
        stay[key] = readings - cut
        forgiven -= cut
    leaving = {refusal.key: refusal.readings - stay[refusal.key] for refusal in before}
    again = [(rejection, readings) for rejection, readings in zip(now, left, strict=True) if readings]
    return leaving, again, sum(stay.values()) + sum(left)


def _first(rejections: Sequence[tuple[Rejection, int]], readings: int) -> list[tuple[Rejection, int]]:
    """As many of them as hold so many readings."""
    taken = []
    for rejection, count in rejections:
        if readings > 0:
            taken.append((rejection, min(count, readings)))
        readings -= count
    return taken


def _kept_id(rejection: Rejection) -> str | None:
    return rejection.device_id if rejection.device_id and is_identifier(rejection.device_id) else None


class ReplayAccount:
    """Keeps the account of one replayed batch, within its transaction; may be asked again after a roll-back.

    Args:
        messages: what is known of each message of the batch, in its order.
        note: parameters of `note_replay` beside the outcome; None: nobody waits for a note.
    """

    def __init__(self, messages: Sequence[RefusedMessage], note: Mapping[str, Any] | None) -> None:
        self._messages = messages
        self._note = note
        self.outcome = Outcome()

    def __call__(self, connection: psycopg.Connection[dict[str, Any]], written: Written) -> LedgerShare:
        """Write refusals, adjustments and the note; answers the replay's own entry in the ledger.

        Raises:
            OutdatedError: a refusal was changed since it was read; the transaction must be rolled back.
        """
        self.outcome = Outcome(messages=len(self._messages))
        entries: dict[LedgerKey, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        settled: list[tuple[int, Settlement]] = []
        by_message: dict[int, list[Rejection]] = defaultdict(list)
        for rejection in written.rejections:
            by_message[rejection.message].append(rejection)
        for at, message in enumerate(self._messages):
            tally = written.tally
            settlement = settle(
                message,
                Now(
                    received=written.columns.received[at],
                    missing=written.columns.missing[at],
                    stored=int(tally.stored[at]),
                    duplicate=int(tally.duplicate[at]),
                    conflict=int(tally.conflict[at]),
                    rejections=by_message[at],
                ),
            )
            self._count(message, settlement)
            if settlement.changes:
                settled.append((at, settlement))
                for kind, readings in settlement.change.items():
                    entries[message.entry][kind] += readings
        self._settle(connection, written, settled)
        self._adjust(connection, written)
        self._tell(connection)
        return share_of(entries)

    def _count(self, message: RefusedMessage, settlement: Settlement) -> None:
        change = settlement.change
        refused = sum(each.readings for each in message.refusals if each.reason != Reason.CONFLICT.value)
        self.outcome.mended += sum(settlement.leaving.values())
        self.outcome.refused += refused + change["rejected"]
        for kind in ("stored", "duplicate", "conflict", "missing"):
            setattr(self.outcome, kind, getattr(self.outcome, kind) + change[kind])

    def _settle(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        written: Written,
        settled: Sequence[tuple[int, Settlement]],
    ) -> None:
        rows = [
            (
                refusal.key,
                refusal.replayed,
                settlement.leaving.get(refusal.key, 0),
                written.columns.received[at],
                written.columns.missing[at],
                written.columns.messages[at].assigned_us or None,
            )
            for at, settlement in settled
            for refusal in self._messages[at].refusals
        ]
        if not rows:
            return
        names = ("keys", "before", "leaving", "received", "missing", "assigned_us")
        columns = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
        done = connection.execute(REPLAY_QUERIES["settle_refusals"], columns).fetchone()
        if not done or done["rows"] != len(rows):
            raise OutdatedError
        for at, settlement in settled:
            for rejection, readings in settlement.again:
                connection.execute(
                    REPLAY_QUERIES["refuse_again"],
                    {
                        "device": _kept_id(rejection),
                        "reason": rejection.reason.value,
                        "detail": storable_detail(rejection.detail),
                        "readings": readings,
                        "subjects": Jsonb(rejection.subjects) if rejection.subjects else None,
                        "like": self._messages[at].refusals[0].key,
                    },
                )

    def _adjust(self, connection: psycopg.Connection[dict[str, Any]], written: Written) -> None:
        """What is stored for a device and counted under no source."""
        moved: dict[tuple[int, str], int] = defaultdict(int)
        for at, devices in written.stored_by_message().items():
            hour, _, source, _ = self._messages[at].entry
            if source != UNKNOWN:
                continue
            for device_id, readings in devices.items():
                moved[hour, UNKNOWN] += readings
                moved[hour, device_id] -= readings
        if moved:
            connection.execute(
                QUERIES["adjust_ledger"],
                {
                    "cause": "replayed",
                    "hours": [hour * 3_600 for hour, _ in moved],
                    "devices": [device_id for _, device_id in moved],
                    "readings": list(moved.values()),
                },
            )

    def _tell(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        if self._note is None:
            return
        outcome = {each.name: getattr(self.outcome, each.name) for each in fields(self.outcome)}
        noted = connection.execute(REPLAY_QUERIES["note_replay"], {**self._note, **outcome}).fetchone()
        if not noted or not noted["rows"]:
            raise OutdatedError


def refused_message(rows: Sequence[Mapping[str, Any]]) -> RefusedMessage:
    """A message out of all its rows of `refusals_of_messages`."""
    first = rows[0]
    source = UNKNOWN if first["town_id"] == UNKNOWN else first["source"]
    return RefusedMessage(
        entry=(first["received_us"] // _HOUR_US, first["town_id"], source, first["family"]),
        received=first["message_received"],
        missing=first["message_missing"],
        refusals=[
            Refusal(
                key=row["rejection_key"],
                reason=row["reason"],
                device_id=row["device_id"],
                readings=row["readings"] - row["unkept"] - row["replayed"],
                replayed=row["replayed"],
            )
            for row in rows
        ],
    )
