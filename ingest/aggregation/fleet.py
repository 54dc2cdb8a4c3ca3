"""What the aggregator knows of the devices: kinds of devices whose slots are alike, so that they go together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from devices.profiles import kept_by
from devices.reductions.rows import HOLD_INTERVALS, Options
from ingest.aggregation.windows import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from devices.dated_limit import DatedLimit

_SPEED, _VEHICLES = "vehicle-speed", "vehicle-count"


@dataclass(frozen=True, slots=True)
class Slot:
    """A datastream, as far as its statistics depend on it."""

    shift_s: int  # from the time that places a value to its phenomenon time: its period, if stamped at the end
    interval_s: int
    keeps: tuple[str, ...]
    property_id: str
    limit: DatedLimit | None = None  # of the exceedance, where it keeps that


def _slot(row: Mapping[str, Any]) -> Slot:
    keeps, limit = kept_by(row["profile"], row["name"], row["property"])
    return Slot(
        shift_s=row["period_s"] if row["period_s"] and row["stamp"] == "end" else 0,
        interval_s=row["interval_s"],
        keeps=keeps,
        property_id=row["property"],
        limit=limit,
    )


@dataclass(frozen=True)
class Kind:
    """Devices whose slots are alike."""

    slots: tuple[Slot, ...]

    @cached_property
    def shift_us(self) -> NDArray[np.int64]:
        """Shift of each slot, shape (slots,)."""
        return np.array([slot.shift_s * SECOND_US for slot in self.slots], dtype=np.int64)

    @cached_property
    def hold_us(self) -> NDArray[np.int64]:
        """How long a value of each slot holds at most, shape (slots,)."""
        return np.array([HOLD_INTERVALS * slot.interval_s * SECOND_US for slot in self.slots], dtype=np.int64)

    @cached_property
    def keeps(self) -> Mapping[str, NDArray[np.bool_]]:
        """Reduction -> which slots keep it, shape (slots,)."""
        names = dict.fromkeys(name for slot in self.slots for name in slot.keeps)
        return {name: np.array([name in slot.keeps for slot in self.slots]) for name in names}

    @cached_property
    def weighing(self) -> NDArray[np.intp] | None:
        """Slots that count the vehicles whose mean speed the device tells; None where that is not one speed."""
        speeds = sum(slot.property_id == _SPEED for slot in self.slots)
        counts = [at for at, slot in enumerate(self.slots) if slot.property_id == _VEHICLES]
        return np.array(counts) if speeds == 1 and counts else None

    def options(self, start_us: NDArray[np.int64]) -> Options:
        """For groups numbered window by window: each is held against the limit in force when it began.

        Args:
            start_us: of the windows, shape (windows,).
        """
        limit = np.full((len(start_us), len(self.slots)), np.inf)
        for at, slot in enumerate(self.slots):
            if slot.limit is not None:
                limit[:, at] = slot.limit.at(start_us)
        return Options(hold_us=np.tile(self.hold_us, len(start_us)), limit=limit.ravel())

    def holding(self, windows: int) -> Options:
        """For merging, which asks for no limit."""
        return Options(hold_us=np.tile(self.hold_us, windows))


@dataclass(frozen=True)
class Fleet:
    """Every device's kind."""

    version: int  # of the registry
    kinds: tuple[Kind, ...]
    kind_of: NDArray[np.int32]  # by device_key; -1: not registered

    @classmethod
    def of(cls, version: int, rows: Iterable[Mapping[str, Any]]) -> Fleet:
        """From rows of the query `fleet`, ordered by device and slot."""
        numbers: dict[tuple[Slot, ...], int] = {}
        by_device: dict[int, int] = {}
        for device_key, datastreams in groupby(rows, key=lambda row: row["device_key"]):
            slots = tuple(_slot(row) for row in datastreams)
            by_device[device_key] = numbers.setdefault(slots, len(numbers))
        kind_of = np.full(max(by_device, default=0) + 1, -1, dtype=np.int32)
        for device_key, number in by_device.items():
            kind_of[device_key] = number
        return cls(version=version, kinds=tuple(Kind(slots) for slots in numbers), kind_of=kind_of)

    def kind_numbers(self, device_keys: NDArray[np.int32]) -> NDArray[np.int32]:
        """The kind of each of these devices; -1 for those registered after this was read."""
        known = device_keys < len(self.kind_of)
        return np.where(known, self.kind_of[np.where(known, device_keys, 0)], np.int32(-1))
