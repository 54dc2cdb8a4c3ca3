"""What the API serves equals the plain SQL aggregate at any moment, however far the aggregator is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from psycopg.rows import dict_row

from api.parts import Kept, windows_of
from devices.keeping import kept
from devices.reductions.rows import Options
from sql import load_queries
from tests.integration.aggregation.history import (
    NOON_US,
    PERIODS,
    PLAIN,
    Stream,
    commit,
    keeper,
    random_batches,
    register,
)
from tests.unit.aggregation import reference

if TYPE_CHECKING:
    from tests.fix_database import Database

HOUR_US = 3_600_000_000
_QUERY = load_queries("api_statistics")["parts"]
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
    span_us = (HOUR_US, 40 * HOUR_US, 1_000 * HOUR_US)[seed]  # the last goes over ends of months and of the year
    batches = random_batches(random, [(key, len(streams)) for key, streams in devices], batches=9, span_us=span_us)
    made, connection = keeper(database, NOON_US + span_us // 2)
    with connection, psycopg.connect(database.reader_of_all_url, row_factory=dict_row) as reader:
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
    reader: psycopg.Connection, device_key: int, slot: int, stream: Stream, length_s: int, unit: object
) -> None:
    parameters = {
        "device_key": device_key,
        "slot": slot,
        "mean": _MEANS.get(stream.property_id, "arithmetic"),
        "shift_s": stream.period_s or 0 if stream.stamp == "end" else 0,
        "length_s": length_s,
        "unit": unit,
        "first": datetime(1970, 1, 1, tzinfo=UTC),
        "last": datetime(2100, 1, 1, tzinfo=UTC),
        "keeps": list(kept(stream.property_id)),
    }
    cursor = reader.cursor(binary=True)
    row = cursor.execute(_QUERY, parameters).fetchone()
    plain = reader.execute(_PLAIN, parameters).fetchall()
    starts_us = np.array([round(wanted["start"].timestamp() * 1e6) for wanted in plain], dtype=np.int64)
    known = Kept(kept(stream.property_id), parameters["shift_s"] * 1_000_000, Options(hold_us=180_000_000))
    served = windows_of(row, known, starts_us)
    assert served.place.tolist() == list(range(len(plain)))
    figures = {**served.figures, "flagged": served.flagged}
    mean = {"energetic": "energetic_mean", "circular": "circular_mean", "arithmetic": "mean"}[parameters["mean"]]
    for at, wanted in enumerate(plain):
        for name, value in wanted.items():
            if name == "start":
                continue
            actual = figures[mean if name == "mean" else name.replace("_phenomenon", "")][at]
            if value is None:
                assert figures["count"][at] == 0 or np.isnan(actual), (name, wanted)
            elif isinstance(value, float) and name in ("sum", "mean"):
                assert actual == pytest.approx(value, rel=1e-9, abs=1e-9), (name, wanted)
            elif isinstance(value, datetime):
                assert actual == round(value.timestamp() * 1e6), (name, wanted)
            else:
                assert actual == value, (name, actual, wanted)
    readings = _good_readings(reader, parameters)
    rest = {
        "increase": ("increase", reference.increase),
        "states": ("transitions", lambda found: reference.states(found, known.options.hold_us)[::-1]),
    }
    for name, (figure, plainly) in rest.items():
        if name in known.keeps:
            for at, start_us in enumerate(starts_us.tolist()):
                end_us = starts_us[at + 1] if at + 1 < len(plain) else 1 << 62
                mine = [(time_us, v) for time_us, v in readings if start_us <= time_us < end_us]
                assert figures[figure][at] == pytest.approx(plainly(mine)[0], rel=1e-12), (name, start_us)


def _good_readings(reader: psycopg.Connection, parameters: dict[str, object]) -> list[tuple[int, float]]:
    rows = reader.execute(
        "select (extract(epoch from phenomenon_time) * 1000000)::bigint - %(shift_s)s::bigint * 1000000 as time_us,"
        " value_by_slot[%(slot)s] as v from observation_set where device_key = %(device_key)s"
        " and value_by_slot[%(slot)s] <> 'NaN' and quality_admits(quality_by_slot[%(slot)s]) order by phenomenon_time",
        parameters,
    ).fetchall()
    return [(int(row["time_us"]), row["v"]) for row in rows]
