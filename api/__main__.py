"""`python -m api`: serves the HTTP API and the page until it is told to end; `create-admin` makes an administrator."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING

from pydantic import ValidationError

from api.create_admin import add_arguments, create_admin
from api.server import Server, listen
from api.settings import ApiSettings, describe_settings, read_settings, wrong_settings

if TYPE_CHECKING:
    import socket

SWITCH_INTERVAL_S = 0.0005
EXIT_DONE, EXIT_FAILED, EXIT_WRONG_SETTINGS = 0, 1, 2
_log = logging.getLogger("api")


def main() -> int:
    """Read arguments and settings, serve, and answer the exit status: 0 done, 1 failed, 2 wrong settings or usage."""
    parser = argparse.ArgumentParser(
        prog="python -m api",
        description="Serves the HTTP API at /v1, its description at /docs and the page at /.",
        epilog="settings, from the environment:\n" + describe_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", title="commands", description="without one it serves")
    create = commands.add_parser("create-admin", help="make an administrator, or give a lost one a new password")
    add_arguments(create)
    arguments = parser.parse_args()
    # Boards are made in threads beside the event loop: without this a request would wait 5 ms for each of its steps.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        settings = read_settings()
    except ValidationError as error:
        print(wrong_settings(error), file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    if arguments.command == "create-admin":
        return create_admin(arguments, settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # The pool would repeat itself for as long as the database is away; live push says it once, /readyz for as long.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its own start and end lines repeat ours
    try:
        listener = listen(settings)
    except OSError as error:
        print(
            f"cannot listen on THUBON_HTTP_HOST {settings.http_host}, THUBON_HTTP_PORT {settings.http_port}: "
            f"{error.strerror or error}",
            file=sys.stderr,
        )
        return EXIT_FAILED
    with listener:
        return asyncio.run(_serve(settings, listener))


async def _serve(settings: ApiSettings, listener: socket.socket) -> int:
    # A second of work that a wrong setting or a taken port need not wait for.
    from api.main import create_app  # noqa: PLC0415

    server = Server(create_app(settings), settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.end)
    _log.info("listening on http://%s:%s%s", settings.http_host, settings.http_port, _door(settings))
    await server.serve(sockets=[listener])
    _log.info("ended")
    return EXIT_DONE if server.started else EXIT_FAILED


def _door(settings: ApiSettings) -> str:
    return ", open to everybody on this machine" if settings.open_viewer else ""


if __name__ == "__main__":
    sys.exit(main())
