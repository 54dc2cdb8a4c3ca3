"""A throw-away TimescaleDB for the layout benchmark, and what the server's processes cost."""

from __future__ import annotations

import secrets
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_START_WITHIN_S = 60.0


@dataclass(slots=True)
class Cost:
    """What a piece of work took, in seconds.

    Attributes:
        wall_s: By the clock, client and server together.
        server_s: Processor time of every process in the database's container.
        client_s: Processor time of this process.
    """

    wall_s: float = 0.0
    server_s: float = 0.0
    client_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where the database answers, and the file its container's processor time is read from."""

    dsn: str
    cpu_file: Path

    def cpu_s(self) -> float:
        """Processor seconds the container has used up to now."""
        text = self.cpu_file.read_text()
        if self.cpu_file.name == "cpu.stat":
            return int(text.split("usage_usec ")[1].split()[0]) / 1e6
        return int(text) / 1e9

    @contextmanager
    def cost(self) -> Iterator[Cost]:
        """What the block costs, filled in at its end."""
        cost = Cost()
        server, client, wall = self.cpu_s(), time.process_time(), time.perf_counter()
        yield cost
        cost.wall_s = time.perf_counter() - wall
        cost.client_s = time.process_time() - client
        cost.server_s = self.cpu_s() - server


@contextmanager
def database(image: str, port: int, settings: Sequence[str] = ()) -> Iterator[Server]:
    """A container of the image with its port on loopback; it is gone at the end.

    Autovacuum is off, so that it does not fall on whichever layout is being measured; the benchmark vacuums by itself.

    Args:
        image: A timescaledb image as the Dockerfile makes it.
        port: Free TCP port of loopback.
        settings: Further server settings, each `name=value`.

    Raises:
        subprocess.CalledProcessError: Docker refused.
        psycopg.OperationalError: The server did not answer within a minute.
    """
    password = secrets.token_hex(8)
    container = _docker(
        "run", "--detach", "--rm", "--shm-size=256m", f"--publish=127.0.0.1:{port}:5432",
        f"--env=POSTGRES_PASSWORD={password}", image, "postgres", "-c", "autovacuum=off",
        *(word for setting in settings for word in ("-c", setting)),
    )  # fmt: skip
    try:
        dsn = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        _wait(dsn)
        yield Server(dsn, _cpu_file(int(_docker("inspect", "--format={{.State.Pid}}", container))))
    finally:
        _docker("rm", "--force", "--volumes", container)


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def _wait(dsn: str) -> None:
    until = time.monotonic() + _START_WITHIN_S
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
        else:
            return


def _cpu_file(pid: int) -> Path:
    """Version 1 and 2 of control groups keep it in different places."""
    root = Path("/sys/fs/cgroup")
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        places = [root / mount / path.lstrip("/") / "cpuacct.usage" for mount in ("cpuacct", "cpu,cpuacct")]
        if not controllers:
            places = [root / path.lstrip("/") / "cpu.stat"]
        elif "cpuacct" not in controllers.split(","):
            continue
        for place in places:
            if place.exists():
                return place
    raise FileNotFoundError("no processor accounting of the container's control group")
