"""What is measured: each function takes the layouts through one question and answers rows of a table."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg import sql

from tests.benchmarks.layout_fleet import DAY_US, FIRST_US, MINUTE_US, Rows, steady, with_flags
from tests.benchmarks.layout_store import Fate, Layout, Store, at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.benchmarks.layout_server import Cost, Server

BATCH_ROWS = 8_333
"""Rows of one device and time in a batch: 50,000 readings at six values each."""

STEADY_DEVICES, IRREGULAR_DEVICES = 1_000, 200
STEADY_FIRST_US = FIRST_US + 8 * DAY_US + 6 * 60 * MINUTE_US
LATE_READINGS = 100_000
REDELIVERED_SHARE = 0.1

Table = list[tuple[str, ...]]


@dataclass(slots=True)
class Tally:
    """Costs by layout, several rounds each."""

    costs: dict[str, list[tuple[int, Cost]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, readings: int, cost: Cost) -> None:
        """One more round."""
        self.costs[name].append((readings, cost))

    def rows(self) -> Table:
        """Name, readings a second, server and client seconds per million readings: medians of the rounds."""
        return [
            (
                name,
                f"{median(n / c.wall_s for n, c in rounds):,.0f}",
                f"{median(c.server_s / n * 1e6 for n, c in rounds):.2f}",
                f"{median(c.client_s / n * 1e6 for n, c in rounds):.2f}",
            )
            for name, rounds in self.costs.items()
        ]


class Bench:
    """The running benchmark.

    Args:
        server: The database and its meter.
        store: Its writing connection.
        layouts: The rivals by name.
        minutes: Minutes of the steady fleet that are loaded first.
        rounds: How often each thing is done; medians are told.
    """

    def __init__(self, server: Server, store: Store, layouts: dict[str, Layout], minutes: int, rounds: int) -> None:
        self.server, self.store, self.layouts, self.rounds = server, store, layouts, rounds
        self.rng = np.random.default_rng(20260320)
        self.minutes = minutes
        self.clock_us = STEADY_FIRST_US + minutes * MINUTE_US
        self.queries = store.queries
        self.readings = dict.fromkeys(layouts, 0)

    @property
    def end_us(self) -> int:
        """Where the first load of the steady fleet ends."""
        return STEADY_FIRST_US + self.minutes * MINUTE_US

    def minutes_more(self, minutes: int, slots: int = 6) -> Rows:
        """The steady fleet's next minutes, never given twice."""
        rows = steady(STEADY_DEVICES, minutes, self.clock_us, self.rng, slots)
        self.clock_us += minutes * MINUTE_US
        return rows

    def in_turn(self, layouts: Sequence[Layout], turn: int) -> Iterable[Layout]:
        """The layouts, another one first each time."""
        shift = turn % len(layouts)
        return [*layouts[shift:], *layouts[:shift]]

    def pick(self, *names: str) -> list[Layout]:
        """Layouts by name."""
        return [self.layouts[name] for name in names]

    def load(self, rows: Rows, parts: int) -> Table:
        """COPY of sorted batches, layout after layout for each part of the rows."""
        tally = Tally()
        edges = np.linspace(0, len(rows), parts + 1).astype(int)
        for turn, (start, end) in enumerate(itertools.pairwise(edges)):
            for layout in self.in_turn(list(self.layouts.values()), turn):
                part = rows.take(slice(int(start), int(end)))
                with self.server.cost() as cost:
                    for batch in _batches(part):
                        self.store.direct(layout, batch)
                tally.add(layout.name, part.readings, cost)
                self.readings[layout.name] += part.readings
        return tally.rows()

    def disk(self) -> dict[str, tuple[int, int]]:
        """Bytes of heap and of index, by layout."""
        return {layout.name: self._disk(layout.table) for layout in self.layouts.values()}

    def duplicates(self) -> Table:
        """A tenth of each batch is redelivered from the batch before: split by newest time, and all through staging."""
        tally = Tally()
        rivals = self.pick("narrow", "wide", "float8[]")
        for turn in range(self.rounds):
            for way in ("split", "all staged"):
                blocks = self.minutes_more(50)
                batches = _redelivering(blocks, self.rng)
                for layout in self.in_turn(rivals, turn):
                    newest = np.full(STEADY_DEVICES + 1, blocks.time_us.min() - 1)
                    with self.server.cost() as cost:
                        for batch in batches:
                            if way == "split":
                                self.store.split(layout, batch, newest)
                            else:
                                self.store.staged(layout, batch)
                    tally.add(f"{layout.name}, {way}", sum(batch.readings for batch in batches), cost)
                    self.readings[layout.name] += blocks.readings
        return tally.rows()

    def redelivered(self) -> Table:
        """Whole batches that stand already, identical, through staging."""
        tally = Tally()
        rivals = self.pick("narrow", "wide", "float8[]")
        blocks = self.minutes_more(25)
        for layout in rivals:
            self.store.direct(layout, blocks.by_device())
            self.readings[layout.name] += blocks.readings
        for turn in range(self.rounds):
            for layout in self.in_turn(rivals, turn):
                with self.server.cost() as cost:
                    inserted = [self.store.staged(layout, batch) for batch in _batches(blocks)]
                _expect(sum(inserted) == 0, "nothing of a redelivery is new")
                tally.add(f"{layout.name}, keys alone", blocks.readings, cost)
            with self.server.cost() as cost:
                fates = [self.store.merged(batch) for batch in _batches(blocks)]
            _expect(sum(fate.duplicate for fate in fates) == blocks.readings, "every reading is a duplicate")
            tally.add("float8[], compared and counted", blocks.readings, cost)
        return tally.rows()

    def late(self) -> Table:
        """100,000 readings of random devices at random old times, none of which stands yet."""
        tally = Tally()
        rivals = self.pick("narrow", "wide", "float8[]")
        for turn in range(self.rounds):
            for way in ("staged", "direct"):
                rows = self._late_rows()
                for layout in self.in_turn(rivals if way == "staged" else list(self.layouts.values()), turn):
                    with self.server.cost() as cost:
                        for batch in _batches(rows):
                            if way == "direct":
                                self.store.direct(layout, batch)
                            elif layout.kind == "array":
                                self.store.merged(batch)
                            else:
                                self.store.staged(layout, batch)
                    self.readings[layout.name] += rows.readings
                    tally.add(f"{layout.name}, {way}", rows.readings, cost)
        return tally.rows()

    def merges(self) -> Table:
        """Every device sends its odd slots in one message and its even ones, for the same time, in another batch."""
        tally = Tally()
        wide, array = self.pick("wide", "float8[]")
        odd = np.arange(6) % 2 == 0
        ways: list[tuple[str, Layout, Callable[[Rows], object]]] = [
            ("wide, one statement, uncounted", wide, lambda rows: self.store.merged_by_statement(wide, rows)),
            ("float8[], one statement, uncounted", array, lambda rows: self.store.merged_by_statement(array, rows)),
            ("float8[], locked, by numpy, counted", array, lambda rows: self.store.merged(rows, lock=True)),
            ("float8[], compared, by numpy, counted", array, self.store.merged),
        ]
        for _ in range(self.rounds):
            for name, layout, way in ways:
                whole = self.minutes_more(25)
                for first in _batches(replace(whole, value=np.where(odd, whole.value, np.nan))):
                    self.store.direct(layout, first)
                second = replace(whole, value=np.where(odd, np.nan, whole.value))
                with self.server.cost() as cost:
                    fates = [way(batch) for batch in _batches(second)]
                tally.add(name, second.readings, cost)
                counted = [fate for fate in fates if isinstance(fate, Fate)]
                _expect(not counted or sum(f.stored for f in counted) == second.readings, "every reading is stored")
                self.readings[layout.name] += whole.readings
        return tally.rows()

    def merge_bloat(self) -> Table:
        """Disk of float8[] before and after a million readings were each merged once, and after VACUUM and again."""
        array = self.layouts["float8[]"]
        odd = np.arange(6) % 2 == 0
        sizes, steps = [], []

        def note(step: str) -> None:
            sizes.append(sum(self._disk(array.table)))
            steps.append(step)

        note("before")
        for label in ("1st", "2nd"):
            whole = self.minutes_more(167)
            for batch in _batches(replace(whole, value=np.where(odd, whole.value, np.nan))):
                self.store.direct(array, batch)
            note(f"{label} half stored")
            for batch in _batches(replace(whole, value=np.where(odd, np.nan, whole.value))):
                self.store.merged(batch)
            note(f"{label} other half merged")
            self.readings[array.name] += whole.readings
            self.store.connection.execute("vacuum observation_set")
        million = STEADY_DEVICES * 167 * 6
        growth = zip(steps[1:], sizes, sizes[1:], strict=False)
        return [(step, f"{(after - before) / million:.1f}") for step, before, after in growth]

    def flags(self) -> Table:
        """What quality costs: rows with a flag carry an array of smallint, rows without carry a null."""
        layout = Layout("probe", "flag_probe", "array", self.layouts["float8[]"].encode)
        tally, sizes = Tally(), {}
        rows = steady(STEADY_DEVICES, 100, self.clock_us, self.rng)
        for _ in range(self.rounds):
            for share in (None, 0.01, 0.1, 1.0):
                self.store.connection.execute("truncate flag_probe")
                given = rows if share is None else with_flags(rows, share, self.rng)
                name = "no flag at all" if share is None else f"a flag in {share:.0%} of rows"
                with self.server.cost() as cost:
                    for batch in _batches(given):
                        self.store.direct(layout, batch)
                tally.add(name, rows.readings, cost)
                sizes[name] = sum(self._disk(layout.table)) / rows.readings
        return [(*row, f"{sizes[row[0]]:.1f}") for row in tally.rows()]

    def growth(self) -> Table:
        """The steady profile gains two slots: old rows keep their shorter arrays, new rows are longer."""
        array = self.layouts["float8[]"]
        with self.server.cost() as registry:
            self.store.connection.execute(self.queries["grow_profile"])
        rows = self.minutes_more(25, slots=8)
        for batch in _batches(rows):
            self.store.direct(array, batch)
        self.readings[array.name] += rows.readings
        # A message of today's profile for a time the old profile stored: slots 7 and 8 join a row of six.
        late = steady(STEADY_DEVICES, 8, self.end_us - 8 * MINUTE_US, self.rng, 8)
        joined = replace(late, value=np.where(np.arange(8) >= 6, late.value, np.nan))
        with self.server.cost() as cost:
            fate = self.store.merged(joined.by_device())
        _expect(fate == Fate(joined.readings, 0, 0), "new slots of old rows are stored")
        self.readings[array.name] += joined.readings
        with self.server.cost() as read:
            count, total = self._one("view_grown", {"day": at(STEADY_FIRST_US)})
        hoi_an = rows.device_key % 3 == 1
        joined_hoi_an = joined.device_key % 3 == 1
        expected = float(rows.value[hoi_an, 6].sum() + joined.value[joined_hoi_an, 6].sum())
        _expect(count == hoi_an.sum() + joined_hoi_an.sum() and abs(float(total) - expected) < 0.05, "grown slot reads")
        return [
            ("registry: 2,000 datastreams appended, no observation touched", f"{registry.wall_s * 1e3:.0f} ms"),
            ("8,000 old rows of six lengthened to eight", f"{joined.readings / cost.wall_s:,.0f} readings/s"),
            ("the new property of a town through the view, exact", f"{read.wall_s * 1e3:.0f} ms"),
        ]

    def many_devices(self, devices: int, minutes: int) -> Table:
        """10 million readings of very many devices: every row of a batch is another device's."""
        self.store.connection.execute(
            "truncate narrow, wide, observation_set, array_time_key, array_delay, array_float4"
        )
        rivals = self.pick("narrow", "wide", "float8[]", "float8[], key (time, device)")
        rows = steady(devices, minutes, self.clock_us + DAY_US, self.rng)
        tally, sizes = Tally(), {}
        edges = np.linspace(0, len(rows), self.rounds + 1).astype(int)
        for turn, (start, end) in enumerate(itertools.pairwise(edges)):
            part = rows.take(slice(int(start), int(end)))
            for layout in self.in_turn(rivals, turn):
                with self.server.cost() as cost:
                    for batch in _batches(part):
                        self.store.direct(layout, batch)
                tally.add(layout.name, part.readings, cost)
        for layout in rivals:
            sizes[layout.name] = sum(self._disk(layout.table)) / rows.readings
        return [(*row, f"{sizes[row[0]]:.1f}") for row in tally.rows()]

    def filling(self, devices: int, minutes: int, steps: int) -> Table:
        """How writing fares as a chunk fills up with very many devices: readings/s and server s/M, step by step.

        Args:
            devices: So many devices say six values a minute.
            minutes: Minutes a step.
            steps: One after the other into the same chunk.
        """
        rivals = self.pick("float8[]", "float8[], key (time, device)")
        table: Table = []
        for step in range(steps):
            rows = steady(devices, minutes, self.clock_us + DAY_US + step * minutes * MINUTE_US, self.rng)
            cells = []
            for layout in self.in_turn(rivals, step):
                with self.server.cost() as cost:
                    for batch in _batches(rows):
                        self.store.direct(layout, batch)
                cells.append(
                    (layout.name, f"{rows.readings / cost.wall_s:,.0f}, {cost.server_s / rows.readings * 1e6:.2f}")
                )
            by_name = dict(cells)
            table.append((f"{(step + 1) * rows.readings:,}", *(by_name[layout.name] for layout in rivals)))
        return table

    def check_totals(self) -> None:
        """Every layout holds as many readings as it was given."""
        for layout in self.layouts.values():
            (count,) = self._one(f"totals_{layout.kind}", {}, layout.table)
            # The 390 rows that only make chunks hold a reading each.
            given = self.readings[layout.name] + (390 if layout.table == "observation_set" else 0)
            _expect(count == given, f"{layout.name} holds {count} readings of {given}")

    def _late_rows(self) -> Rows:
        count = -(-LATE_READINGS // 6)
        rows = steady(STEADY_DEVICES, -(-count // STEADY_DEVICES) + 1, STEADY_FIRST_US, self.rng).take(slice(0, count))
        minute = self.rng.integers(0, self.minutes, count) * MINUTE_US
        # Off the minute, and no two the same.
        offset = 1_000_000 + self.rng.permutation(50_000_000)[:count]
        return replace(rows, time_us=STEADY_FIRST_US + minute + offset, received_us=np.full(count, self.clock_us))

    def _disk(self, table: str) -> tuple[int, int]:
        heap, index = self._one("disk", {"table": table})
        return int(heap), int(index)

    def _one(self, name: str, parameters: dict[str, object], table: str = "") -> tuple[Any, ...]:
        query = sql.SQL(self.queries[name])
        row = self.store.connection.execute(query.format(table=sql.Identifier(table)) if table else query, parameters)
        return row.fetchone() or ()


def _batches(rows: Rows) -> Iterable[Rows]:
    for start in range(0, len(rows), BATCH_ROWS):
        yield rows.take(slice(start, start + BATCH_ROWS)).by_device()


def _redelivering(rows: Rows, rng: np.random.Generator) -> list[Rows]:
    """Batches in which a tenth of the rows were in the batch before (the first batch has none)."""
    fresh = int(BATCH_ROWS * (1 - REDELIVERED_SHARE))
    out = []
    for start in range(0, len(rows), fresh):
        places = np.arange(start, min(start + fresh, len(rows)))
        if start:
            again = start - 1 - rng.choice(fresh, BATCH_ROWS - fresh, replace=False)
            places = np.concatenate((places, again))
        out.append(rows.take(places).by_device())
    return out


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)
