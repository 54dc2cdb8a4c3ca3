"""Flags stored with observations: at once, after a restart, for what comes late, and beside another worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fleet import register
from tests.integration.ingest.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fix_database import Database

Start = Callable[..., Pipeline]

START_MS = 1_763_880_000_000
MINUTE_MS = 60_000
TOPIC = "hoi-an/dev-1/telemetry"


@pytest.fixture
def start(url: str) -> Iterator[Start]:
    """Starts workers, each in the place of the one before unless they share the load."""
    started: list[Pipeline] = []

    def begin(*, alone: bool = True) -> Pipeline:
        if alone and started:
            started[-1].writer.close()
        started.append(Pipeline(url, alone=alone))
        return started[-1]

    yield begin
    for pipeline in started:
        pipeline.writer.close()


@pytest.fixture
def url(database: Database) -> str:
    register(database.url, devices=1, names=("pm25", "rainfall"))
    return database.ingest_url


def send(pipeline: Pipeline, minutes: Sequence[float], values: Sequence[float], **beside: Any) -> None:
    """A batch of one device, received a second after each time."""
    pipeline.store(
        [
            (
                TOPIC,
                {"ts": int(START_MS + minute * MINUTE_MS), "values": {"pm25": value, "rainfall": 0}, **beside},
                int(START_MS + minute * MINUTE_MS + 1_000) * 1_000,
            )
            for minute, value in zip(minutes, values, strict=True)
        ]
    )


def flags(url: str, name: str = "pm25") -> list[int]:
    """Flags of a datastream in order of time."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select quality from observation where datastream_id = %s order by phenomenon_time", [f"dev-1:{name}"]
        ).fetchall()
    return [row[0] for row in rows]


CALM = [20.0, 21.5, 20.5, 22.0, 21.0]


def test_a_spike_is_marked_across_batches_and_nothing_is_deleted(url: str, start: Start) -> None:
    pipeline = start()
    send(pipeline, range(5), CALM)
    send(pipeline, [5], [290])
    send(pipeline, [6], [21])
    assert flags(url) == [0, 0, 0, 0, 0, 8 | 4, 0]
    assert flags(url, "rainfall") == [0] * 7


def test_a_restarted_worker_knows_what_stood_before(url: str, start: Start) -> None:
    send(start(), range(5), CALM)
    send(start(), [5], [290])
    assert flags(url)[-1] == 8 | 4


def test_what_comes_late_is_held_against_what_stands_before_it(url: str, start: Start) -> None:
    pipeline = start()
    send(pipeline, range(5), CALM)
    send(pipeline, [600], [240])
    send(pipeline, [5], [240])
    send(pipeline, [601], [239])
    assert flags(url) == [0, 0, 0, 0, 0, 8, 8, 0]


def test_a_number_that_stands_is_marked_though_the_worker_restarts(url: str, start: Start) -> None:
    for half_hour in range(14):
        send(start(), [half_hour * 30 + at for at in (0, 10, 20)], [33.3] * 3)
    assert flags(url) == [0] * 36 + [16] * 6
    send(start(), [430], [34])
    assert flags(url)[-1] == 0


def test_what_the_instrument_says_stands_alone_and_is_no_measure_for_others(url: str, start: Start) -> None:
    pipeline = start()
    send(pipeline, range(5), CALM)
    send(pipeline, range(5, 10), [900.0] * 5, quality="01")
    send(pipeline, [10], [21])
    assert flags(url) == [0] * 5 + [1] * 5 + [0]


def test_a_reading_from_the_future_has_a_skewed_clock(url: str, start: Start) -> None:
    at_ms = START_MS + 10 * MINUTE_MS
    start().store([(TOPIC, {"ts": at_ms, "values": {"pm25": 20}}, (at_ms - 60_000) * 1_000)])
    assert flags(url) == [64]


def test_a_batch_that_comes_twice_keeps_the_flags_it_had(url: str, start: Start) -> None:
    pipeline = start()
    send(pipeline, range(6), [*CALM, 290])
    send(pipeline, range(6), [*CALM, 290])
    send(pipeline, [6], [21])
    assert flags(url) == [0, 0, 0, 0, 0, 12, 0]


def test_beside_another_worker_readings_are_held_against_all_that_is_stored(url: str, start: Start) -> None:
    first, second = start(alone=False), start(alone=False)
    for minute in range(6):
        send((first, second)[minute % 2], [minute], [20 + minute / 10])
    send(second, [6], [240])
    send(first, [7], [241])
    assert flags(url) == [0] * 6 + [8, 0]
