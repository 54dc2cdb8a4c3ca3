"""What the broker drops is seen, summed over restarts, and makes the worker unready for an hour."""

from __future__ import annotations

import math
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ingest.broker_watch import DROPPED, RETAINED, STORED, BrokerWatch
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register
from tests.integration.ingest.test_ledger_check import ingest
from tests.integration.ingest.test_way import Publisher

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database

Ask = Callable[..., list[tuple[object, ...]]]


def test_figures_of_the_broker_reach_metrics_and_no_ledger(
    make_worker: Callable[..., WorkerProcess], database: Database, fresh_broker: Broker, rows: Ask
) -> None:
    broker = fresh_broker
    container = broker.server._container.get_wrapped_container()
    edits = ("s/max_queued_messages.*/max_queued_messages 5/", "s/sys_interval.*/sys_interval 1/")
    smaller = ["sed", "-i", *(part for edit in edits for part in ("-e", edit)), "/etc/mosquitto/mosquitto.conf"]
    assert container.exec_run(smaller, user="root").exit_code == 0
    broker.restart()
    register(database.url)
    worker = make_worker(database.ingest_url, broker.url)
    worker.start()

    def metric(name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

    wait_until(lambda: metric("thubon_broker_dropped_messages") == 0, within_s=30, what="the broker's figures")
    wait_until(lambda: metric("thubon_broker_queued_messages") < 100, within_s=30)
    assert rows("select dropped, dropped_time from broker_report") == [(0, None)]
    assert rows("select count(*) from ledger") == [(0,)]
    assert worker.readiness()["checks"]["broker_dropped"] == {"ok": True, "detail": "nothing dropped"}  # type: ignore[index]

    # An absent client's queue holds five messages: the broker drops the sixth.
    absent = paho.Client(CallbackAPIVersion.VERSION2, client_id="absent", clean_session=False)
    absent.username_pw_set(broker.username, broker.password)
    absent.on_connect = lambda client, *_: client.subscribe("elsewhere/#", 1)
    absent.on_subscribe = lambda client, *_: client.disconnect()
    absent.connect(broker.host, broker.port)
    absent.loop_forever()
    publisher = Publisher(broker)
    for number in range(25):
        publisher.send("elsewhere/x", {"number": number})
    publisher.close()
    wait_until(lambda: rows("select dropped from broker_report") == [(20,)], within_s=30, what="the drop")
    wait_until(lambda: metric("thubon_broker_dropped_messages") == 20)
    wait_until(lambda: worker.readiness().get("status") == "degraded")
    assert "broker mqtt://" in ingest(database, "ledger", "check")[1]


def test_the_sum_goes_on_over_restarts_of_broker_and_worker(database: Database, rows: Ask) -> None:
    def watch() -> BrokerWatch:
        return BrokerWatch(dsn=database.ingest_url, broker="mqtt://b:1883", worker="test")

    first = watch()
    assert math.isnan(first.dropped)
    first.report()
    assert rows("select count(*) from broker_report") == [(0,)]
    assert first.check() == (True, "the broker does not say")
    # What was dropped before it was first asked, nobody knows when, is no news.
    for told, total in (("100", 0), ("105", 5), ("107", 7), ("0", 7), ("2", 9)):
        first.notice(DROPPED, told.encode())
        first.notice(DROPPED, b"nonsense")
        first.report()
        assert first.dropped == total
    assert first.check()[0] is False
    first.close()

    second = watch()
    second.notice(DROPPED, b"2")
    second.report()
    assert second.dropped == 9
    assert second.check()[0] is False
    second.dropped_time = datetime.now(UTC) - timedelta(minutes=61)
    assert second.check()[0] is True
    second.close()


def test_the_queue_is_what_is_stored_without_what_is_retained() -> None:
    watch = BrokerWatch(dsn="", broker="", worker="")
    assert math.isnan(watch.queued)
    watch.notice(STORED, b"50")
    assert watch.queued == 50
    watch.notice(RETAINED, b"45")
    assert watch.queued == 5
