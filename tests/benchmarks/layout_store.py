"""Writes rows into each layout in the ways that are compared; every write is a transaction of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import numpy as np
from psycopg import sql

from tests.benchmarks import layout_copy

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from numpy.typing import NDArray

    from tests.benchmarks.layout_fleet import Rows

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_KEY_BYTES = 22  # a COPY BINARY row of (int4, timestamptz)


def load() -> dict[str, LiteralString]:
    """The statements of layout.sql by name."""
    text = Path(__file__).with_name("layout.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def at(time_us: int) -> datetime:
    """A time of numpy's as PostgreSQL's."""
    return _EPOCH + timedelta(microseconds=int(time_us))


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to lay readings out on disk.

    Attributes:
        name: As the tables of results call it.
        table: Its table.
        kind: Which statements of layout.sql speak to it: narrow, wide or array.
        encode: COPY BINARY stream of a batch.
        staging: Its staging table, where it has one.
    """

    name: str
    table: str
    kind: str
    encode: Callable[[Rows], bytes]
    staging: str = ""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a staged batch's readings."""

    stored: int
    duplicate: int
    conflict: int


def layouts(datastream_key: NDArray[np.int32]) -> dict[str, Layout]:
    """All the rivals; datastream_key is int32[device, slot], for the narrow one."""
    rivals = [
        Layout("narrow", "narrow", "narrow", lambda rows: layout_copy.narrow(rows, datastream_key), "staged_narrow"),
        Layout("wide", "wide", "wide", layout_copy.wide, "staged_wide"),
        Layout("float8[]", "observation_set", "array", layout_copy.array, "staged"),
        Layout("float8[], key (time, device)", "array_time_key", "array", layout_copy.array),
        Layout("float8[], delay", "array_delay", "array", lambda rows: layout_copy.array(rows, delay=True)),
        Layout("float4[]", "array_float4", "array", lambda rows: layout_copy.array(rows, layout_copy.FLOAT4)),
    ]
    return {layout.name: layout for layout in rivals}


class Store:
    """One connection that writes.

    Args:
        connection: In autocommit mode.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.queries = load()
        connection.execute(self.queries["staging"])

    def direct(self, layout: Layout, rows: Rows) -> None:
        """COPY straight into the table: nothing of it may stand already."""
        # Key order (time, device) wants its batches in that order too.
        ordered = rows.take(np.lexsort((rows.device_key, rows.time_us))) if "time, dev" in layout.name else rows
        with self.connection.transaction():
            self._copy_in(layout.table, layout.encode(ordered))

    def staged(self, layout: Layout, rows: Rows) -> int:
        """Through the staging table and ON CONFLICT DO NOTHING; answers how many table rows were new."""
        with self.connection.transaction():
            self._copy_in(layout.staging, self._staged_bytes(layout, rows))
            return self._insert(layout)

    def split(self, layout: Layout, rows: Rows, newest_us: NDArray[np.int64]) -> None:
        """Rows newer than their device's newest by COPY, the others through staging, in one transaction.

        Args:
            layout: Where to.
            rows: The batch, in order of (device, time).
            newest_us: int64[device_key], what the table holds; brought up to date.
        """
        new = rows.time_us > newest_us[rows.device_key]
        with self.connection.transaction():
            if new.any():
                self._copy_in(layout.table, layout.encode(rows.take(new)))
            if not new.all():
                self._copy_in(layout.staging, self._staged_bytes(layout, rows.take(~new)))
                self._insert(layout)
        np.maximum.at(newest_us, rows.device_key, rows.time_us)

    def merged(self, rows: Rows, *, lock: bool = False) -> Fate:
        """The whole careful way for float8[]: insert, read what differs, merge by slot, update; exact counts.

        Args:
            rows: The batch, in order of (device, time), no key twice.
            lock: Hold the rows between reading and updating them. Without, the update compares with what was read.

        Raises:
            RuntimeError: Another writer changed a row in between; the whole batch is to be tried again.
        """
        sent = ~np.isnan(rows.value)
        bounds = {"first": sql.Literal(at(rows.time_us.min())), "last": sql.Literal(at(rows.time_us.max()))}
        with self.connection.transaction():
            self._copy_in("staged", layout_copy.array(rows, staged=True))
            fresh = _were_inserted(rows, self._copy_out(sql.SQL(self.queries["insert_array"])))
            stored = int(sent[fresh].sum())
            if fresh.all():
                return Fate(stored, 0, 0)
            self.connection.execute(self.queries["pin_plan"])
            query = self.queries["lock_differing_array" if lock else "differing_array"]
            number, held, slots = _differing(self._copy_out(sql.SQL(query).format(**bounds)), rows.value.shape[1])
            spoke, has = sent[number], ~np.isnan(held)
            gained, conflict = spoke & ~has, spoke & has & (held != rows.value[number])
            touched = gained.any(axis=1)
            if touched.any():
                merged = replace(rows.take(number[touched]), value=np.where(gained, rows.value[number], held)[touched])
                longer = replace(merged, slots=np.maximum(merged.slots, slots[touched]))
                self._copy_in("merged", layout_copy.array(longer, before=(held[touched], slots[touched])))
                done = self.connection.execute(sql.SQL(self.queries["update_array"]).format(**bounds)).rowcount
                if done != len(merged):
                    raise RuntimeError("another writer was quicker")
            stored += int(gained.sum())
            conflicts = int(conflict.sum())
            return Fate(stored, int(sent.sum()) - stored - conflicts, conflicts)

    def merged_by_statement(self, layout: Layout, rows: Rows) -> None:
        """Insert or merge in one statement: nothing tells stored readings from duplicates or conflicts."""
        with self.connection.transaction():
            self._copy_in(layout.staging, self._staged_bytes(layout, rows))
            self.connection.execute(self.queries[f"merge_{layout.kind}"])

    def _staged_bytes(self, layout: Layout, rows: Rows) -> bytes:
        return layout_copy.array(rows, staged=True) if layout.staging == "staged" else layout.encode(rows)

    def _insert(self, layout: Layout) -> int:
        return len(self._copy_out(sql.SQL(self.queries[f"insert_{layout.kind}"]))) // _KEY_BYTES

    def _copy_in(self, table: str, stream: bytes) -> None:
        statement = sql.SQL("copy {} from stdin (format binary)").format(sql.Identifier(table))
        with self.connection.cursor().copy(statement) as copy:
            copy.write(stream)

    def _copy_out(self, query: sql.Composable) -> bytes:
        """The rows alone of COPY BINARY's answer."""
        with self.connection.cursor().copy(sql.SQL("copy ({}) to stdout (format binary)").format(query)) as copy:
            return b"".join(bytes(part) for part in copy)[len(layout_copy.HEADER) : -len(layout_copy.TRAILER)]


def _were_inserted(rows: Rows, keys: bytes) -> NDArray[np.bool_]:
    """Which rows of the batch the insert answered for."""
    kind = [("fields", ">i2"), ("a", ">i4"), ("device_key", ">i4"), ("b", ">i4"), ("time_us", ">i8")]
    answered = np.frombuffer(keys, np.dtype(kind))
    if len(answered) == len(rows):
        return np.ones(len(rows), bool)
    # A key is one number: the device's, then the place of its time among all times.
    moments, code = np.unique(np.concatenate((rows.time_us, answered["time_us"])), return_inverse=True)
    keys_of = np.concatenate((rows.device_key, answered["device_key"])).astype(np.int64) * len(moments) + code
    fresh: NDArray[np.bool_] = np.isin(keys_of[: len(rows)], keys_of[len(rows) :])
    return fresh


def _differing(out: bytes, slots: int) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
    """Row numbers, held values padded with NaN to the batch's slots, and how many slots each held row has."""
    numbers, held, lengths = [np.empty(0, np.int32)], [np.empty((0, slots))], [np.empty(0, np.int64)]
    place = 0
    while place < len(out):
        bytes_ = int.from_bytes(out[place + 10 : place + 14], "big")
        count, stride = (bytes_ - 20) // 12, 14 + bytes_
        # Neighbours mostly have one length: as many as do are read in one go.
        block = np.frombuffer(out, np.uint8, offset=place)
        block = block[: len(block) // stride * stride].reshape(-1, stride)
        alike = (block[:, [0, 1, 10, 11, 12, 13]] == block[0, [0, 1, 10, 11, 12, 13]]).all(axis=1)
        block = block[: len(alike) if alike.all() else int(np.argmin(alike))]
        numbers.append(block[:, 6:10].copy().view(">i4").ravel().astype(np.int32))
        values = block[:, 34:].reshape(len(block), count, 12)[:, :, 4:].copy().view(">f8").reshape(len(block), count)
        held.append(np.pad(values, ((0, 0), (0, slots - count)), constant_values=np.nan))
        lengths.append(np.full(len(block), count))
        place += len(block) * stride
    return np.concatenate(numbers), np.concatenate(held), np.concatenate(lengths)
