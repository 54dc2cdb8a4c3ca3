"""What the broker lets in reaches a worker, however large."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from tests.fix_broker import Broker
    from tests.fix_database import Database

Ask = Callable[..., list[tuple[object, ...]]]


@pytest.mark.parametrize("payload_bytes", [300_000, 400_000, 1_048_000])
def test_a_message_the_broker_acknowledged_is_refused_as_too_large_and_never_dropped_without_a_word(
    payload_bytes: int, worker: WorkerProcess, database: Database, broker: Broker, rows: Ask
) -> None:
    register(database.url)
    worker.start()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port)
    client.loop_start()
    client.publish("thubon/v1/hoi-an/dev-1/telemetry", b"x" * payload_bytes, 1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()

    wait_until(lambda: rows("select count(*) from rejection") == [(1,)])
    assert rows("select reason, payload_bytes from rejection") == [("too-large", payload_bytes)]
