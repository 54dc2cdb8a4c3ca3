"""Decode, check and write without a broker, at whatever received time a test wants."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.columns import Columns, Limits
from ingest.decode import Decoder
from ingest.records import Message, WriteResult
from ingest.sampling import FloodSampler
from ingest.storage import read_registry
from ingest.validate import TimeRules, validate
from ingest.write import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

Sent = tuple[str, object, int]
"""Topic below thubon/v1/, payload, received time in Unix microseconds."""


@dataclass
class Pipeline:
    """A worker's way from message to COMMIT."""

    url: str
    rules: TimeRules = field(default_factory=TimeRules)
    sample_after: int = 1_000_000
    alone: bool = True

    def __post_init__(self) -> None:
        self.writer = Writer(dsn=self.url, worker="test", subjects=20, alone=self.alone)
        self.decoder = Decoder(limits=Limits())
        self.sampler = FloodSampler(self.sample_after)

    def store(self, sent: Sequence[Sent]) -> WriteResult:
        """Store one batch against the registry as it is now."""
        messages = [Message(f"thubon/v1/{topic}", _bytes(payload), received_us) for topic, payload, received_us in sent]
        columns = Columns(read_registry(self.writer.connection()))
        self.decoder.decode(messages, columns)
        checked = self.sampler.apply(columns, validate(columns, self.rules, subjects=20))
        return self.writer.write(columns, checked)


def _bytes(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()
