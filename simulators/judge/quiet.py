"""Waits until what was sent went its whole way, or a bound is reached."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from simulators.judge.store import Store

_ASK_EVERY_S: Final = 0.25
_STILL_S: Final = 1.5
"""Nothing may have moved for so long."""


def wait_until_quiet(store: Store, hour: datetime, within_s: float) -> str | None:
    """Wait until all batches are folded, all windows told apart and nothing more comes in.

    Returns:
        None when it is quiet; else what still moved or waited when the time was over.
    """
    deadline = time.monotonic() + within_s
    before: dict[str, int] = {}
    still_since = time.monotonic()
    while True:
        now = store.progress(hour)
        if now != before:
            before, still_since = now, time.monotonic()
        waiting = {name: now[name] for name in ("unfolded", "changes", "behind") if now[name]}
        if not waiting and time.monotonic() - still_since >= min(_STILL_S, within_s):
            return None
        if time.monotonic() >= deadline:
            return f"after {within_s:g} s: {now}"
        time.sleep(_ASK_EVERY_S)
