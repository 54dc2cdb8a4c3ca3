"""Quality flags of rows that are about to be stored: each value against its rules and against what is stored before it.

What stands before a row is what the database holds; memory is a copy of it, good for rows newer than all that their
device has stored and as long as no other worker writes the same devices. Where it is not good the database is asked.
Why here and so: docs/decisions/0006-quality-flags.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.quality import Quality
from devices.quality_rules import LONGEST_S
from ingest.aggregation import copy_out
from ingest.parameters import array_text
from ingest.series import Before, against
from ingest.standing import LEAST_RUN
from ingest.storage import QUERIES
from sql import copy_stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg
    from numpy.typing import NDArray

    from ingest.records import Block
    from ingest.registry import Layout, Rules

_SECOND_US: Final = 1_000_000
_AHEAD_US: Final = 5 * _SECOND_US
"""A reading from more than so far in the future was stamped by a fast clock: nothing arrives before it is sent."""
_SAID: Final = int(Quality.CALIBRATING | Quality.FAULT)
_LONG_AGO: Final = -(1 << 62)
_ROWS_BEFORE: Final = 16  # of a device that are read: a device may send its values apart
_UNKNOWN: Final = -1
_BEFORE: Final = (copy_stream.INT4, copy_stream.TIME, copy_stream.FLOAT8S, copy_stream.INT2S)


@dataclass(slots=True)
class _Memory:
    """What stands at the end of devices whose watched slots are alike."""

    number: int
    before: Before
    used: int = 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a batch would leave in memory, once it is committed."""

    signature: tuple[Any, ...]
    device_key: NDArray[np.int32]
    after: Before


class Judge:
    """Flags rows batch by batch; `accept` after the COMMIT, `forget` after anything else.

    Args:
        alone: whether no other worker writes the same devices; if not, the database is asked for every batch.
    """

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._memory: dict[tuple[Any, ...], _Memory] = {}
        self._home: NDArray[np.int64] = np.full(1, _UNKNOWN)  # number of its memory, by device key
        self._place: NDArray[np.int64] = np.full(1, _UNKNOWN)  # in that memory
        self._seen: list[_Seen] = []
        self._behind: list[NDArray[np.int32]] = []

    def flag(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        layout: Layout,
        block: Block,
        device_key: NDArray[np.int32],
        *,
        newest: bool,
    ) -> Block:
        """The block with its flags.

        Args:
            connection: to ask what stands before.
            layout: of the block.
            block: sorted by device and time, without two rows of one device and time; not changed.
            device_key: of each row, shape (n,).
            newest: whether all rows are newer than anything their devices have stored.

        Raises:
            psycopg.Error: what stands before could not be read.
        """
        if not len(block):
            return block
        rules = layout.rules
        value = block.value
        said = (block.quality & np.int16(_SAID)) != 0
        outside = (value < rules.expected_lower) | (value > rules.expected_upper)
        flags = np.where(outside & ~said, np.int16(Quality.OUTSIDE_EXPECTED_RANGE), np.int16(0))
        ahead = block.time_us - block.received_us > _AHEAD_US
        if ahead.any():
            flags[ahead] |= np.where(np.isnan(value[ahead]), np.int16(0), np.int16(Quality.CLOCK_SKEW))
        if len(rules.watched):
            starts = np.flatnonzero(np.r_[True, device_key[1:] != device_key[:-1]])
            keys = device_key[starts]
            before = self._before(connection, rules, keys, block.time_us[starts], newest=newest)
            watched = np.where(said[:, rules.watched], np.nan, value[:, rules.watched])
            found, after = against(before, rules, watched, block.time_us, starts)
            flags[:, rules.watched] |= found
            if newest:
                self._seen.append(_Seen(rules.signature, keys, after))
            else:
                self._behind.append(keys)
        if not flags.any():
            return block
        return replace(block, quality=block.quality | flags)

    def accept(self) -> None:
        """What was flagged since the last time is committed."""
        for seen in self._seen:
            self._remember(seen)
        for keys in self._behind:
            # These rows may be newer than what memory holds of their devices.
            self._home[keys[keys < len(self._home)]] = _UNKNOWN
        self.forget()

    def forget(self) -> None:
        """What was flagged since the last time is not committed."""
        self._seen.clear()
        self._behind.clear()

    def _before(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        rules: Rules,
        keys: NDArray[np.int32],
        first_us: NDArray[np.int64],
        *,
        newest: bool,
    ) -> Before:
        before = Before.nothing(len(keys), len(rules.watched))
        ask = np.ones(len(keys), dtype=np.bool_)
        memory = self._memory.get(rules.signature)
        if newest and self._alone and memory is not None:
            known = np.minimum(keys, len(self._home) - 1)
            ask = (self._home[known] != memory.number) | (known != keys)
            at = self._place[known[~ask]]
            before.put(~ask, memory.before.taken(at))
        if ask.any():
            before.put(ask, _read_before(connection, rules, keys[ask], first_us[ask]))
        return before

    def _remember(self, seen: _Seen) -> None:
        slots = seen.after.value.shape[1]
        memory = self._memory.get(seen.signature)
        if memory is None:
            memory = _Memory(len(self._memory), Before.nothing(len(seen.device_key), slots))
            self._memory[seen.signature] = memory
        needed = int(seen.device_key.max()) + 1
        if needed > len(self._home):
            more = np.full(2 * needed - len(self._home), _UNKNOWN)
            self._home, self._place = np.append(self._home, more), np.append(self._place, more)
        new = seen.device_key[self._home[seen.device_key] != memory.number]
        short = memory.used + len(new) - len(memory.before.count)
        if short > 0:
            memory.before = memory.before.joined(Before.nothing(max(short, len(memory.before.count)), slots))
        self._home[new] = memory.number
        self._place[new] = memory.used + np.arange(len(new))
        memory.used += len(new)
        memory.before.put(self._place[seen.device_key], seen.after)


def _read_before(
    connection: psycopg.Connection[dict[str, Any]],
    rules: Rules,
    keys: NDArray[np.int32],
    first_us: NDArray[np.int64],
) -> Before:
    """What is stored before a time of each device."""
    slots = len(rules.watched)
    before = Before.nothing(len(keys), slots)
    span = {
        "device_keys": array_text(keys.tolist()),
        "before_us": array_text(first_us.tolist()),
        "first_us": int(first_us.min()) - LONGEST_S * _SECOND_US,
        "last_us": int(first_us.max()),
    }
    stored = copy_out.rows(connection, QUERIES["rows_before"], {**span, "rows": _ROWS_BEFORE})
    parts = [_watched(size, columns, rules) for size, columns in copy_stream.decode(b"".join(stored), _BEFORE)]
    if not parts:
        return before
    at, time_us, value, marked = (np.concatenate(column) for column in zip(*parts, strict=True))
    device = np.flatnonzero(np.r_[True, at[1:] != at[:-1]])
    _, read = against(Before.nothing(len(device), slots), rules, value, time_us, device)
    before.put(at[device], read)
    _look_further_back(connection, rules, before, keys, first_us, span, marked, at)
    return before


def _watched(size: int, columns: Mapping[int, NDArray[Any]], rules: Rules) -> tuple[NDArray[Any], ...]:
    """Of rows of one shape: device, time, watched values (NaN: none to hold others against), whether marked still."""
    value = np.full((size, len(rules.watched)), np.nan)
    there = rules.watched < columns[2].shape[1]
    value[:, there] = columns[2][:, rules.watched[there]]
    marked = np.zeros(value.shape, dtype=np.bool_)
    if 3 in columns:  # noqa: PLR2004  # null where no value of the row bears a flag
        there = rules.watched < columns[3].shape[1]
        flags = np.zeros(value.shape, dtype=np.int16)
        flags[:, there] = columns[3][:, rules.watched[there]]
        value[(flags & _SAID) != 0] = np.nan
        marked = (flags & int(Quality.STUCK | Quality.FLAT_AT_BOUND)) != 0
    return columns[0] - 1, columns[1], value, marked


def _look_further_back(
    connection: psycopg.Connection[dict[str, Any]],
    rules: Rules,
    before: Before,
    keys: NDArray[np.int32],
    first_us: NDArray[np.int64],
    span: Mapping[str, Any],
    marked: NDArray[np.bool_],
    at: NDArray[np.intp],
) -> None:
    """Since when those values stand that are the same in all rows read."""
    known = (~np.isnan(before.value)).sum(axis=2)
    spread = np.zeros(known.shape)
    some = known > 1
    spread[some] = np.nanmax(before.value[some], axis=1) - np.nanmin(before.value[some], axis=1)
    newest = before.value[:, :, -1]
    at_bound = (newest <= rules.lower) | (newest >= rules.upper)
    watches = np.isfinite(np.where(at_bound, rules.flat_us, rules.stuck_us))
    device, slot = np.nonzero(some & (spread == 0) & watches)
    if not len(device):
        return
    # Marked already: it has stood for as long as matters.
    last = np.zeros(len(before.count), dtype=np.intp)
    last[at] = np.arange(len(at))
    stands = marked[last[device], slot]
    before.since_us[device[stands], slot[stands]] = _LONG_AGO
    before.count[device[stands], slot[stands]] = LEAST_RUN
    device, slot = device[~stands], slot[~stands]
    if not len(device):
        return
    rows = connection.execute(
        QUERIES["standing_since"],
        {
            "device_keys": array_text(keys[device].tolist()),
            "slots": array_text((rules.watched[slot] + 1).tolist()),
            "before_us": array_text(first_us[device].tolist()),
            "first_us": span["first_us"],
            "last_us": span["last_us"],
        },
    ).fetchall()
    for row in rows:
        place = device[row["n"] - 1], slot[row["n"] - 1]
        before.since_us[place] = row["since_us"]
        before.count[place] = row["count"]
