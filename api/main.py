"""Composes the application: settings in, ASGI out. Nothing here decides anything."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from api.database import Database
from api.dependencies import need_viewer, single_parameters
from api.errors import install_error_handlers
from api.live import LiveHub
from api.metrics import Metrics
from api.middleware import AnswerHead, CountRequests, LimitBody, OnlyLocalNames, SecurityHeaders
from api.names import load_names
from api.openapi import DESCRIPTION, describe
from api.operations.service import Operations
from api.overview import Overviews
from api.readiness import ReadinessChecks
from api.registry import Registry
from api.security import LoginBrake, TokenGuard
from api.services import Services
from api.views import (
    datastreams,
    devices,
    health,
    ledger,
    live,
    operations,
    rejections,
    replay,
    session,
    site,
    site_view,
    statistics,
    town_statistics,
    towns,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.settings import ApiSettings

VERSION = "1.0.0"
"""Version of the HTTP contract."""
GZIP_BYTES_MIN = 1024


def create_app(settings: ApiSettings) -> FastAPI:
    """The application; it connects to nothing before its lifespan starts.

    Args:
        settings: checked settings.
    """
    load_names()
    services = compose(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await services.database.open()
        listening = asyncio.create_task(services.live.run(), name="live push")
        try:
            yield
        finally:
            services.live.close()
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            await services.overviews.close()
            await services.operations.close()
            await services.database.close()

    app = FastAPI(
        title="Thu Bon",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    install_error_handlers(app)

    guarded = [Depends(single_parameters), Depends(need_viewer)]
    for view in (
        towns,
        operations,
        site_view,
        town_statistics,
        devices,
        rejections,
        replay,
        ledger,
        datastreams,
        statistics,
        live,
    ):
        app.include_router(view.router, dependencies=guarded)
    app.include_router(session.router, dependencies=[Depends(single_parameters)])
    app.include_router(health.router)
    app.include_router(site.make_site_router())
    description = describe(app)
    app.openapi = lambda: description  # type: ignore[method-assign]  # FastAPI's own way to another description

    # The one added last sees a request first.
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=4)
    app.add_middleware(LimitBody)
    if settings.open_viewer:
        app.add_middleware(OnlyLocalNames)
    app.add_middleware(AnswerHead, endless=frozenset({"/v1/live"}))
    app.add_middleware(CountRequests, metrics=services.metrics)
    app.add_middleware(SecurityHeaders)
    return app


def compose(settings: ApiSettings) -> Services:
    """Make every part, each with the parts it works with."""
    metrics = Metrics()
    database = Database(settings)
    registry = Registry(database)
    operations = Operations(database)
    token = settings.api_token.get_secret_value() if settings.api_token else None
    return Services(
        settings=settings,
        database=database,
        guard=TokenGuard(token, session_s=settings.http_session_hours * 3600),
        brake=LoginBrake(),
        registry=registry,
        overviews=Overviews(database, registry, operations),
        operations=operations,
        live=LiveHub(database, registry, metrics, settings.http_live_clients),
        metrics=metrics,
        readiness=ReadinessChecks(settings, database, metrics),
    )
