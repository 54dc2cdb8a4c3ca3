"""`python -m simulators replay`: plays a recording or a series to a broker, at any speed, byte for byte repeatable."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from simulators.replaying.shifting import shifted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

    from simulators.journal import Journal
    from simulators.replaying.recordings import Recorded
    from simulators.settings import Broker

_KEEP_ALIVE_S = 30
_NAP_S = 0.05
_ANSWER_S = 30.0
WINDOW = 500
"""Messages that wait for their acknowledgement at a time."""


class ReplayError(OSError):
    """The broker cannot be reached, refuses, or does not acknowledge."""


@dataclass(slots=True)
class Replayed:
    """What a replay did."""

    messages: int = 0
    acknowledged: int = 0
    sha256: str = ""  # over topic, QoS, retain flag and payload of everything that was sent, in order


def moved(messages: Iterable[Recorded], shift_us: int) -> Iterator[Recorded]:
    """The messages with all their times later by `shift_us`."""
    for message in messages:
        payload = shifted(message.payload, shift_us)
        yield type(message)(message.received_us + shift_us, message.topic, payload, message.qos, message.retain)


def replay(
    broker: Broker,
    tls: ssl.SSLContext | None,
    messages: Iterable[Recorded],
    speed: float | None,
    journal: Journal | None,
) -> Replayed:
    """Publish messages in their order.

    Args:
        broker: where to; one connection sends all, so its account must be allowed to.
        tls: for mqtts, else None.
        messages: what; their distances in time are kept.
        speed: how many times as fast as recorded; None: as fast as the broker acknowledges.
        journal: takes what is sent, for the judge.

    Raises:
        ReplayError: no broker, or it does not acknowledge.
    """
    return _Player(broker, tls, speed, journal).play(messages)


class _Player:
    def __init__(
        self, broker: Broker, tls: ssl.SSLContext | None, speed: float | None, journal: Journal | None
    ) -> None:
        self._broker = broker
        self._speed = speed
        self._journal = journal
        self._done = Replayed()
        self._open: dict[int, int] = {}  # packet id -> number in the journal
        self._failure = ""
        self._connected = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2, broker.client_id("replay"), reconnect_on_failure=False)
        self._client.username_pw_set(broker.user, broker.password)
        self._client.max_inflight_messages_set(WINDOW)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    def play(self, messages: Iterable[Recorded]) -> Replayed:
        digest = hashlib.sha256()
        try:
            self._client.connect(self._broker.host, self._broker.port, _KEEP_ALIVE_S)
        except OSError as error:
            raise ReplayError(f"{self._broker}: {error}") from error
        self._wait_until(lambda: self._connected)
        began, first_us = time.monotonic(), None
        for message in messages:
            first_us = message.received_us if first_us is None else first_us
            if self._speed is not None:
                due = began + (message.received_us - first_us) / 1e6 / self._speed
                while (rest := due - time.monotonic()) > 0:
                    self._turn(min(rest, _NAP_S))
            self._wait_until(lambda: len(self._open) < WINDOW)
            self._send(message)
            digest.update(f"{message.topic}\0{message.qos}\0{message.retain}\0{len(message.payload)}\0".encode())
            digest.update(message.payload)
        self._wait_until(lambda: not self._open)
        self._client.on_disconnect = None
        self._client.disconnect()
        self._done.sha256 = digest.hexdigest()
        return self._done

    def _send(self, message: Recorded) -> None:
        number = 0
        if self._journal is not None:
            number = self._journal.sent(
                message.topic, message.payload, qos=message.qos, retain=message.retain, device="replay"
            )
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        self._done.messages += 1
        if message.qos:
            self._open[info.mid] = number
        else:
            self._turn(0.0)

    def _turn(self, seconds: float) -> None:
        self._client.loop(seconds)
        if self._failure:
            raise ReplayError(f"{self._broker}: {self._failure}; {self._done.acknowledged} messages acknowledged")

    def _wait_until(self, done: Any) -> None:
        deadline = time.monotonic() + _ANSWER_S
        while not done():
            self._turn(_NAP_S)
            if time.monotonic() > deadline:
                raise ReplayError(f"{self._broker}: no answer within {_ANSWER_S:g} s")

    def _on_connect(self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._connected = not reason.is_failure
        if reason.is_failure:
            self._failure = f"the broker refuses: {reason}"

    def _on_disconnect(self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._failure = self._failure or f"connection lost: {reason}"

    def _on_publish(self, _client: paho.Client, _data: Any, mid: int, _reason: Any, _properties: Any) -> None:
        number = self._open.pop(mid, None)
        if number is None:
            return
        self._done.acknowledged += 1
        if self._journal is not None:
            self._journal.acknowledged(number)
