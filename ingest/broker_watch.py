"""What the broker says of itself in $SYS: how much it holds, and what it has dropped.

A message that the broker drops at its own bound was acknowledged to its device and never reaches a worker, so it is in
no ledger. That is why it is watched: the sum is kept in the database, over restarts of the broker and of workers.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ingest.storage import QUERIES, connect, named_errors

if TYPE_CHECKING:
    import psycopg

DROPPED: Final = "$SYS/broker/publish/messages/dropped"
STORED: Final = "$SYS/broker/store/messages/count"
RETAINED: Final = "$SYS/broker/retained messages/count"
TOPICS: Final = (DROPPED, STORED, RETAINED)
_DEGRADED: Final = timedelta(hours=1)


class BrokerWatch:
    """Remembers the newest figures; `report` blocks, the rest does not.

    Args:
        dsn: the database.
        broker: its address, without login.
        worker: name of the worker.
    """

    def __init__(self, *, dsn: str, broker: str, worker: str) -> None:
        self._dsn = dsn
        self._broker = broker
        self._worker = worker
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._said: dict[str, int] = {}
        self._reported: int | None = None
        self.dropped = math.nan
        self.dropped_time: datetime | None = None

    def notice(self, topic: str, payload: bytes) -> None:
        """Take one message of $SYS; what is no number is passed over."""
        if topic in TOPICS and payload.isdigit():
            self._said[topic] = int(payload)

    @property
    def queued(self) -> float:
        """Messages the broker holds for those that are away or slow; NaN where it does not say."""
        if STORED not in self._said:
            return math.nan
        return max(0, self._said[STORED] - self._said.get(RETAINED, 0))

    def report(self) -> None:
        """Bring the sum of dropped messages up to date, in the database and here.

        Raises:
            StorageAwayError: try again later.
        """
        told = self._said.get(DROPPED)
        if told is None or told == self._reported:
            return
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn, application=f"thubon broker watch {self._worker}")
        with named_errors():
            row = self._connection.execute(QUERIES["report_broker"], {"broker": self._broker, "told": told}).fetchone()
        if row is not None:
            self.dropped, self.dropped_time, self._reported = row["dropped"], row["dropped_time"], told

    def check(self) -> tuple[bool, str]:
        """Whether nothing was dropped within the last hour, and what to know."""
        if self.dropped_time is None:
            return True, "nothing dropped" if self.dropped == 0 else "the broker does not say"
        known = f"{self.dropped:.0f} messages in all, the last before {self.dropped_time:%Y-%m-%dT%H:%M:%SZ}"
        return datetime.now(UTC) - self.dropped_time > _DEGRADED, known

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
