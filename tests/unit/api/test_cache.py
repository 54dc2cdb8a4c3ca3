"""Values that many ask for at once."""

from __future__ import annotations

import asyncio

import pytest

from api.cache import Kept


class Work:
    """Counts how often it is done, and can be held up or made to fail."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.fails = False

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.fails:
            raise LookupError("gone")
        return number


async def test_of_a_burst_of_callers_one_computes_for_all() -> None:
    work = Work()
    work.may_end.clear()
    kept = Kept(work, 60.0)
    burst = [asyncio.create_task(kept.get()) for _ in range(50)]
    await asyncio.sleep(0)
    work.may_end.set()

    assert await asyncio.gather(*burst) == [1] * 50
    assert work.begun == 1


async def test_who_goes_away_does_not_take_the_work_from_the_others() -> None:
    work = Work()
    work.may_end.clear()
    kept = Kept(work, 60.0)
    first, second = asyncio.create_task(kept.get()), asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    work.may_end.set()

    assert await second == 1


async def test_a_value_past_half_its_life_is_handed_out_while_the_next_one_is_made() -> None:
    work = Work()
    kept = Kept(work, 0.4)
    assert await kept.get() == 1
    work.may_end.clear()
    await asyncio.sleep(0.21)

    assert await kept.get() == 1  # nobody waits
    await asyncio.sleep(0)
    assert work.begun == 2
    work.may_end.set()
    await asyncio.sleep(0)
    assert await kept.get() == 2
    await kept.close()


async def test_a_value_that_is_too_old_is_never_handed_out() -> None:
    work = Work()
    kept = Kept(work, 0.01)
    assert await kept.get() == 1
    await asyncio.sleep(0.02)

    assert await kept.get() == 2


async def test_while_the_next_one_takes_long_an_older_one_is_handed_out_but_not_for_ever() -> None:
    work = Work()
    kept = Kept(work, 0.02, busy_s=0.3)
    assert await kept.get() == 1
    work.may_end.clear()
    await asyncio.sleep(0.015)
    assert await kept.get() == 1  # the next one is begun
    await asyncio.sleep(0.03)

    assert await kept.get() == 1  # older than it is kept, but nobody waits
    await asyncio.sleep(0.3)
    waiting = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    work.may_end.set()
    assert await waiting == 2


async def test_an_error_reaches_who_asks_and_the_next_one_tries_again() -> None:
    work = Work()
    work.fails = True
    kept = Kept(work, 60.0)
    with pytest.raises(LookupError):
        await kept.get()
    work.fails = False

    assert await kept.get() == 2
