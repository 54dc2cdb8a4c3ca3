"""Refused messages go the way again: decode, validate and write, once, after the cause of their refusal was mended.

Why it is done so: docs/decisions/0004-replay.md.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.reasons import Reason
from ingest.clock import MICROSECONDS_A_SECOND, Clock, SystemClock
from ingest.columns import Columns, Limits
from ingest.decode import Decoder
from ingest.errors import OutdatedError, StorageAwayError
from ingest.records import Message
from ingest.refuse import refuse_rows
from ingest.replay_account import REPLAY_QUERIES, Outcome, ReplayAccount, refused_message
from ingest.storage import named_errors, read_registry
from ingest.validate import TimeRules, validate
from ingest.write import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ingest.registry import RegistrySnapshot
    from ingest.settings import StorageSettings
    from ingest.validate import Checked

_LOG: Final = logging.getLogger(__name__)
_MARGIN_US: Final = 3_600 * MICROSECONDS_A_SECOND
"""Readings that retention drops within this time are not stored any more."""

_TRIES: Final = 5

Rows = list[dict[str, Any]]


class _RehearsedError(Exception):
    """Rolls a dry run back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which refusals are replayed; None: any."""

    asked: datetime  # when the replay was asked for; what came or was replayed since is not its concern
    last: datetime | None = None
    first: datetime | None = None
    reason: str | None = None
    device: str | None = None
    town: str | None = None


class Replay:
    """Replays refusals step by step over a connection of its own; its methods block.

    Args:
        dsn: the database.
        worker: name of who replays.
        settings: what is taken.
        clock: gives the current time.
    """

    def __init__(self, *, dsn: str, worker: str, settings: StorageSettings, clock: Clock | None = None) -> None:
        self._limits = Limits(payload_bytes=settings.payload_bytes, readings=settings.message_readings)
        self._rules = TimeRules(ahead_s=settings.clock_ahead_s, retention_s=settings.retention_days * 86_400.0)
        self._worker = worker
        self._writer = Writer(dsn=dsn, worker=worker, subjects=self._limits.subjects, alone=False)
        self._clock = clock or SystemClock()
        self._decoder = Decoder(limits=self._limits)
        self._newest_us = 0  # received time of the newest message the decoder has seen

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    def run(self, choice: Choice, *, dry_run: bool = False) -> Outcome:
        """Replay everything that is chosen.

        Args:
            choice: which refusals.
            dry_run: do it all and roll each step back.

        Raises:
            StorageAwayError: some steps may be committed; a further run does the rest.
            OutdatedError: somebody else replays the same refusals.
        """
        total = Outcome()
        after = tries = 0
        while True:
            try:
                last, outcome = self.step(choice, after, note=None, dry_run=dry_run)
            except OutdatedError:
                tries += 1
                if tries == _TRIES:
                    raise
                continue
            if last is None:
                return total
            total.add(outcome)
            after = last

    def serve(self) -> Outcome | None:
        """Do one step of the oldest wish in `replay_request`; None: there is none.

        Raises:
            StorageAwayError: try again later.
        """
        connection = self._writer.connection()
        with named_errors():
            wish = connection.execute(REPLAY_QUERIES["take_replay_request"], {"worker": self._worker}).fetchone()
        if wish is None:
            return None
        whose = {"replay_id": wish["replay_id"], "worker": self._worker}
        choice = Choice(
            asked=wish["requested_time"],
            last=wish["last_time"],
            first=wish["first_time"],
            reason=wish["reason"],
            device=wish["device_id"],
            town=wish["town_id"],
        )
        error = None
        try:
            last, outcome = self.step(choice, wish["after_key"], note=whose)
        except StorageAwayError:
            raise
        except OutdatedError:
            return Outcome()  # read anew the next time
        except Exception as fault:  # noqa: BLE001  # it is told to who asked, and the worker goes on
            _LOG.exception("Replay %s fails", wish["replay_id"])
            last, outcome, error = None, Outcome(), f"{type(fault).__name__}: {fault}"
        with named_errors():
            if last is None:
                self._writer.connection().execute(REPLAY_QUERIES["finish_replay"], {**whose, "error": error})
            else:
                # Also past messages that cannot be replayed, whose transactions left no note.
                nothing = {each.name: 0 for each in fields(Outcome)}
                self._writer.connection().execute(REPLAY_QUERIES["note_replay"], {**whose, **nothing, "after": last})
        return outcome

    def step(
        self, choice: Choice, after: int, *, note: Mapping[str, Any] | None, dry_run: bool = False
    ) -> tuple[int | None, Outcome]:
        """Replay some hundred messages, in transactions of their own.

        Args:
            choice: which refusals.
            after: key of the last refusal that is done.
            note: whose wish it is; kept up to date in the same transaction.
            dry_run: roll back.

        Returns:
            Key of the last refusal that is done now, None where there was none left; and what was done.
        """
        connection = self._writer.connection()
        with named_errors():
            chosen = connection.execute(
                REPLAY_QUERIES["choose_refusals"],
                {
                    "after": after,
                    "reason": choice.reason,
                    "device": choice.device,
                    "town": choice.town,
                    "first": choice.first,
                    "last": min(choice.last or choice.asked, choice.asked),
                    "asked": choice.asked,
                },
            ).fetchall()
            if not chosen:
                return None, Outcome()
            rows = connection.execute(
                REPLAY_QUERIES["refusals_of_messages"],
                {
                    "times": [row["received_time"] for row in chosen],
                    "topics": [row["topic"] for row in chosen],
                    "messages": [row["message"] for row in chosen],
                },
            ).fetchall()
            snapshot = read_registry(connection)
        last = int(chosen[-1]["rejection_key"])
        full_note = None if note is None else {**note, "after": last}
        return last, self._replay(_by_message(rows), snapshot, full_note, dry_run=dry_run)

    def _replay(
        self, messages: Sequence[Rows], snapshot: RegistrySnapshot, note: Mapping[str, Any] | None, *, dry_run: bool
    ) -> Outcome:
        try:
            return self._write(messages, snapshot, note, dry_run=dry_run)
        except (StorageAwayError, OutdatedError):
            raise
        except Exception:  # noqa: BLE001  # one by one, so that a poison spoils no other
            if len(messages) == 1:
                _LOG.exception("Message on %r cannot be replayed and stays refused", messages[0][0]["topic"])
                return Outcome()
        total = Outcome()
        for message in messages:
            total.add(self._replay([message], snapshot, note, dry_run=dry_run))
        return total

    def _write(
        self, messages: Sequence[Rows], snapshot: RegistrySnapshot, note: Mapping[str, Any] | None, *, dry_run: bool
    ) -> Outcome:
        columns = Columns(snapshot)
        received_us = [int(rows[0]["received_us"]) for rows in messages]
        if received_us[0] < self._newest_us:
            # Unstamped readings get ascending times; those of an older message must not be drawn to newer ones.
            self._decoder = Decoder(limits=self._limits)
        self._newest_us = received_us[-1]
        self._decoder.decode([_message(rows[0]) for rows in messages], columns)
        checked = self._still_kept(columns, validate(columns, self._rules, subjects=self._limits.subjects))
        # A status word speaks of the moment it was sent.
        columns.statuses.clear()
        account = ReplayAccount([refused_message(rows) for rows in messages], note)
        if dry_run:

            def rehearse(connection: Any, written: Any) -> Any:
                account(connection, written)
                raise _RehearsedError

            try:
                self._writer.write(columns, checked, rehearse)
            except _RehearsedError:
                return account.outcome
        self._writer.write(columns, checked, account)
        return account.outcome

    def _still_kept(self, columns: Columns, checked: Checked) -> Checked:
        """Without rows that retention has dropped or is about to: stored again they would be counted twice."""
        limit_us = self._clock.now_us() - int(self._rules.retention_s * MICROSECONDS_A_SECOND) + _MARGIN_US
        detail = f"older than the {self._rules.retention_s / 86_400:g} days that are kept"
        blocks = []
        for block in checked.blocks:
            old = block.time_us < limit_us
            refuse_rows(columns, block.take(old), checked, Reason.TOO_OLD, detail, subjects=self._limits.subjects)
            blocks.append(block.take(~old) if np.any(old) else block)
        return replace(checked, blocks=blocks)


def _by_message(rows: Rows) -> list[Rows]:
    """Rows of one message together, messages in the order in which they came."""
    groups: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        groups.setdefault((row["received_us"], row["topic"], row["message"], row["payload"]), []).append(row)
    return sorted(groups.values(), key=lambda group: (group[0]["received_us"], group[0]["rejection_key"]))


def _message(row: Mapping[str, Any]) -> Message:
    """The message as it came, but for what concerns its first connection."""
    return Message(
        row["topic"],
        row["payload"],
        row["received_us"],
        qos=row["qos"],
        retained=row["retained"],
        assigned_us=row["assigned_us"] or 0,
    )
