"""A publisher that knows what it sent and what the broker acknowledged; the exact comparison with what is stored."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.fix_worker import wait_until
from tests.fleet import SLOTS

if TYPE_CHECKING:
    from collections.abc import Callable

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
    sent_at: dict[int, float] = field(default_factory=dict)  # monotonic seconds

    def __post_init__(self) -> None:
        self._numbers: dict[int, int | None] = {}  # by message id; None: of `publish`
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
            number = self._numbers.pop(self._answered.popleft())
            if number is not None:
                self.acknowledged.add(number)

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
        self.sent_at[number] = time.monotonic()
        self.sent[number] = {(device, ts, name): value for name, value in values.items()}

    def publish(self, topic: str, payload: bytes) -> None:
        """Send any message beside the numbered ones."""
        self._window.acquire()
        self._match()
        self._numbers[self._client.publish(topic, payload, 1).mid] = None

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

    def acknowledged_readings(self) -> int:
        """How many readings the broker has acknowledged; a little less while the sending thread is on its way."""
        return 3 * len(self.acknowledged)

    @property
    def unanswered(self) -> int:
        """Messages sent and not acknowledged."""
        return len(self._numbers)

    def settle(self, *, within_s: float = 60.0) -> None:
        """Wait until the broker acknowledged everything; only while nothing is sent in the background."""

        def answered() -> bool:
            self._match()
            return not self._numbers

        wait_until(answered, within_s=within_s, what="the broker's last acknowledgement")

    def finish(self, *, within_s: float = 60.0) -> None:
        """Stop sending, wait until the broker acknowledged everything, and leave."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(within_s)
        self.settle(within_s=within_s)
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


def stored_readings(url: str, *, only: str = "") -> dict[Key, float]:
    """What the table holds, by the narrow view, of devices whose ids start with `only`."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select device_id, (extract(epoch from phenomenon_time) * 1000)::bigint,"
            " split_part(datastream_id, ':', 2), value from observation where starts_with(device_id, %s)",
            [only],
        ).fetchall()
    readings = {(device, ts, name): value for device, ts, name, value in rows}
    assert len(readings) == len(rows), "the view shows a reading twice"
    return readings


def count_stored(url: str, *, only: str = "") -> int:
    """Readings stored by the ledger, cheap to ask again and again; `only` as for `compare`."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select coalesce(sum(stored), 0) from ledger where family <> 'status' and starts_with(source, %s)", [only]
        ).fetchone()
    assert row is not None
    return int(row[0])


def settle(url: str, *, only: str = "") -> None:
    """Until no more is stored for a second; `only` as for `compare`."""
    stored, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        now = count_stored(url, only=only)
        if now != stored:
            stored, since = now, time.monotonic()
        time.sleep(0.1)


def strike(
    url: str, sender: Sender, blow: Callable[[], None], revive: Callable[[], None], *, times: int, pause_s: float = 1.0
) -> None:
    """Deal a blow until it hit `times` times: something acknowledged to the sender was not yet committed.

    Args:
        url: the database, which must answer after the blow.
        sender: must be sending.
        blow: ends what commits; nothing is committed after it.
        revive: starts it again.
        times: blows that have to hit; the others do not count.
        pause_s: longest pause before a blow.
    """
    hits = 0
    for _ in range(3 * times):
        time.sleep(random.uniform(0.3, 1.0) * pause_s)
        before = sender.acknowledged_readings()
        blow()
        hits += before > count_stored(url)
        revive()
        if hits == times:
            return
    pytest.fail(f"{hits} of {3 * times} blows hit something in flight, {times} had to")


def wait_for_flight(url: str, sender: Sender) -> None:
    """Until something is acknowledged to the sender and not stored."""
    wait_until(
        lambda: sender.acknowledged_readings() > count_stored(url), within_s=20, what="anything in flight to the table"
    )


def wait_for_more(sender: Sender) -> None:
    """Until the broker acknowledged more than now; while nothing can be stored, that is in flight."""
    before = sender.acknowledged_readings()
    wait_until(lambda: sender.acknowledged_readings() > before, within_s=20, what="anything in flight to the worker")


def compare(url: str, *senders: Sender, only: str = "") -> Comparison:
    """What was sent against what is stored, reading by reading; also proves the ledger's equation.

    Args:
        url: the database.
        senders: of all that should stand there.
        only: start of the ids of their devices, where other devices send too.
    """
    stored = stored_readings(url, only=only)
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
            " coalesce(sum(stored) filter (where starts_with(source, %s)), 0) from ledger where family <> 'status'",
            [only],
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


def wait_for_all(url: str, *senders: Sender, only: str = "", patience_s: float = 60.0) -> None:
    """Until everything acknowledged is stored, or nothing more came for that long; `only` as for `compare`.

    What waits behind twenty kills takes a busy machine minutes, so it is silence that fails, not slowness.
    """
    expected = sum(len(sender.sent[number]) for sender in senders for number in sender.acknowledged)
    stored, grew = -1, time.monotonic()
    while True:
        asked = time.monotonic()
        now = count_stored(url, only=only)
        if now >= expected:
            return
        if now > stored:
            stored, grew = now, asked
        assert asked < grew + patience_s, f"of {expected} readings {stored} are stored, no more came"
        time.sleep(max(0.02, 2 * (time.monotonic() - asked)))  # a count over a large table must not hold up the writer
