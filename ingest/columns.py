"""What decoding fills: rows in columns, with the bounds and codes of the contract's JSON."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.records import Message, Rejection
    from ingest.registry import Layout, RegistrySnapshot
    from ingest.route import Route
    from ingest.shapes import Shapes

QUALITY_BITS: Final = {None: 0, "00": 0, "01": 1, "02": 2}
"""Instrument status (TT 10/2021/TT-BTNMT) -> quality bit set: measuring, calibrating, fault."""
SECONDS_BELOW: Final = 10**11
"""A timestamp below this many 'milliseconds' (March 1973) was surely meant in seconds."""
LAST_TIMESTAMP_MS: Final = 253_402_300_799_999
"""The end of the year 9999, the last instant that both RFC 3339 and Python can write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one message."""

    payload_bytes: int = 262_144
    readings: int = 10_000
    subjects: int = 20  # refused readings named in one rejection


@dataclass(slots=True)
class Columns:
    """Decoded rows of many messages, growing; see `ingest.validate` for how rows become blocks.

    Row arrays have one element a row, message arrays one a message; `flat` holds the values of all rows one after the
    other, each row as many as its shape is wide.
    """

    snapshot: RegistrySnapshot
    messages: list[Message] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    received: array[int] = field(default_factory=lambda: array("q"))
    missing: array[int] = field(default_factory=lambda: array("q"))
    row_message: array[int] = field(default_factory=lambda: array("i"))
    row_device: array[int] = field(default_factory=lambda: array("i"))
    row_shape: array[int] = field(default_factory=lambda: array("i"))
    row_quality: array[int] = field(default_factory=lambda: array("h"))
    row_time_us: array[int] = field(default_factory=lambda: array("q"))
    flat: array[float] = field(default_factory=lambda: array("d"))
    rejections: list[Rejection] = field(default_factory=list)
    statuses: list[tuple[int, str, int]] = field(default_factory=list)  # device index, word, message
    shapes: dict[int, Shapes] = field(default_factory=dict)  # by layout, what row_shape points into
    payload_bytes: int = 0

    def add_messages(self, messages: Sequence[Message], routes: Sequence[Route]) -> int:
        """Append messages, each with nothing received so far; returns the index of the first."""
        first = len(self.messages)
        self.messages.extend(messages)
        self.routes.extend(routes)
        self.payload_bytes += sum([len(message.payload) for message in messages])
        nothing = bytes(self.received.itemsize * len(messages))
        self.received.frombytes(nothing)
        self.missing.frombytes(nothing)
        return first

    def shapes_of(self, layout: Layout) -> Shapes:
        """The shapes that this batch's rows of a layout point into."""
        shapes = self.shapes.get(layout.index)
        if shapes is None:
            shapes = self.shapes[layout.index] = layout.shapes_for_a_batch()
        return shapes

    def truncate_rows(self, rows: int, values: int) -> None:
        """Forget the rows after the first `rows`, and their values."""
        for column in (self.row_message, self.row_device, self.row_shape, self.row_quality, self.row_time_us):
            del column[rows:]
        del self.flat[values:]
