"""An MQTT client that tells what it was allowed, at MQTT 5: the broker's reasons reach it there."""

from __future__ import annotations

import queue
import ssl
import threading
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from pathlib import Path

    from tests.containers import Server

_WAIT_S = 10.0


class _Context(ssl.SSLContext):
    """Remembers its sockets: paho loses those whose handshake fails, unclosed."""

    def __init__(self, *_: Any) -> None:
        self.sockets: list[ssl.SSLSocket] = []

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        wrapped = super().wrap_socket(*arguments, **options)
        self.sockets.append(wrapped)
        return wrapped


class Client:
    """One connection.

    Args:
        broker: where.
        user: None with a certificate.
        password: of the user.
        client_id: the user name where none is given.
        will: topic and payload of the last will.
        will_retain: whether the broker is asked to keep the will for who subscribes later.
        certificate: PEM file beside its key.
        ca: trust this authority, at port 8883 without and 8884 with a certificate.
        expiry_s: how long the broker keeps the session.
    """

    def __init__(
        self,
        broker: Server,
        user: str | None,
        password: str | None,
        *,
        client_id: str | None = None,
        will: tuple[str, bytes] | None = None,
        will_retain: bool = False,
        certificate: Path | None = None,
        ca: Path | None = None,
        expiry_s: int = 0,
    ) -> None:
        self._answered = threading.Event()
        self._context: _Context | None = None
        self._answers: queue.Queue[Any] = queue.Queue()
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.ended = threading.Event()
        self.reason = ""
        self.refusal = ""
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id if client_id is not None else user,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        if user is not None:
            self._paho.username_pw_set(user, password)
        if will is not None:
            self._paho.will_set(will[0], will[1], 1, retain=will_retain)
        port = broker.port
        if ca is not None:
            context = _Context(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(ca)
            self._context = context
            port = broker.port_of(8883)
            if certificate is not None:
                context.load_cert_chain(certificate, certificate.with_suffix(".key"))
                port = broker.port_of(8884)
            self._paho.tls_set_context(context)
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_publish = lambda _c, _u, _m, reason, _p: self._answers.put(reason)
        self._paho.on_subscribe = lambda _c, _u, _m, reasons, _p: self._answers.put(reasons[0])
        self._paho.on_message = lambda _c, _u, message: self.messages.put((message.topic, message.payload))
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = expiry_s
        try:
            self._paho.connect(broker.host, port, keepalive=30, properties=properties)
        except (ssl.SSLError, ConnectionError) as error:
            self.refusal = f"TLS: {error}"
            self.close()
            return
        self._paho.loop_start()
        assert self._answered.wait(_WAIT_S)
        if self.refusal or self.ended.is_set():
            self.refusal = self.refusal or "the connection was closed"
            self.close()

    def __enter__(self) -> Self:
        assert not self.refusal, self.refusal
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def publish(self, topic: str, payload: bytes = b"{}") -> bool:
        """Whether the broker took it (QoS 1)."""
        self._paho.publish(topic, payload, 1)
        return not self._answers.get(timeout=_WAIT_S).is_failure

    def subscribe(self, topic: str) -> bool:
        """Whether the broker lets us hear it."""
        self._paho.subscribe(topic, 1)
        return not self._answers.get(timeout=_WAIT_S).is_failure

    def hears(self, within_s: float = _WAIT_S) -> tuple[str, bytes] | None:
        """The next message; None where none comes."""
        try:
            return self.messages.get(timeout=within_s)
        except queue.Empty:
            return None

    def cut(self) -> None:
        """Let the connection break, so that the broker sends the last will."""
        sock = self._paho.socket()
        assert sock is not None
        sock.close()
        self.close()

    def close(self) -> None:
        """Say goodbye."""
        self._paho.disconnect()
        self._paho.loop_stop()
        open_sockets = self._context.sockets if self._context is not None else [self._paho.socket()]
        for each in open_sockets:
            if each is not None:
                each.close()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.refusal = str(reason)
        self._answered.set()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.reason = str(reason)
        self.ended.set()
        self._answered.set()
