"""Which values of a payload belong into which columns, looked up by the names it gives them."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

KEPT_SHAPES: Final = 4_096
"""Bound on what new batches start with; a device that shuffles its keys makes as many as its names have orders."""


class Shapes:
    """Names of datastreams in the order in which payloads held them, against one layout.

    Batches share it and only ever add to it, so a place stays what it was for as long as any of them lives.
    """

    def __init__(self, column_of: Mapping[str, int]) -> None:
        self._column_of = column_of
        self._adding = Lock()
        self.place_of: dict[tuple[str, ...], int] = {}  # index into columns
        self.columns: list[NDArray[np.intp]] = []  # column (slot - 1) of each name

    @property
    def full(self) -> bool:
        """Whether a new batch should start another one."""
        return len(self.columns) > KEPT_SHAPES

    def place(self, names: tuple[str, ...]) -> int | None:
        """Index of these names' columns, from the cache or made now; None where the layout does not know them all."""
        place = self.place_of.get(names)
        if place is not None:
            return place
        try:
            columns = np.array([self._column_of[name] for name in names], dtype=np.intp)
        except KeyError:
            return None  # not remembered: whoever invents names would fill it
        # A batch that is isolated is decoded in a thread of its own, while the stream goes on.
        with self._adding:
            if names not in self.place_of:
                self.columns.append(columns)
                self.place_of[names] = len(self.columns) - 1
            return self.place_of[names]
