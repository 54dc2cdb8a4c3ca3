"""`python -m simulators record`: what a broker carries goes into a recording, until told to stop or at a bound."""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from simulators.replaying.recordings import Recorded, open_writer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence
    from pathlib import Path

    from simulators.settings import Broker

logger = logging.getLogger(__name__)

_KEEP_ALIVE_S = 30
_NAP_S = 0.2
_CONNECT_S = 10.0


class RecordError(OSError):
    """The broker cannot be reached, refuses, or is gone; what was recorded until then is kept."""


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """What to record."""

    filters: Sequence[str]
    out: Path
    duration_s: float | None  # None: until told to stop
    messages: int  # at most
    payload_bytes: int  # at most, over all messages


def record(broker: Broker, tls: ssl.SSLContext | None, plan: RecordPlan) -> tuple[int, int]:
    """Record until the time is over, a bound is reached, or SIGINT or SIGTERM comes.

    Returns:
        Messages and payload bytes recorded.

    Raises:
        RecordError: no broker, or it went away.
        RecordingError: the file's name says no format.
        FileExistsError: a recording is never written over.
    """
    return _Recorder(broker, tls, plan).run()


class _Recorder:
    def __init__(self, broker: Broker, tls: ssl.SSLContext | None, plan: RecordPlan) -> None:
        self._plan = plan
        self._broker = broker
        self._messages = 0
        self._bytes = 0
        self._stop = False
        self._failure = ""
        self._answered = False
        self._subscribed = False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, broker.client_id("record"), protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        self._client.username_pw_set(broker.user, broker.password)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        self._writer = open_writer(plan.out)

    def run(self) -> tuple[int, int]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            self._loop()
        finally:
            self._writer.close()
        if self._failure:
            raise RecordError(f"{self._broker}: {self._failure}; {self._messages} messages are in {self._plan.out}")
        return self._messages, self._bytes

    def _loop(self) -> None:
        try:
            self._client.connect(self._broker.host, self._broker.port, _KEEP_ALIVE_S)
        except OSError as error:
            self._failure = str(error)
            return
        began = time.monotonic()
        while not self._stop and not self._failure:
            self._client.loop(_NAP_S)
            passed = time.monotonic() - began
            if not self._subscribed and passed > _CONNECT_S:
                self._failure = f"no subscription within {_CONNECT_S:g} s"
            if self._plan.duration_s is not None and passed >= self._plan.duration_s:
                self._stop = True
        self._client.on_disconnect = None
        self._client.disconnect()

    def _on_signal(self, *_: object) -> None:
        self._stop = True

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._answered = True
        if reason.is_failure:
            self._failure = f"the broker refuses: {reason}"
            return
        # The retain flag as the sender set it, not as the broker delivers.
        options = SubscribeOptions(qos=2, retainAsPublished=True)
        client.subscribe([(topic, options) for topic in self._plan.filters])

    def _on_subscribe(self, _client: paho.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._failure = f"the broker does not let us subscribe: {', '.join(refused)}"
        elif not self._subscribed:
            logger.info("recording %s of %s into %s", ", ".join(self._plan.filters), self._broker, self._plan.out)
        self._subscribed = True

    def _on_disconnect(self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        hint = "" if self._answered else " (recording takes MQTT 5; does the broker speak it at this port?)"
        self._failure = self._failure or f"connection lost: {reason}{hint}"

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if self._stop:
            return
        now_us = time.time_ns() // 1_000
        self._writer.write(Recorded(now_us, message.topic, bytes(message.payload), message.qos, bool(message.retain)))
        self._messages += 1
        self._bytes += len(message.payload)
        self._stop = self._messages >= self._plan.messages or self._bytes >= self._plan.payload_bytes
