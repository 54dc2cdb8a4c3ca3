"""Composes the application: settings in, ASGI out. Nothing here decides anything."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from api.access import routes_of, rule_of
from api.accounts import Logins, Passwords
from api.audit import Refusals
from api.changes import Changes
from api.database import Database
from api.dependencies import single_parameters
from api.errors import install_error_handlers
from api.live import LiveHub
from api.metrics import Metrics
from api.middleware import AnswerHead, CountRequests, LimitBody, LimitRequests, OnlyLocalNames, SecurityHeaders
from api.names import load_names
from api.openapi import DESCRIPTION, describe
from api.openid import OpenId
from api.operations.service import Operations
from api.overview import Overviews
from api.principals import Principals
from api.readiness import ReadinessChecks
from api.registry import Registry
from api.security import CSRF_HEADER
from api.services import Services
from api.throttle import Allowance, Brake
from api.views import (
    audit,
    credentials,
    datastreams,
    devices,
    health,
    installation,
    keeping,
    kept_towns,
    keys,
    knocks,
    ledger,
    live,
    operations,
    registry_files,
    rejections,
    replay,
    session,
    site,
    site_view,
    sites,
    statistics,
    town_statistics,
    towns,
    users,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.settings import ApiSettings

VERSION = "1.0.0"
"""Version of the HTTP contract."""
GZIP_BYTES_MIN = 1024
OPENID_LOGINS_A_MINUTE = 30
"""Begun from one address: of the ten thousand that are kept at most, for ten minutes, that is 330."""


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
        await services.changes.open()
        running = [
            asyncio.create_task(services.live.run(), name="live push"),
            asyncio.create_task(services.principals.follow(), name="revocations"),
            asyncio.create_task(services.audit.run(), name="refused attempts"),
            asyncio.create_task(services.logins.tidy(), name="ended sessions"),
        ]
        try:
            yield
        finally:
            services.live.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await services.principals.close()
            await services.audit.write()
            if services.openid is not None:
                await services.openid.close()
            await services.changes.close()
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
    install_error_handlers(app, services.audit.note_answer)

    for view in (
        towns,
        operations,
        site_view,
        town_statistics,
        devices,
        credentials,
        rejections,
        replay,
        ledger,
        datastreams,
        statistics,
        live,
        session,
        keeping,
        kept_towns,
        sites,
        installation,
        knocks,
        registry_files,
        users,
        keys,
        audit,
    ):
        app.include_router(view.router, dependencies=[Depends(single_parameters)])
    app.include_router(health.router)
    app.include_router(site.make_site_router())
    refuse_undeclared(app)
    description = describe(app)
    app.openapi = lambda: description  # type: ignore[method-assign]  # FastAPI's own way to another description

    # The one added last sees a request first.
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=4)
    app.add_middleware(LimitBody, unless=frozenset({registry_files.IMPORT_PATH}))
    app.add_middleware(LimitRequests, allowance=Allowance(settings.http_requests_a_minute), metrics=services.metrics)
    if settings.cors_origins:
        # Without credentials: a page of another site asks with a token of its own, never with our cookie.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "If-Match", "Last-Event-ID", CSRF_HEADER),
            max_age=600,
        )
    if settings.open_viewer:
        app.add_middleware(OnlyLocalNames)
    app.add_middleware(AnswerHead, endless=frozenset({"/v1/live"}))
    app.add_middleware(CountRequests, metrics=services.metrics)
    app.add_middleware(SecurityHeaders)
    return app


def refuse_undeclared(app: FastAPI) -> None:
    """See that every operation of the contract says who may ask it.

    Raises:
        RuntimeError: one does not; see `api.access.need`.
    """
    bare = [path for path, route in routes_of(app) if path.startswith("/v1") and rule_of(route) is None]
    if bare:
        raise RuntimeError(f"no role is declared for {', '.join(bare)}")


def compose(settings: ApiSettings) -> Services:
    """Make every part, each with the parts it works with."""
    metrics = Metrics()
    database = Database(settings)
    registry = Registry(database)
    operations = Operations(database)
    changes = Changes(settings, registry.forget_towns)
    refused = Refusals(changes, metrics)
    openid = OpenId(settings) if settings.openid_issuer else None
    by_address = Brake()
    token = settings.api_token.get_secret_value() if settings.api_token else None
    return Services(
        settings=settings,
        database=database,
        changes=changes,
        principals=Principals(changes, openid, by_address, token, open_viewer=settings.open_viewer),
        logins=Logins(
            changes,
            Passwords(),
            refused,
            metrics,
            by_address=by_address,
            by_account=Brake(),
            life_s=settings.http_session_hours * 3600,
        ),
        openid=openid,
        openid_logins=Allowance(OPENID_LOGINS_A_MINUTE),
        audit=refused,
        registry=registry,
        overviews=Overviews(database, registry, operations),
        operations=operations,
        live=LiveHub(database, registry, metrics, settings.http_live_clients),
        metrics=metrics,
        readiness=ReadinessChecks(settings, database, metrics),
    )
