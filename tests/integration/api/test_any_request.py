"""Requests made up from the API's own description, by who may do everything: none of them breaks it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.integration.api.conftest import TOKEN
from tests.integration.api.seed import ago

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.settings import ApiSettings
    from tests.integration.api.seed import Seed

EXAMPLES = 6
"""Of each operation; some fifty operations, each with requests that fit the description and some that do not."""
ENDLESS = {"/v1/live"}


async def test_no_request_makes_the_service_fail(app: FastAPI, settings: ApiSettings, seed: Seed) -> None:
    seed.device("hoi-an-air-01", "air-station")
    seed.observe("hoi-an-air-01", ago(seconds=5), {"pm25": 7.0})
    faults = await asyncio.to_thread(ask_everything, app.openapi(), f"http://127.0.0.1:{settings.http_port}")
    assert faults == []


def ask_everything(document: dict[str, Any], address: str) -> list[str]:
    """Ask every operation; answers what went wrong."""
    described = schemathesis.openapi.from_dict(document)
    faults: list[str] = []
    asked = 0
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path in ENDLESS:
            continue

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            response = case.call(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
            place = f"{case.method} {case.path} {response.status_code} {response.request.url} {case.body!r:.200}"
            if response.status_code >= 500:
                faults.append(place)
            kind = (response.headers.get("content-type") or [""])[0]
            if response.status_code >= 400 and kind != "application/problem+json":
                faults.append(f"{place}: {kind}")

        ask()
    assert asked > 100
    return faults
