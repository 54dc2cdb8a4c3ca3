"""From the log of committed batches to `latest`, the ledger and live push, shortly after the COMMIT.

Any worker folds any worker's batches, so a worker that was killed leaves nothing behind: its log rows were committed
with its batches and the next worker that looks takes them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest.parameters import array_text
from ingest.storage import QUERIES, connect, named_errors
from ingest.write import time_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg


@dataclass(frozen=True, slots=True)
class Row:
    """Key of a stored row that may move latest."""

    device_key: int
    time_us: int  # phenomenon time
    complete: bool  # has a value in every slot


def passes(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Arrange rows so that each pass holds at most one a device, and later passes hold later times.

    Rows before the newest complete one of their device cannot matter and are left out.
    """
    by_device: dict[int, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        by_device[row.device_key][row.time_us] = row
    queues: list[list[Row]] = []
    for device_rows in by_device.values():
        queue = [device_rows[time_us] for time_us in sorted(device_rows)]
        complete = max((at for at, row in enumerate(queue) if row.complete), default=0)
        queues.append(queue[complete:])
    for at in range(max((len(queue) for queue in queues), default=0)):
        yield [queue[at] for queue in queues if at < len(queue)]


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
        """Fold what is in the log, some hundred batches at most.

        Returns:
            How many batches were folded; 0 when the log is empty.

        Raises:
            StorageAwayError: nothing was folded; try again later.
        """
        connection = self.connection()
        with named_errors(), connection.transaction():
            taken = connection.execute(QUERIES["take_batch_logs"]).fetchall()
            if not taken:
                return 0
            rows = [
                Row(*key)
                for batch in taken
                for key in zip(batch["device_keys"], batch["times_us"], batch["complete"], strict=True)
            ]
            connection.execute(QUERIES["plan_by_key"])
            for chosen in passes(rows):
                times_us = [row.time_us for row in chosen]
                connection.execute(
                    QUERIES["fold_latest"],
                    {
                        "device_keys": array_text([row.device_key for row in chosen]),
                        "times_us": array_text(times_us),
                        "first": time_of(min(times_us)),
                        "last": time_of(max(times_us)),
                    },
                )
            changed = {row.device_key for row in rows}.union(*(batch["status_device_keys"] for batch in taken))
            if changed:
                connection.execute(QUERIES["announce_change"], {"device_keys": array_text(sorted(changed))})
            return len(taken)
