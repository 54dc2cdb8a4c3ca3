"""The database's disk fills up and is freed: the worker waits, the broker holds the data, all of it arrives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.sender import Sender, compare, count_stored, wait_for_all, wait_for_more
from tests.fix_database import Database, DatabaseServer, start_database_server
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fix_broker import Broker

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

_DATA = "/var/lib/postgresql/data"
_SIZE_MB = 300
_FULL = "No space left on device"
# A full disk ends PostgreSQL when the write-ahead log meets it first; the loop starts it again, as compose does, within
# the container, whose end would free the volume. The log is small, so that the volume holds it several times.
_POSTGRES = "postgres -c shared_buffers=32MB -c max_wal_size=64MB -c min_wal_size=32MB -c log_min_messages=warning"
_COMMAND = f"sh -c 'while :; do {_POSTGRES}; sleep 0.3; done'"


@pytest.fixture(scope="module")
def small_server() -> Iterator[DatabaseServer]:
    server = start_database_server(_COMMAND, volume=(_DATA, f"size={_SIZE_MB}m"))
    yield server
    server.close()


@pytest.fixture
def small_database(small_server: DatabaseServer) -> Iterator[Database]:
    """A database on a volume of a few hundred megabytes."""
    database = small_server.clone()
    yield database
    free_disk(small_server)
    small_server.container.make_ready()
    small_server.drop(database.name)


def free_mb(server: DatabaseServer) -> int:
    return int(server.container.execute("df", "-Pm", _DATA).splitlines()[-1].split()[3])


def fill_disk(server: DatabaseServer, *, leave_mb: int) -> None:
    """Lay a file beside the database that leaves this much."""
    taken = free_mb(server) - leave_mb
    assert taken > 0, "the volume is too small for this test"
    server.container.execute("fallocate", "-l", f"{taken}M", f"{_DATA}/ballast")


def free_disk(server: DatabaseServer) -> None:
    server.container.execute("rm", "-f", f"{_DATA}/ballast")


def test_a_full_disk_loses_and_doubles_nothing(
    small_database: Database,
    broker: Broker,
    make_worker: Callable[..., WorkerProcess],
    prove: Callable[..., None],
) -> None:
    """PostgreSQL really meets it; the worker is killed meanwhile, so what it had acknowledged would be missed."""
    server = small_database.server
    devices = register(small_database.url, devices=50)
    worker = make_worker(small_database.ingest_url, broker.url, THUBON_DISK_RESERVE_BYTES="0")
    worker.start()
    sender = Sender(broker, devices)
    sender.begin(rate=4_000)
    fill_disk(server, leave_mb=8)
    wait_until(lambda: _FULL in server.container.logs(), within_s=60, what="a full disk")
    wait_until(lambda: not worker.ready(), within_s=20, what="the worker's notice of it")
    wait_for_more(sender)
    worker.kill()
    worker.begin()
    wait_for_more(sender)
    free_disk(server)
    wait_until(worker.ready, within_s=60, what="the worker's recovery")
    sender.finish()
    wait_for_all(small_database.url, sender)

    prove(compare(small_database.url, sender), fault="database disk full")


def test_before_the_disk_is_full_the_worker_takes_no_more(
    small_database: Database,
    broker: Broker,
    make_worker: Callable[..., WorkerProcess],
    prove: Callable[..., None],
) -> None:
    """With the reserve kept, PostgreSQL never meets a full disk."""
    server = small_database.server
    said = len(server.container.logs())
    devices = register(small_database.url, devices=50)
    worker = make_worker(small_database.ingest_url, broker.url, THUBON_DISK_RESERVE_BYTES=str(80_000_000))
    worker.start()
    sender = Sender(broker, devices)
    sender.begin(rate=1_000)
    wait_until(lambda: count_stored(small_database.url) > 0, what="a stored reading")
    fill_disk(server, leave_mb=70)
    wait_until(lambda: not worker.ready(), within_s=20, what="the worker's notice of little space")
    stored = count_stored(small_database.url)
    wait_for_more(sender)
    time.sleep(1.0)
    assert count_stored(small_database.url) == stored
    assert free_mb(server) > 40
    free_disk(server)
    wait_until(worker.ready, within_s=20, what="the worker's recovery")
    sender.finish()
    wait_for_all(small_database.url, sender)

    prove(compare(small_database.url, sender), fault="database disk reserve reached")
    assert _FULL not in server.container.logs()[said:]
