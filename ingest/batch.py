"""When a batch is closed: by messages, readings or bytes; its age is the worker's business."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.columns import Columns

if TYPE_CHECKING:
    from ingest.registry import RegistrySnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """A batch is closed when it reaches any of these."""

    messages: int
    readings: int
    payload_bytes: int


class Batcher:
    """Collects columns into batches; closed ones wait, in order, for the writer.

    How much waits is bounded by the receive maximum and by `waiting_bytes`, at which the worker stops reading.
    """

    def __init__(self, *, limits: BatchLimits, snapshot: RegistrySnapshot) -> None:
        self._limits = limits
        self._snapshot = snapshot
        self._closed: deque[Columns] = deque()
        self._closed_bytes = 0
        self.open = Columns(snapshot)

    @property
    def snapshot(self) -> RegistrySnapshot:
        """The registry that new batches are decoded against."""
        return self._snapshot

    @property
    def waiting_bytes(self) -> int:
        """Payload bytes that are decoded and not yet taken by the writer."""
        return self._closed_bytes + self.open.payload_bytes

    @property
    def waiting_messages(self) -> int:
        """Messages that are decoded and not yet taken by the writer."""
        return sum(len(columns.messages) for columns in self._closed) + len(self.open.messages)

    def change_snapshot(self, snapshot: RegistrySnapshot) -> None:
        """Decode against another registry from now on; what is open keeps the one it was decoded against."""
        self.close()
        self._snapshot = snapshot
        self.open = Columns(snapshot)

    def close_if_full(self) -> bool:
        """Close the open batch when it reached a limit; tells whether it did."""
        full = (
            len(self.open.messages) >= self._limits.messages
            or len(self.open.flat) >= self._limits.readings
            or self.open.payload_bytes >= self._limits.payload_bytes
        )
        if full:
            self.close()
        return full

    def close(self) -> None:
        """Close the open batch, unless it is empty."""
        if self.open.messages:
            self._closed.append(self.open)
            self._closed_bytes += self.open.payload_bytes
            self.open = Columns(self._snapshot)

    @property
    def has_closed(self) -> bool:
        """Whether a closed batch waits."""
        return bool(self._closed)

    def take(self) -> Columns | None:
        """The oldest closed batch."""
        if not self._closed:
            return None
        columns = self._closed.popleft()
        self._closed_bytes -= columns.payload_bytes
        return columns
