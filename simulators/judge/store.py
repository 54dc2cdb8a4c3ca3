"""What the judge reads from the database, all as of one moment; it writes nothing."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import dict_row

from simulators.judge.outcomes import Row, Rows
from simulators.judge.payloads import Registered, Stream
from simulators.judge.refusals import Refusal
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType
    from typing import Self

_QUERIES: Final = load_queries("judge")
_US: Final = 1_000_000

Span = tuple[int, int]
"""First and last moment, Unix seconds, the last one exclusive."""


def time_of(seconds: float) -> datetime:
    """Unix seconds as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)


class Store:
    """A connection to the database; a context within which everything is seen as of one moment."""

    def __init__(self, url: str) -> None:
        """Connect.

        Args:
            url: PostgreSQL address of a login that reads everything, such as one in thubon_ingest.

        Raises:
            psycopg.OperationalError: it cannot be reached.
        """
        self._connection = psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=10)

    def close(self) -> None:
        """Take leave."""
        self._connection.close()

    def progress(self, hour: datetime) -> dict[str, int]:
        """How much is not folded yet, and how much was received since an hour."""
        return dict(self._connection.execute(_QUERIES["progress"], {"hour": hour}).fetchone() or {})

    def __enter__(self) -> Self:
        """Begin to look at one moment."""
        self._connection.execute("begin")
        self._connection.execute(_QUERIES["one_moment"])
        self._connection.execute(_QUERIES["be_patient"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""
        self._connection.execute("rollback")

    def _rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        return self._connection.execute(_QUERIES[query], parameters).fetchall()

    def devices(self) -> dict[str, Registered]:
        """The registry."""
        found: dict[str, Registered] = {}
        streams: dict[str, dict[str, Stream]] = defaultdict(dict)
        for row in self._rows("devices"):
            device_id = row["device_id"]
            if row["name"] is not None:
                streams[device_id][row["name"]] = _stream(row)
            found[device_id] = Registered(
                device_id=device_id,
                town_id=row["town_id"],
                profile=row["profile"],
                gateway_id=row["gateway_id"],
                commissioned_us=round(row["commissioned_s"] * _US),
                retired=row["retired"],
                interval_s=row["reporting_interval_s"],
                place=(row["latitude"], row["longitude"]),
                streams=streams[device_id],
                site_id=row["site_id"],
                rated_power_w=row["rated_power_w"],
                fed_by_id=row["fed_by_id"],
            )
        return found

    def observations(self, device: str, span: Span) -> Rows:
        """What is stored of a device in a span."""
        rows = self._rows("observations", device=device, first=time_of(span[0]), last=time_of(span[1]))
        return {(row["name"], row["time_us"]): Row(row["value"], row["quality"], row["received_us"]) for row in rows}

    def strays(self, devices: Collection[str], span: Span, began: datetime) -> list[dict[str, Any]]:
        """What was received since `began` for a time outside a span; a thousand at most."""
        return self._rows("strays", devices=list(devices), first=time_of(span[0]), last=time_of(span[1]), began=began)

    def latest(self, devices: Collection[str]) -> dict[tuple[str, str], tuple[int, float, int]]:
        """(device, datastream name) -> (phenomenon time in Unix microseconds, value, quality)."""
        rows = self._rows("latest", devices=list(devices))
        return {(row["device_id"], row["name"]): (row["time_us"], row["value"], row["quality"]) for row in rows}

    def refusals(self, began: datetime, topics: Collection[str]) -> list[Refusal]:
        """Refusals since `began` of messages on these topics."""
        rows = self._rows("refusals", began=began)
        return [Refusal(**{**row, "payload": bytes(row["payload"])}) for row in rows if row["topic"] in topics]

    def account(self, hour: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Since an hour: ledger entries, stored readings by hour, refused readings by entry."""
        names = ("ledger", "stored_by_hour", "refusals_by_entry")
        ledger, stored, refused = (self._rows(name, hour=hour) for name in names)
        return ledger, stored, refused

    def folded(self, devices: Collection[str]) -> dict[str, tuple[datetime, datetime | None, datetime | None]]:
        """Device -> up to where observations are in quarters, from where on hours are old, from where on days are."""
        rows = self._rows("folded", devices=list(devices))
        return {row["device_id"]: (row["through_time"], row["hours_time"], row["days_time"]) for row in rows}

    def windows(self, device: str, span: Span) -> dict[tuple[str, int, int], dict[str, Any]]:
        """Windows at rest that start in a span, by datastream name, length and start in seconds."""
        rows = self._rows("windows", device=device, first=time_of(span[0]), last=time_of(span[1]))
        return {(row["name"], row["length_s"], row["start_s"]): row for row in rows}


def _stream(row: dict[str, Any]) -> Stream:
    return Stream(
        name=row["name"],
        observed_property=row["property"],
        factor=row["factor"],
        addend=row["addend"],
        lower=row["lower_bound"],
        upper=row["upper_bound"],
        words=row["words"] or {},
        interval_s=row["interval_s"],
        shift_s=row["period_s"] if row["period_s"] and row["stamp"] == "end" else 0,
    )
