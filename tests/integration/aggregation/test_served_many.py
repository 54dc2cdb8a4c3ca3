"""An aggregate over many datastreams equals the plain SQL aggregate at any moment, however far the aggregator is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from psycopg.rows import dict_row

from api.statistics import mean_kind
from devices.reductions.sketch import bins_of
from sql import load_queries
from tests.integration.aggregation.history import (
    NOON_US,
    PERIODS,
    PLAIN,
    commit,
    keeper,
    random_batches,
    register,
)

if TYPE_CHECKING:
    from tests.fix_database import Database

HOUR_US = 3_600_000_000
_QUERIES = load_queries("api_operations")
_PLAIN = """
select case when %(length_s)s = 86400 then date_trunc('day', placed, 'Asia/Ho_Chi_Minh')
            else date_bin(%(length_s)s * interval '1 second', placed, timestamptz '1970-01-01 00:00:00+00')
       end as start,
       count(distinct device_key) filter (where good) as datastreams, count(*) filter (where good) as count,
       count(*) filter (where not good) as flagged,
       sum(v) filter (where good) as sum, min(v) filter (where good) as min,
       max(v) filter (where good) as max,
       case when %(mean)s = 'energetic' then sum(power(10::float8, v / 10)) filter (where good) end as energy,
       case when %(mean)s = 'circular' then sum(sind(v)) filter (where good) end as east,
       case when %(mean)s = 'circular' then sum(cosd(v)) filter (where good) end as north,
       array_agg(v) filter (where good) as values
from (
  select o.device_key, o.value_by_slot[s.slot] as v, coalesce(o.quality_by_slot[s.slot], 0) & 59 = 0 as good,
         o.phenomenon_time
           - case when s.stamp = 'end' then coalesce(s.period_s, 0) else 0 end * interval '1 second' as placed
  from observation_set o join datastream s using (device_key)
  where s.property = %(property)s and o.value_by_slot[s.slot] <> 'NaN'
) r
where placed >= %(first)s and placed < %(last)s
group by 1 order by 1
"""
_PROPERTIES = ("air-temperature", "sound-level-equivalent", "wind-direction")


@pytest.mark.parametrize("seed", range(2))
def test_an_aggregate_of_many_follows_the_observations_whatever_is_folded(database: Database, seed: int) -> None:
    kinds = (("plain", PLAIN), ("other", PLAIN), ("periods", PERIODS))
    devices = [(register(database.url, name, streams), len(streams)) for name, streams in kinds]
    random = np.random.default_rng(seed)
    span_us = (5 * HOUR_US, 60 * HOUR_US)[seed]
    windows = 0
    made, connection = keeper(database, NOON_US + span_us // 2)
    with connection, psycopg.connect(database.reader_of_all_url, row_factory=dict_row) as reader:
        for batch in random_batches(random, devices, batches=8, span_us=span_us):
            commit(database, batch)
            while made.take_changes():
                pass
            for _ in range(int(random.integers(0, 3))):
                quiet = bool(random.integers(0, 2))
                made.fold_due(quiet=quiet) if random.integers(0, 2) else made.roll_due(quiet=quiet)
            # What is not folded is younger than this, or older, or both.
            recent = datetime.fromtimestamp((NOON_US + int(random.integers(0, span_us))) / 1e6, UTC)
            for property_id in _PROPERTIES:
                windows += sum(_compare(reader, property_id, length_s, recent) for length_s in (900, 3600, 86400))
            reader.commit()
    assert windows > 200


def _compare(reader: psycopg.Connection[Any], property_id: str, length_s: int, recent: datetime) -> int:
    parameters = {
        "property": property_id,
        "towns": ["hoi-an"],
        **dict.fromkeys(("domain", "ward", "west", "south", "east", "north")),
        "length_s": length_s,
        "first": datetime(1999, 12, 31, 17, tzinfo=UTC),
        "last": datetime(2099, 12, 31, 17, tzinfo=UTC),
        "recent": recent,
        "mean": mean_kind(property_id),
    }
    plain = {row["start"]: row for row in reader.execute(_PLAIN, parameters).fetchall()}
    cursor = reader.cursor(binary=True)
    rows = cursor.execute(_QUERIES["operations_aggregate"], parameters).fetchall()
    # A window at rest may hold other datastreams of its device alone.
    served = {row["start"]: row for row in rows if row["count"] or row["flagged"]}
    assert served.keys() == plain.keys()
    for start, wanted in plain.items():
        for name in ("datastreams", "count", "flagged", "min", "max"):
            assert served[start][name] == wanted[name], (name, start)
        for name in (name for name in ("sum", "energy", "east", "north") if wanted[name] is not None):
            assert served[start][name] == pytest.approx(wanted[name], rel=1e-9, abs=1e-9), (name, start)
    if property_id == "sound-level-equivalent":
        sketches = cursor.execute(_QUERIES["operations_aggregate_sketch"], parameters).fetchall()
        bins = {row["start"]: _bins(row) for row in sketches}
        assert bins == {
            start: Counter(bins_of(np.array(row["values"])).tolist()) for start, row in plain.items() if row["count"]
        }
    return len(plain)


def _bins(row: dict[str, Any]) -> Counter[int]:
    counted: Counter[int] = Counter(dict(zip(row["bins"], row["counts"], strict=True)))
    counted.update(bins_of(np.array(row["fresh"], dtype=np.float64)).tolist())
    return counted
