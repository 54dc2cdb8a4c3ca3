"""What the tests of the operations views share: a rising river, the figures of an answer, windows up to date."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from api.operations import schemas
from tests.integration.aggregation.history import keeper, settle
from tests.integration.api.conftest import checked
from tests.integration.api.seed import now

if TYPE_CHECKING:
    import httpx

    from tests.fix_database import Database
    from tests.integration.api.seed import Seed


def at_site(seed: Seed, device: str, site: str) -> None:
    seed.execute("update site set site_id = %s where site_id = %s", [site, f"site-{device}"])


def figure_of(figures: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(figure for figure in figures if figure["id"] == name)


def hour_start() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


async def site_of(client: httpx.AsyncClient, site: str) -> dict[str, Any]:
    body: dict[str, Any] = checked(schemas.SiteView, await client.get(f"/v1/sites/{site}"))
    return body


def rising_gauge(seed: Seed) -> None:
    seed.device("gauge", "river-gauge")
    at_site(seed, "gauge", "ha-gauge-hoi-an")
    end = now().replace(microsecond=0)
    rows = [(end - timedelta(minutes=5 * step), 1.6 - 0.02 * step, 0) for step in range(1, 48)]
    seed.history("gauge", "water-level", rows)
    seed.observe("gauge", end, {"water-level": 1.6})


def without_age_or_share(figures: list[dict[str, Any]]) -> list[str]:
    """Figures that have a value and do not say how old it is, what it covers, how good it is or where it is from."""
    told = ("phenomenon_time", "age_s", "coverage", "quality", "obtained", "how")
    return [
        f"{figure['id']}: {name}"
        for figure in figures
        for name in told
        if figure[name] is None and figure["value"] is not None
    ]


async def folded(seed: Seed, database: Database) -> None:
    """Bring every window up to the last observation, as the aggregator does when nothing comes in."""
    changes = [
        (key, int(first.timestamp() * 1e6), int(last.timestamp() * 1e6), count)
        for key, first, last, count in seed.connection.execute(
            "select device_key, min(phenomenon_time), max(phenomenon_time), count(*)::integer from observation_set"
            " group by device_key, date_bin('15 minutes', phenomenon_time, timestamptz '1970-01-01 00:00Z')"
        )
    ]
    for key, first_us, last_us, count in changes:
        named = struct.pack("<iiqq", key, count, first_us, last_us)
        seed.execute("insert into window_change (changes) values (%s)", [named])
    made, connection = keeper(database, int(now().timestamp() * 1e6))
    with connection:
        settle(made)
