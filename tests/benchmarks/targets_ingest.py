"""Targets T1 to T6: how fast readings become committed rows, beside what the parts do alone in the same run."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from tests.benchmarks import floors, machine
from tests.benchmarks.ingest_rate import (
    EXPECTED_MESSAGES_S,
    Rate,
    ledger_total,
    measure,
    register_fleet,
    running_worker,
)
from tests.benchmarks.load import NAMES
from tests.benchmarks.report import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICES = 1_000


@contextmanager
def servers(devices: int = DEVICES, *options: str) -> Iterator[tuple[machine.Container, machine.Container, str]]:
    """A broker, a database and a registered fleet."""
    with (
        tempfile.TemporaryDirectory() as folder,
        machine.broker(Path(folder)) as broker,
        machine.database(*options) as (database, url),
    ):
        register_fleet(url, devices)
        yield broker, database, url


def _best_of(runs: int, seconds: float, shape: str) -> Rate:
    """The run with the median rate; each on new servers, so that none inherits the other's index."""
    rates = []
    for _ in range(runs):
        with servers() as (broker, database, url):
            rates.append(measure(broker, database, url, shape, seconds, DEVICES))
    for rate in rates:
        print("   ", rate, flush=True)
    return sorted(rates, key=lambda rate: rate.readings_s)[len(rates) // 2]


def t1(seconds: float) -> Iterator[Line]:
    """One device message, or one reading, at a time: against the null client on the same broker, and naive."""
    for shape in ("device", "single"):
        with servers() as (broker, database, url):
            messages = int(EXPECTED_MESSAGES_S[shape] * seconds)
            null = floors.null_rate(broker, shape, messages, DEVICES)
            rate = measure(broker, database, url, shape, seconds, DEVICES)
        with servers() as (broker, _, url):
            naive = floors.naive_rate(broker, url, shape, int(2_000 * min(seconds, 10)), DEVICES)
        print("   ", rate, flush=True)
        share, times = rate.messages_s / null, rate.messages_s / naive
        text = (
            f"{shape}: {rate.messages_s:,.0f} msg/s over {rate.seconds:.0f} s,"
            f" {share:.2f} of the null client ({null:,.0f}), {times:.0f}x naive ({naive:,.0f}) (target 0.85, 25x)"
        )
        yield Line("T1", text, met=share >= 0.85 and times >= 25)


def t2(seconds: float) -> Iterator[Line]:
    """Gateway messages, T3 and T4 from the same runs."""
    rate = _best_of(3, seconds, "gateway")
    with servers() as (_, database, url):
        floor = floors.copy_floor(database, url, devices=DEVICES, readings=20_000_000)
    ratio = rate.database_s / floor.database_s_a_million
    text = (
        f"{rate.readings_s:,.0f} readings/s committed over {rate.seconds:.0f} s (target 1,000,000),"
        f" database {rate.database_s:.2f} s/M, {ratio:.2f}x"
        f" the COPY floor of {floor.database_s_a_million:.2f} s/M, {floor.readings_s:,.0f}/s (target 1.6x)"
    )
    yield Line("T2", text, met=rate.readings_s >= 1e6 and ratio <= 1.6)
    yield Line("T3", f"{rate.bytes_a_reading:.1f} B/reading (target 30)", met=rate.bytes_a_reading <= 30)
    single = _best_of(1, seconds, "single")
    text = f"worker {single.worker_s:.2f} s/M single, {rate.worker_s:.2f} s/M gateway (target 3.0, 0.6)"
    yield Line("T4", text, met=single.worker_s <= 3.0 and rate.worker_s <= 0.6)


def t5(seconds: float) -> Iterator[Line]:
    """Publish to commit at a steady rate, by PostgreSQL's own commit timestamps."""
    for rate in (1_000, 10_000):
        with (
            servers(DEVICES, "-c", "track_commit_timestamp=on") as (broker, _, url),
            running_worker(broker, url),
        ):
            count = int(rate * seconds)
            publish_steadily(broker.port, rate, count)
            deadline = time.monotonic() + 60
            while ledger_total(url) < count:
                assert time.monotonic() < deadline, "not all of it was stored"
                time.sleep(0.1)
            with psycopg.connect(url) as connection:
                rows = connection.execute(
                    "select extract(epoch from pg_xact_commit_timestamp(xmin) - phenomenon_time) * 1000"
                    " from observation_set"
                ).fetchall()
        latencies = np.array([float(row[0]) for row in rows])
        p50, p99 = np.percentile(latencies, [50, 99])
        text = f"at {rate:,} readings/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms (target 60, 250)"
        yield Line("T5", text, met=p50 <= 60 and p99 <= 250)


def publish_steadily(port: int, rate: int, count: int) -> None:
    """Publish one reading a message at a rate, each device in turn, stamped with the time of sending."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(60_000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    started = time.perf_counter()
    last: dict[int, int] = {}
    for number in range(count):
        ahead_s = started + number / rate - time.perf_counter()
        if ahead_s > 0.001:
            time.sleep(ahead_s)
        device = number % DEVICES + 1
        last[device] = max(last.get(device, 0) + 1, time.time_ns() // 1_000_000)
        info = client.publish(
            f"thubon/v1/hoi-an/dev-{device}/telemetry", f'{{"ts":{last[device]},"values":{{"pm25":{number % 90}}}}}', 1
        )
        if number % 5_000 == 4_999:
            info.wait_for_publish(60)  # the library holds 65,535 messages at most
    info.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def t6(seconds: float) -> Iterator[Line]:
    """T1 and T2 with 100,000 devices and 100 million readings stored, against 1,000 devices and none."""
    for shape in ("device", "gateway"):
        with servers() as (broker, database, url):
            small = measure(broker, database, url, shape, seconds, DEVICES)
        with servers(100_000) as (broker, database, url):
            _fill(url, readings=100_000_000)
            large = measure(broker, database, url, shape, seconds, 100_000)
        print("   ", small, large, sep="\n    ", flush=True)
        ratio = large.messages_s / small.messages_s
        text = f"{shape}: {large.readings_s:,.0f} readings/s, {ratio:.2f} of the small and empty one (target 0.8)"
        yield Line("T6", text, met=ratio >= 0.8)


def _fill(url: str, *, readings: int) -> None:
    """History of 100,000 devices, two days ago and before; written by the server itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        steps = readings // len(NAMES) // 100_000
        for step in range(steps):
            connection.execute(
                "insert into observation_set (phenomenon_time, received_time, device_key, value_by_slot)"
                " select date_trunc('day', now()) - interval '2 days' - %s * interval '5 minutes', now(), device_key,"
                " array[11, 12.5, 14, 15.5, 17, 18.5]::float8[]"
                " from device where device_id like 'dev-%%' order by device_key",
                [step],
            )
        connection.execute("vacuum analyze observation_set")
