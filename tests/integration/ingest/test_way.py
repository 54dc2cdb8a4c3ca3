"""From a published message to committed rows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database

Ask = Callable[..., list[tuple[object, ...]]]


class Publisher:
    """A device's client: publishes at QoS 1 and knows what was acknowledged."""

    def __init__(self, broker: Broker) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(broker.username, broker.password)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def send(self, topic: str, payload: object, *, retain: bool = False) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._client.publish(topic, data, 1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_a_message_becomes_an_observation_a_latest_value_and_a_ledger_entry(
    worker: WorkerProcess, database: Database, broker: Broker, rows: Ask
) -> None:
    register(database.url)
    worker.start()
    publisher = Publisher(broker)
    ts = int(time.time() * 1000) - 5000

    publisher.send("thubon/v1/hoi-an/dev-1/telemetry", {"ts": ts, "values": {"pm25": 31.2, "no2": 4}, "quality": "01"})
    publisher.send("thubon/v1/hoi-an/dev-1/telemetry", [{"ts": ts, "values": {"pm10": 50}}])
    publisher.send(
        "thubon/v1/hoi-an/dev-1/telemetry", {"ts": ts, "values": {"pm10": 51, "o3": None, "humidity": "high"}}
    )
    publisher.send("thubon/v1/hoi-an/dev-2/telemetry", {"temperature": 29.5})
    publisher.send("thubon/v1/hoi-an/dev-1/status", b"online", retain=True)
    publisher.close()
    wait_until(lambda: rows("select count(*) from ledger where family = 'status'") == [(1,)])
    wait_until(lambda: rows("select count(*) from batch_log") == [(0,)])

    stored = rows("select datastream_id, value, quality from observation order by 1")
    assert stored == [
        ("dev-1:humidity", 2.0, 4),
        ("dev-1:no2", 4.0, 1),
        ("dev-1:pm10", 50.0, 0),
        ("dev-1:pm25", 31.2, 1),
        ("dev-2:temperature", 29.5, 0),
    ]
    latest = rows("select datastream_id, value, quality from latest_observation order by 1")
    assert latest == stored
    ledger = rows(
        "select town_id, source, received, stored, duplicate, conflict, rejected, missing from ledger"
        " where family = 'telemetry' order by source"
    )
    assert ledger == [("hoi-an", "dev-1", 6, 4, 0, 1, 0, 1), ("hoi-an", "dev-2", 1, 1, 0, 0, 0, 0)]
    assert rows("select reason, readings, subjects->0->>'value' from rejection") == [("conflict", 1, "51.0")]
    assert rows("select word from device_status") == [("online",)]
    assert worker.stop() == 0
