"""Keeps statistics at rest true to committed observations.

Of each device, everything observed up to its `through` time is folded into windows. What came after, its tail, is
folded when its quarter hour is over or the system is quiet; until then whoever asks for statistics reads it from the
observations themselves. A batch names the spans it touched in its own transaction. Spans beyond `through` only make the
tail longer; spans up to it came late, and their windows are folded anew from all their observations.

Every step is one transaction on one snapshot, over the session that holds the lead, so that whatever is killed at
whatever time, windows, `through` and the changes still to look at agree. What is in memory is worked out again at the
start: which devices have a tail. Quarters folded lately stay in memory until their hour is made of them (`Recent`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg

from ingest.aggregation import store
from ingest.aggregation.fleet import Fleet
from ingest.aggregation.partial_windows import Work
from ingest.aggregation.recent import Recent
from ingest.aggregation.windows import COARSER, DAY, HOUR, QUARTER, SECOND_US, Length, end_of, start_of
from ingest.changes import CHANGE, read_changes
from ingest.parameters import array_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from ingest.aggregation.store import Windows

NONE: Final = np.iinfo(np.int64).max  # no tail, nothing to roll up
_NEVER: Final = -(1 << 61)  # through: nothing is folded; far from overflow
_TAKEN_CHANGES: Final = 500
_BLOCK_DEVICES: Final = 2_000
_BLOCK_ROWS: Final = 300_000
_TAIL_ROWS: Final = 5_000
"""A tail is folded at this length, whatever the time, so that reading it stays quick."""
_KEY_BITS: Final = 31
_GRACE_US: Final = 2 * SECOND_US
"""Rows of a quarter hour that come this late after its end are still folded with the rest of it."""


class Keeper:
    """One aggregator's view of the devices, and the steps it takes.

    Methods block. After an error what is in memory may be wrong: go on with a new `Keeper`.
    """

    def __init__(
        self, connection: psycopg.Connection[dict[str, Any]], *, now_us: Callable[[], int] | None = None
    ) -> None:
        self._connection = connection
        self._now_us = now_us or (lambda: time.time_ns() // 1_000)
        self._fleet = Fleet.of(-1, ())
        self._works: tuple[Work, ...] = ()
        self._through: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._unrolled: dict[Length, NDArray[np.int64]] = {HOUR: self._through, DAY: self._through}
        self._first: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._last: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._rows: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._recent = Recent()

    def lead(self) -> bool:
        """Try to become the one that works; the lead ends with the session."""
        self.prepare()
        row = self._connection.execute(store.QUERIES["lead"]).fetchone()
        return bool(row and row["leads"])

    def prepare(self) -> None:
        """Have the session's queries go by key, and its transactions each on one snapshot."""
        self._connection.execute(store.QUERIES["plan"])
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    def refold(self, keys: NDArray[np.int32], first_us: int, last_us: int, *, note: Mapping[str, object]) -> int:
        """Fold what is folded of [first, last) anew and note that; needs no lead. Answers how many quarter hours.

        Args:
            keys: of the devices.
            first_us: a local midnight.
            last_us: another.
            note: parameters of `note_rebuild`.

        Raises:
            psycopg.errors.SerializationFailure, psycopg.errors.UniqueViolation: somebody else wrote one of the windows.
        """
        with self._connection.transaction():
            self._read_fleet()
            parameters = {"device_keys": array_text(keys.tolist())}
            for row in self._connection.execute(store.QUERIES["states_of"], parameters).fetchall():
                self._through[row["device_key"]] = row["through_us"]
            shift = max((int(work.kind.shift_us.max()) for work in self._works), default=0)
            rows = self._connection.execute(
                store.QUERIES["observed_quarters"],
                {**parameters, "first_us": first_us, "last_us": last_us + shift},
            ).fetchall()
            names = CHANGE.names or ()
            changes = np.array([tuple(row[name] for name in names) for row in rows], dtype=CHANGE)
            self._repair(changes[changes["first_us"] <= self._through[changes["device_key"]]])
            self._connection.execute(store.QUERIES["note_rebuild"], note)
        return len(changes)

    def recall(self) -> None:
        """Work out what is folded and which devices have a tail."""
        self._read_fleet()
        for row in self._connection.execute(store.QUERIES["states"]).fetchall():
            device = row["device_key"]
            if row["through_us"] is not None:
                self._through[device] = row["through_us"]
            if row["hours_us"] is not None:
                self._unrolled[HOUR][device] = row["hours_us"]
            if row["days_us"] is not None:
                self._unrolled[DAY][device] = row["days_us"]
        for row in self._connection.execute(store.QUERIES["tails"]).fetchall():
            device = row["device_key"]
            self._first[device], self._last[device] = row["first_us"], row["last_us"]
            self._rows[device] = 1  # unknown; what it reads is bounded by time as well

    def tail_count(self) -> int:
        """How many devices have observations that are not folded."""
        return int(np.count_nonzero(self._first != NONE))

    def take_changes(self) -> int:
        """Look at what some batches touched and repair windows that late rows changed; answers how many batches."""
        taken = self._connection.execute(store.QUERIES["changes"], {"limit": _TAKEN_CHANGES}).fetchall()
        if not taken:
            return 0
        changes = read_changes([row["changes"] for row in taken])
        if not all(row["changes"] for row in taken):
            self._recent.forget_all()  # a rebuild wrote windows
        device = changes["device_key"]
        # The version comes with the changes: a query of its own for each would cost a slow fleet a tenth of all.
        unknown = bool((self._fleet.kind_numbers(device) < 0).any())
        if unknown or taken[0]["version"] != self._fleet.version:
            self._read_fleet(anew=unknown)
        late = changes[changes["first_us"] <= self._through[device]]
        looked_at = {"change_keys": array_text([row["change_key"] for row in taken])}
        if len(late):
            with self._connection.transaction():
                self._connection.execute(store.QUERIES["delete_changes"], looked_at)
                self._repair(late)
        else:
            self._connection.execute(store.QUERIES["delete_changes"], looked_at)
        changes = changes[changes["last_us"] > self._through[device]]
        device = changes["device_key"]
        np.minimum.at(self._first, device, np.maximum(changes["first_us"], self._through[device] + 1))
        np.maximum.at(self._last, device, changes["last_us"])
        np.add.at(self._rows, device, changes["rows"])
        return len(taken)

    def fold_due(self, *, quiet: bool) -> bool:
        """Fold one block of tails whose quarter hour is over, of any when it is quiet; answers whether there was one.

        Args:
            quiet: nothing is coming in, so there is time to bring everything up to the last observation.
        """
        now_us = self._now_us()
        has_tail = self._first != NONE
        for number, work in enumerate(self._works):
            boundary = self._boundary_us(work, now_us)
            long = self._rows > _TAIL_ROWS
            due = (self._first <= boundary) | long | quiet
            devices = np.flatnonzero(has_tail & due & (self._fleet.kind_of == number))
            if not len(devices):
                continue
            until = np.where(long[devices] | quiet, self._last[devices], np.minimum(boundary, self._last[devices]))
            # A day at a time, so that a long history does not come into memory at once.
            until = np.minimum(until, end_of(self._first[devices], DAY))
            rows = np.maximum(self._rows[devices], self._expected_rows(work, devices, until))
            size = max(1, int(np.searchsorted(np.cumsum(rows), _BLOCK_ROWS)))
            size = min(size, _BLOCK_DEVICES)
            self._fold(number, devices[:size], until[:size])
            return True
        return False

    def roll_due(self, *, quiet: bool) -> bool:
        """Bring hours or days of one block of devices up to their finer windows; answers whether there was one."""
        now_us = self._now_us()
        for number, work in enumerate(self._works):
            for finer, coarser in COARSER:
                waiting = (self._unrolled[coarser] != NONE) & (self._fleet.kind_of == number)
                if finer != QUARTER:
                    waiting &= self._unrolled[finer] == NONE  # from finer ones that are complete themselves
                if not quiet:
                    begun = np.where(waiting, self._unrolled[coarser], 0)
                    over = end_of(begun, coarser) + int(work.kind.shift_us.max()) + _GRACE_US
                    # What is still to be folded of that time comes first.
                    waiting &= (over <= now_us) & (self._first > self._boundary_us(work, now_us))
                devices = np.flatnonzero(waiting)[:_BLOCK_DEVICES]
                if len(devices):
                    self._roll(number, devices, finer, coarser)
                    return True
        return False

    def _boundary_us(self, work: Work, now_us: int) -> int:
        """Up to which phenomenon time a kind's quarter hours are over."""
        shift_us = int(work.kind.shift_us.min())
        return start_of(now_us - _GRACE_US - shift_us, QUARTER) + shift_us - 1

    def _expected_rows(self, work: Work, devices: NDArray[np.intp], until: NDArray[np.int64]) -> NDArray[np.int64]:
        interval_us = min(slot.interval_s for slot in work.kind.slots) * SECOND_US
        return (until - self._first[devices]) // interval_us + 1

    def _read_fleet(self, *, anew: bool = False) -> None:
        row = self._connection.execute(store.QUERIES["registry_version"]).fetchone()
        version = int(row["version"]) if row else 0
        if version == self._fleet.version and not anew:
            return
        self._fleet = Fleet.of(version, self._connection.execute(store.QUERIES["fleet"]).fetchall())
        self._works = tuple(Work(kind) for kind in self._fleet.kinds)
        size = len(self._fleet.kind_of)
        grow = size - len(self._through)
        if grow > 0:
            self._through = np.append(self._through, np.full(grow, _NEVER))
            for length, unrolled in self._unrolled.items():
                self._unrolled[length] = np.append(unrolled, np.full(grow, NONE))
            self._first = np.append(self._first, np.full(grow, NONE))
            self._last = np.append(self._last, np.full(grow, _NEVER))
            self._rows = np.append(self._rows, np.zeros(grow, dtype=np.int64))
        self._recent.begin(len(self._through), len(self._works))

    def _fold(self, number: int, devices: NDArray[np.intp], until: NDArray[np.int64]) -> None:
        work = self._works[number]
        keys = devices.astype(np.int32)
        begun = self._through[devices] != _NEVER
        after = np.where(begun, self._through[devices], self._first[devices] - 1)
        windows = None
        with self._connection.transaction():
            observations = store.read_observations(self._connection, work.kind, keys, after, until)
            through = self._through.copy()
            unrolled = {length: times.copy() for length, times in self._unrolled.items()}
            if len(observations):
                new = work.quarters(observations)
                standing = self._standing(work, keys[begun], after[begun], new)
                windows, stands = work.join(standing, new)
                store.write_windows(
                    self._connection, work.kind, QUARTER, windows, computed_us=self._now_us(), standing=stands
                )
                np.maximum.at(through, observations.device_key, observations.time_us)
                for times in unrolled.values():
                    np.minimum.at(times, windows.device_key, windows.start_us)
            # Nothing was seen up to there: the next slice starts behind it.
            through[devices] = np.where(through[devices] <= after, until, through[devices])
            self._advance(devices, through, unrolled)
        self._through, self._unrolled = through, unrolled
        if windows is not None:
            self._recent.add(number, work, windows)
        done = until >= self._last[devices]
        self._first[devices] = np.where(done, NONE, until + 1)
        self._last[devices[done]] = _NEVER
        self._rows[devices] = np.where(done, 0, 1)

    def _standing(self, work: Work, keys: NDArray[np.int32], after: NDArray[np.int64], new: Windows) -> Windows:
        """Of these new windows, those that hold observations of before, too; keys ascending."""
        high = end_of(after - int(work.kind.shift_us.min()), QUARTER)
        starts = np.flatnonzero(np.r_[True, new.device_key[1:] != new.device_key[:-1]])
        first = np.full(len(self._through), NONE)
        first[new.device_key[starts]] = new.start_us[starts]
        low = first[keys]
        shared = low < high
        return self._read(work, QUARTER, keys[shared], low[shared], high[shared])

    def _repair(self, late: NDArray[Any]) -> None:
        """Fold anew the windows that these changes touched, from all their observations up to `through`."""
        row = self._connection.execute(store.QUERIES["seal"]).fetchone()
        sealed_us = int(row["before_us"]) if row else _NEVER
        numbers = self._fleet.kind_numbers(late["device_key"])
        for number, work in enumerate(self._works):
            mine = late[numbers == number]
            if not len(mine):
                continue
            starts = self._touched(work, mine)
            starts = [(device, start) for device, start in starts if start >= sealed_us]
            for at in range(0, len(starts), _BLOCK_DEVICES):
                self._repair_quarters(work, np.array(starts[at : at + _BLOCK_DEVICES], dtype=np.int64))

    def _touched(self, work: Work, changes: NDArray[Any]) -> list[tuple[int, int]]:
        """Device and start of the quarters, sorted."""
        touched: set[tuple[int, int]] = set()
        device = changes["device_key"]
        last = np.minimum(changes["last_us"], self._through[device])
        for shift in np.unique(work.kind.shift_us).tolist():
            for time_us in (changes["first_us"], last):
                touched.update(zip(device.tolist(), start_of(time_us - shift, QUARTER).tolist(), strict=True))
        return sorted(touched)

    def _repair_quarters(self, work: Work, touched: NDArray[np.int64]) -> None:
        if not len(touched):
            return
        device, start = touched.T
        self._recent.forget(device)
        shift = work.kind.shift_us
        after = start + int(shift.min()) - 1
        until = np.minimum(start + QUARTER * SECOND_US - 1 + int(shift.max()), self._through[device])
        # Spans of neighbours overlap where periods differ; a row must be read once.
        begins = np.r_[True, (device[1:] != device[:-1]) | (after[1:] > until[:-1])]
        first = np.flatnonzero(begins)
        last = np.r_[first[1:], len(device)] - 1
        observations = store.read_observations(
            self._connection, work.kind, device[first].astype(np.int32), after[first], until[last]
        )
        windows = work.quarters(observations)
        asked = (device << _KEY_BITS) | (start // (QUARTER * SECOND_US))
        key = (windows.device_key.astype(np.int64) << _KEY_BITS) | (windows.start_us // (QUARTER * SECOND_US))
        windows = work.take(windows, np.flatnonzero(np.isin(key, asked)))
        self._write_over(work, QUARTER, windows)
        for finer, coarser in COARSER:
            parent = np.unique(np.stack([device, start_of(start, coarser)], axis=1), axis=0)
            parents, low = parent[:, 0].astype(np.int32), parent[:, 1]
            fine = self._read(work, finer, parents, low, low + coarser * SECOND_US)
            self._write_over(work, coarser, work.roll_up(fine, coarser))

    def _roll(self, number: int, devices: NDArray[np.intp], finer: Length, coarser: Length) -> None:
        work = self._works[number]
        low = start_of(self._unrolled[coarser][devices], coarser)
        unrolled = {**self._unrolled, coarser: self._unrolled[coarser].copy()}
        unrolled[coarser][devices] = NONE
        with self._connection.transaction():
            fine = self._finer(number, devices, finer, low, end_of(self._through[devices], coarser))
            self._write_over(work, coarser, work.roll_up(fine, coarser))
            self._advance(devices, self._through, unrolled)
        self._unrolled = unrolled

    def _finer(
        self, number: int, devices: NDArray[np.intp], finer: Length, low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> Windows:
        """Windows of some devices, each in its span, out of memory where they are there; high is after their last."""
        work, recent = self._works[number], self._recent
        here = recent.whole_from(devices, low) if finer == QUARTER else np.zeros(len(devices), dtype=np.bool_)
        if here.any():
            row = self._connection.execute(store.QUERIES["rebuilt"]).fetchone()
            here &= not (row and row["rebuilt"])
        parts = list(recent.take_out(number, work, devices[here], low[here])) if here.any() else []
        if not here.all():
            away = ~here
            parts.append(self._read(work, finer, devices[away].astype(np.int32), low[away], high[away]))
        return work.together(parts)

    def _read(
        self, work: Work, length_s: int, keys: NDArray[np.int32], low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> Windows:
        return store.read_windows(self._connection, work.kind, work.empty(1), length_s, keys, low, high)

    def _write_over(self, work: Work, length_s: int, windows: Windows) -> None:
        store.write_windows(
            self._connection,
            work.kind,
            length_s,
            windows,
            computed_us=self._now_us(),
            standing=np.ones(len(windows), dtype=np.bool_),
        )

    def _advance(
        self, devices: NDArray[np.intp], through: NDArray[np.int64], unrolled: Mapping[Length, NDArray[np.int64]]
    ) -> None:
        self._connection.execute(
            store.QUERIES["advance"],
            {
                "device_keys": array_text(devices.tolist()),
                "through_us": array_text(through[devices].tolist()),
                "hours_us": array_text(unrolled[HOUR][devices].tolist()),
                "days_us": array_text(unrolled[DAY][devices].tolist()),
            },
        )
