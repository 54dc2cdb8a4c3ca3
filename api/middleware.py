"""What is done to every request and answer, whatever the route."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from api.errors import problem_response
from api.settings import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.metrics import Metrics
    from api.throttle import Allowance

BODY_BYTES_MAX: Final = 16_384
READ_BYTES_MAX: Final = 1_048_576
"""How much of a refused body is still read and thrown away: a client that is cut off while it sends sees no answer."""
SECURITY_HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """Puts the security headers on every answer; strict transport security where the client came by https."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class CountRequests:
    """Counts every answer and times it to its start, under the template of its route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Paths no route knows share one label: a stranger must not be able to make new ones.
                route = getattr(scope.get("route"), "path", "unknown")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.count_request(route, method, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, send_and_count)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AnswerHead:
    """Answers HEAD as GET without the body, but for endless answers."""

    def __init__(self, app: ASGIApp, endless: frozenset[str]) -> None:
        self._app = app
        self._endless = endless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] in self._endless:
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)


class LimitBody:
    """Refuses a body longer than any request needs, told or not, before anything is made of it.

    Args:
        app: what comes next.
        bytes_max: of a body.
        unless: paths whose view reads its body itself, within a bound of its own, once it knows who asks.
    """

    def __init__(self, app: ASGIApp, bytes_max: int = BODY_BYTES_MAX, unless: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._unless = unless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["path"] in self._unless or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        received = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            received += len(message.get("body", b""))
            if received <= self._bytes_max:
                body += message.get("body", b"")
            more = message.get("more_body", False) and received <= READ_BYTES_MAX
        if received > self._bytes_max:
            detail = f"the body may have at most {self._bytes_max} bytes"
            await problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers={"Connection": "close"})(
                scope, receive, send
            )
            return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def receive_whole() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, receive_whole, send)


class LimitRequests:
    """Answers 429 to an address that asks too much; what is for machines on this one is left out."""

    def __init__(self, app: ASGIApp, allowance: Allowance, metrics: Metrics) -> None:
        self._app = app
        self._allowance = allowance
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1"):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        wait_s = self._allowance.take(client[0] if client else "unknown")
        if wait_s == 0.0:
            await self._app(scope, receive, send)
            return
        self._metrics.throttled.inc()
        detail = "too many requests from this address; wait"
        headers = {"Retry-After": str(int(wait_s) + 1)}
        await problem_response(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)(scope, receive, send)


def _has_body(headers: Headers) -> bool:
    return headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers


class OnlyLocalNames:
    """Refuses names that are not this machine's: a foreign page can point a name of its own at an open viewer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not is_loopback(_host_name(Headers(scope=scope).get("Host", ""))):
            detail = "served without login, so only under a name of this machine, such as localhost or 127.0.0.1"
            await problem_response(HTTPStatus.MISDIRECTED_REQUEST, detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _host_name(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host
