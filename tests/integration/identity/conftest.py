"""A broker with accounts of devices, the registry behind it and the program that keeps them alike: one for a module."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from docker.types import Mount

from devices.identity import credentials
from devices.identity.certificates import read_certificate
from devices.steps import run
from tests.containers import Server, need_engine, remove_orphans
from tests.fix_broker import answers
from tests.fix_leaks import outlives_the_test
from tests.fix_worker import free_port, wait_until
from tests.fleet import register
from tests.integration.identity.client import Client
from tools.development_ca import make_authority, make_device, make_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_database import Database, DatabaseServer

_PROGRAMS = "reader:for-tests-only ingest:for-tests-only simulators:for-tests-only"
_ACL = Path(__file__).parents[3] / "images" / "broker" / "acl"


@dataclass
class City:
    """A registry, its broker, and the program that keeps the broker's accounts."""

    database: Database
    broker: Server
    folder: Path  # accounts/, state/, tls/
    metrics_port: int = 0
    keeper: subprocess.Popen[bytes] | None = None

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """A new connection as the owner of the registry, to be used with `with`: it commits at its end."""
        return psycopg.connect(self.database.owner_url)

    def start_keeper(self) -> None:
        """Start `python -m devices broker keep`."""
        self.metrics_port = free_port()
        self.keeper = subprocess.Popen(
            [sys.executable, "-m", "devices", "broker", "keep"],
            env=self.settings(THUBON_METRICS_PORT=str(self.metrics_port)),
        )
        outlives_the_test(self.keeper.pid)
        wait_until(self.agrees, what="the first agreement")

    def stop_keeper(self) -> None:
        """End it in order."""
        if self.keeper is not None:
            self.keeper.terminate()
            assert self.keeper.wait(10) == 0
            self.keeper = None

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `python -m devices` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "devices", *arguments],
            env=self.settings(**settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def settings(self, **more: str) -> dict[str, str]:
        """The environment of the keeper."""
        return os.environ | {
            "THUBON_DATABASE_URL": self.database.identity_url,
            "THUBON_BROKER_ACCOUNTS_FILE": str(self.folder / "accounts" / "accounts"),
            "THUBON_BROKER_STATE_FILE": str(self.folder / "state" / "accounts.json"),
            "THUBON_BROKER_CA_FILE": str(self.folder / "tls" / "ca.crt"),
            "THUBON_BROKER_CERTIFICATE_FILE": str(self.folder / "tls" / "server.crt"),
            **more,
        }

    def device(self, name: str, *, town: str = "hoi-an") -> str:
        """Register a device called `<name>-1`."""
        return register(self.database.url, devices=1, prefix=name, town=town)[0]

    def password(self, device_id: str, **options: Any) -> str:
        """Issue a password and wait until it is good."""
        with self.connection as connection:
            (issued,) = run(connection, credentials.issue_passwords([device_id], by="test", **options))
        self.settle()
        return issued.password

    def certificate(self, device_id: str, *, days: float = 30, registered: bool = True) -> Path:
        """Make a certificate, register it and wait until it is good."""
        if not registered:
            make_device(self.folder / "tls", device_id, days)
            return self.folder / "tls" / f"{device_id}.crt"
        file = self.certificate_without_waiting(device_id, days=days)
        self.settle()
        return file

    def certificate_without_waiting(self, device_id: str, *, days: float) -> Path:
        """Make a certificate and register it."""
        file = self.certificate(device_id, days=days, registered=False)
        with self.connection as connection:
            found = read_certificate(file.read_bytes(), now=datetime.now(UTC))
            run(connection, credentials.register_certificate(found, by="test"))
        return file

    def agrees(self) -> bool:
        """Whether the keeper of this moment found registry and broker alike."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
                return b"\nthubon_identity_agrees 1.0" in answer.read()
        except OSError:
            return False

    def pending(self) -> list[tuple[str, str]]:
        """Accounts in which broker and registry differ."""
        with self.connection as connection:
            return connection.execute("select device_id, change from broker_account_pending").fetchall()

    def settle(self) -> None:
        """Wait until broker and registry agree; the promise is 2 s."""
        wait_until(lambda: not self.pending(), within_s=2.0, what="the broker's word")

    def client(self, user: str, password: str | None = None, **options: Any) -> Client:
        """A client of the broker, connected or refused."""
        return Client(self.broker, user, password, **options)

    def by_certificate(self, file: Path, client_id: str, **options: Any) -> Client:
        """The same with a certificate."""
        return Client(self.broker, None, None, client_id=client_id, certificate=file, ca=self.ca, **options)

    @property
    def ca(self) -> Path:
        """Certificate of the authority."""
        return self.folder / "tls" / "ca.crt"

    def reader(self, *topics: str) -> Client:
        """A program that hears these topics."""
        client = self.client("ingest", "for-tests-only", client_id="thubon-ingest-test")
        for topic in topics:
            assert client.subscribe(topic)
        return client


@pytest.fixture(scope="module")
def city(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A city of its own for the module, with the keeper running."""
    need_engine()
    remove_orphans()
    folder = tmp_path_factory.mktemp("identity")
    for name, mode in (("accounts", 0o755), ("state", 0o777), ("tls", 0o755)):
        (folder / name).mkdir()
        (folder / name).chmod(mode)
    make_authority(folder / "tls")
    make_server(folder / "tls", ["localhost", "127.0.0.1"], 30)
    (folder / "tls" / "server.key").chmod(0o644)
    broker = Server(
        "thubon-broker",
        1883,
        answers,
        environment={
            "THUBON_BROKER_USERS": _PROGRAMS,
            "THUBON_BROKER_ACL": "/etc/mosquitto/acl",
            "THUBON_BROKER_ACCOUNTS": "/mosquitto/accounts/accounts",
            "THUBON_BROKER_KNOCKS": "yes",
            "THUBON_BROKER_CERTIFICATE_FILE": "/tls/server.crt",
            "THUBON_BROKER_KEY_FILE": "/tls/server.key",
            "THUBON_BROKER_CA_FILE": "/tls/ca.crt",
        },
        more_ports=(8883, 8884),
        mounts=[
            Mount("/mosquitto/accounts", str(folder / "accounts"), "bind", read_only=True),
            Mount("/mosquitto/state", str(folder / "state"), "bind"),
            Mount("/tls", str(folder / "tls"), "bind", read_only=True),
        ],
    )
    database = database_server.clone()
    city = City(database, broker, folder)
    city.start_keeper()
    try:
        yield city
    finally:
        city.stop_keeper()
        broker.remove()
        database_server.drop(database.name)
