"""Quarters folded lately, in memory until their hour is made of them: reading back costs as much as writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ingest.aggregation.partial_windows import Work
    from ingest.aggregation.store import Windows

CELLS: Final = 600_000
"""Windows times slots held at most, about 100 MB: an hour of 25,000 devices of six datastreams. More are read back."""
_UNKNOWN: Final = np.iinfo(np.int64).max


class Recent:
    """What is known of the windows at rest without reading them; whoever else writes such a window must say so here."""

    def __init__(self) -> None:
        self._from_us: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._blocks: list[list[Windows]] = []
        self._cells = 0

    def begin(self, devices: int, kinds: int) -> None:
        """Know nothing, of so many devices of so many kinds."""
        self._from_us = np.full(devices, _UNKNOWN)
        self._blocks = [[] for _ in range(kinds)]
        self._cells = 0

    def forget(self, devices: NDArray[np.integer]) -> None:
        """Of these devices windows were written that are not as those here."""
        self._from_us[devices] = _UNKNOWN

    def forget_all(self) -> None:
        """Somebody else wrote windows."""
        self.begin(len(self._from_us), len(self._blocks))

    def add(self, number: int, work: Work, windows: Windows) -> None:
        """Windows that were folded and are committed, whole: with what stood of them before.

        Args:
            number: of the kind.
            work: of the kind.
            windows: sorted; none of a device stands after its last one.
        """
        cells = len(windows.flagged)
        if len(np.unique(work.kind.shift_us)) > 1 or self._cells + cells > CELLS:
            # Where slots are placed differently, some windows that stand may lie after the first of these.
            self.forget(windows.device_key)
            return
        starts = np.flatnonzero(np.r_[True, windows.device_key[1:] != windows.device_key[:-1]])
        devices = windows.device_key[starts]
        self._from_us[devices] = np.minimum(self._from_us[devices], windows.start_us[starts])
        self._blocks[number].append(work.as_stored(windows))
        self._cells += cells

    def whole_from(self, devices: NDArray[np.integer], low_us: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of which of these devices all windows from that time on are here."""
        whole: NDArray[np.bool_] = self._from_us[devices] <= low_us
        return whole

    def take_out(
        self, number: int, work: Work, devices: NDArray[np.integer], low_us: NDArray[np.int64]
    ) -> Sequence[Windows]:
        """The windows of these devices from that time on, which then are here no longer; later ones after earlier ones.

        Args:
            number: of the kind.
            work: of the kind.
            devices: distinct; `whole_from` is true of each.
            low_us: shape of `devices`.
        """
        low = np.full(len(self._from_us), _UNKNOWN)
        low[devices] = low_us
        self.forget(devices)
        found, kept = [], []
        for block in self._blocks[number]:
            asked = np.flatnonzero(block.start_us >= low[block.device_key])
            if len(asked):
                found.append(work.take(block, asked))
            left = np.flatnonzero(self._from_us[block.device_key] != _UNKNOWN)
            self._cells -= len(block.flagged)
            if len(left):
                kept.append(block if len(left) == len(block) else work.take(block, left))
                self._cells += len(kept[-1].flagged)
        self._blocks[number] = kept
        return found
