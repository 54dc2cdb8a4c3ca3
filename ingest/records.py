"""The types on the arrows between the steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from devices.reasons import Reason


class Message(msgspec.Struct, gc=False):
    """A message as the broker delivered it.

    A msgspec struct because one is made for every message at full rate; it is the cheapest record there is.
    """

    topic: str
    payload: bytes
    received_us: int  # Unix microseconds, when its bytes were read from the socket
    packet_id: int = 0  # 0: QoS 0, nothing to acknowledge
    qos: int = 1
    retained: bool = False
    redelivered: bool = False  # the DUP flag
    generation: int = 0  # of the connection it came on
    assigned_us: int = 0  # first phenomenon time given to its unstamped readings; 0: none was given


class Rejection(msgspec.Struct, gc=False):
    """Readings of one message that are refused for one reason."""

    message: int  # index of the message in its batch
    reason: Reason
    detail: str  # for people: what was wrong and what is allowed
    readings: int  # how many readings it refuses, at least 1
    device_id: str | None = None
    subjects: list[dict[str, Any]] = []  # device, name, ts, value of the first refused readings
    unkept: int = 0  # of these readings: those of further messages of a flood, whose bytes are not kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows of devices that share one layout: what each device observed at one time.

    All arrays have length n; `value`, `quality` and `owner` have shape (n, slots).
    """

    layout: int  # index into RegistrySnapshot.layouts
    device: NDArray[np.int32]  # index into RegistrySnapshot.devices
    time_us: NDArray[np.int64]  # phenomenon time, Unix microseconds
    received_us: NDArray[np.int64]
    message: NDArray[np.int32]  # index of the message in its batch
    value: NDArray[np.float64]  # canonical unit; NaN: no reading in this slot
    quality: NDArray[np.int16]  # bit set; 0 where there is no reading
    owner: NDArray[np.int32] | None = None  # message of each cell, where rows of several messages were merged

    def owner_of(self, cells: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Message index of each cell that is true in `cells`, in row-major order."""
        if self.owner is not None:
            return self.owner[cells]
        return np.repeat(self.message, cells.sum(axis=1))

    def take(self, rows: NDArray[Any]) -> Block:
        """The block of the given rows (indices or a mask), in that order."""
        return Block(
            layout=self.layout,
            device=self.device[rows],
            time_us=self.time_us[rows],
            received_us=self.received_us[rows],
            message=self.message[rows],
            value=self.value[rows],
            quality=self.quality[rows],
            owner=None if self.owner is None else self.owner[rows],
        )

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.device)


@dataclass(slots=True)
class Tally:
    """Counts in readings, by message of the batch; one array a kind, each of shape (messages,), int64."""

    received: NDArray[np.int64]
    missing: NDArray[np.int64]
    rejected: NDArray[np.int64]
    stored: NDArray[np.int64]
    duplicate: NDArray[np.int64]
    conflict: NDArray[np.int64]


@dataclass(slots=True, kw_only=True)
class WriteResult:
    """What became of a batch, after its COMMIT."""

    messages: int
    stored: int
    duplicate: int
    conflict: int
    rejected: int
    missing: int
    rejections: dict[str, int] = field(default_factory=dict)  # readings by reason code
    staged_rows: int = 0  # rows that took the slower, conflict-tolerant path
    unkept: int = 0  # refused readings of a flood whose bytes are not kept
