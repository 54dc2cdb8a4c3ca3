"""Server-sent events: what changed, as soon as it is committed."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.access import PersonDep, Role, in_scope, need
from api.dependencies import LiveQuery, ServicesDep
from api.errors import Problem
from api.grants import Person
from api.live import ChangedBatch, Ended, LiveHub, RenderedDevice, Reset, Subscription, TooManyClientsError
from api.metrics import Metrics
from api.openapi import LIVE_RESPONSES, refusals
from api.principals import Principals
from api.views.devices import check_town, find_device

router = APIRouter(prefix="/v1", tags=["live"], dependencies=[need(Role.VIEWER)])
KEEP_ALIVE_S = 15.0
REACH_S = 3.0
"""How long a client waits for a service that has just started, seconds."""
RETRY_MS = 2000
"""How long a browser waits before it connects again, milliseconds."""


@router.get(
    "/live",
    response_class=StreamingResponse,
    responses={**LIVE_RESPONSES, **refusals(400, 401, 404, 503)},
    summary="What changes, as server-sent events",
)
async def follow_changes(
    query: Annotated[LiveQuery, Query()],
    services: ServicesDep,
    person: PersonDep,
    last_event_id: Annotated[str | None, Header(description="where to go on; a browser sends it by itself")] = None,
) -> Response:
    """First `hello`, then a `change` for what concerns the filter, and `reset` when the client must load again.

    The `id` of an event is where a client goes on with `Last-Event-ID`: nothing between is missed, or `reset` says so.
    """
    await check_town(services, query.town)
    if query.device is not None:
        await find_device(services, query.device)
    if not await services.live.reached(REACH_S):
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "the database cannot be reached right now", headers={"Retry-After": "2"}
        )
    stream = _events(services.live, services.metrics, query, (services.principals, person), last_event_id)
    try:
        # The first event tells whether there is a place; later ones cannot change the status any more.
        first = await anext(stream)
    except TooManyClientsError as refusal:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(refusal), headers={"Retry-After": "30"}) from None
    return EventStream(first, stream)


Seen = tuple[Principals, Person]
"""Who listens, and who knows whether that still holds."""


class EventStream(StreamingResponse):
    """An endless answer that gives its place back the moment its client is gone."""

    def __init__(self, first: bytes, stream: AsyncGenerator[bytes, None]) -> None:
        super().__init__(
            self._all(first),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        # Left to the garbage collector, a stream whose client does not read would end some time later.
        async with aclosing(self._stream):
            await super().__call__(scope, receive, send)

    async def _all(self, first: bytes) -> AsyncGenerator[bytes, None]:
        yield first
        async for event in self._stream:
            yield event


async def _events(
    hub: LiveHub, metrics: Metrics, query: LiveQuery, seen: Seen, last_event_id: str | None
) -> AsyncGenerator[bytes, None]:
    with hub.subscribe() as subscription:
        resumed = await hub.since(last_event_id, subscription.event_id) if last_event_id else None
        # Until the missed changes are out, a client that breaks off must go on where it was.
        hello_id = last_event_id if last_event_id and resumed is not None else subscription.event_id
        metrics.count_live_event("hello")
        yield f"retry: {RETRY_MS}\n".encode() + _event("hello", msgspec.json.encode({"id": hello_id}), hello_id)
        if last_event_id and resumed is None:
            metrics.count_live_event("reset")
            yield _event("reset", b"{}", subscription.event_id)
        if resumed:
            metrics.count_live_event("change")
            yield _change(resumed, query, subscription.event_id) or _place(subscription.event_id)
        async with aclosing(_following(hub, metrics, query, seen, subscription)) as following:
            async for event in following:
                yield event


async def _following(
    hub: LiveHub, metrics: Metrics, query: LiveQuery, seen: Seen, subscription: Subscription
) -> AsyncGenerator[bytes, None]:
    principals, person = seen
    while True:
        said = await subscription.next(KEEP_ALIVE_S)
        if not await principals.holds(person):
            return
        match said:
            case ChangedBatch() as batch:
                event = _change(batch.devices, query, batch.event_id)
                if event is not None:
                    metrics.count_live_event("change")
                    yield event
            case Reset() as reset:
                metrics.count_live_event("reset")
                yield _event("reset", b"{}", reset.event_id)
            case Ended():
                return
            case None:
                yield b": keep-alive\n" + (_place(hub.event_id) if hub.event_id and subscription.drained else b"\n")


def _change(
    devices: list[RenderedDevice] | tuple[RenderedDevice, ...], query: LiveQuery, event_id: str | None
) -> bytes | None:
    wanted = [
        device.content
        for device in devices
        if in_scope(device.town_id)
        and (query.town is None or device.town_id == query.town)
        and (query.domain is None or device.domain == query.domain)
        and (query.device is None or device.device_id == query.device)
    ]
    if not wanted:
        return None
    return _event("change", b'{"devices":[' + b",".join(wanted) + b"]}", event_id)


def _event(name: str, data: bytes, event_id: str | None) -> bytes:
    place = f"id: {event_id}\n".encode() if event_id is not None else b""
    return b"event: " + name.encode() + b"\n" + place + b"data: " + data + b"\n\n"


def _place(event_id: str) -> bytes:
    """An event without data: a browser remembers the id and shows nothing."""
    return f"id: {event_id}\n\n".encode()
