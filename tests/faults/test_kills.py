"""Servers and workers that die in the middle: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.faults.sender import Comparison, Sender, compare, count_stored, wait_for_all
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_proxy import Proxy

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1_200)]


def exact(result: Comparison) -> None:
    """Everything acknowledged stands there once, as sent."""
    print(result)
    assert result.acknowledged > 0
    assert (result.lost, result.wrong, result.doubled) == (0, 0, 0)


def test_a_worker_killed_under_load_loses_and_doubles_nothing(
    worker: WorkerProcess, database: Database, broker: Broker, fault_count: int
) -> None:
    devices = register(database.url, devices=50)
    worker.start()
    sender = Sender(broker, devices)
    sender.begin()
    in_flight = 0
    for _ in range(fault_count):
        time.sleep(random.uniform(0.3, 1.5))
        worker.kill()
        in_flight += 3 * len(sender.acknowledged) > count_stored(database.url)
        worker.start()
    sender.finish()
    wait_for_all(database.url, sender)

    exact(compare(database.url, sender))
    assert in_flight == fault_count, "a kill hit nothing in flight"


def test_a_worker_that_acknowledges_before_commit_is_caught(
    worker: WorkerProcess, database: Database, broker: Broker
) -> None:
    """The mutation: were PUBACK sent at receipt, the kill test would see the loss."""
    worker.command = ("-m", "tests.faults.early_worker")
    devices = register(database.url, devices=50)
    worker.start()
    sender = Sender(broker, devices)
    sender.begin()
    for _ in range(6):  # one kill alone may fall between two batches
        time.sleep(0.5)
        worker.kill()
        worker.start()
    sender.finish()
    time.sleep(3.0)

    result = compare(database.url, sender)

    assert result.lost > 0
    sender.close()


def test_a_killed_database_loses_and_doubles_nothing(
    make_worker: Callable[..., WorkerProcess],
    killable_database: Database,
    broker: Broker,
    fault_count: int,
) -> None:
    devices = register(killable_database.url, devices=50)
    worker = make_worker(killable_database.ingest_url, broker.url)
    worker.start()
    sender = Sender(broker, devices)
    sender.begin()
    for _ in range(fault_count):
        time.sleep(random.uniform(0.3, 1.5))
        killable_database.server.kill()
        time.sleep(random.uniform(0.0, 1.0))
        killable_database.server.start()
        wait_until(worker.ready, within_s=30, what="the worker's recovery")
    sender.finish()
    wait_for_all(killable_database.url, sender)

    exact(compare(killable_database.url, sender))


def test_a_restarted_database_loses_and_doubles_nothing(
    make_worker: Callable[..., WorkerProcess], killable_database: Database, broker: Broker
) -> None:
    devices = register(killable_database.url, devices=50)
    worker = make_worker(killable_database.ingest_url, broker.url)
    worker.start()
    sender = Sender(broker, devices)
    sender.begin()
    time.sleep(1.0)
    killable_database.server.restart()
    sender.finish()
    wait_for_all(killable_database.url, sender)

    exact(compare(killable_database.url, sender))


def test_a_restarted_broker_loses_and_doubles_nothing(
    make_worker: Callable[..., WorkerProcess], database: Database, fresh_broker: Broker, fault_count: int
) -> None:
    devices = register(database.url, devices=50)
    worker = make_worker(database.ingest_url, fresh_broker.url)
    worker.start()
    sender = Sender(fresh_broker, devices)
    sender.begin(rate=3_000)
    for _ in range(fault_count):
        time.sleep(random.uniform(0.5, 1.5))
        fresh_broker.restart()
        wait_until(worker.ready, within_s=30, what="the worker's return")
    time.sleep(0.5)
    sender.finish()
    wait_for_all(database.url, sender)

    exact(compare(database.url, sender))


@pytest.mark.parametrize("fault", ["cut", "slow", "deaf"])
@pytest.mark.parametrize("link", ["broker", "database"])
def test_a_bad_link_loses_and_doubles_nothing(
    link: str,
    fault: str,
    make_worker: Callable[..., WorkerProcess],
    make_proxy: Callable[[str], Proxy],
    database: Database,
    broker: Broker,
    fault_count: int,
) -> None:
    devices = register(database.url, devices=50)
    proxy = make_proxy(broker.url if link == "broker" else database.ingest_url)
    worker = make_worker(
        proxy.url if link == "database" else database.ingest_url,
        proxy.url if link == "broker" else broker.url,
        THUBON_INGEST_KEEP_ALIVE_S="2",
    )
    worker.start()
    sender = Sender(broker, devices)
    sender.begin(rate=2_000)
    for _ in range(min(fault_count, 5)):
        time.sleep(1.0)
        if fault == "cut":
            proxy.cut()
            time.sleep(1.0)
        elif fault == "slow":
            proxy.slow(0.2)
            time.sleep(2.0)
        else:
            proxy.deafen()
            time.sleep(5.0)
        proxy.restore()
        wait_until(worker.ready, within_s=60, what="the worker's recovery")
    sender.finish()
    wait_for_all(database.url, sender, within_s=90)

    exact(compare(database.url, sender))


@pytest.mark.parametrize("share", ["readers", ""])
def test_two_workers_one_killed_lose_and_double_nothing(
    share: str, make_worker: Callable[..., WorkerProcess], database: Database, broker: Broker, fault_count: int
) -> None:
    """By shared subscription, and with both workers taking everything (each message is then stored once all the same)."""
    devices = register(database.url, devices=50)
    settings = {"THUBON_INGEST_SHARE": share} if share else {}
    workers = [
        make_worker(database.ingest_url, broker.url, THUBON_INGEST_WORKER=f"worker-{number}", **settings)
        for number in (1, 2)
    ]
    for worker in workers:
        worker.start()
    sender = Sender(broker, devices)
    sender.begin(rate=3_000)
    for _ in range(fault_count):
        time.sleep(random.uniform(0.5, 1.5))
        victim = random.choice(workers)
        victim.kill()
        time.sleep(0.5)
        victim.start()
    sender.finish()
    wait_for_all(database.url, sender)

    exact(compare(database.url, sender))
