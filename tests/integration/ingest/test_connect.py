"""How a session with the broker comes about, encrypted or not, and what the log says when it does not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import platform
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import docker.types
import pytest

from ingest.clock import SystemClock
from ingest.connect import Session
from ingest.route import subscriptions
from ingest.settings import BrokerAddress
from tests.containers import Server, free_port, need_engine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_broker import Broker

_LOGIN = {"username": "thubon", "password": "for-tests-only"}
_TLS = "certfile /tests/broker.pem\nkeyfile /tests/broker.key\ncafile /tests/ca.pem\n"
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")

StartBroker = Callable[..., Server]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away authority, a broker's and a client's certificate of it, and an authority that signed nothing."""
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)  # the broker in its container is another user

    def openssl(name: str, *options: str) -> None:
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
        subprocess.run(
            ["openssl", "req", "-x509", *_EC, "-subj", f"/CN={name}", *files, *options],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        (folder / f"{name}.key").chmod(0o644)

    for name in ("ca", "other-ca"):
        openssl(name, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:false")
    openssl("broker", *signed, "-addext", "subjectAltName=IP:127.0.0.1")
    openssl("thubon", *signed)
    return folder


@pytest.fixture(scope="module")
def start_broker(folder: Path) -> Iterator[StartBroker]:
    """Starts a broker with the given lines of configuration."""
    need_engine()
    started: list[Server] = []

    def start(name: str, lines: str, *, answers: Callable[[Server], None]) -> Server:
        (folder / f"{name}.conf").write_text(f"listener 8883\npassword_file /mosquitto/config/passwords\n{lines}")
        server = Server(
            "thubon-broker",
            8883,
            answers,
            environment={"THUBON_BROKER_USERS": f"{_LOGIN['username']}:{_LOGIN['password']}"},
            command=f"mosquitto -c /tests/{name}.conf",
            mounts=[docker.types.Mount("/tests", str(folder), type="bind", read_only=True)],
        )
        started.append(server)
        return server

    yield start
    for server in started:
        server.remove()


def _shakes_hands(server: Server) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((server.host, server.port), timeout=2) as connection,
        context.wrap_socket(connection),
    ):
        pass


@pytest.fixture(scope="module")
def tls_broker(start_broker: StartBroker) -> Server:
    """Encrypted, asks for a password."""
    return start_broker("tls", f"{_TLS}allow_anonymous false\n", answers=_shakes_hands)


@pytest.fixture(scope="module")
def certificate_broker(start_broker: StartBroker) -> Server:
    """Encrypted, asks for a client certificate and for nothing else."""
    lines = f"{_TLS}allow_anonymous false\nrequire_certificate true\nuse_identity_as_username true\n"
    return start_broker("certificate", lines, answers=_shakes_hands)


@pytest.fixture(scope="module")
def strict_broker(start_broker: StartBroker, folder: Path) -> Server:
    """Lets `thubon` in and subscribe to nothing; an ACL file would let it subscribe and send it nothing."""
    salt = b"for-tests-only"
    password = hashlib.pbkdf2_hmac("sha512", _LOGIN["password"].encode(), salt, 101, 64)
    client = {
        "username": _LOGIN["username"],
        "password": base64.b64encode(password).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": 101,
    }
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    (folder / "rights.json").write_text(json.dumps({"defaultACLAccess": access, "clients": [client]}))
    lines = "allow_anonymous false\nplugin_opt_config_file /tests/rights.json\n"
    plugin = f"plugin /usr/lib/{platform.machine()}-linux-gnu/mosquitto_dynamic_security.so\n"
    return start_broker("strict", plugin + lines, answers=_listens)


def _listens(server: Server) -> None:
    with socket.create_connection((server.host, server.port), timeout=2) as connection:
        connection.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x0a\x00\x03rdy")
        if connection.recv(2)[:1] != b"\x20":
            raise ConnectionError("no CONNACK")


Connect = Callable[..., Awaitable[bool]]


@pytest.fixture
def connect(client_id_prefix: str) -> Connect:
    """Run a session at an address until it is subscribed (True) or the log holds the words (False)."""

    async def run(log: pytest.LogCaptureFixture, *words: str, port: int, host: str = "127.0.0.1", **login: Any) -> bool:
        session = Session(
            address=BrokerAddress(host=host, port=port, **login),
            client_id=f"{client_id_prefix}connect",
            filters=subscriptions(),
            receive_maximum=100,
            session_expiry_s=60,
            keep_alive_s=10,
            maximum_packet_bytes=1_000_000,
            clock=SystemClock(),
            deliver=lambda _: None,
        )
        log.set_level(logging.INFO, logger="ingest.connect")
        running = asyncio.create_task(session.run())
        try:
            async with asyncio.timeout(10):
                while not session.ready.is_set():
                    assert not running.done()
                    if words and all(word in log.text for word in words):
                        return False
                    await asyncio.sleep(0.01)
                return True
        except TimeoutError:
            pytest.fail(f"neither subscribed nor {words} in the log: {log.text}")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return run


async def test_an_encrypted_session_with_a_password_is_subscribed(
    connect: Connect, tls_broker: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert await connect(caplog, port=tls_broker.port, tls=True, ca_file=folder / "ca.pem", **_LOGIN)


async def test_an_encrypted_session_with_a_client_certificate_is_subscribed(
    connect: Connect, certificate_broker: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"certificate_file": folder / "thubon.pem", "key_file": folder / "thubon.key"}

    assert await connect(caplog, port=certificate_broker.port, tls=True, ca_file=folder / "ca.pem", **files)


async def test_a_missing_client_certificate_is_named(
    connect: Connect, certificate_broker: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("asks for a client certificate", "THUBON_BROKER_CERTIFICATE_FILE")

    assert not await connect(caplog, *words, port=certificate_broker.port, tls=True, ca_file=folder / "ca.pem")


async def test_a_certificate_of_another_authority_is_not_trusted(
    connect: Connect, tls_broker: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("certificate is not trusted", "THUBON_BROKER_CA_FILE")

    assert not await connect(caplog, *words, port=tls_broker.port, tls=True, ca_file=folder / "other-ca.pem", **_LOGIN)


async def test_a_certificate_of_another_host_is_not_trusted(
    connect: Connect, tls_broker: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("certificate is not trusted", "localhost")
    login = {"tls": True, "ca_file": folder / "ca.pem", **_LOGIN}

    assert not await connect(caplog, *words, host="localhost", port=tls_broker.port, **login)


async def test_tls_at_a_port_without_it_is_named(
    connect: Connect, broker: Broker, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not await connect(caplog, "is not reached", port=broker.port, tls=True, ca_file=folder / "ca.pem")


async def test_a_wrong_password_is_named(connect: Connect, broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    words = ("refused us", "not authorized", "THUBON_BROKER_PASSWORD")

    assert not await connect(caplog, *words, port=broker.port, username=broker.username, password="wrong")
    assert "wrong" not in caplog.text


async def test_a_forbidden_subscription_is_named(
    connect: Connect, strict_broker: Server, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("does not let us subscribe to thubon/v1/+/+/telemetry (not authorized)",)

    assert not await connect(caplog, *words, port=strict_broker.port, **_LOGIN)


async def test_an_unknown_host_is_named(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    words = ("unknown host", "THUBON_BROKER_URL")

    assert not await connect(caplog, *words, host="no-such-host.invalid", port=1883)


async def test_a_port_where_nothing_listens_is_named(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    assert not await connect(caplog, "nothing listens at this port", port=free_port())
