"""One batch, one transaction: observations, rejections, statuses and the batch's share of the ledger.

The straight way is a COPY of the rows newer than anything their device has stored; such rows cannot stand already
unless another worker wrote them, and then the whole batch goes the careful way. The careful way stages rows in a
temporary table, reads what stands under lock, merges, counts duplicates and conflicts, and inserts the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg

from ingest import copy_binary
from ingest.errors import StorageAwayError
from ingest.judge import Judge
from ingest.knocks import find_knocks, note_knocks
from ingest.latest import slot_bits
from ingest.ledger import LedgerShare, ledger_share
from ingest.merge import compare, make_unique
from ingest.parameters import array_text
from ingest.records import Block, Rejection, WriteResult
from ingest.rejections import conflict_rejections, copy_rows
from ingest.sent import note_sent
from ingest.storage import QUERIES, connect, named_errors
from ingest.written import StoredCells, Written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.columns import Columns
    from ingest.validate import Checked

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_NEVER: Final = np.iinfo(np.int64).min

Account = Callable[["psycopg.Connection[dict[str, Any]]", Written], LedgerShare]
"""Keeps the account of a batch within its transaction: writes its rejections, answers its share of the ledger."""


def time_of(us: int) -> datetime:
    """Unix microseconds -> aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def account_batch(connection: psycopg.Connection[dict[str, Any]], written: Written) -> LedgerShare:
    """The account of messages that came for the first time."""
    if written.rejections:
        with connection.cursor().copy(QUERIES["copy_rejections"]) as copy:
            copy_rows(copy, written.columns, written.rejections, time_of)
        connection.execute(QUERIES["insert_rejections"])
    note_knocks(connection, written.knocks)
    return ledger_share(written.columns, written.tally)


@dataclass(slots=True)
class _Doubt:
    """A transaction whose COMMIT was sent and not answered."""

    xid: int
    columns: Columns
    result: WriteResult


class Writer:
    """Writes batches in order over one connection; every method blocks, so it lives in a thread of its own."""

    def __init__(self, *, dsn: str, worker: str, subjects: int, alone: bool = True) -> None:
        self._judge = Judge(alone=alone)
        self._dsn = dsn
        self._worker = worker
        self._subjects = subjects
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._newest_us: NDArray[np.int64] = np.full(1, _NEVER)  # by device_key
        self._days: set[int] | None = None  # days with a partition; None: the storage makes its own
        self._doubt: _Doubt | None = None

    def connection(self) -> psycopg.Connection[dict[str, Any]]:
        """The open connection, opened and prepared now where there is none.

        Raises:
            StorageAwayError: the server does not answer.
        """
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn, application=f"thubon ingest {self._worker}")
            with named_errors():
                self._connection.execute(QUERIES["create_staging"])
                self._connection.execute(QUERIES["create_staging_merged"])
                self._connection.execute(QUERIES["create_staging_rejection"])
                row = self._connection.execute(QUERIES["storage_edition"]).fetchone()
                self._days = set() if row and row["storage_edition"] == "postgresql" else None
        return self._connection

    def load_newest_times(self) -> None:
        """Read each device's newest stored time; rows not newer take the careful way."""
        connection = self.connection()
        with named_errors():
            rows = connection.execute(QUERIES["newest_times"]).fetchall()
        for row in rows:
            self._note_newest(np.array([row["device_key"]]), np.array([row["time_us"]]))

    def close(self) -> None:
        """Close the connection; open transactions are rolled back by the server."""
        if self._connection is not None:
            self._connection.close()

    def write(self, columns: Columns, checked: Checked, account: Account = account_batch) -> WriteResult:
        """Store a validated batch; when this returns, it is committed.

        Asked again with the same batch after a `StorageAwayError`, it first finds out what became of the transaction
        whose COMMIT was not answered, so that nothing is counted twice.

        Raises:
            StorageAwayError: nothing is known to be committed; call again with the same batch.
        """
        connection = self.connection()
        with named_errors():
            if self._doubt is not None:
                result = self._resolve_doubt(connection, columns)
                if result is not None:
                    return result
            try:
                return self._transact(connection, columns, checked, account, careful=False)
            except (psycopg.errors.UniqueViolation, psycopg.errors.CheckViolation):
                # Another worker wrote one of these rows, or a partition is gone that we believed in.
                if self._days is not None:
                    self._days.clear()
                return self._transact(connection, columns, checked, account, careful=True)

    def _resolve_doubt(self, connection: psycopg.Connection[dict[str, Any]], columns: Columns) -> WriteResult | None:
        doubt = self._doubt
        if doubt is None or doubt.columns is not columns:
            self._doubt = None
            return None
        row = connection.execute(QUERIES["transaction_status"], {"xid": doubt.xid}).fetchone()
        status = row["pg_xact_status"] if row else None
        if status == "in progress":
            raise StorageAwayError("(a transaction of ours is still ending)")
        self._doubt = None
        return doubt.result if status == "committed" else None

    def _transact(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        columns: Columns,
        checked: Checked,
        account: Account,
        *,
        careful: bool,
    ) -> WriteResult:
        messages = len(columns.messages)
        tally = replace(
            checked.tally,
            stored=np.zeros(messages, dtype=np.int64),
            duplicate=np.zeros(messages, dtype=np.int64),
            conflict=np.zeros(messages, dtype=np.int64),
        )
        rejections = list(checked.rejections)
        knocks = find_knocks(columns, rejections) if checked.knocks is None else checked.knocks
        written = Written(columns=columns, tally=tally, rejections=rejections, knocks=knocks)
        newest: list[_Newest] = []
        self._judge.forget()  # what a transaction that failed was flagged by
        straight: list[tuple[Block, NDArray[np.int32]]] = []
        staged: list[tuple[Block, NDArray[np.int32]]] = []
        keys = columns.snapshot.device_key
        for block in checked.blocks:
            unique = make_unique(block, messages)
            tally.duplicate += unique.duplicate
            tally.conflict += unique.conflict
            rejections += conflict_rejections(columns, unique.refused, unique.standing, subjects=self._subjects)
            device_key = keys[unique.block.device]
            newer = np.zeros(len(unique.block), dtype=np.bool_) if careful else self._is_newer(device_key, unique.block)
            layout = columns.snapshot.layouts[block.layout]
            for chosen, part in ((newer, straight), (~newer, staged)):
                rows, key = unique.block.take(chosen), device_key[chosen]
                part.append((self._judge.flag(connection, layout, rows, key, newest=part is straight), key))
        self._ensure_days(connection, [block for block, _ in (*straight, *staged)])
        statuses = {device: (word, index) for device, word, index in columns.statuses}
        for _, _, index in columns.statuses:
            tally.stored[index] += 1

        with connection.transaction():
            stream = [copy_binary.encode(block, key) for block, key in straight if len(block)]
            if stream:
                with connection.cursor().copy(QUERIES["copy_observations"]) as copy:
                    copy.write(b"".join((copy_binary.HEADER, *stream, copy_binary.TRAILER)))
            for block, key in straight:
                cells = ~np.isnan(block.value)
                np.add.at(tally.stored, block.owner_of(cells), 1)
                written.stored.append(StoredCells(block, cells, block.received_us))
                newest.append(_newest_rows(block, key))
            for block, key in staged:
                if len(block):
                    stored = self._stage(connection, block, key, written)
                    newest.append(_newest_rows(stored, keys[stored.device]))
            self._adjust_ledger(connection, written)
            note_sent(connection, checked.unlike, written)
            if statuses:
                connection.execute(
                    QUERIES["set_statuses"],
                    {
                        "device_keys": [int(keys[device]) for device in statuses],
                        "words": [word for word, _ in statuses.values()],
                        "times": [time_of(columns.messages[index].received_us) for _, index in statuses.values()],
                    },
                )
            row = connection.execute(
                QUERIES["log_batch"],
                {
                    "worker": self._worker,
                    **account(connection, written).parameters(),
                    "device_keys": array_text([key for rows in newest for key in rows.device_key.tolist()]),
                    "times_us": array_text([us for rows in newest for us in rows.time_us.tolist()]),
                    "slots": array_text([slots for rows in newest for slots in rows.slots.tolist()]),
                    "status_device_keys": array_text([int(keys[device]) for device in statuses]),
                    "changes": written.changes(),
                },
            ).fetchone()
            result = WriteResult(
                messages=messages,
                stored=int(tally.stored.sum()),
                duplicate=int(tally.duplicate.sum()),
                conflict=int(tally.conflict.sum()),
                rejected=int(tally.rejected.sum()),
                missing=int(tally.missing.sum()),
                rejections=_by_reason(rejections),
                staged_rows=sum(len(block) for block, _ in staged),
                unkept=sum(rejection.unkept for rejection in rejections),
            )
            self._doubt = _Doubt(xid=row["xid"] if row else 0, columns=columns, result=result)
        self._doubt = None
        for block, key in (*straight, *staged):
            self._note_newest(key, block.time_us)
        self._judge.accept()
        return result

    def _adjust_ledger(self, connection: psycopg.Connection[dict[str, Any]], written: Written) -> None:
        moved = written.merged_elsewhere()
        if moved:
            connection.execute(
                QUERIES["adjust_ledger"],
                {
                    "cause": "merged",
                    "hours": [hour * 3_600 for hour, _ in moved],
                    "devices": [device_id for _, device_id in moved],
                    "readings": list(moved.values()),
                },
            )

    def _stage(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        block: Block,
        device_key: NDArray[np.int32],
        written: Written,
    ) -> Block:
        """Take rows the careful way; returns the rows of which something was stored."""
        columns, tally = written.columns, written.tally
        span = {"first": time_of(int(block.time_us.min())), "last": time_of(int(block.time_us.max()))}
        number = np.arange(len(block), dtype=np.int32)
        connection.execute(QUERIES["plan_by_key"])
        self._copy(connection, "copy_staging", block, device_key, number)
        with connection.cursor().copy(QUERIES["insert_staged"]) as copy:
            inserted = copy_binary.decode_keys(b"".join(copy))
        new = np.isin(copy_binary.keys(device_key, block.time_us), inserted)
        standing = block.value.copy()  # a row that stands and does not differ holds what we hold
        standing_quality = block.quality.copy()
        standing_received_us = block.received_us.copy()
        standing[new] = np.nan
        if not new.all():
            for row in connection.execute(QUERIES["differing_rows"], span, binary=True):
                _put(standing[row["row"]], row["value_by_slot"], np.nan)
                _put(standing_quality[row["row"]], row["quality_by_slot"] or [], 0)
                standing_received_us[row["row"]] = row["received_us"]
        verdict = compare(standing, block.value)
        merged = np.flatnonzero(verdict.fresh.any(axis=1) & ~new)
        if len(merged):
            take = verdict.fresh[merged]
            rows = block.take(merged)
            rows = replace(
                rows,
                value=np.where(take, rows.value, standing[merged]),
                quality=np.where(take, rows.quality, standing_quality[merged]),
            )
            self._copy(connection, "copy_staging_merged", rows, device_key[merged], number[: len(merged)])
            connection.execute(QUERIES["update_merged"], span)
        connection.execute(QUERIES["clear_staging"])
        for cells, counts in (
            (verdict.fresh, tally.stored),
            (verdict.duplicate, tally.duplicate),
            (verdict.conflict, tally.conflict),
        ):
            np.add.at(counts, block.owner_of(cells), 1)
        if verdict.conflict.any():
            refused = replace(block, value=np.where(verdict.conflict, block.value, np.nan))
            written.rejections += conflict_rejections(columns, refused, standing, subjects=self._subjects)
        written.stored.append(StoredCells(block, verdict.fresh, standing_received_us))
        return block.take(np.flatnonzero(verdict.fresh.any(axis=1)))

    def _copy(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        statement: str,
        block: Block,
        device_key: NDArray[np.int32],
        number: NDArray[np.int32],
    ) -> None:
        with connection.cursor().copy(QUERIES[statement]) as copy:
            stream = copy_binary.encode(block, device_key, row=number)
            copy.write(b"".join((copy_binary.HEADER, stream, copy_binary.TRAILER)))

    def _is_newer(self, device_key: NDArray[np.int32], block: Block) -> NDArray[np.bool_]:
        self._grow(device_key)
        return block.time_us > self._newest_us[device_key]

    def _note_newest(self, device_key: NDArray[Any], time_us: NDArray[np.int64]) -> None:
        self._grow(device_key)
        np.maximum.at(self._newest_us, device_key, time_us)

    def _grow(self, device_key: NDArray[Any]) -> None:
        needed = int(device_key.max(initial=0)) + 1
        if needed > len(self._newest_us):
            grown = np.full(2 * needed, _NEVER)
            grown[: len(self._newest_us)] = self._newest_us
            self._newest_us = grown

    def _ensure_days(self, connection: psycopg.Connection[dict[str, Any]], blocks: list[Block]) -> None:
        if self._days is None:
            return
        days = {int(day) for block in blocks for day in np.unique(block.time_us // _DAY_US)}
        for day in sorted(days - self._days):
            connection.execute(QUERIES["ensure_day"], {"time": time_of(day * _DAY_US)})
            self._days.add(day)


def _put(row: NDArray[Any], standing: list[Any], absent: float) -> None:
    """Lay what stands over a row of ours. Stored before the profile grew, it is shorter: its later slots are absent."""
    known = min(len(row), len(standing))
    row[:known] = standing[:known]
    row[known:] = absent


@dataclass(frozen=True, slots=True)
class _Newest:
    """Rows that may move latest: each holds the newest value of some slot of its device in this batch."""

    device_key: NDArray[np.int32]
    time_us: NDArray[np.int64]
    slots: NDArray[np.int64]  # which it fills, as `ingest.latest.slot_bits` gives them


def _newest_rows(block: Block, device_key: NDArray[np.int32]) -> _Newest:
    """Find them in a block that is sorted by (device, time)."""
    filled = ~np.isnan(block.value)
    slots = slot_bits(filled)
    if not len(block):
        return _Newest(device_key=device_key, time_us=block.time_us, slots=slots)
    starts = np.flatnonzero(np.r_[True, block.device[1:] != block.device[:-1]])
    if filled.all():
        last = np.r_[starts[1:], len(block)] - 1
    else:
        at = np.where(filled, np.arange(len(block), dtype=np.int32)[:, None], np.int32(-1))
        newest = np.maximum.reduceat(at, starts, axis=0)
        last = np.unique(newest[newest >= 0])
    return _Newest(device_key=device_key[last], time_us=block.time_us[last], slots=slots[last])


def _by_reason(rejections: list[Rejection]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for rejection in rejections:
        counts[rejection.reason.value] = counts.get(rejection.reason.value, 0) + rejection.readings
    return counts
