"""The broker dies (SIGKILL): what reached a worker is stored; what it had acknowledged and not yet saved may be lost.

Mosquitto writes sessions and queues to its disk every `autosave_interval` seconds, not before it acknowledges. The
window is stated in docs/operating.md; this counts what falls into it.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import mqtt5
import pytest

from tests.faults.sender import Key, Sender, compare, settle, stored_readings, wait_for_more
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_proxy import Proxy

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1_200)]

_SAVED = "/mosquitto/data/mosquitto.db"


class Tap:
    """Listens to what a broker sends to a worker."""

    def __init__(self) -> None:
        self._streams: dict[int, bytearray] = defaultdict(bytearray)

    def __call__(self, connection: int, data: bytes) -> None:
        self._streams[connection] += data

    def readings(self) -> set[Key]:
        """Every reading of every telemetry message that was carried whole."""
        found: set[Key] = set()
        for stream in self._streams.values():
            view, at = memoryview(bytes(stream)), 0
            try:
                while True:
                    packet, size = mqtt5.read(view[at:])
                    at += size
                    if isinstance(packet, mqtt5.PublishPacket) and packet.topic.endswith("/telemetry"):
                        body, device = json.loads(packet.payload), packet.topic.split("/")[3]
                        found.update((device, body["ts"], name) for name in body["values"])
            except IndexError:  # the rest is no whole packet
                continue
        return found


def save(broker: Broker) -> None:
    """Have the broker write its sessions and queues to its disk."""

    def saved_at() -> str:
        return broker.server.execute("sh", "-c", f"stat -c %y {_SAVED} 2>/dev/null || true")

    before = saved_at()
    broker.server.execute("sh", "-c", "kill -USR1 1")
    wait_until(lambda: saved_at() != before, what="the broker's saved state")


def named_loss(url: str, sender: Sender, killed_at: list[float]) -> str:
    """Which messages are lost: how many of them, and how long before a kill the first was sent."""
    stored = stored_readings(url)
    lost = [number for number in sorted(sender.acknowledged) if not sender.sent[number].keys() <= stored.keys()]
    if not lost:
        return "no message lost"
    before_s = max(
        min(at for at in killed_at if at >= sender.sent_at[number]) - sender.sent_at[number] for number in lost
    )
    return f"{len(lost)} messages lost, {lost[0]} the first, sent at most {before_s:.2f} s before the kill"


def test_what_reached_a_worker_before_the_broker_was_killed_is_stored(
    make_worker: Callable[..., WorkerProcess],
    make_proxy: Callable[..., Proxy],
    database: Database,
    fresh_broker: Broker,
    prove: Callable[..., None],
    fault_count: int,
) -> None:
    devices = register(database.url, devices=50)
    tap = Tap()
    link = make_proxy(fresh_broker.url, tap=tap)
    worker = make_worker(database.ingest_url, link.url)
    worker.start()
    save(fresh_broker)  # the session and its subscriptions: a broker that never saved them knows no worker
    sender = Sender(fresh_broker, devices)
    sender.begin(rate=3_000)
    killed_at = []
    for _ in range(fault_count):
        wait_for_more(sender)
        time.sleep(random.uniform(0.3, 1.0))
        killed_at.append(time.monotonic())
        fresh_broker.kill()
        wait_until(lambda: sender.unanswered > 0, what="messages in flight")
        fresh_broker.start()
        wait_until(worker.ready, within_s=30, what="the worker's return")
    time.sleep(0.5)
    sender.finish()
    settle(database.url)

    reached = tap.readings()
    assert reached, "nothing reached the worker"
    assert not reached - stored_readings(database.url).keys(), "what reached the worker is lost"
    note = named_loss(database.url, sender, killed_at)
    prove(compare(database.url, sender), fault="broker killed", runs=fault_count, may_lose=True, note=note)


def test_of_what_waited_in_a_killed_broker_all_is_stored_that_it_had_saved(
    fresh_broker: Broker,
    database: Database,
    make_worker: Callable[..., WorkerProcess],
    prove: Callable[..., None],
) -> None:
    """With no worker there the whole window is seen."""
    devices = register(database.url, devices=50)
    worker = make_worker(database.ingest_url, fresh_broker.url)
    worker.start()
    assert worker.stop() == 0
    sender = Sender(fresh_broker, devices)
    for number in range(3_000):
        sender.send(number)
    sender.settle()
    save(fresh_broker)
    saved = set(sender.acknowledged)
    for number in range(3_000, 6_000):
        sender.send(number)
    sender.settle()
    killed_at = [time.monotonic()]
    fresh_broker.kill()
    fresh_broker.start()
    worker.start()
    sender.finish()
    settle(database.url)

    stored = stored_readings(database.url).keys()
    assert all(sender.sent[number].keys() <= stored for number in saved), "what the broker had saved is lost"
    assert len(saved) == 3_000
    assert len(sender.acknowledged) > len(saved), "nothing was in flight"
    note = named_loss(database.url, sender, killed_at)
    prove(compare(database.url, sender), fault="broker killed, no worker there", may_lose=True, note=note)
