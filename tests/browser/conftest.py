"""The page as a person has it: a real Chromium before the real API over a small known fleet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from api.views.site import DASHBOARD_FOLDER
from tests.integration.api.conftest import make_settings, serve
from tests.integration.api.people import add_account, open_session
from tests.integration.api.seed import Seed, ago

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from fastapi import FastAPI
    from playwright.async_api import ConsoleMessage, Page, Request

    from api.settings import ApiSettings
    from tests.fix_database import Database

    Enter = Callable[[str], Awaitable[Page]]

GAUGE, AIR, COUNTER, LAMP = "hoi-an-gauge-1", "hoi-an-air-1", "tam-ky-counter-1", "tam-ky-lamp-1"
STALE, OFFLINE, NEVER_SEEN, RETIRED = "tam-ky-air-2", "dien-ban-gauge-2", "dien-ban-noise-1", "dien-ban-lamp-9"

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (e) => console.error("CSP " + e.violatedDirective + " " + e.blockedURI));
"""


@dataclass
class Watch:
    """What a page did that it must never do."""

    host: str
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def attach(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        host = urlsplit(request.url).netloc
        if host and host != self.host:
            self.hosts.add(host)


def fill(seed: Seed) -> None:
    """Devices of every state and domain over the three towns; one has a day of history, one had readings refused."""
    seed.device(GAUGE, "river-gauge", town="hoi-an", place=(15.877, 108.332))
    seed.history(GAUGE, "water-level", [(ago(minutes=5 * n), 1.0 + n / 1000, 0) for n in range(1, 280)])
    seed.observe(GAUGE, ago(seconds=2), {"water-level": 1.25, "rain": 0.4, "battery-voltage": 12.6})
    seed.device(AIR, "air-station", town="hoi-an", place=(15.885, 108.34))
    seed.observe(AIR, ago(seconds=4), {"pm25": 31.2, "temperature": 27.5, "no2": 12.0}, quality={"no2": 2})
    seed.reject(AIR, b'{"pm2_5": 31.2}', device_id=AIR, reason="unknown-datastream")
    seed.device(COUNTER, "traffic-counter", town="tam-ky", place=(15.571, 108.475))
    seed.observe(COUNTER, ago(seconds=3), {"flow-motorcycle": 41.0, "speed": 33.5})
    seed.device(LAMP, "lamp-controller", town="tam-ky", place=(15.571, 108.475))
    seed.observe(LAMP, ago(seconds=3), {"level": 80.0, "power": 61.0, "state": 1.0})
    seed.device(STALE, "air-station", town="tam-ky", place=(15.56, 108.48))
    seed.observe(STALE, ago(minutes=20), {"pm25": 18.0}, received=ago(minutes=20))
    seed.device(OFFLINE, "river-gauge", town="dien-ban", place=(15.89, 108.24))
    seed.observe(OFFLINE, ago(hours=5), {"water-level": 2.1}, received=ago(hours=5))
    seed.device(NEVER_SEEN, "noise-meter", town="dien-ban", place=(15.9, 108.25))
    seed.device(RETIRED, "lamp-controller", town="dien-ban", place=(15.9, 108.22), retired=ago(days=1))


@pytest.fixture
def seed(database: Database) -> Iterator[Seed]:
    """Writes into this test's database, which has the known fleet."""
    if not (DASHBOARD_FOLDER / "index.html").is_file():
        pytest.fail("the page is not built: make setup", pytrace=False)
    seed = Seed.open(database.url)
    fill(seed)
    yield seed
    seed.connection.close()


@pytest.fixture
def settings(database: Database, seed: Seed) -> ApiSettings:
    """Settings of an API that serves without log-in."""
    return make_settings(database.read_url, open_viewer=True, api_token=None)


@pytest_asyncio.fixture
async def app(settings: ApiSettings) -> AsyncIterator[FastAPI]:
    """The API, serving."""
    async with serve(settings) as app:
        yield app


@pytest_asyncio.fixture
async def client(app: FastAPI, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A program that reads the same API as the page."""
    url = f"http://127.0.0.1:{settings.http_port}"
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
        yield client


@pytest_asyncio.fixture
async def watched(page: Page, settings: ApiSettings) -> AsyncIterator[Page]:
    """A page that must neither complain on its console nor ask another host, whatever the test does with it."""
    watch = Watch(f"127.0.0.1:{settings.http_port}")
    watch.attach(page)
    await page.add_init_script(REPORT_VIOLATIONS)
    yield page
    assert watch.errors == []
    assert watch.hosts == set()


@pytest_asyncio.fixture
async def screen(app: FastAPI, watched: Page, settings: ApiSettings) -> Page:
    """The page, loaded, with its devices and a live stream."""
    return await load(watched, settings)


@pytest_asyncio.fixture
async def enter(app: FastAPI, page: Page, settings: ApiSettings, seed: Seed) -> AsyncIterator[Enter]:
    """Opens the page for somebody with a role in Hoi An; it complains of nothing but what the server refused."""
    watch = Watch(f"127.0.0.1:{settings.http_port}")
    watch.attach(page)
    await page.add_init_script(REPORT_VIOLATIONS)

    async def open_as(role: str) -> Page:
        add_account(seed, "an.nguyen", {"hoi-an": role})
        url = f"http://127.0.0.1:{settings.http_port}"
        cookie = open_session(seed, "an.nguyen")
        await page.context.add_cookies([{"name": "thubon_session", "value": cookie, "url": url}])
        return await load(page, settings)

    yield open_as
    assert [error for error in watch.errors if "responded with a status of 4" not in error] == []
    assert watch.hosts == set()


async def load(page: Page, settings: ApiSettings) -> Page:
    """Open the page and wait until it shows devices live."""
    await page.goto(f"http://127.0.0.1:{settings.http_port}/")
    await page.locator("#live[data-state=connected]").wait_for()
    await page.locator("tr[data-device]").first.wait_for()
    return page


async def all_items(client: httpx.AsyncClient, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """Every item of a listing."""
    answer = (await client.get(path, params={"limit": 1000, **parameters})).raise_for_status().json()
    assert answer["next"] is None
    items: list[dict[str, Any]] = answer["items"]
    return items
