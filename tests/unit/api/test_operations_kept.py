"""What the operations views keep is bounded, and no request pays for it with its own answer."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

from api.operations.service import _SUMMARIES_KEPT, Operations

if TYPE_CHECKING:
    import pytest

    from api.database import Database

FIRST = date(2026, 1, 1)


async def test_more_summaries_at_once_than_are_kept_are_all_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = asyncio.Event()

    async def make(_self: Operations, _town: str, _domain: str, day: date, _pcu_set: str | None) -> Any:
        await may_end.wait()
        return day

    monkeypatch.setattr(Operations, "_make_summary", make)
    operations = Operations(cast("Database", None))
    days = [FIRST + timedelta(days=number) for number in range(_SUMMARIES_KEPT + 8)]
    asked = [asyncio.create_task(operations.summary("hoi-an", "traffic", day)) for day in days]
    await asyncio.sleep(0)
    may_end.set()

    assert await asyncio.gather(*asked) == days
    assert await operations.summary("hoi-an", "traffic", FIRST - timedelta(days=1)) == FIRST - timedelta(days=1)
    assert len(operations._summaries) == _SUMMARIES_KEPT
    await operations.close()
