"""The HTTP server around the application."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from api.settings import ApiSettings

BACKLOG = 512
SHUTDOWN_S = 5
"""How long answers under way may take once the end is asked for, seconds."""


def listen(settings: ApiSettings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        OSError: the address is taken or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    # The protocol is named although it is the default: asyncio sends small packets at once only on sockets that bear
    # it, and without that every answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.http_host.strip("[]"), settings.http_port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class Server(uvicorn.Server):
    """Serves one application; leaves signals to its owner, who calls `end`.

    The server of the library would raise a signal again after an ordered end, and that end is no failure.
    """

    def __init__(self, app: FastAPI, settings: ApiSettings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,  # the metrics count requests; a line for each would say nothing more
                log_config=None,
                lifespan="on",
                server_header=False,
                proxy_headers=True,
                forwarded_allow_ips=settings.http_trusted_proxies,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=SHUTDOWN_S,
            )
        )
        self._app = app

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield

    def end(self) -> None:
        """End in order: streams of /v1/live first, else they would hold up the rest."""
        self._app.state.services.live.close()
        self.should_exit = True
