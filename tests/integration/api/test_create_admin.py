"""`python -m api create-admin`: the first administrator, and the way back for a lost one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.integration.api.people import open_session, page_headers

if TYPE_CHECKING:
    import httpx

    from tests.fix_database import Database
    from tests.integration.api.seed import Seed

PASSWORD = "a password typed in"


def create_admin(database: Database, *arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THUBON_")} | {
        "THUBON_READ_DATABASE_URL": database.read_url,
        "THUBON_DATABASE_URL": database.api_url,
    }
    command = [sys.executable, "-m", "api", "create-admin", *arguments]
    return subprocess.run(
        command, env=environment, input=f"{password}\n", capture_output=True, text=True, check=False, timeout=60
    )


async def test_it_makes_an_administrator_and_lets_a_lost_one_back_in(
    stranger: httpx.AsyncClient, database: Database, seed: Seed
) -> None:
    assert create_admin(database, "an", password="short").returncode == 2
    assert create_admin(database, "No Name").returncode == 2
    made = create_admin(database, "an", "--display-name", "An")
    assert (made.returncode, made.stdout) == (0, "")
    assert (await stranger.post("/v1/session", json={"name": "an", "password": PASSWORD})).status_code == 204
    assert (await stranger.get("/v1/session")).json()["grants"] == {"*": "administrator"}
    seed.execute("update account set disabled_time = now()")
    seed.execute("delete from account_grant")
    kept = page_headers(open_session(seed, "an"))
    stranger.cookies.clear()

    back = create_admin(database, "an", "--generate")

    assert back.returncode == 0
    login = {"name": "an", "password": back.stdout.strip()}
    assert (await stranger.get("/v1/towns", headers=kept)).status_code == 401
    assert (await stranger.post("/v1/session", json=login)).status_code == 204
    items = (await stranger.get("/v1/audit")).json()["items"]
    assert [item["action"] for item in items if item["outcome"] == "done"] == ["user.create-admin"] * 2
    assert items[0]["actor"].startswith("cli:")
    assert create_admin(database, "other", "--generate", "--unless-any").stdout == ""
    assert seed.connection.execute("select count(*) from account").fetchone() == (1,)
