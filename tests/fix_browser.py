"""A real Chromium for each test that asks for a page."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

_FINDER = Path(__file__).parent.parent / "tools" / "chromium.sh"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of the browser that tools/chromium.sh finds."""
    # A test run installs nothing on its own; `make test` has done so before.
    environment = {**os.environ, "THUBON_INSTALL": "no"}
    found = subprocess.run([_FINDER], check=False, capture_output=True, text=True, env=environment)
    if found.returncode:
        pytest.fail(found.stderr, pytrace=False)
    return found.stdout.strip()


@pytest_asyncio.fixture
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """A browser of this test alone (0.3 s): Playwright's other, blocking face cannot live beside asyncio tests."""
    async with async_playwright() as playwright:
        # In a container Chromium has neither the rights for its sandbox nor a large /dev/shm.
        browser = await playwright.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page in Vietnamese, 1280 x 800, in the time zone of the towns."""
    context = await browser.new_context(
        locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh", viewport={"width": 1280, "height": 800}
    )
    yield await context.new_page()
    await context.close()
