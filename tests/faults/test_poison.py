"""A message that the database cannot take, for whatever reason: its neighbours are stored, its bytes are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.faults.sender import Sender, compare, count_stored, wait_for_all
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_proxy import Proxy

Ask = Callable[..., list[tuple[object, ...]]]

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

_POISON = 999.25  # a value the sender never sends
_MESSAGES = 1_500


@pytest.fixture
def poisoned_database(database: Database) -> Database:
    """Its table refuses one value, as a bug of ours or of the server might."""
    with psycopg.connect(database.url) as connection:
        connection.execute(
            "create function no_poison() returns trigger language plpgsql as $$ begin"
            f"  if {_POISON} = any(new.value_by_slot) then raise exception 'poison'; end if; return new; end $$"
        )
        connection.execute(
            "create trigger no_poison before insert on observation_set for each row execute function no_poison()"
        )
    return database


def send_poison_among(sender: Sender, device: str) -> bytes:
    """Good messages with one poison among them, all in the broker before anybody takes them; its bytes."""
    payload = json.dumps({"ts": sender.start_ms, "values": {"pm25": _POISON, "no2": 4}}).encode()
    for number in range(_MESSAGES):
        if number == _MESSAGES // 2:
            sender.publish(f"thubon/v1/hoi-an/{device}/telemetry", payload)
        sender.send(number)
    return payload


def test_a_poison_message_spoils_no_neighbour(
    make_worker: Callable[..., WorkerProcess],
    poisoned_database: Database,
    broker: Broker,
    rows: Ask,
    prove: Callable[..., None],
) -> None:
    """Nor does writing a batch in parts count twice what a device may send: the limit is just above it."""
    devices = register(poisoned_database.url, devices=50)
    limit = 3 * (_MESSAGES // len(devices[1:]) + 1)
    worker = make_worker(poisoned_database.ingest_url, broker.url, THUBON_INGEST_DEVICE_READINGS_A_MINUTE=str(limit))
    worker.start()
    worker.kill()  # its session stays, so everything waits in one batch
    sender = Sender(broker, devices[1:])
    payload = send_poison_among(sender, devices[0])
    sender.finish()
    worker.start()
    wait_for_all(poisoned_database.url, sender)
    wait_until(lambda: rows("select 1 from rejection"), what="the rejection")

    kept = rows("select reason, source, readings, payload, detail like '%%poison%%' from rejection")
    assert kept == [("internal-error", devices[0], 2, payload, True)]
    assert rows("select sum(received), sum(rejected) from ledger where source = %s", devices[0]) == [(2, 2)]
    assert "it is written in parts" in worker.log.read_text(), "the poison had no neighbour in its batch"
    prove(compare(poisoned_database.url, sender), fault="poison among good messages")


def test_a_worker_killed_while_it_isolates_a_poison_loses_and_doubles_nothing(
    make_worker: Callable[..., WorkerProcess],
    make_proxy: Callable[[str], Proxy],
    poisoned_database: Database,
    broker: Broker,
    rows: Ask,
    prove: Callable[..., None],
    fault_count: int,
) -> None:
    devices = register(poisoned_database.url, devices=50)
    link = make_proxy(poisoned_database.ingest_url)
    worker = make_worker(link.url, broker.url)
    worker.start()
    worker.kill()
    sender = Sender(broker, devices[1:])
    payload = send_poison_among(sender, devices[0])
    sender.finish()
    kills = min(fault_count, 3)
    for _ in range(kills):
        before = count_stored(poisoned_database.url)
        link.slow(0.02)  # a part takes a while, so that the worker dies between the first and the last
        worker.begin()
        wait_until(lambda n=before: count_stored(poisoned_database.url) > n, within_s=30, what="a part of the batch")
        worker.kill()
        link.restore()
        assert count_stored(poisoned_database.url) < 3 * _MESSAGES, "nothing was in flight"
    worker.start()
    wait_for_all(poisoned_database.url, sender)
    wait_until(lambda: rows("select 1 from rejection"), what="the rejection")

    kept = rows("select distinct reason, source, readings, payload from rejection")
    assert kept == [("internal-error", devices[0], 2, payload)]
    prove(compare(poisoned_database.url, sender), fault="worker killed isolating a poison", runs=kills)
