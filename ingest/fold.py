"""From the log of committed batches to `latest`, the ledger and live push, shortly after the COMMIT.

Any worker folds any worker's batches, so a worker that was killed leaves nothing behind: its log rows were committed
with its batches and the next worker that looks takes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ingest.latest import passes
from ingest.parameters import array_text
from ingest.storage import QUERIES, connect, named_errors
from ingest.write import time_of

if TYPE_CHECKING:
    import psycopg


FOLDED_AT_ONCE: Final = 500
"""Batches folded in one transaction at most."""


class Folder:
    """Folds over a connection of its own; its methods block."""

    def __init__(self, *, dsn: str, worker: str) -> None:
        self._dsn = dsn
        self._worker = worker
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def connection(self) -> psycopg.Connection[dict[str, Any]]:
        """The open connection, opened now where there is none.

        Raises:
            StorageAwayError: the server does not answer.
        """
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn, application=f"thubon fold {self._worker}")
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def fold(self) -> int:
        """Fold what is in the log, `FOLDED_AT_ONCE` batches at most.

        Returns:
            How many batches were folded; 0 when the log is empty.

        Raises:
            StorageAwayError: nothing was folded; try again later.
        """
        connection = self.connection()
        with named_errors(), connection.transaction():
            # Before this transaction has a number: by its lock on batch_log live push knows whom to wait for.
            taken = connection.execute(QUERIES["take_batch_logs"], {"batches": FOLDED_AT_ONCE}).fetchall()
            if not taken:
                return 0
            connection.execute(QUERIES["plan_by_key"])
            columns = [
                np.concatenate([np.array(batch[name], dtype=np.int64) for batch in taken])
                for name in ("device_keys", "times_us", "slots")
            ]
            for device_keys, times_us, widths in passes(*columns):
                self._move(connection, device_keys, times_us, widths)
            changed = set(columns[0].tolist()).union(*(batch["status_device_keys"] for batch in taken))
            if changed:
                connection.execute(QUERIES["announce_change"], {"device_keys": array_text(sorted(changed))})
            return len(taken)

    def _move(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        device_keys: list[int],
        times_us: list[int],
        widths: list[int],
    ) -> None:
        """Move latest by one pass: complete rows in one stroke, what is left slot by slot."""
        span = {"first": time_of(min(times_us)), "last": time_of(max(times_us))}
        moved = {
            row["device_key"]
            for row in connection.execute(
                QUERIES["fold_complete_latest"],
                {
                    "device_keys": array_text(device_keys),
                    "times_us": array_text(times_us),
                    "widths": array_text(widths),
                    **span,
                },
            )
        }
        left = [(key, us) for key, us in zip(device_keys, times_us, strict=True) if key not in moved]
        if left:
            connection.execute(
                QUERIES["fold_latest"],
                {
                    "device_keys": array_text([key for key, _ in left]),
                    "times_us": array_text([us for _, us in left]),
                    **span,
                },
            )
