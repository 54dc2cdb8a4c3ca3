"""What the parts do alone, in one run: broker to null client, PostgreSQL with a ready stream, the naive program."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import psycopg

from ingest import copy_binary
from ingest.records import Block
from tests.benchmarks.load import NAMES

if TYPE_CHECKING:
    from tests.benchmarks.machine import Container

_BATCH_ROWS = 8_333


def start_load(port: int, shape: str, messages: int, devices: int, *options: str) -> subprocess.Popen[str]:
    """The publisher, with options of its command line; it starts at a line on its standard input."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.load", str(port), shape, str(messages), str(devices), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(publisher: subprocess.Popen[str]) -> None:
    """Let the publisher begin."""
    assert publisher.stdin is not None
    publisher.stdin.write("go\n")
    publisher.stdin.flush()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line a process prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{process.args} ended with {process.wait()}"
    return line.strip()


def null_rate(broker: Container, shape: str, messages: int, devices: int, *options: str) -> float:
    """Messages a second from the publisher through the broker to a client that throws them away."""
    client = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.null_client", str(broker.port), str(messages)],
        stdout=subprocess.PIPE,
        text=True,
    )
    publisher = start_load(broker.port, shape, messages, devices, *options)
    try:
        line_of(client)
        line_of(publisher)
        go(publisher)
        return messages / float(line_of(client))
    finally:
        for process in (client, publisher):
            process.kill()
            process.wait()


def naive_rate(broker: Container, url: str, shape: str, messages: int, devices: int) -> float:
    """Messages a second of the naive program."""
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.naive", str(broker.port), url, str(messages)],
        stdout=subprocess.PIPE,
        text=True,
    )
    publisher = start_load(broker.port, shape, messages, devices)
    try:
        line_of(program)
        line_of(publisher)
        go(publisher)
        return messages / float(line_of(program))
    finally:
        for process in (program, publisher):
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class CopyFloor:
    """PostgreSQL alone taking rows like ours."""

    readings_s: float
    database_s_a_million: float


def copy_floor(database: Container, url: str, *, devices: int, readings: int) -> CopyFloor:
    """COPY of ready, sorted batches into a table with the layout and unique index of observation_set."""
    rows = readings // len(NAMES)
    times = rows // devices
    start_us = time.time_ns() // 1_000 - times * 1_000_000
    streams = []
    rows_a_device = max(1, _BATCH_ROWS // devices)
    for first in range(0, times, rows_a_device):
        count = min(rows_a_device, times - first)
        device = np.repeat(np.arange(1, devices + 1, dtype=np.int32), count)
        time_us = start_us + np.tile(np.arange(first, first + count, dtype=np.int64), devices) * 1_000_000
        block = Block(
            layout=0,
            device=device,
            time_us=time_us,
            received_us=time_us,
            message=np.zeros(len(device), dtype=np.int32),
            value=np.tile(np.array([10 + 1.5 * at for at in range(len(NAMES))]), (len(device), 1)),
            quality=np.zeros((len(device), len(NAMES)), dtype=np.int16),
        )
        streams.append(b"".join((copy_binary.HEADER, copy_binary.encode(block, device), copy_binary.TRAILER)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table floor (like observation_set)")
        connection.execute(
            "select create_hypertable('floor', 'phenomenon_time', chunk_time_interval => interval '1 day',"
            " create_default_indexes => false)"
        )
        connection.execute("create unique index on floor (device_key, phenomenon_time)")
        before, started = database.processor_s(), time.perf_counter()
        for stream in streams:
            with connection.cursor().copy(
                "copy floor (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot)"
                " from stdin (format binary)"
            ) as copy:
                copy.write(stream)
        elapsed, spent = time.perf_counter() - started, database.processor_s() - before
        connection.execute("drop table floor")
    stored = times * devices * len(NAMES)
    return CopyFloor(readings_s=stored / elapsed, database_s_a_million=1e6 * spent / stored)
