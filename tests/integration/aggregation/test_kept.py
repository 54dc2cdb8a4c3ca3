"""What slots keep beside the basic reductions equals the plain ones over the observations of each window."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from devices.keeping import KEPT, KEPT_BY_PROPERTY
from devices.quality import Quality, admits
from devices.reductions.sketch import bins_of
from devices.reductions.table import REDUCTIONS
from tests.integration.aggregation.history import (
    NOON_US,
    Stream,
    commit,
    keeper,
    random_batches,
    register,
    settle,
)
from tests.unit.aggregation import reference

if TYPE_CHECKING:
    from tests.fix_database import Database

PROFILE = "noise-meter"
LIMIT = 70.0  # of its laeq
STREAMS = (
    Stream("sound-level-equivalent", name="laeq"),
    *(
        Stream(property_id)
        for property_id in (
            "wind-direction",
            "active-energy",
            "lamp-state",
            "light-level",
            "vehicle-speed",
            "vehicle-count",
        )
    ),
)
INTERVAL_S = 60


def test_every_property_keeps_reductions_of_the_table() -> None:
    unknown = {name for names in KEPT_BY_PROPERTY.values() for name in names} - REDUCTIONS.keys()
    assert not unknown


def test_a_profile_may_keep_what_the_table_has_and_windows_hold() -> None:
    basic = {"count", "sum", "mean", "sum-of-squares", "min", "max", "min-with-time", "max-with-time"}
    others = REDUCTIONS.keys() - basic - {"first", "last", "variance"}
    assert others == KEPT


@pytest.mark.parametrize("seed", range(2))
def test_what_slots_keep_follows_the_observations_through_merges_and_repairs(database: Database, seed: int) -> None:
    key = register(database.url, "all", STREAMS, INTERVAL_S, profile=PROFILE)
    random = np.random.default_rng(seed)
    made, connection = keeper(database, NOON_US + 3_600_000_000)
    for batch in random_batches(random, [(key, len(STREAMS))], batches=14, span_us=7 * 3_600_000_000):
        for row in batch.rows:
            row[2][3] = row[2][3] % 4 // 1  # a state is a whole number
            row[2][0] += LIMIT - 20  # about the limit
        commit(database, batch)
        made.take_changes()
        made.fold_due(quiet=bool(random.integers(0, 2)))
    settle(made)
    connection.close()
    readings = _readings(database)
    with psycopg.connect(database.reader_of_all_url, row_factory=psycopg.rows.dict_row) as reader:
        windows = reader.execute(
            "select length_s, start_time, (extract(epoch from start_time) * 1000000)::bigint as start_us, energy, east,"
            " north, weight, weight_by_value, held_value_s, held_s, increase, resets, state_s, transitions, above,"
            " longest_run, flags, flagged"
            " from window_set"
        ).fetchall()
        sketches = {
            (row["length_s"], row["start_time"], row["slot"]): dict(zip(row["bins"], row["counts"], strict=True))
            for row in reader.execute("select * from window_sketch").fetchall()
        }
    marks = _marks(database)
    assert len(windows) > 20
    for window in windows:
        low, high = window["start_us"], window["start_us"] + window["length_s"] * 1_000_000
        mine = {slot: [reading for reading in rows if low <= reading[0] < high] for slot, rows in readings.items()}
        _compare(window, mine, sketches)
        flags = [[0] * len(Quality) for _ in STREAMS]
        for time_us, slot, quality in marks:
            if low <= time_us < high:
                flags[slot] = [count + bool(quality & bit) for count, bit in zip(flags[slot], Quality, strict=True)]
        assert (window["flags"] or [0] * len(STREAMS) * len(Quality)) == [count for row in flags for count in row]


def _marks(database: Database) -> list[tuple[int, int, int]]:
    with psycopg.connect(database.reader_of_all_url) as reader:
        return reader.execute(
            "select (extract(epoch from phenomenon_time) * 1000000)::bigint, slot - 1, quality"
            " from observation join datastream using (datastream_id)"
        ).fetchall()


def _readings(database: Database) -> dict[int, list[tuple[int, float]]]:
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    with psycopg.connect(database.reader_of_all_url) as reader:
        rows = reader.execute(
            "select (extract(epoch from phenomenon_time) * 1000000)::bigint, value_by_slot, quality_by_slot"
            " from observation_set order by phenomenon_time"
        ).fetchall()
    for time_us, values, qualities in rows:
        for slot, value in enumerate(values):
            if not np.isnan(value) and not (qualities and not admits(qualities[slot])):
                found[slot].append((time_us, value))
    return found


def _compare(window: dict, readings: dict[int, list[tuple[int, float]]], sketches: dict) -> None:
    def same(name: str, slot: int, expected: float, actual: float | None = None) -> None:
        kept = window[name][slot] if actual is None else actual
        assert kept == pytest.approx(expected, rel=1e-12, abs=1e-9), (name, window["length_s"], window["start_time"])

    hold_us = 3 * INTERVAL_S * 1_000_000
    levels = [value for _, value in readings[0]]
    same("energy", 0, sum(10 ** (value / 10) for value in levels))
    bins = dict(Counter(bins_of(np.array(levels)).tolist())) if levels else None
    assert sketches.get((window["length_s"], window["start_time"], 1)) == bins
    east, north = reference.directions([value for _, value in readings[1]]) if readings[1] else (0, 0)
    same("east", 1, east * len(readings[1]))
    same("north", 1, north * len(readings[1]))
    same("above", 0, reference.exceedance(readings[0], LIMIT)[0])
    same("longest_run", 0, reference.exceedance(readings[0], LIMIT)[1])
    increase, resets = reference.increase(readings[2])
    same("increase", 2, increase)
    same("resets", 2, resets)
    seconds, transitions = reference.states(readings[3], hold_us)
    for state in range(8):
        same("state_s", 3, seconds[state], window["state_s"][3 * 8 + state])
    same("transitions", 3, transitions)
    if readings[4]:
        held_s = window["held_s"][4]
        mean = window["held_value_s"][4] / held_s if held_s else readings[4][-1][1]
        same("held_value_s", 4, reference.time_weighted_mean(readings[4], hold_us), mean)
    vehicles = dict(readings[6])
    weights = [vehicles.get(time_us, 0.0) for time_us, _ in readings[5]]
    speed = reference.harmonic_mean([value for _, value in readings[5]], weights)
    if not np.isnan(speed):
        same("weight", 5, speed, window["weight"][5] / window["weight_by_value"][5])
