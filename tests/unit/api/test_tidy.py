"""What has ended is thrown away, whatever the database does meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from psycopg import DatabaseError
from psycopg_pool import PoolTimeout

from api import accounts
from api.accounts import Logins
from api.throttle import Brake


class _Changes:
    """A database that is away at first."""

    possible = True

    def __init__(self) -> None:
        self.faults: list[Exception] = [PoolTimeout(), DatabaseError()]
        self.done = asyncio.Event()

    async def execute(self, _query: str) -> int:
        if self.faults:
            raise self.faults.pop()
        self.done.set()
        return 0


async def test_what_has_ended_is_thrown_away_at_the_start_and_again_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts, "_TRY_AGAIN_S", 0.0, raising=False)
    changes = _Changes()
    nothing: Any = cast("Any", None)
    logins = Logins(
        cast("Any", changes), nothing, nothing, nothing, by_address=Brake(), by_account=Brake(), life_s=3600
    )
    tidying = asyncio.create_task(logins.tidy())
    await asyncio.wait_for(changes.done.wait(), 5)
    assert not tidying.done()
    tidying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tidying
