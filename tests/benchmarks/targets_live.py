"""Target T12, from the commit of a reading to its event in a real browser, and a load report; every part a process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from playwright.async_api import async_playwright

from tests.benchmarks import machine
from tests.benchmarks.ingest_rate import running_worker
from tests.benchmarks.report import Line
from tests.benchmarks.targets_ingest import publish_steadily, servers
from tests.fix_worker import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 1_000
DEVICES = 1_000
_FOLLOW = """() => {
  window.seen = [];
  return new Promise((resolve) => {
    const source = new EventSource("/v1/live");
    source.addEventListener("hello", resolve);
    source.addEventListener("change", (event) => {
      const now = Date.now();
      for (const device of JSON.parse(event.data).devices) window.seen.push([device.id, device.phenomenon_time, now]);
    });
  });
}"""


@contextmanager
def running_api(url: str) -> Iterator[str]:
    """The API as its own process, as a login in thubon_read; yields its address."""
    with psycopg.connect(url) as connection:
        connection.execute("create role bench_read login password 'bench' in role thubon_read")
    port = machine.free_port()
    environment = {
        **os.environ,
        "THUBON_READ_DATABASE_URL": url.replace("postgres:postgres@", "bench_read:bench@"),
        "THUBON_OPEN_VIEWER": "yes",
        "THUBON_HTTP_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}/healthz"), within_s=30, what="the API")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


async def _watch(chromium: str, address: str, port: int, count: int) -> list[tuple[str, str, float]]:
    """Publish while a page follows; (device, phenomenon time, Unix milliseconds) of everything it was told."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = await browser.new_page()
        # Our origin, and nothing that draws beside: neither a map nor the API's description, which takes seconds.
        await page.goto(f"{address}/healthz")
        await page.evaluate(_FOLLOW)
        await asyncio.to_thread(publish_steadily, port, RATE, count)
        await asyncio.sleep(2.0)
        seen: list[Any] = await page.evaluate("() => window.seen")
        await browser.close()
    return [tuple(each) for each in seen]  # type: ignore[misc]


def load(seconds: float) -> Iterator[str]:
    """The report of `simulators load` at 10,000 readings/s of the fleet of the demo, every server watched."""
    with (
        tempfile.TemporaryDirectory() as folder,
        machine.broker(Path(folder)) as broker,
        machine.database() as (database, url),
    ):
        fleet = Path(folder) / "fleet.csv"
        _run("simulators", "fleet", "--scenario", "demo", "--out", str(fleet))
        _run("devices", "import", str(fleet), THUBON_DATABASE_URL=url)
        with (
            running_worker(broker, url, THUBON_INGEST_DEVICE_READINGS_A_MINUTE="1000000000") as worker,
            running_api(url) as address,
        ):
            pids = {"broker": broker.main_pid(), "worker": worker.pid, "database": database.main_pid()}
            watched = [word for part, pid in pids.items() for word in ("--watch", f"{part}={pid}")]
            arguments = ["--scenario", "demo", "--rate", "10000", "--seconds", f"{seconds:g}", "--out", "bench-load"]
            arguments += ["--broker", f"mqtt://127.0.0.1:{broker.port}", "--database-url", url, "--api", address]
            yield from _run("simulators", "load", *arguments, *watched).splitlines()


def _run(*arguments: str, **settings: str) -> str:
    environment = {**os.environ, **settings}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def t12(seconds: float) -> Iterator[Line]:
    """Commit to live push at the browser, while 1,000 readings/s come in; commits by PostgreSQL's own timestamps."""
    chromium = subprocess.run(["tools/chromium.sh"], check=True, capture_output=True, text=True).stdout.strip()
    with (
        servers(DEVICES, "-c", "track_commit_timestamp=on") as (broker, _, url),
        running_worker(broker, url),
        running_api(url) as address,
    ):
        seen = asyncio.run(_watch(chromium, address, broker.port, int(RATE * seconds)))
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "select device_id, phenomenon_time, extract(epoch from pg_xact_commit_timestamp(o.xmin))::float8 * 1000"
                " from observation_set o join device using (device_key)"
            ).fetchall()
    committed = {(device, int(time.timestamp() * 1_000)): ms for device, time, ms in rows}
    latencies = []
    for device, text, ms in seen:
        time_ms = int(np.datetime64(text.removesuffix("Z").removesuffix("+00:00"), "ms").astype(np.int64))
        if (device, time_ms) in committed:
            latencies.append(ms - committed[device, time_ms])
    assert len(latencies) > RATE * seconds / 4, f"{len(latencies)} of {RATE * seconds:.0f} seen in the browser"
    p50, p99 = np.percentile(latencies, [50, 99])
    text = f"commit to browser at {RATE:,} readings/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms (target 150, 500)"
    yield Line("T12", f"{text}, {len(latencies):,} events", met=bool(p50 <= 150 and p99 <= 500))
