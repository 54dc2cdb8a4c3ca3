"""Containers the tests start: on loopback, on a port that outlives a restart, removed also after a killed run."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Inside a virtual machine that looks like a container the library would hand out the bridge's address; and its
# clean-up container cannot be pulled everywhere: `remove_orphans` does that work.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
os.environ["TESTCONTAINERS_CONNECTION_MODE"] = "docker_host"
os.environ["TESTCONTAINERS_HOST_OVERRIDE"] = "127.0.0.1"

from testcontainers.core.container import DockerContainer

_OWNER_LABEL = "thubon.tests.pid"


def free_port() -> int:
    """A TCP port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A container with one published port; it can be killed and started again at the same address.

    Args:
        image: image name, built by tools/docker_images.sh.
        port: the port inside.
        ready: raises until the server answers at (host, port).
        environment: variables of the container.
        command: instead of the image's own.
        volume: folder inside that lies in memory, and its mount options; gone when the container ends.
        more_ports: further ports inside; `port_of` tells where they are.
        options: of `docker run`.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        image: str,
        port: int,
        ready: Callable[[Server], None],
        *,
        environment: dict[str, str],
        command: str | None = None,
        volume: tuple[str, str] | None = None,
        more_ports: Sequence[int] = (),
        **options: Any,
    ) -> None:
        self._ports = {each: free_port() for each in (port, *more_ports)}
        self.port = self._ports[port]
        self._ready = ready
        self._container = DockerContainer(image, command=command, env=environment)
        # The library's own port methods publish on every address of the machine.
        self._container.ports = {str(inside): (self.host, ours) for inside, ours in self._ports.items()}  # type: ignore[misc]
        if volume is not None:
            self._container.with_tmpfs_mount(*volume)
        self._container.with_kwargs(labels={_OWNER_LABEL: str(os.getpid())}, **options)
        try:
            self._container.start()
        except docker.errors.ImageNotFound:
            self._container.stop()
            pytest.fail(f"the image {image} is missing: run tools/docker_images.sh (make test does)", pytrace=False)
        self._wait()

    def port_of(self, inside: int) -> int:
        """Our port for a port inside."""
        return self._ports[inside]

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL); what was not written down is lost."""
        self._container.get_wrapped_container().kill()

    def stop(self, *, within_s: int = 10) -> None:
        """End it in order."""
        self._container.get_wrapped_container().stop(timeout=within_s)

    def start(self) -> None:
        """Start it again with its data, at its old address; returns when it answers."""
        self._container.get_wrapped_container().start()
        self._wait()

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze its processes: connections stay open and nothing answers."""
        self._container.get_wrapped_container().pause()

    def unpause(self) -> None:
        """Thaw what `pause` froze."""
        self._container.get_wrapped_container().unpause()

    @property
    def running(self) -> bool:
        """Whether its process runs, paused or not."""
        container = self._container.get_wrapped_container()
        container.reload()
        return bool(container.attrs["State"]["Running"])

    def execute(self, *command: str) -> str:
        """Run a command inside; answers what it wrote, fails the test when it fails."""
        result = self._container.exec(list(command))
        output = result.output.decode()
        assert result.exit_code == 0, f"{command} in the container: {output}"
        return output

    def logs(self) -> str:
        """What it wrote so far."""
        return "".join(part.decode(errors="replace") for part in self._container.get_logs())

    def make_ready(self) -> None:
        """Bring it back to a running, answering state, whatever a test did to it."""
        container = self._container.get_wrapped_container()
        container.reload()
        if container.attrs["State"]["Paused"]:
            self.unpause()
        if not self.running:
            container.start()
        self._wait()

    def remove(self) -> None:
        """End it and delete its data."""
        self._container.stop()

    def _wait(self, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self._ready(self)
            except Exception as error:  # noqa: BLE001 (each client has its own errors; the last one is shown)
                last = error
            if time.monotonic() > deadline or not self.running:
                pytest.fail(f"the server did not come up: {last}\n{self.logs()}", pytrace=False)
            time.sleep(0.05)


def need_engine() -> None:
    """Fail the test, saying what to do, unless a Docker engine answers."""
    try:
        client = docker.from_env(timeout=15)
        try:
            client.ping()
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        pytest.fail(f"no Docker engine answers ({error}): run tools/docker_engine.sh (make test does)", pytrace=False)


def remove_orphans() -> None:
    """Remove the containers of test runs that are gone."""
    client = docker.from_env(timeout=15)
    try:
        for container in client.containers.list(all=True, filters={"label": _OWNER_LABEL}, ignore_removed=True):
            if not Path("/proc", container.labels[_OWNER_LABEL]).exists():
                container.remove(force=True, v=True)
    finally:
        client.close()
