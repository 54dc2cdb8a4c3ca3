"""A publisher that knows what it sent and what the broker acknowledged, and the exact comparison with what is stored."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from tests.fleet import SLOTS
from tests.fix_worker import wait_until

if TYPE_CHECKING:
    from tests.fix_broker import Broker

Key = tuple[str, int, str]  # device, phenomenon time in ms, datastream name
_WINDOW = 2_000


@dataclass
class Sender:
    """Sends one message after the other, each of one device and time; every value is told by its number."""

    broker: Broker
    devices: list[str]
    town: str = "hoi-an"
    start_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000 - 3_600_000)
    sent: dict[int, dict[Key, float]] = field(default_factory=dict)  # by number of the message
    acknowledged: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._answered: deque[int] = deque()  # message ids; matched in the sending thread, callbacks must not wait
        self._window = threading.Semaphore(_WINDOW)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"sender-{id(self)}", clean_session=False)
        self._client.username_pw_set(self.broker.username, self.broker.password)
        self._client.max_inflight_messages_set(_WINDOW)
        self._client.reconnect_delay_set(0.1, 1) if hasattr(self._client, "reconnect_delay_set") else None
        self._client.on_publish = self._published
        self._client.connect(self.broker.host, self.broker.port)
        self._client.loop_start()

    def _published(self, _client: object, _data: object, mid: int, *_: object) -> None:
        self._answered.append(mid)
        self._window.release()

    def _match(self) -> None:
        for _ in range(len(self._answered)):
            self.acknowledged.add(self._numbers.pop(self._answered.popleft()))

    def send(self, number: int) -> None:
        """Send message `number`: three values of one device."""
        device = self.devices[number % len(self.devices)]
        ts = self.start_ms + number
        values = {SLOTS[(number + at) % len(SLOTS)]: round((number % 900) + at / 10, 1) for at in range(3)}
        self._window.acquire()
        payload = json.dumps({"ts": ts, "values": values})
        self._match()
        info = self._client.publish(f"thubon/v1/{self.town}/{device}/telemetry", payload, 1)
        self._numbers[info.mid] = number
        self.sent[number] = {(device, ts, name): value for name, value in values.items()}

    def begin(self, *, messages: int = 1_000_000, rate: float | None = None) -> None:
        """Send in the background until `finish` or until all are sent."""

        def work() -> None:
            started = time.monotonic()
            for number in range(messages):
                if self._stop.is_set():
                    return
                self.send(number)
                if rate is not None and number % 20 == 0:
                    time.sleep(max(0.0, started + number / rate - time.monotonic()))

        self._thread = threading.Thread(target=work, name="sender", daemon=True)
        self._thread.start()

    def finish(self, *, within_s: float = 60.0) -> None:
        """Stop sending and wait until the broker acknowledged everything."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(within_s)

        def answered() -> bool:
            self._match()
            return not self._numbers

        wait_until(answered, within_s=within_s, what="the broker's last acknowledgement")
        self._client.disconnect()
        self._client.loop_stop()

    def close(self) -> None:
        """Leave at once, whatever is unanswered."""
        self._stop.set()
        for _ in range(_WINDOW):
            self._window.release()
        if self._thread is not None:
            self._thread.join(10)
        self._client.disconnect()
        self._client.loop_stop()


@dataclass(frozen=True, slots=True)
class Comparison:
    """In readings."""

    sent: int
    acknowledged: int
    stored: int
    lost: int  # acknowledged and not stored
    wrong: int  # stored with another value than sent, or never sent
    doubled: int  # stored more than once: the ledger counts more than the table holds


def stored_readings(url: str) -> dict[Key, float]:
    """Everything in the table, by the narrow view."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select device_id, (extract(epoch from phenomenon_time) * 1000)::bigint,"
            " split_part(datastream_id, ':', 2), value from observation"
        ).fetchall()
    readings = {(device, ts, name): value for device, ts, name, value in rows}
    assert len(readings) == len(rows), "the view shows a reading twice"
    return readings


def count_stored(url: str) -> int:
    """Readings stored by the ledger, cheap to ask again and again."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select coalesce(sum(stored), 0) from ledger where family <> 'status'").fetchone()
    assert row is not None
    return int(row[0])


def compare(url: str, *senders: Sender) -> Comparison:
    """What was sent against what is stored, reading by reading; also proves the ledger's equation."""
    stored = stored_readings(url)
    sent: dict[Key, float] = {}
    acknowledged: set[Key] = set()
    for sender in senders:
        for number, readings in sender.sent.items():
            sent.update(readings)
            if number in sender.acknowledged:
                acknowledged.update(readings)
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select coalesce(sum(received), 0), coalesce(sum(stored + duplicate + conflict + rejected + missing), 0),"
            " coalesce(sum(stored), 0) from ledger where family <> 'status'"
        ).fetchone()
    assert row is not None
    received, accounted, counted = (int(part) for part in row)
    assert received == accounted, "the ledger's equation does not hold"
    return Comparison(
        sent=len(sent),
        acknowledged=len(acknowledged),
        stored=len(stored),
        lost=len(acknowledged - stored.keys()),
        wrong=sum(sent.get(key) != value for key, value in stored.items()),
        doubled=counted - len(stored),
    )


def wait_for_all(url: str, *senders: Sender, within_s: float = 60.0) -> None:
    """Until everything acknowledged is stored, or nothing more comes."""
    expected = sum(len(sender.sent[number]) for sender in senders for number in sender.acknowledged)
    wait_until(lambda: count_stored(url) >= expected, within_s=within_s, what=f"{expected} stored readings")
