"""Servers and workers that die in the middle: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.faults.sender import Sender, compare, settle, strike, wait_for_all, wait_for_flight, wait_for_more
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_proxy import Proxy

Prove = Callable[..., None]

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1_200)]


def slow_link(make_proxy: Callable[..., Proxy], database: Database) -> str:
    """A way to the database on which a COMMIT takes so long that at any moment something is in flight."""
    link = make_proxy(database.ingest_url)
    link.slow(0.01)
    return link.url


def test_a_worker_killed_under_load_loses_and_doubles_nothing(
    make_worker: Callable[..., WorkerProcess],
    make_proxy: Callable[..., Proxy],
    database: Database,
    broker: Broker,
    prove: Prove,
    fault_count: int,
) -> None:
    devices = register(database.url, devices=50)
    worker = make_worker(slow_link(make_proxy, database), broker.url)
    worker.start()
    sender = Sender(broker, devices)
    sender.begin()
    strike(database.url, sender, worker.kill, worker.start, times=fault_count)
    sender.finish()
    wait_for_all(database.url, sender)

    prove(compare(database.url, sender), fault="worker killed", runs=fault_count)


def test_a_worker_that_acknowledges_before_commit_is_caught(
    make_worker: Callable[..., WorkerProcess], make_proxy: Callable[..., Proxy], database: Database, broker: Broker
) -> None:
    """The mutation: were PUBACK sent at receipt, the kill test would see the loss."""
    devices = register(database.url, devices=50)
    link = make_proxy(database.ingest_url)
    worker = make_worker(link.url, broker.url)
    worker.command = ("-m", "tests.faults.early_worker")
    worker.start()
    sender = Sender(broker, devices)
    sender.begin()
    link.slow(0.5)  # so that at any moment some batch is on its way to the table
    time.sleep(1.0)
    worker.kill()
    link.restore()
    worker.start()
    sender.finish()
    settle(database.url)

    assert compare(database.url, sender).lost > 0


def test_a_killed_database_loses_and_doubles_nothing(
    make_worker: Callable[..., WorkerProcess],
    killable_database: Database,
    broker: Broker,
    prove: Prove,
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
        wait_for_more(sender)
        time.sleep(random.uniform(0.0, 0.5))
        killable_database.server.start()
        wait_until(worker.ready, within_s=30, what="the worker's recovery")
    sender.finish()
    wait_for_all(killable_database.url, sender)

    prove(compare(killable_database.url, sender), fault="database killed", runs=fault_count)


def test_a_restarted_database_loses_and_doubles_nothing(
    make_worker: Callable[..., WorkerProcess], killable_database: Database, broker: Broker, prove: Prove
) -> None:
    devices = register(killable_database.url, devices=50)
    worker = make_worker(killable_database.ingest_url, broker.url)
    worker.start()
    sender = Sender(broker, devices)
    sender.begin()
    time.sleep(1.0)
    killable_database.server.stop()
    wait_for_more(sender)
    killable_database.server.start()
    sender.finish()
    wait_for_all(killable_database.url, sender)

    prove(compare(killable_database.url, sender), fault="database restarted")


def test_a_restarted_broker_loses_and_doubles_nothing(
    make_worker: Callable[..., WorkerProcess], database: Database, fresh_broker: Broker, prove: Prove, fault_count: int
) -> None:
    devices = register(database.url, devices=50)
    worker = make_worker(database.ingest_url, fresh_broker.url)
    worker.start()
    sender = Sender(fresh_broker, devices)
    sender.begin(rate=3_000)
    for _ in range(fault_count):
        time.sleep(random.uniform(0.3, 1.0))
        fresh_broker.stop()
        wait_until(lambda: sender.unanswered > 0, what="messages in flight")
        fresh_broker.start()
        wait_until(worker.ready, within_s=30, what="the worker's return")
    time.sleep(0.5)
    sender.finish()
    wait_for_all(database.url, sender)

    prove(compare(database.url, sender), fault="broker restarted", runs=fault_count)


@pytest.mark.parametrize("fault", ["cut", "slow", "deaf"])
@pytest.mark.parametrize("link", ["broker", "database"])
def test_a_bad_link_loses_and_doubles_nothing(
    link: str,
    fault: str,
    make_worker: Callable[..., WorkerProcess],
    make_proxy: Callable[..., Proxy],
    database: Database,
    broker: Broker,
    prove: Prove,
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
            wait_for_more(sender)
            time.sleep(0.5)
        elif fault == "slow":
            proxy.slow(0.2)
            wait_for_flight(database.url, sender)
            time.sleep(2.0)
        else:
            proxy.deafen()
            wait_for_more(sender)
            time.sleep(4.5)
        proxy.restore()
        wait_until(worker.ready, within_s=60, what="the worker's recovery")
    sender.finish()
    wait_for_all(database.url, sender, patience_s=90)

    prove(compare(database.url, sender), fault=f"link to {link} {fault}", runs=min(fault_count, 5))


@pytest.mark.parametrize("share", ["readers", ""])
def test_two_workers_one_killed_lose_and_double_nothing(
    share: str,
    make_worker: Callable[..., WorkerProcess],
    make_proxy: Callable[..., Proxy],
    database: Database,
    broker: Broker,
    prove: Prove,
    fault_count: int,
) -> None:
    """By shared subscription, and with both workers taking all: each message is then stored once all the same."""
    devices = register(database.url, devices=50)
    settings = {"THUBON_INGEST_SHARE": share} if share else {}
    workers = [make_worker(database.ingest_url, broker.url, **settings) for _ in (1, 2)]
    for worker in workers:
        worker.start()
    sender = Sender(broker, devices)
    sender.begin(rate=3_000)
    for _ in range(fault_count):
        time.sleep(random.uniform(0.3, 1.0))
        victim = random.choice(workers)
        victim.kill()
        wait_for_flight(database.url, sender)
        victim.start()
    sender.finish()
    wait_for_all(database.url, sender)

    prove(
        compare(database.url, sender),
        fault=f"one of two workers killed, {'shared' if share else 'each all'}",
        runs=fault_count,
    )
