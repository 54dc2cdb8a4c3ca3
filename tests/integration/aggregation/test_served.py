"""What the API serves equals the plain SQL aggregate at any moment, however far the aggregator is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from psycopg.rows import dict_row

from sql import load_queries
from tests.integration.aggregation.history import NOON_US, PERIODS, PLAIN, commit, keeper, random_batches, register

if TYPE_CHECKING:
    from tests.fix_database import Database

HOUR_US = 3_600_000_000
_QUERY = load_queries("api_statistics")["windows"]
_PLAIN = """
select case %(unit)s::text when 'month' then date_trunc('month', placed, 'Asia/Ho_Chi_Minh')
                           when 'day' then date_trunc('day', placed, 'Asia/Ho_Chi_Minh')
       else date_bin(%(length_s)s * interval '1 second', placed, timestamptz '1970-01-01 00:00:00+00') end as start,
       count(*) filter (where good), count(*) filter (where not good) as flagged,
       case %(mean)s::text
         when 'energetic' then 10 * log(avg(power(10::float8, v / 10)) filter (where good))
         when 'circular' then mod((atan2d(avg(sind(v)) filter (where good),
                                          avg(cosd(v)) filter (where good)) + 360)::numeric, 360)::float8
         else avg(v) filter (where good) end as mean,
       sum(v) filter (where good), min(v) filter (where good), max(v) filter (where good),
       min(t) filter (where good) as first_phenomenon_time, max(t) filter (where good) as last_phenomenon_time
from (
  select phenomenon_time as t, value_by_slot[%(slot)s] as v, coalesce(quality_by_slot[%(slot)s], 0) & 59 = 0 as good,
         phenomenon_time - %(shift_s)s * interval '1 second' as placed
  from observation_set where device_key = %(device_key)s and value_by_slot[%(slot)s] <> 'NaN'
) r
group by 1 order by 1
"""
_RESOLUTIONS = ((900, None), (3600, None), (86400, "day"), (86400, "month"))
_MEANS = {"sound-level-equivalent": "energetic", "wind-direction": "circular"}


@pytest.mark.parametrize("seed", range(3))
def test_served_statistics_follow_the_observations_whatever_is_folded(database: Database, seed: int) -> None:
    kinds = (("plain", PLAIN), ("periods", PERIODS))
    devices = [(register(database.url, name, streams), streams) for name, streams in kinds]
    random = np.random.default_rng(seed)
    span_us = int(random.choice([HOUR_US, 40 * HOUR_US, 900 * HOUR_US]))
    batches = random_batches(random, [(key, len(streams)) for key, streams in devices], batches=9, span_us=span_us)
    made, connection = keeper(database, NOON_US + span_us // 2)
    with connection, psycopg.connect(database.read_url, row_factory=dict_row) as reader:
        for batch in batches:
            commit(database, batch)
            while made.take_changes():
                pass
            for _ in range(int(random.integers(0, 3))):
                quiet = bool(random.integers(0, 2))
                made.fold_due(quiet=quiet) if random.integers(0, 2) else made.roll_due(quiet=quiet)
            for device_key, streams in devices:
                slot = int(random.integers(0, len(streams)))
                for length_s, unit in _RESOLUTIONS:
                    _compare(reader, device_key, slot + 1, streams[slot], length_s, unit)
            reader.commit()


def _compare(
    reader: psycopg.Connection, device_key: int, slot: int, stream: object, length_s: int, unit: object
) -> None:
    parameters = {
        "device_key": device_key,
        "slot": slot,
        "mean": _MEANS.get(stream.property_id, "arithmetic"),
        "shift_s": stream.period_s or 0 if stream.stamp == "end" else 0,
        "length_s": length_s,
        "unit": unit,
        "first": "1970-01-01T00:00:00Z",
        "last": "2100-01-01T00:00:00Z",
    }
    served = reader.execute(
        _QUERY.replace("%(first)s", "%(first)s::timestamptz").replace("%(last)s", "%(last)s::timestamptz"), parameters
    ).fetchall()
    plain = reader.execute(_PLAIN, parameters).fetchall()
    assert len(served) == len(plain)
    for actual, wanted in zip(served, plain, strict=True):
        for name, value in wanted.items():
            if isinstance(value, float) and name in ("sum", "mean"):
                assert actual[name] == pytest.approx(value, rel=1e-9, abs=1e-9), (name, wanted)
            else:
                assert actual[name] == value, (name, actual, wanted)
