"""The database is away for minutes at full load: the worker's memory stays flat, the broker holds the data."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from tests.faults.sender import Sender, compare, count_stored, wait_for_all
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_proxy import Proxy

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1_800)]

_RECEIVE_MAXIMUM = 16_000
_MESSAGES = 900_000  # well below what the broker of the image queues
_MAY_GROW_MB = 128
"""Twice THUBON_INGEST_BATCH_BYTES of payload may wait before the worker reads no more, and in objects a byte of payload
takes up to four; what 16,000 messages of this test take is far less, also when the broker sends them again."""


class MemoryWatch:
    """Samples a process's resident memory until it is left."""

    def __init__(self, pid: int) -> None:
        self._statm = Path(f"/proc/{pid}/statm")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.first_mb = self.now_mb()
        self.most_mb = self.first_mb

    def now_mb(self) -> float:
        return int(self._statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _work(self) -> None:
        while not self._ended.wait(0.2):
            self.most_mb = max(self.most_mb, self.now_mb())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)


def test_an_outage_of_the_database_is_held_by_the_broker_and_not_by_the_worker(
    make_worker: Callable[..., WorkerProcess],
    make_proxy: Callable[[str], Proxy],
    killable_database: Database,
    broker: Broker,
    prove: Callable[..., None],
    fault_count: int,
) -> None:
    """The link to the broker breaks meanwhile, so that all that is unacknowledged comes again, thrice."""
    outage_s = 6.0 if fault_count == 1 else min(30.0 * fault_count, 600.0)
    devices = register(killable_database.url, devices=50)
    link = make_proxy(broker.url)
    worker = make_worker(killable_database.ingest_url, link.url)
    worker.start()
    sender = Sender(broker, devices)
    sender.begin(rate=_MESSAGES / outage_s)
    time.sleep(2.0)
    assert worker.process is not None
    with MemoryWatch(worker.process.pid) as memory:
        killable_database.server.stop()
        wait_until(lambda: not worker.ready(), what="the worker's notice of the outage")
        before = sender.acknowledged_readings()
        started = time.monotonic()
        wait_until(
            lambda: sender.acknowledged_readings() - before > 3 * _RECEIVE_MAXIMUM,
            within_s=60,
            what="more at the broker than a worker may have open",
        )
        for _ in range(4):
            time.sleep(outage_s / 4)
            link.break_connections()
        outage_s = time.monotonic() - started
        killable_database.server.start()
        wait_until(worker.ready, within_s=60, what="the worker's recovery")
        stored_at_return = count_stored(killable_database.url)
        sender.finish()
        wait_for_all(killable_database.url, sender, patience_s=120)
    grown_mb = memory.most_mb - memory.first_mb

    assert sender.acknowledged_readings() > stored_at_return, "nothing was in flight"
    assert grown_mb < _MAY_GROW_MB
    prove(
        compare(killable_database.url, sender),
        fault=f"database away {outage_s:.0f} s",
        note=f"worker {memory.first_mb:.0f} MB, at most {memory.most_mb:.0f} MB",
    )
