"""An MQTT broker for each test: a container of its own, or the one at THUBON_TEST_BROKER_URL, swept clean."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.containers import Server, need_engine, remove_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator

_IMAGE = "thubon-broker"
_USER = "thubon"
_PASSWORD = "for-tests-only"


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker and one account that may read and write everything."""

    url: str  # mqtt://user:password@host:port
    container: Server | None = None

    @property
    def host(self) -> str:
        """Name or address to connect to."""
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        """TCP port."""
        return urlsplit(self.url).port or 1883

    @property
    def username(self) -> str | None:
        """User of the account."""
        name = urlsplit(self.url).username
        return None if name is None else unquote(name)

    @property
    def password(self) -> str | None:
        """Password of the account."""
        word = urlsplit(self.url).password
        return None if word is None else unquote(word)

    @property
    def server(self) -> Server:
        """The container, for tests that kill or pause it."""
        if self.container is None:
            pytest.fail("this test ends the broker: it needs a container, take `fresh_broker`", pytrace=False)
        return self.container

    def kill(self) -> None:
        """End it at once (SIGKILL): sessions and queues since its last save are lost."""
        self.server.kill()

    def stop(self) -> None:
        """End it in order: it saves sessions, queues and retained messages."""
        self.server.stop()

    def start(self) -> None:
        """Start it again; returns when it answers."""
        self.server.start()

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.server.restart()


def answers(server: Server) -> None:
    """Raise unless an MQTT broker answers there."""
    # A published port of Docker accepts before anything listens behind it: only a CONNACK proves the broker.
    with socket.create_connection((server.host, server.port), timeout=2) as connection:
        connection.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x0a\x00\x03rdy")
        if connection.recv(2)[:1] != b"\x20":
            raise ConnectionError("no CONNACK")


@pytest.fixture(scope="session")
def _engine_for_brokers() -> None:
    need_engine()
    remove_orphans()


def start_broker() -> Broker:
    """A broker in a container of its own; `server.remove` ends it."""
    container = Server(_IMAGE, 1883, answers, environment={"THUBON_BROKER_USERS": f"{_USER}:{_PASSWORD}"})
    return Broker(f"mqtt://{_USER}:{_PASSWORD}@{container.host}:{container.port}", container)


def _sweep(broker: Broker) -> None:
    """Delete the retained messages that an earlier test left."""
    subscribed = threading.Event()
    retained: list[str] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"sweep-{os.getpid()}")
    client.username_pw_set(broker.username, broker.password)
    client.on_connect = lambda c, *_: c.subscribe("thubon/#", 1)
    # Not what is deleted below: each deletion comes back as a message of its own.
    client.on_message = lambda _client, _data, message: retained.append(message.topic) if message.retain else None
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        if not subscribed.wait(10):
            pytest.fail("the broker of THUBON_TEST_BROKER_URL lets nobody subscribe", pytrace=False)
        # Retained messages follow the SUBACK at once; a round trip later all of them are here.
        client.publish(f"sweep/{os.getpid()}", b"", 1).wait_for_publish(10)
        for topic in [*retained]:
            client.publish(topic, b"", 1, retain=True).wait_for_publish(10)
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """This test's broker, without sessions or retained messages of others.

    A shared broker (THUBON_TEST_BROKER_URL) keeps the sessions of earlier tests: take `client_id_prefix` for every
    client that wants a lasting session.
    """
    url = os.environ.get("THUBON_TEST_BROKER_URL")
    if url:
        shared = Broker(url)
        _sweep(shared)
        yield shared
    else:
        yield request.getfixturevalue("fresh_broker")


@pytest.fixture
def broker_url(broker: Broker) -> str:
    """Address of this test's broker, with user and password."""
    return broker.url


@pytest.fixture
def fresh_broker(_engine_for_brokers: None) -> Iterator[Broker]:
    """A broker in a container of its own, always: it may be killed, paused and started."""
    broker = start_broker()
    yield broker
    broker.server.remove()


@pytest.fixture
def client_id_prefix() -> str:
    """Start of the client ids of this test, unlike that of any other, of earlier runs too."""
    return f"test-{secrets.token_hex(4)}-"
