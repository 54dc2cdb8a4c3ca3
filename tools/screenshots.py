"""`make screenshots`: pictures of the page of a running demo, in both languages, into screenshots/."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Error, Page, sync_playwright

ROOT = Path(__file__).parent.parent
SIZE = {"width": 1600, "height": 950}
WAIT_MS = 20_000


def take(page: Page, url: str, folder: Path) -> list[Path]:
    """All towns, one town, the sites behind its flood alarm, and a device; in Vietnamese and in English."""
    taken: list[Path] = []

    def shoot(name: str) -> None:
        page.wait_for_timeout(1_500)  # tiles, chart and figures come one after the other
        taken.append(folder / f"{name}.png")
        page.screenshot(path=taken[-1])

    page.goto(url)
    for language in ("vi", "en"):
        page.locator("tr[data-device]").first.wait_for(timeout=WAIT_MS)
        page.locator(f"[data-language={language}]").click()
        page.locator('#town-switch [data-town=""]').click()
        shoot(f"towns-{language}")
        page.locator('#town-switch [data-town="hoi-an"]').click()
        page.locator("#figure-hoi-an-environment-flood-alarm").click()
        page.locator(".ranked-site").first.wait_for(timeout=WAIT_MS)
        shoot(f"hoi-an-{language}")
        page.locator(".ranked-site").first.click()
        shoot(f"gauge-{language}")
        page.locator("#close-detail").click()
        page.locator("#figure-hoi-an-environment-flood-alarm").click()
    return taken


def main() -> int:
    """Exit status 0 done, 1 failed and why."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000/")
    parser.add_argument("--into", type=Path, default=ROOT / "screenshots")
    options = parser.parse_args()
    chromium = subprocess.run([ROOT / "tools" / "chromium.sh"], check=True, capture_output=True, text=True)
    options.into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.stdout.strip(), args=["--no-sandbox"])
        try:
            for path in take(browser.new_page(viewport=SIZE), options.url, options.into):  # type: ignore[arg-type]
                print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
        except Error as error:
            print(f"screenshots: {options.url} does not show what it should: {error}", file=sys.stderr)
            return 1
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
