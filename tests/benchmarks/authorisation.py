"""What it costs to find out who asks and to hold to their towns: the same small request with and without.

`python -m tests.benchmarks.authorisation [--requests 400]`

The API runs in this process over a real database. Asked in turn, so that what else the machine does touches all alike:
without anything, for which a second service reads a second database as its administrator, whom no row-level security
concerns, through views without barriers; as the open viewer, for whom nobody is looked up; with a session's cookie and
with a key, each of one town, so that the database is told their towns too, other ones at each request.
`/v1/devices/{device}` reads five tables; nothing of it is kept by us.

Then logins with a wrong password, in turn for accounts there are, accounts that are disabled, and names nobody bears:
what an attacker's clock could tell apart.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import httpx
import psycopg

from api.accounts import HASHER
from tests.benchmarks import machine
from tests.benchmarks.report import Line
from tests.integration.api.conftest import make_settings, serve
from tests.integration.api.people import add_account, add_key, bearer, open_session, page_headers
from tests.integration.api.seed import Seed, ago

if TYPE_CHECKING:
    from api.settings import ApiSettings

TARGET_MS: Final = 1.0
APART_MAX: Final = 0.05
"""Of the median time of a login: what differs less is lost in the noise of any network."""
WARM_UP: Final = 50
LOGINS: Final = 40
_PLAIN_VIEWS: Final = ("device_live", "latest")


def logins(url: str) -> tuple[str, str]:
    """Addresses of a login that reads and of one that changes."""
    with psycopg.connect(url, autocommit=True) as connection:
        for role in ("read", "api"):
            connection.execute(f"create role bench_{role} login password 'bench' in role thubon_{role}".encode())
    place = url.rpartition("@")[2]
    return f"postgresql://bench_read:bench@{place}", f"postgresql://bench_api:bench@{place}"


def fill(url: str) -> Seed:
    """A device of each of two towns, heard a moment ago."""
    seed = Seed.open(url)
    for town in ("hoi-an", "tam-ky"):
        seed.device(f"{town}-air", "air-station", town=town)
        seed.observe(f"{town}-air", ago(seconds=5), {"pm25": 31.2})
    return seed


def without_authorisation(url: str) -> ApiSettings:
    """A service whose database asks nothing: its administrator reads, through views that are the tables."""
    with fill(url).connection as connection:
        for view in _PLAIN_VIEWS:
            connection.execute(f"create or replace view granted.{view} as select * from public.{view}".encode())
    return make_settings(url, open_viewer=True, api_token=None, http_connections=1, http_requests_a_minute=10**6)


async def measure(url: str, plain_url: str, requests: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Milliseconds of each request by who asks, and of each login by whose it would be."""
    seed = fill(url)
    add_account(seed, "an", {"hoi-an": "viewer"})
    shown = {
        "plain": ({}, "hoi-an-air"),
        "open": ({}, "hoi-an-air"),
        "cookie": (page_headers(open_session(seed, "an")), "hoi-an-air"),
        "key": (bearer(add_key(seed, "key", {"tam-ky": "viewer"})), "tam-ky-air"),
    }
    for number in range(LOGINS):
        for kind in ("known", "disabled"):
            add_account(seed, f"{kind}-{number}", {"hoi-an": "viewer"})
    # Of full cost: those of the tests are cheap.
    seed.execute("update account set password_hash = %s", [HASHER.hash("right")])
    seed.execute("update account set disabled_time = now() where name like 'disabled-%%'")
    read_url, api_url = logins(url)
    guarded = make_settings(
        read_url,
        database_url=api_url,
        open_viewer=True,
        api_token=None,
        http_connections=1,
        http_requests_a_minute=10**6,
    )
    plain = without_authorisation(plain_url)
    took: dict[str, list[float]] = {who: [] for who in shown}
    async with AsyncExitStack() as stack:
        clients = {}
        for settings in (plain, guarded):
            await stack.enter_async_context(serve(settings))
            address = f"http://127.0.0.1:{settings.http_port}"
            client = httpx.AsyncClient(base_url=address, trust_env=False, timeout=20)
            clients[settings.http_port] = await stack.enter_async_context(client)
        for number in range(requests + WARM_UP):
            for who, (headers, device) in shown.items():
                client = clients[(plain if who == "plain" else guarded).http_port]
                began = time.perf_counter()
                response = await client.get(f"/v1/devices/{device}", headers=headers)
                passed = (time.perf_counter() - began) * 1000
                assert response.status_code == 200, response.text
                if number >= WARM_UP:
                    took[who].append(passed)
        tried = await log_in(clients[guarded.http_port])
    seed.connection.close()
    return took, tried


async def log_in(client: httpx.AsyncClient) -> dict[str, list[float]]:
    """Milliseconds of logins with a wrong password, each of another name and from another address."""
    tried: dict[str, list[float]] = {kind: [] for kind in ("known", "disabled", "nobody")}
    for number in range(LOGINS):
        for place, (kind, times) in enumerate(tried.items()):
            headers = {"X-Forwarded-For": f"10.{place}.0.{number}"}
            began = time.perf_counter()
            body = {"name": f"{kind}-{number}", "password": "wrong"}
            response = await client.post("/v1/session", json=body, headers=headers)
            times.append((time.perf_counter() - began) * 1000)
            assert response.status_code == 401, response.text
    return tried


def main() -> None:
    """Measure and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=400, help="by each who asks")
    arguments = parser.parse_args()
    with machine.database() as (_, url), machine.database() as (_, plain_url):
        took, tried = asyncio.run(measure(url, plain_url, arguments.requests))
    median = {who: statistics.median(each) for who, each in took.items()}
    added = {who: each - median["plain"] for who, each in median.items() if who != "plain"}
    text = ", ".join(f"{who} {each:+.2f} ms" for who, each in added.items())
    worst = max(added.values())
    text += f" on {median['plain']:.2f} ms without authorisation, median (target < {TARGET_MS:g} ms)"
    print(Line("authorisation", text, worst < TARGET_MS))
    logins_ms = {kind: statistics.median(each) for kind, each in tried.items()}
    apart = max(logins_ms.values()) / min(logins_ms.values()) - 1
    text = ", ".join(f"{kind} {each:.1f} ms" for kind, each in logins_ms.items())
    print(Line("authorisation", f"logins refused, by name: {text} (target {APART_MAX:.0%} apart)", apart < APART_MAX))


if __name__ == "__main__":
    main()
