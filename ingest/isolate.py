"""When a batch fails for a reason that time does not mend: message by message, so that a poison spoils no other."""

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
    """Writes the messages of a failed batch one by one; may be asked again after the storage was away.

    Args:
        columns: the batch that failed.
        decoder: to decode each message anew.
        store: validates and writes a batch, as the worker does.
    """

    def __init__(self, columns: Columns, decoder: Decoder, store: Callable[[Columns], WriteResult]) -> None:
        self.columns = columns
        self._decoder = decoder
        self._store = store
        self._done = 0
        self._pending: Columns | None = None
        self._result = WriteResult(messages=0, stored=0, duplicate=0, conflict=0, rejected=0, missing=0)

    def write(self) -> WriteResult:
        """Write what is left.

        Raises:
            StorageAwayError: what is done so far is committed and remembered; call again.
        """
        messages = self.columns.messages
        while self._done < len(messages):
            if self._pending is None:
                # Kept over a retry: the writer knows a doubtful COMMIT by the columns it wrote.
                self._pending = Columns(self.columns.snapshot)
                self._decoder.decode([messages[self._done]], self._pending)
            try:
                part = self._store(self._pending)
            except StorageAwayError:
                raise
            except Exception as error:
                if any(rejection.reason is Reason.INTERNAL_ERROR for rejection in self._pending.rejections):
                    raise  # not even its bytes can be kept
                _LOG.exception("Message on %r fails", messages[self._done].topic)
                self._pending = self._refused(messages[self._done], error)
                continue
            _add(self._result, part)
            self._pending = None
            self._done += 1
        return self._result

    def _refused(self, message: Message, error: Exception) -> Columns:
        columns = Columns(self.columns.snapshot)
        decoded = Columns(self.columns.snapshot)
        self._decoder.decode([message], decoded)
        columns.messages.append(message)
        columns.routes.append(decoded.routes[0])
        columns.received.append(decoded.received[0])
        columns.missing.append(0)
        columns.rejections.append(
            Rejection(
                message=0,
                reason=Reason.INTERNAL_ERROR,
                detail=f"{type(error).__name__}: {error}",
                readings=decoded.received[0],
            )
        )
        return columns


def _add(total: WriteResult, part: WriteResult) -> None:
    for name in ("messages", "stored", "duplicate", "conflict", "rejected", "missing", "staged_rows", "unkept"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    for reason, readings in part.rejections.items():
        total.rejections[reason] = total.rejections.get(reason, 0) + readings
