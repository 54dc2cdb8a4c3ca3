"""A running API on a database of its own, a client that is logged in, and a hand that writes rows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
from pydantic import TypeAdapter

from api.main import create_app
from api.server import Server, listen
from api.settings import ApiSettings
from tests.containers import free_port
from tests.integration.api.seed import Seed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from tests.fix_database import Database

TOKEN = "a-token-for-the-tests-of-the-api"


def make_settings(read_url: str, **changes: Any) -> ApiSettings:
    return ApiSettings(**{"read_database_url": read_url, "api_token": TOKEN, "http_port": free_port(), **changes})


_descriptions: list[dict[str, Any]] = []


def make_app(settings: ApiSettings) -> FastAPI:
    """The application; its description, which no setting changes, takes as long as all the rest and is made once."""
    with pytest.MonkeyPatch.context() as patch:
        if _descriptions:
            patch.setattr("api.main.describe", lambda _app: _descriptions[0])
        app = create_app(settings)
    _descriptions[:] = [app.openapi()]
    return app


@asynccontextmanager
async def serve(settings: ApiSettings) -> AsyncIterator[FastAPI]:
    """Serve on a real port of loopback for the length of a block."""
    app = make_app(settings)
    server = Server(app, settings)
    listener = listen(settings)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield app
    finally:
        server.end()
        await task
        listener.close()


@asynccontextmanager
async def client_of(settings: ApiSettings, token: str | None = TOKEN) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://127.0.0.1:{settings.http_port}"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
        yield client


def checked(shape: Any, response: httpx.Response) -> Any:
    """The body of a good answer, after it was found to be what OpenAPI says."""
    assert response.status_code == 200, response.text
    TypeAdapter(shape).validate_json(response.content, extra="forbid")
    return response.json()


@pytest.fixture
def seed(database: Database) -> Iterator[Seed]:
    """Writes into this test's database."""
    seed = Seed.open(database.url)
    yield seed
    seed.connection.close()


@pytest.fixture
def settings(database: Database) -> ApiSettings:
    """Settings of this test's API."""
    return make_settings(database.read_url, database_url=database.api_url)


@pytest_asyncio.fixture
async def app(settings: ApiSettings) -> AsyncIterator[FastAPI]:
    """The API, serving."""
    async with serve(settings) as app:
        yield app


@pytest_asyncio.fixture
async def client(app: FastAPI, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the token."""
    async with client_of(settings) as client:
        yield client


@pytest_asyncio.fixture
async def stranger(app: FastAPI, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with client_of(settings, token=None) as client:
        yield client
