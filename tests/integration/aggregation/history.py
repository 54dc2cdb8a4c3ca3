"""Histories of observations as batches write them, and what plain SQL makes of them."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from ingest.aggregation.keeper import Keeper
from ingest.changes import changes_of
from ingest.storage import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fix_database import Database

NOON_US = 1_763_876_700_000_000  # 2025-11-23T05:45:00Z, 12:45 in Hoi An
PROPERTIES = ("air-temperature", "sound-level-equivalent", "wind-direction", "active-energy", "lamp-state", "pm25")


@dataclass(frozen=True, slots=True)
class Stream:
    """A datastream to register."""

    property_id: str
    period_s: int | None = None
    stamp: str = "end"
    name: str | None = None  # default: s and its slot


PLAIN = tuple(Stream(property_id) for property_id in PROPERTIES)
PERIODS = (Stream("air-temperature"), Stream("sound-level-equivalent", 60), Stream("wind-direction", 3600, "end"))
STARTS = (Stream("water-level", 300, "start"),)


def register(url: str, device: str, streams: Sequence[Stream], interval_s: int = 60, *, profile: str = "test") -> int:
    """Register a device; answers its key."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into site (site_id, town_id, name, kind, latitude, longitude)"
            " values ('s', 'hoi-an', 'S', 'station', 15.88, 108.33) on conflict do nothing"
        )
        key = connection.execute(
            "insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s)"
            " select %(id)s, 'hoi-an', site_key, 'environment', %(profile)s, %(id)s, %(interval)s from site"
            " where site_id = 's' returning device_key",
            {"id": device, "interval": interval_s, "profile": profile},
        ).fetchone()[0]
        for slot, stream in enumerate(streams, start=1):
            connection.execute(
                "insert into datastream (datastream_id, device_key, slot, name, property, unit, lower_bound,"
                " upper_bound, interval_s, period_s, stamp)"
                " values (%s, %s, %s, %s, %s, '1', -1e9, 1e9, %s, %s, %s)",
                [
                    f"{device}:{stream.name or f's{slot}'}",
                    key,
                    slot,
                    stream.name or f"s{slot}",
                    stream.property_id,
                    interval_s,
                    stream.period_s,
                    stream.stamp,
                ],
            )
    return int(key)


@dataclass
class Batch:
    """Rows of one transaction: (device_key, time_us, values, qualities)."""

    rows: list[tuple[int, int, list[float], list[int] | None]] = field(default_factory=list)


def write(connection: psycopg.Connection[Any], batch: Batch) -> None:
    """What the worker's writer does, row by row: new rows stand, values that stand stay, others merge in."""
    touched = []
    for device_key, time_us, values, qualities in batch.rows:
        written = connection.execute(
            "insert into observation_set (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot)"
            " values (timestamptz 'epoch' + %s * interval '1 microsecond', now(), %s, %s, %s)"
            " on conflict (device_key, phenomenon_time) do update"
            "   set value_by_slot = (select array_agg(case when o = 'NaN' then n else o end order by i)"
            "     from unnest(observation_set.value_by_slot, excluded.value_by_slot) with ordinality u (o, n, i))"
            "   where observation_set.value_by_slot is distinct from excluded.value_by_slot"
            " returning 1",
            [time_us, device_key, values, qualities],
        ).fetchone()
        if written:
            touched.append((device_key, time_us))
    if touched:
        touched.sort()
        device, times = (np.array(column) for column in zip(*touched, strict=True))
        connection.execute(
            "insert into window_change (changes) values (%s)",
            [changes_of(device.astype(np.int32), times.astype(np.int64))],
        )


def commit(database: Database, batch: Batch) -> None:
    """Write a batch and commit it."""
    with psycopg.connect(database.ingest_url) as connection:
        write(connection, batch)


def keeper(database: Database, now_us: int) -> tuple[Keeper, psycopg.Connection[dict[str, Any]]]:
    """A keeper that has just started."""
    connection = connect(database.ingest_url, application="test aggregator")
    made = Keeper(connection, now_us=lambda: now_us)
    deadline = time.monotonic() + 10
    while not made.lead():  # the session before it may still be ending
        assert time.monotonic() < deadline
        time.sleep(0.01)
    made.recall()
    return made, connection


def settle(made: Keeper) -> None:
    """Until there is nothing left to do."""
    for _ in range(1_000):
        if not (made.take_changes() or made.fold_due(quiet=True) or made.roll_due(quiet=True)):
            return
    raise AssertionError("the keeper never ends")


_EXPECTED = """
with reading as (
  select o.device_key, s.slot, o.value_by_slot[s.slot] as v, coalesce(o.quality_by_slot[s.slot], 0) & 59 = 0 as good,
         o.phenomenon_time as t,
         o.phenomenon_time
           - case when s.stamp = 'end' then coalesce(s.period_s, 0) else 0 end * interval '1 second' as placed
  from observation_set o join datastream s using (device_key)
  where o.value_by_slot[s.slot] <> 'NaN'
)
select datastream_id, length_s,
       case when length_s = 86400 then date_trunc('day', placed, 'Asia/Ho_Chi_Minh')
            else date_bin(length_s * interval '1 second', placed, timestamptz '1970-01-01 00:00:00+00') end as start,
       count(*) filter (where good), count(*) filter (where not good), sum(v) filter (where good),
       min(v) filter (where good), max(v) filter (where good), min(t) filter (where good), max(t) filter (where good),
       (array_agg(v order by t) filter (where good))[1], (array_agg(v order by t desc) filter (where good))[1],
       var_pop(v) filter (where good),
       (array_agg(t order by v, t) filter (where good))[1], (array_agg(t order by v desc, t) filter (where good))[1]
from reading join datastream using (device_key, slot), unnest(array[900, 3600, 86400]) length_s
group by 1, 2, 3
"""
_KEPT = """
select datastream_id, length_s, start_time, count, flagged, sum, min, max, first_phenomenon_time, last_phenomenon_time,
       first, last, variance, min_time, max_time
from window_statistics
"""


def compare(database: Database) -> int:
    """Hold what is kept against plain SQL over the observations; answers how many windows there are."""
    with psycopg.connect(database.reader_of_all_url) as connection:
        expected = {row[:3]: row[3:] for row in connection.execute(_EXPECTED.encode()).fetchall()}
        kept = {row[:3]: row[3:] for row in connection.execute(_KEPT.encode()).fetchall()}
    assert kept.keys() == expected.keys(), (
        f"missing {sorted(expected.keys() - kept.keys())[:5]}, too many {sorted(kept.keys() - expected.keys())[:5]}"
    )
    for key, wanted in expected.items():
        for at, (actual, right) in enumerate(zip(kept[key], wanted, strict=True)):
            if at in (2, 9):  # sum and variance
                assert (actual is None) == (right is None), (key, at)
                if right is not None:
                    np.testing.assert_allclose(actual, right, rtol=1e-9, atol=1e-9, err_msg=f"{key} {at}")
            else:
                assert actual == right, (key, at, actual, right)
    return len(expected)


def random_batches(
    random: np.random.Generator, devices: Sequence[tuple[int, int]], *, batches: int, span_us: int
) -> list[Batch]:
    """Batches mostly in order of time, with late, doubled, partial, flagged and far rows.

    Args:
        random: where chance comes from.
        devices: (key, slots) of each.
        batches: how many.
        span_us: how long the history is.
    """
    made = []
    sent: list[tuple[int, int, list[float], list[int] | None]] = []
    for number in range(batches):
        batch = Batch()
        for device_key, slots in devices:
            for _ in range(int(random.integers(0, 4))):
                at = NOON_US + span_us * number // batches + int(random.integers(0, span_us // batches))
                if random.random() < 0.15:
                    at -= int(random.integers(0, span_us))
                if random.random() < 0.3:
                    at -= at % 900_000_000  # on the border of a window
                values = np.round(random.normal(20, 5, slots), 3)
                values[random.random(slots) < 0.2] = np.nan
                if np.isnan(values).all():
                    continue
                quality = (
                    random.choice([0, 0, 1, 2, 4, 8, 12, 16, 32, 64], slots).tolist() if random.random() < 0.2 else None
                )
                batch.rows.append((device_key, at, values.tolist(), quality))
        if sent and random.random() < 0.3:
            batch.rows.append(sent[int(random.integers(len(sent)))])
        unique = {row[:2]: row for row in batch.rows}
        batch.rows = list(unique.values())
        sent += batch.rows
        made.append(batch)
    return made


def pairs(batches: list[Batch]) -> list[tuple[Batch, ...]]:
    """Batches two by two, for transactions that overlap."""
    return (
        list(itertools.batched(batches, 2))
        if hasattr(itertools, "batched")
        else [tuple(batches[at : at + 2]) for at in range(0, len(batches), 2)]
    )
