"""What was sent in another unit can be had back to the bit, whatever came in and however."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.profiles import load_catalogue
from devices.registry import import_devices
from devices.registry_file import read_registry_file
from devices.sent import as_sent
from ingest.storage import QUERIES
from tests.integration.ingest.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_database import Database

START_MS = 1_763_892_600_000
(SINGLE,) = struct.unpack("f", struct.pack("f", 0.83))
"""What a device that counts in four bytes makes of 0.83."""
NAMES = ("no2", "co", "humidity", "battery-voltage", "pm25")
_FILE = (
    "device,town,site,site_name,site_kind,latitude,longitude,profile,name,gateway,commissioned\n"
    "low,hoi-an,s,Chợ,station,15.88,108.33,air-sensor,Cảm biến,,2020-01-01\n"
    "uv,hoi-an,s,Chợ,station,15.88,108.33,uv-station,Trạm UV,,2020-01-01\n"
)


@pytest.fixture
def pipeline(database: Database) -> Iterator[Pipeline]:
    catalogue = load_catalogue()
    with psycopg.connect(database.url) as connection:
        import_devices(connection, read_registry_file(_FILE.encode(), catalogue), catalogue)
    pipeline = Pipeline(database.ingest_url)
    yield pipeline
    pipeline.writer.close()


def send(pipeline: Pipeline, at: int, values: dict[str, Any], device: str = "low") -> None:
    time_ms = START_MS + at * 1_000
    pipeline.store([(f"hoi-an/{device}/telemetry", {"ts": time_ms, "values": values}, (time_ms + 500) * 1_000)])


def kept(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "select d.device_id, s.name, o.value from observation_sent o join device d using (device_key)"
            " join datastream s on s.device_key = o.device_key and s.slot = o.slot order by o.phenomenon_time, s.name"
        ).fetchall()


def had_back(url: str, device: str) -> dict[str, list[float]]:
    """Every value of a device as it was sent, in order of time."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select s.name, r.value_by_slot[s.slot], s.factor, s.addend, k.value"
            " from observation_set r join device d using (device_key) join datastream s using (device_key)"
            " left join observation_sent k on (k.device_key, k.phenomenon_time, k.slot)"
            "   = (r.device_key, r.phenomenon_time, s.slot)"
            " where d.device_id = %s and r.value_by_slot[s.slot] <> 'NaN' order by r.phenomenon_time",
            [device],
        ).fetchall()
    found: dict[str, list[float]] = {}
    for name, stored, factor, addend, value in rows:
        found.setdefault(name, []).append(
            float(as_sent(np.array([stored]), factor, addend)[0]) if value is None else value
        )
    return found


def test_what_devices_send_needs_nothing_kept_and_an_odd_double_is_kept(pipeline: Pipeline, database: Database) -> None:
    mean = 82.3 / 3
    send(pipeline, 0, {"no2": 12.5, "co": 0.42, "humidity": 0.83, "battery-voltage": 3910, "pm25": mean})
    send(pipeline, 1, {"no2": mean, "humidity": SINGLE})
    send(pipeline, 2, {"temperature": 86.9}, "uv")

    assert kept(database.url) == [("low", "no2", mean)]
    assert had_back(database.url, "low") == {
        "no2": [12.5, mean],
        "co": [0.42],
        "humidity": [0.83, SINGLE],
        "battery-voltage": [3910],
        "pm25": [mean],
    }
    assert had_back(database.url, "uv") == {"temperature": [86.9]}


def test_late_doubled_and_merged_readings_keep_what_was_sent_and_refused_ones_do_not(
    pipeline: Pipeline, database: Database
) -> None:
    mean, other = 82.3 / 3, 50 / 7
    send(pipeline, 10, {"pm25": 1})
    send(pipeline, 5, {"no2": mean, "humidity": 300 / 7})  # late; the humidity is out of its bounds
    send(pipeline, 5, {"no2": mean})  # doubled
    send(pipeline, 5, {"no2": other, "co": other})  # conflict, and merged

    assert kept(database.url) == [("low", "co", other), ("low", "no2", mean)]
    assert had_back(database.url, "low") == {"no2": [mean], "co": [other], "pm25": [1]}


def test_of_two_values_in_one_batch_the_one_that_stands_is_kept(pipeline: Pipeline, database: Database) -> None:
    mean = 82.3 / 3
    message = [{"ts": START_MS, "values": {"no2": 12.5}}, {"ts": START_MS, "values": {"no2": mean}}]
    pipeline.store([("hoi-an/low/telemetry", message, (START_MS + 500) * 1_000)])
    assert (kept(database.url), had_back(database.url, "low")) == ([], {"no2": [12.5]})


_at = iter(range(1_000_000))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 1, exclude_min=True)), min_size=1, max_size=12))
def test_every_double_is_had_back_to_the_bit(
    pipeline: Pipeline, database: Database, rows: list[tuple[str, float]]
) -> None:
    before = had_back(database.url, "low")
    for name, value in rows:
        send(pipeline, next(_at), {name: value})
    after = had_back(database.url, "low")
    for name in NAMES:
        sent = [value for of, value in rows if of == name]
        assert after.get(name, [])[len(before.get(name, [])) :] == sent


def test_retention_drops_them_with_their_observations(pipeline: Pipeline, database: Database) -> None:
    send(pipeline, 0, {"no2": 82.3 / 3})
    connection = pipeline.writer.connection()
    connection.execute(QUERIES["trim_sent"], {"keep_days": 100_000})
    assert len(kept(database.url)) == 1
    connection.execute(QUERIES["trim_sent"], {"keep_days": 1})
    assert kept(database.url) == []


def test_a_reader_sees_what_was_sent_in_the_towns_granted_alone(pipeline: Pipeline, database: Database) -> None:
    send(pipeline, 0, {"no2": 82.3 / 3})
    with psycopg.connect(database.read_url) as connection:
        for towns, rows in (("hoi-an,tam-ky", 1), ("tam-ky", 0), ("", 0), ("*", 1)):
            connection.execute("select set_config('thubon.towns', %s, false)", [towns])
            assert connection.execute("select count(*) from observation_sent").fetchone() == (rows,)
