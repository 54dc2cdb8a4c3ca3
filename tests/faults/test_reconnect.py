"""Messages without a timestamp over a broken link, and towns that move from worker to worker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.faults.sender import Sender, compare, count_stored, settle, wait_for_all, wait_for_more
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_proxy import Proxy

Ask = Callable[..., list[tuple[object, ...]]]
Prove = Callable[..., None]

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]


def test_unstamped_messages_that_come_again_after_a_cut_are_stored_once(
    make_worker: Callable[..., WorkerProcess],
    make_proxy: Callable[[str], Proxy],
    database: Database,
    broker: Broker,
    rows: Ask,
    fault_count: int,
) -> None:
    """The broker marks them as sent before; the worker knows their bytes and gives them the time they had."""
    (device,) = register(database.url, devices=1)
    to_broker, to_database = make_proxy(broker.url), make_proxy(database.ingest_url)
    worker = make_worker(to_database.url, to_broker.url)
    worker.start()
    sender = Sender(broker, [device])
    cuts = min(fault_count, 5)
    messages = 200
    for cut in range(cuts):
        to_database.deafen()  # so that nothing is acknowledged
        for number in range(messages):
            # Every second one has the bytes of the one before: they are two readings all the same.
            sender.publish(f"thubon/v1/hoi-an/{device}/telemetry", json.dumps({"pm25": number // 2}).encode())
        time.sleep(0.5)
        assert count_stored(database.url) == cut * messages, "nothing was in flight"
        connections = to_broker.connections
        to_broker.break_connections()
        wait_until(lambda seen=connections: to_broker.connections > seen, what="a new connection")
        time.sleep(0.5)
        to_database.restore()
        wait_until(lambda n=cut: count_stored(database.url) >= (n + 1) * messages, within_s=30, what="all messages")
    sender.finish()
    wait_until(lambda: rows("select sum(duplicate) > 0 from ledger") == [(True,)], what="the redelivered")
    assert worker.stop() == 0

    ((received, stored, duplicate),) = rows("select sum(received), sum(stored), sum(duplicate) from ledger")
    assert (stored, received) == (cuts * messages, cuts * messages + duplicate)
    values = rows("select value::int, count(*)::int from observation group by 1 order by 1")
    assert values == [(value, 2 * cuts) for value in range(messages // 2)]


def test_towns_move_between_workers_and_one_is_killed(
    make_worker: Callable[..., WorkerProcess], database: Database, broker: Broker, prove: Prove, fault_count: int
) -> None:
    """Fixed partitions: a worker is added for one town, then taken from the other, then killed."""
    towns = ("hoi-an", "tam-ky")
    senders = [Sender(broker, register(database.url, devices=25, town=town, prefix=town), town=town) for town in towns]
    first, second = (make_worker(database.ingest_url, broker.url, THUBON_INGEST_WORKER=f"worker-{n}") for n in (1, 2))
    first.start()
    for sender in senders:
        sender.begin(rate=1_000)
    time.sleep(0.3)
    second.start(THUBON_INGEST_TOWNS="tam-ky")
    first.kill()
    first.start(THUBON_INGEST_TOWNS="hoi-an")
    for _ in range(fault_count):
        second.kill()
        settle(database.url, only="tam-ky")  # what the first had still in its session
        stored = count_stored(database.url, only="tam-ky")
        wait_for_more(senders[1])
        assert count_stored(database.url, only="tam-ky") == stored, "the first worker still takes the second's town"
        second.start(THUBON_INGEST_TOWNS="tam-ky")
    for sender in senders:
        sender.finish()
    wait_for_all(database.url, *senders)

    prove(compare(database.url, *senders), fault="one of two town workers killed", runs=fault_count)
