"""The clock of a run: even over the fleet, never beyond the present."""

from __future__ import annotations

import asyncio
import time

from simulators.pace import SLICE_S, Pace


async def test_nobody_gets_further_than_a_slice_ahead_of_the_slowest() -> None:
    start_s = time.time() - 86_400.0
    pace = Pace(start_s)
    pace.moved("slow", start_s)
    pace.moved("quick", start_s)
    assert await pace.until(start_s) == start_s + SLICE_S
    pace.moved("quick", start_s + SLICE_S)
    waiting = asyncio.create_task(pace.until(start_s + SLICE_S))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    pace.moved("slow", start_s + 60.0)
    assert await asyncio.wait_for(waiting, 1.0) == start_s + 60.0 + SLICE_S


async def test_a_connection_that_is_down_holds_nobody_up() -> None:
    start_s = time.time() - 86_400.0
    pace = Pace(start_s)
    pace.moved("down", start_s)
    pace.moved("up", start_s + SLICE_S)
    waiting = asyncio.create_task(pace.until(start_s + SLICE_S))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    pace.left("down")
    assert await asyncio.wait_for(waiting, 1.0) == start_s + 2 * SLICE_S


async def test_time_ends_at_the_present() -> None:
    pace = Pace(time.time() - 60.0)
    pace.moved("only", time.time() - 60.0)
    assert abs(await pace.until(time.time() - 60.0) - time.time()) < 1.0


async def test_a_rate_plays_history_that_many_times_as_fast_and_then_keeps_to_the_present() -> None:
    pace = Pace(time.time() - 100.0, rate=1_000.0)
    assert pace.is_fast()
    assert pace.now() < time.time() - 50.0
    await asyncio.sleep(0.15)
    assert abs(pace.now() - time.time()) < 0.5
    assert not pace.is_fast()
