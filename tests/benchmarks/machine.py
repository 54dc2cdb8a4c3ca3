"""Servers and processor time for benchmarks.

The servers run in containers on the host's network, bound to loopback: a published port would put Docker's own proxy
between the parts and measure that.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from sql.migrate import migrate_up

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A TCP port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processor_s(pid: int) -> float:
    """Processor seconds of a process so far, its threads and its ended children included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS_A_SECOND


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True, slots=True)
class Container:
    """A running container on the host's network."""

    name: str
    port: int

    def pids(self) -> list[int]:
        """All its processes, as the host numbers them."""
        return [int(line) for line in _docker("top", self.name, "-eo", "pid").splitlines()[1:]]

    def host_pid(self, inner_pid: int) -> int:
        """The number that the host gives to the process known by this number within."""
        for pid in self.pids():
            status = Path(f"/proc/{pid}/status").read_text().splitlines()
            if next(line for line in status if line.startswith("NSpid:")).split()[-1] == str(inner_pid):
                return pid
        raise LookupError(f"no process {inner_pid} in {self.name}")

    def main_pid(self) -> int:
        """Its first process, as the host numbers it."""
        return int(_docker("inspect", "-f", "{{.State.Pid}}", self.name))

    def processor_s(self) -> float:
        """Processor seconds of all its processes, ended ones included."""
        group = Path(f"/proc/{self.main_pid()}/cgroup").read_text().strip().rpartition(":")[2]
        stat = Path(f"/sys/fs/cgroup{group}/cpu.stat")
        if stat.exists():
            return int(stat.read_text().split()[1]) / 1e6
        usage = Path(f"/sys/fs/cgroup/cpuacct{group}/cpuacct.usage")
        return int(usage.read_text()) / 1e9


@contextmanager
def _container(image: str, *arguments: str, port: int, options: tuple[str, ...] = ()) -> Iterator[Container]:
    name = f"thubon-bench-{secrets.token_hex(4)}"
    _docker("run", "-d", "--rm", "--name", name, "--network", "host", *options, image, *arguments)
    try:
        yield Container(name, port)
    finally:
        subprocess.run(["docker", "rm", "-f", "-v", name], check=False, capture_output=True)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def broker(folder: Path, lines: str = "listener {port} 127.0.0.1\n") -> Iterator[Container]:
    """Mosquitto with the limits of the image and no login, on loopback; `folder` is its /own."""
    port = free_port()
    own = Path("images/broker/mosquitto.conf").read_text().splitlines()
    kept = [line for line in own if line and not line.startswith(("#", "include_dir", "persistence_location"))]
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        "\n".join([*kept, "persistence_location /tmp/", "allow_anonymous true", lines.replace("{port}", str(port))])
    )
    configuration.chmod(0o644)
    folder.chmod(0o777)
    options = ("--entrypoint", "mosquitto", "-v", f"{folder}:/own")
    with _container("thubon-broker", "-c", "/own/mosquitto.conf", port=port, options=options) as container:
        _wait_for(port)
        yield container


@contextmanager
def database(*settings: str) -> Iterator[tuple[Container, str]]:
    """TimescaleDB with the settings of the image and some more, migrated; yields it and the administrator's address."""
    port = free_port()
    options = ("-e", "POSTGRES_PASSWORD=postgres", "--shm-size", "1g")
    arguments = ("postgres", "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", *settings)
    with _container("thubon-timescaledb", *arguments, port=port, options=options) as container:
        url = f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres"
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(url, connect_timeout=2).close()
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        migrate_up(url)
        yield container, url
