"""When a batch fails for a reason that time does not mend: in halves, down to the message that spoils the others.

One poison among n messages costs 2 log2(n) transactions instead of n, so a device that sends one now and then does not
stop a town.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from devices.reasons import Reason
from ingest.columns import Columns
from ingest.errors import StorageAwayError
from ingest.records import Message, Rejection, WriteResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.decode import Decoder

_LOG: Final = logging.getLogger(__name__)


class Isolation:
    """Writes a failed batch in parts, in order; may be asked again after the storage was away.

    Args:
        columns: the batch that failed.
        decoder: to decode its messages anew.
        store: validates and writes a batch, as the worker does.
    """

    def __init__(self, columns: Columns, decoder: Decoder, store: Callable[[Columns], WriteResult]) -> None:
        self.columns = columns
        self._decoder = decoder
        self._store = store
        self._parts = _halves(0, len(columns.messages))  # to be written, the next one last; (first message, end)
        self._pending: Columns | None = None
        self._result = WriteResult(messages=0, stored=0, duplicate=0, conflict=0, rejected=0, missing=0)

    def write(self) -> WriteResult:
        """Write what is left.

        Raises:
            StorageAwayError: what is done so far is committed and remembered; call again.
        """
        while self._parts:
            first, end = self._parts[-1]
            messages = self.columns.messages[first:end]
            if self._pending is None:
                # Kept over a retry: the writer knows a doubtful COMMIT by the columns it wrote.
                self._pending = Columns(self.columns.snapshot)
                self._decoder.decode(messages, self._pending)
            try:
                written = self._store(self._pending)
            except StorageAwayError:
                raise
            except Exception as error:
                if any(rejection.reason is Reason.INTERNAL_ERROR for rejection in self._pending.rejections):
                    raise  # not even its bytes can be kept
                if len(messages) > 1:
                    self._parts[-1:] = _halves(first, end)
                    self._pending = None
                else:
                    _LOG.exception("Message on %r fails", messages[0].topic)
                    self._pending = self._refused(messages[0], error)
                continue
            _add(self._result, written)
            self._pending = None
            self._parts.pop()
        return self._result

    def _refused(self, message: Message, error: Exception) -> Columns:
        columns = Columns(self.columns.snapshot)
        decoded = Columns(self.columns.snapshot)
        self._decoder.decode([message], decoded)
        columns.add_messages([message], decoded.routes)
        columns.received[0] = decoded.received[0]
        columns.rejections.append(
            Rejection(
                message=0,
                reason=Reason.INTERNAL_ERROR,
                detail=f"{type(error).__name__}: {error}",
                readings=decoded.received[0],
            )
        )
        return columns


def _halves(first: int, end: int) -> list[tuple[int, int]]:
    middle = (first + end) // 2
    return [(at, until) for at, until in ((middle, end), (first, middle)) if at < until]


def _add(total: WriteResult, part: WriteResult) -> None:
    for name in ("messages", "stored", "duplicate", "conflict", "rejected", "missing", "staged_rows", "unkept"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    for reason, readings in part.rejections.items():
        total.rejections[reason] = total.rejections.get(reason, 0) + readings
