"""Floods of refusals that nobody can mend one by one: from unknown sources, or of bytes that cannot be decoded.

Each source has so many such refused messages a minute kept with their bytes. Beyond that one row a batch stands for all
of them, with the exact number of readings, so that counts stay exact while storage stays bounded. What a registered
device sends in a form that can be read is never sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from devices.reasons import Reason
from ingest.knocks import find_knocks
from ingest.ledger import ledger_key

if TYPE_CHECKING:
    from ingest.columns import Columns
    from ingest.ledger import LedgerKey
    from ingest.records import Rejection
    from ingest.validate import Checked

_MINUTE_US: Final = 60_000_000
_SAMPLED: Final = frozenset(
    {Reason.UNKNOWN_DEVICE, Reason.BAD_TOPIC, Reason.NOT_UTF8, Reason.NOT_JSON, Reason.TOO_DEEP, Reason.TOO_LARGE}
)
_SOURCES: Final = 1_000
"""Sources told apart in a minute; further ones share a bound, so that invented names open no door."""
_OTHERS: Final = "-"

_Key = tuple["LedgerKey", Reason, str]


@dataclass(slots=True)
class _Sample:
    rejection: Rejection
    messages: int = 0  # further ones it stands for

    def add(self, rejection: Rejection) -> None:
        self.rejection.readings += rejection.readings
        self.rejection.unkept += rejection.readings

    def describe(self) -> None:
        if self.messages:
            self.rejection.detail += (
                f"; stands for {self.rejection.unkept} readings of {self.messages} further messages too, whose bytes"
                " were not kept"
            )


class FloodSampler:
    """Bounds the kept refusals of the two kinds; counts within one minute of received time.

    Args:
        after: refused messages kept a minute, source and reason.
        sources: how many sources are told apart.
    """

    def __init__(self, after: int, *, sources: int = _SOURCES) -> None:
        self._after = after
        self._sources = sources
        self._minute = 0
        self._kept: dict[tuple[str, Reason], int] = {}

    def apply(self, columns: Columns, checked: Checked) -> Checked:
        """The batch with its flood of refusals gathered; to be called once a batch."""
        if not any(rejection.reason in _SAMPLED for rejection in checked.rejections):
            return checked
        by_message: dict[int, list[Rejection]] = {}
        for rejection in checked.rejections:
            by_message.setdefault(rejection.message, []).append(rejection)
        kept: list[Rejection] = []
        samples: dict[_Key, _Sample] = {}
        for index, rejections in by_message.items():
            # All refusals of a message are kept or none: a replay has to know what became of the whole.
            if any(rejection.reason not in _SAMPLED for rejection in rejections):
                kept += rejections
                continue
            source = self._source(columns, index, rejections[0].reason)
            if self._has_room(columns, index, source, rejections[0].reason):
                kept += rejections
            else:
                entry = ledger_key(columns, index)
                kept += _gather(samples, [((entry, each.reason, source), each) for each in rejections])
        for sample in samples.values():
            sample.describe()
        return replace(checked, rejections=kept, knocks=find_knocks(columns, checked.rejections))

    def _source(self, columns: Columns, index: int, reason: Reason) -> str:
        source = columns.routes[index].source
        if source in columns.snapshot.by_id or (source, reason) in self._kept or len(self._kept) < self._sources:
            return source
        return _OTHERS

    def _has_room(self, columns: Columns, index: int, source: str, reason: Reason) -> bool:
        minute = columns.messages[index].received_us // _MINUTE_US
        if minute != self._minute:
            self._minute = minute
            self._kept.clear()
        count = self._kept.get((source, reason), 0)
        if count >= self._after:
            return False
        self._kept[source, reason] = count + 1
        return True


def _gather(samples: dict[_Key, _Sample], keyed: list[tuple[_Key, Rejection]]) -> list[Rejection]:
    """Count one message's refusals to the samples; where one is missing the message becomes it, and is answered."""
    if all(key in samples for key, _ in keyed):
        for key, rejection in keyed:
            samples[key].add(rejection)
        for key in {key for key, _ in keyed}:
            samples[key].messages += 1
        return []
    copies = []
    for key, rejection in keyed:
        copy = msgspec.structs.replace(rejection)  # the decoder's own stays as it is
        samples.setdefault(key, _Sample(copy))
        copies.append(copy)
    return copies
