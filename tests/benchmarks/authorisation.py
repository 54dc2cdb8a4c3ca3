"""What it costs to find out who asks and to hold to their towns: the same small request with and without.

`python -m tests.benchmarks.authorisation [--requests 400]`

The API runs in this process over a real database. Asked in turn, so that what else the machine does touches all alike:
as the open viewer, for whom nothing is looked up; with a session's cookie and with a key, each of one town, so that the
database is told their towns too, other ones at each request. `/v1/devices/{device}` reads three tables; nothing of it
is kept by us.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import Final

import httpx
import psycopg

from tests.benchmarks import machine
from tests.benchmarks.report import Line
from tests.integration.api.conftest import make_settings, serve
from tests.integration.api.people import add_account, add_key, bearer, open_session, page_headers
from tests.integration.api.seed import Seed, ago

TARGET_MS: Final = 1.0
WARM_UP: Final = 50


def logins(url: str) -> tuple[str, str]:
    """Addresses of a login that reads and of one that changes."""
    with psycopg.connect(url, autocommit=True) as connection:
        for role in ("read", "api"):
            connection.execute(f"create role bench_{role} login password 'bench' in role thubon_{role}".encode())
    place = url.rpartition("@")[2]
    return f"postgresql://bench_read:bench@{place}", f"postgresql://bench_api:bench@{place}"


async def measure(url: str, requests: int) -> dict[str, list[float]]:
    """Milliseconds of each request, by who asks."""
    seed = Seed.open(url)
    for town in ("hoi-an", "tam-ky"):
        seed.device(f"{town}-air", "air-station", town=town)
        seed.observe(f"{town}-air", ago(seconds=5), {"pm25": 31.2})
    add_account(seed, "an", {"hoi-an": "viewer"})
    shown = {
        "open": ({}, "hoi-an-air"),
        "cookie": (page_headers(open_session(seed, "an")), "hoi-an-air"),
        "key": (bearer(add_key(seed, "key", {"tam-ky": "viewer"})), "tam-ky-air"),
    }
    read_url, api_url = logins(url)
    app = make_settings(
        read_url,
        database_url=api_url,
        open_viewer=True,
        api_token=None,
        http_connections=1,
        http_requests_a_minute=10**6,
    )
    took: dict[str, list[float]] = {who: [] for who in shown}
    address = f"http://127.0.0.1:{app.http_port}"
    async with serve(app), httpx.AsyncClient(base_url=address, trust_env=False, timeout=20) as client:
        for number in range(requests + WARM_UP):
            for who, (headers, device) in shown.items():
                began = time.perf_counter()
                response = await client.get(f"/v1/devices/{device}", headers=headers)
                passed = (time.perf_counter() - began) * 1000
                assert response.status_code == 200, response.text
                if number >= WARM_UP:
                    took[who].append(passed)
    seed.connection.close()
    return took


def main() -> None:
    """Measure and print the line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=400, help="by each who asks")
    arguments = parser.parse_args()
    with machine.database() as (_, url):
        took = asyncio.run(measure(url, arguments.requests))
    median = {who: statistics.median(each) for who, each in took.items()}
    added = {who: median[who] - median["open"] for who in ("cookie", "key")}
    text = ", ".join(f"{who} {each:+.2f} ms" for who, each in added.items())
    worst = max(added.values())
    print(Line("authorisation", f"{text} on {median['open']:.2f} ms, median (target < 1 ms)", worst < TARGET_MS))


if __name__ == "__main__":
    main()
