"""The HTTP server around the application."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from api.settings import ApiSettings

SHUTDOWN_S = 5
"""How long answers under way may take once the end is asked for, seconds."""


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
