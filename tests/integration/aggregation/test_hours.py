"""Hours come out of the quarters in memory, and are as true as those read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from ingest.aggregation import recent, store
from ingest.aggregation.keeper import Keeper
from ingest.storage import connect
from tests.integration.aggregation.history import NOON_US, PLAIN, Batch, commit, compare, register, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_database import Database

HOUR_US = 3_600_000_000
START_US = NOON_US + 900_000_000  # a full hour
QUARTER_US = HOUR_US // 4
_WINDOWS = (
    "select device_key, length_s, start_time, changed_time, count, flagged, sum, second_moment, min, min_time::text,"
    " max, max_time::text, first, first_time::text, last, last_time::text, energy, east, north, increase, resets,"
    " state_s, transitions, flags from window_set order by 1, 2, 3"
)
_SKETCHES = "select * from window_sketch order by 1, 2, 3, 4"


class Live:
    """A keeper whose clock goes from quarter to quarter."""

    def __init__(self, database: Database) -> None:
        self._connection = connect(database.ingest_url, application="test aggregator")
        self.now_us = START_US
        self.keeper = Keeper(self._connection, now_us=lambda: self.now_us)
        assert self.keeper.lead()
        self.keeper.recall()

    def quarter_is_over(self, number: int) -> None:
        """What the service does when the quarter of this number, counted from the start, is over."""
        self.now_us = START_US + (number + 1) * QUARTER_US + 3_000_000
        self.keeper.take_changes()
        while self.keeper.fold_due(quiet=False) or self.keeper.roll_due(quiet=False):
            pass

    def close(self) -> None:
        """End the session."""
        self._connection.close()


@pytest.fixture
def live(database: Database) -> Iterator[Live]:
    """A keeper over an empty database."""
    made = Live(database)
    yield made
    made.close()


def _rows(random: np.random.Generator, keys: list[int], number: int, *, late: bool) -> Batch:
    batch = Batch()
    for key in keys:
        for minute in range(0, 15, 5):
            at = START_US + number * QUARTER_US + minute * 60_000_000 + int(random.integers(0, 1_000_000))
            batch.rows.append((key, at, np.round(random.normal(20, 5, len(PLAIN)), 3).tolist(), None))
        if late and random.random() < 0.3:
            since = random.choice([0, number // 4 * 4])  # of all hours, or of the one that is not over
            at = START_US + int(random.integers(since * QUARTER_US, (number + 1) * QUARTER_US))
            batch.rows.append((key, at, np.round(random.normal(20, 5, len(PLAIN)), 3).tolist(), [1] * len(PLAIN)))
    return batch


@pytest.mark.parametrize("cells", [recent.CELLS, 40])
def test_hours_out_of_memory_equal_those_of_a_rebuild_and_the_observations(
    database: Database, live: Live, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(recent, "CELLS", cells)  # where memory holds fewer windows, the others are read back
    keys = [register(database.url, f"d-{number}", PLAIN) for number in range(4)]
    random = np.random.default_rng(3)
    for number in range(14):
        commit(database, _rows(random, keys, number, late=True))
        live.quarter_is_over(number)
    settle(live.keeper)
    assert compare(database) > 300

    with psycopg.connect(database.url) as reader:
        by_memory = reader.execute(_WINDOWS).fetchall(), reader.execute(_SKETCHES).fetchall()
    midnight_us = START_US - 13 * HOUR_US  # 06:00Z is 13:00 in Hoi An
    note = {"rebuild": "all", "day_us": midnight_us, "first_device": keys[0]}
    live.keeper.refold(np.array(keys, dtype=np.int32), midnight_us, midnight_us + 24 * HOUR_US, note=note)

    with psycopg.connect(database.url) as reader:
        assert str((reader.execute(_WINDOWS).fetchall(), reader.execute(_SKETCHES).fetchall())) == str(by_memory)


def test_what_stands_in_memory_is_not_read_back(
    database: Database, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [register(database.url, f"d-{number}", PLAIN) for number in range(2)]
    read: list[int] = []
    plainly = store.read_windows
    monkeypatch.setattr(store, "read_windows", lambda *arguments: read.append(len(arguments[4])) or plainly(*arguments))
    random = np.random.default_rng(4)
    for number in range(8):
        commit(database, _rows(random, keys, number, late=False))
        live.quarter_is_over(number)
    assert sum(read) == 0

    with psycopg.connect(database.url) as reader:
        assert reader.execute("select count(*) from window_set where length_s = 3600").fetchone() == (4,)


def test_a_rebuild_of_quarters_that_stand_in_memory_is_in_the_hour(database: Database, live: Live) -> None:
    key = register(database.url, "d-0", PLAIN)
    random = np.random.default_rng(5)
    for number in range(3):
        commit(database, _rows(random, [key], number, late=False))
        live.quarter_is_over(number)
    with psycopg.connect(database.url) as connection:  # a mistake is taken out by hand, and what followed rebuilt
        gone = connection.execute(
            "delete from observation_set where phenomenon_time < (select min(phenomenon_time) from observation_set)"
            " + interval '1 second'"
        )
        assert gone.rowcount == 1
    other = connect(database.ingest_url, application="test rebuild")
    rebuild = Keeper(other)
    rebuild.prepare()
    midnight_us = START_US - 13 * HOUR_US
    note = {"rebuild": "mistake", "day_us": midnight_us, "first_device": key}
    rebuild.refold(np.array([key], dtype=np.int32), midnight_us, midnight_us + 24 * HOUR_US, note=note)
    other.close()
    commit(database, _rows(random, [key], 3, late=False))
    live.quarter_is_over(3)
    commit(database, _rows(random, [key], 4, late=False))
    settle(live.keeper)

    assert compare(database) > 5
