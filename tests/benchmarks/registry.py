"""Keeping a registry of ten thousand devices over HTTP: import, repetition, spreadsheet, search, labels.

`python -m tests.benchmarks.registry` prints a line each; there is a target for the import alone.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from devices.sheets import XLSX_TYPE
from tests.benchmarks.report import Line
from tests.fix_database import start_database_server
from tests.integration.api.conftest import client_of, make_settings, serve
from tests.integration.api.test_registry import CSV, HEADER, ROW

if TYPE_CHECKING:
    import httpx

_DEVICES = 10_000
_IMPORT_S = 60.0
_PAGES = 20


async def measure(client: httpx.AsyncClient) -> None:
    """Print the lines."""
    rows = (ROW.replace("ha-lamp", f"lamp-{n}").replace("ha-street", f"site-{n}") for n in range(_DEVICES))
    file = "\n".join([HEADER, *rows]).encode()

    async def send(content: bytes, headers: dict[str, str], query: str = "") -> float:
        began = time.perf_counter()
        answer = await client.post(f"/v1/registry/import{query}", content=content, headers=headers, timeout=600)
        answer.raise_for_status()
        return time.perf_counter() - began

    rehearsed_s = await send(file, CSV, "?dry_run=true")
    imported_s = await send(file, CSV)
    print(
        Line(
            "registry",
            f"{_DEVICES} devices on as many sites imported over HTTP in {imported_s:.1f} s (target {_IMPORT_S:g} s),"
            f" rehearsed in {rehearsed_s:.1f} s",
            imported_s < _IMPORT_S,
        )
    )
    again_s = await send(file, CSV)
    sheet = (await client.get("/v1/registry/export?format=xlsx", timeout=600)).content
    sheet_s = await send(sheet, {"Content-Type": XLSX_TYPE})
    print(f"registry again, nothing changed, {again_s:.1f} s; as XLSX {sheet_s:.1f} s")
    took = []
    for _ in range(_PAGES):
        began = time.perf_counter()
        (await client.get("/v1/devices?search=den+bach&limit=100")).raise_for_status()
        took.append(time.perf_counter() - began)
    began = time.perf_counter()
    (await client.post("/v1/registry/labels", json={"town": "hoi-an"}, timeout=600)).raise_for_status()
    labels_s = time.perf_counter() - began
    print(f"registry search without accents {sorted(took)[_PAGES // 2] * 1000:.0f} ms; 1,000 labels {labels_s:.1f} s")


async def main() -> None:
    """Start what is needed, measure, and clear away."""
    server = start_database_server()
    try:
        database = server.clone()
        settings = make_settings(database.read_url, database_url=database.api_url)
        async with serve(settings), client_of(settings) as client:
            await measure(client)
    finally:
        server.close()


if __name__ == "__main__":
    asyncio.run(main())
