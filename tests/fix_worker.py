"""A worker as a process of its own, as it runs in a town."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fix_broker import Broker
    from tests.fix_database import Database

_START_S = 20.0


def free_port() -> int:
    """A TCP port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ask: Callable[[], object], *, within_s: float = 10.0, what: str = "it") -> None:
    """Ask again and again until the answer is true."""
    deadline = time.monotonic() + within_s
    while not ask():
        assert time.monotonic() < deadline, f"{what} did not come within {within_s} s"
        time.sleep(0.02)


@dataclass
class WorkerProcess:
    """`python -m ingest worker` with the settings of one test."""

    environment: dict[str, str]
    log: Path
    command: tuple[str, ...] = ("-m", "ingest", "worker")
    process: subprocess.Popen[bytes] | None = field(default=None)
    port: int = 0

    def start(self, **settings: str) -> None:
        """Start it and wait until it is subscribed."""
        self.begin(**settings)
        wait_until(self.ready, within_s=_START_S, what="the worker's readiness")

    def begin(self, **settings: str) -> None:
        """Start it without waiting."""
        self.port = free_port()
        environment = {**self.environment, **settings, "THUBON_METRICS_PORT": str(self.port)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, *self.command], env=environment, stderr=log)

    def readiness(self) -> dict[str, object]:
        """What /readyz says; empty while nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return dict(json.load(error))
        except OSError:
            return {}

    def ready(self) -> bool:
        """Whether it is subscribed and can write."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return self.readiness().get("status") == "ok"

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def make_worker(tmp_path: Path, client_id_prefix: str) -> Iterator[Callable[..., WorkerProcess]]:
    """Makes workers, not yet started: give the database's and the broker's address, and settings."""
    made: list[WorkerProcess] = []

    def make(database_url: str, broker_url: str, **settings: str) -> WorkerProcess:
        process = WorkerProcess(
            environment={
                **os.environ,
                "THUBON_DATABASE_URL": database_url,
                "THUBON_BROKER_URL": broker_url,
                # A name nobody else has: a shared broker keeps the sessions of earlier tests.
                "THUBON_INGEST_WORKER": f"{client_id_prefix}{len(made) + 1}",
                "THUBON_DISK_RESERVE_BYTES": "1000000",
                # Tests send a day's worth of readings within a minute of phenomenon time.
                "THUBON_INGEST_DEVICE_READINGS_A_MINUTE": "1000000000",
                **settings,
            },
            log=tmp_path / f"worker-{len(made) + 1}.log",
        )
        made.append(process)
        return process

    yield make
    for process in made:
        if process.process is not None and process.process.poll() is None:
            process.kill()
        if process.log.exists():
            sys.stdout.write(process.log.read_text())  # shown when the test fails


@pytest.fixture
def worker(database: Database, broker: Broker, make_worker: Callable[..., WorkerProcess]) -> WorkerProcess:
    """A worker of this test's database and broker, not yet started."""
    return make_worker(database.ingest_url, broker.url)


@pytest.fixture
def rows(database: Database) -> Callable[..., list[tuple[object, ...]]]:
    """Ask this test's database."""

    def ask(query: str, *parameters: object) -> list[tuple[object, ...]]:
        with psycopg.connect(database.url) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[call-overload,no-any-return]

    return ask
