from __future__ import annotations

import asyncio
import gzip
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from api import pages, schemas
from api.metrics import METRICS
from tests.containers import free_port
from tests.integration.api.conftest import TOKEN, checked, client_of, make_settings, serve
from tests.integration.api.seed import now

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from tests.fix_database import Database
    from tests.integration.api.seed import Seed


async def test_the_service_is_ready_and_tells_each_check(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    seed.observe("air", now(), {"pm25": 1.0})

    body = checked(schemas.Readiness, await client.get("/readyz"))

    assert body["status"] == "ok"
    assert body["checks"]["database"]["status"] == "ok"
    assert body["checks"]["disk"]["status"] == "ok"
    assert body["checks"]["disk"]["free_bytes"] > 0
    assert body["checks"]["ingest"]["status"] == "informative"
    assert 0 <= body["checks"]["ingest"]["newest_change_age_s"] < 60
    assert (await client.get("/healthz")).text == "ok\n"


async def test_less_room_than_the_reserve_degrades_readiness(database: Database) -> None:
    settings = make_settings(database.read_url, disk_reserve_bytes=2**60)
    async with serve(settings), client_of(settings) as client:
        response = await client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["disk"]["status"] == "degraded"
        assert (await client.get("/v1/towns")).status_code == 200


async def test_room_the_server_does_not_tell_is_unknown_and_not_degraded(database: Database, seed: Seed) -> None:
    seed.execute(
        "create or replace function database_disk_free_bytes() returns bigint language sql as 'select null::bigint'"
    )
    settings = make_settings(database.read_url)
    async with serve(settings), client_of(settings) as client:
        response = await client.get("/readyz")
        metrics = (await client.get("/metrics")).text

    assert response.status_code == 200
    assert response.json()["checks"]["disk"]["status"] == "unknown"
    assert "thubon_api_database_disk_free_bytes NaN" in metrics


async def test_the_service_starts_and_answers_while_the_database_is_away() -> None:
    settings = make_settings(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    async with serve(settings), client_of(settings) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json()["checks"]["database"]["status"] == "degraded"
        # At once: each waits for a connection as long as it may.
        for response in await asyncio.gather(*map(client.get, ("/v1/towns", "/v1/devices", "/v1/live"))):
            assert response.status_code == 503, response.url
            assert response.headers["Content-Type"] == "application/problem+json"
        assert "thubon_api_live_connected 0.0" in (await client.get("/metrics")).text


async def test_a_query_that_takes_too_long_is_a_503_problem(database: Database, seed: Seed) -> None:
    seed.device("air", "air-station")
    settings = make_settings(database.read_url, http_query_timeout_ms=300)
    async with serve(settings), client_of(settings) as client:
        await client.get("/v1/towns")
        with psycopg.connect(database.url) as blocker:
            blocker.execute("lock table observation_set in access exclusive mode")
            response = await client.get("/v1/datastreams/air:pm25/observations")

        assert response.status_code == 503
        assert "longer than the limit" in response.json()["detail"]


async def test_the_login_of_the_api_can_change_nothing(app: FastAPI) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await app.state.services.database.rows("delete from town")


async def test_every_metric_of_the_catalogue_is_exposed_and_no_other(client: httpx.AsyncClient) -> None:
    await client.get("/v1/devices?limit=0")
    await client.get("/v1/devices/some-device")
    await client.get("/v1/some/path/nobody/knows")
    await client.post("/v1/session", json={"name": "x", "password": "x"})
    text = (await client.get("/metrics")).text

    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {name for name in families if not name.endswith("_created")} == {metric.name for metric in METRICS}
    assert 'thubon_api_requests_total{method="GET",route="/v1/devices",status="400"} 1.0' in text
    assert 'route="/v1/devices/{device}",status="404"' in text
    assert "some-device" not in text
    assert "nobody" not in text
    assert TOKEN not in text


async def test_the_docs_need_no_other_host(stranger: httpx.AsyncClient) -> None:
    page = (await stranger.get("/docs")).text

    assert "://" not in page
    assert "<script>" not in page
    assert "style=" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert f"/docs/{name}" in page
        response = await stranger.get(f"/docs/{name}")
        assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert (await stranger.get("/docs/nothing.js")).status_code == 404
    assert (await stranger.get("/docs/%2e%2e/main.py")).status_code == 404


async def test_head_answers_as_get_without_the_body(client: httpx.AsyncClient) -> None:
    got, head = await client.get("/v1/towns"), await client.head("/v1/towns")

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


async def test_long_answers_are_compressed_and_kept_by_no_cache(client: httpx.AsyncClient, seed: Seed) -> None:
    for number in range(20):
        seed.device(f"lamp-{number}", "lamp-controller")
    response = await client.get("/v1/devices")

    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Cache-Control"] == "no-store"


async def test_the_page_is_served_with_hashed_files_kept_for_ever(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Thu Bồn</title>" + " " * 2000)
    (tmp_path / "assets" / "index-Ab3dE_9-.js").write_bytes(b"let x = 1;" * 200)
    (tmp_path / "assets" / "plain.woff2").write_bytes(b"wOF2" * 200)
    (tmp_path / ".secret").write_text("no")
    monkeypatch.setattr("api.views.site.DASHBOARD_FOLDER", tmp_path)
    settings = make_settings(database.read_url)
    async with serve(settings), client_of(settings, token=None) as client:
        page = await client.get("/")
        script = await client.get("/assets/index-Ab3dE_9-.js")
        font = await client.get("/assets/plain.woff2")
        again = await client.get("/", headers={"If-None-Match": page.headers["ETag"]})
        plain = await client.get("/", headers={"Accept-Encoding": "identity"})
        missing = [(await client.get(path)).status_code for path in ("/.secret", "/assets/", "/..%2f..%2fetc/passwd")]

    assert page.text.startswith("<!doctype html><title>Thu Bồn")
    assert page.headers["Cache-Control"] == "no-cache"
    assert page.headers["Content-Encoding"] == "gzip"
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert script.text.startswith("let x = 1;")
    assert font.headers["Content-Type"] == "font/woff2"
    assert "Content-Encoding" not in font.headers
    assert again.status_code == 304
    assert "Content-Encoding" not in plain.headers
    assert missing == [404, 404, 404]


def test_a_file_that_gets_no_smaller_is_sent_as_it_is() -> None:
    page = pages.make_page("tiny.txt", b"a")

    assert page.compressed is None
    assert gzip.decompress(pages.make_page("big.txt", b"a" * 1000).compressed or b"") == b"a" * 1000


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("THUBON_")}
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        env=clean | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_wrong_settings_end_with_status_2_and_name_the_setting() -> None:
    missing = run()
    short = run(THUBON_READ_DATABASE_URL="postgresql://x@localhost/y", THUBON_API_TOKEN="secret-but-short")
    opened = run(
        THUBON_READ_DATABASE_URL="postgresql://x@localhost/y", THUBON_OPEN_VIEWER="yes", THUBON_HTTP_HOST="0.0.0.0"
    )

    assert (missing.returncode, short.returncode, opened.returncode) == (2, 2, 2)
    assert "THUBON_READ_DATABASE_URL: Field required" in missing.stderr
    assert "THUBON_API_TOKEN" in short.stderr
    assert "secret-but-short" not in short.stderr
    assert "THUBON_OPEN_VIEWER" in opened.stderr


def test_help_lists_every_setting_and_wrong_usage_ends_with_status_2() -> None:
    helped = run("--help")

    assert helped.returncode == 0
    for name in ("THUBON_READ_DATABASE_URL", "THUBON_API_TOKEN", "THUBON_OPEN_VIEWER", "THUBON_DISK_RESERVE_BYTES"):
        assert name in helped.stdout
    assert run("--nonsense").returncode == 2


def test_a_taken_port_is_said_in_plain_words(database: Database, tmp_path: Path) -> None:

    (tmp_path / "thubon_api_token").write_text(TOKEN + "\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run(
            THUBON_READ_DATABASE_URL=database.read_url,
            THUBON_SECRETS_DIR=str(tmp_path),
            THUBON_HTTP_PORT=str(taken.getsockname()[1]),
        )

    assert ended.returncode == 1
    assert "THUBON_HTTP_PORT" in ended.stderr
    assert "in use" in ended.stderr


async def test_the_program_serves_and_ends_in_order_with_listeners_still_there(database: Database) -> None:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THUBON_")} | {
        "THUBON_READ_DATABASE_URL": database.read_url,
        "THUBON_API_TOKEN": TOKEN,
        "THUBON_HTTP_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api", env=environment, stderr=asyncio.subprocess.PIPE
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client:
        async with asyncio.timeout(30):
            while True:
                try:
                    if (await client.get("/v1/towns")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        async with client.stream("GET", "/v1/live", timeout=30) as response:
            assert response.status_code == 200
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                async for _ in response.aiter_bytes():
                    pass
    _, log = await process.communicate()

    assert process.returncode == 0
    assert TOKEN not in log.decode()
    assert f"listening on http://127.0.0.1:{port}" in log.decode()
    assert log.decode().rstrip().endswith("api: ended")
    assert "rror" not in log.decode()
