"""A domain's local day in a town."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import msgspec

from api.operations.board import site_shape
from api.operations.figures import severity_of, worst_first
from api.windows import LOCAL_ZONE

if TYPE_CHECKING:
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from api.database import Database
    from api.operations.board import Figures
    from api.operations.fleet import Fleet
    from api.operations.schemas import SiteSummary
    from api.schemas import Figure


@dataclass(frozen=True, slots=True)
class Day:
    """A local day of a fleet, as it is asked for."""

    database: Database
    fleet: Fleet
    day: date
    start: datetime  # inclusive, UTC; the next, too
    end: datetime  # exclusive
    now: datetime
    pcu_set: str  # coefficients that hold on the day

    @property
    def start_s(self) -> int:
        """Start, Unix seconds."""
        return int(self.start.timestamp())

    @property
    def now_us(self) -> int:
        """Now, Unix microseconds."""
        return round(self.now.timestamp() * 1e6)

    @property
    def passed_h(self) -> float:
        """How much of it has passed, hours: above 0, at most 24."""
        return min(24.0, max(1 / 60, (self.now - self.start).total_seconds() / 3600))

    def share(self, coverage: NDArray[np.float64]) -> float:
        """Observed share of what has passed of it, 0..1, out of that of each of its 24 hours."""
        return min(1.0, float(coverage.sum()) / self.passed_h)

    @property
    def complete(self) -> bool:
        """Whether the day is over."""
        return self.end <= self.now


@dataclass(frozen=True, slots=True)
class Summary:
    """What a day's view is cut from."""

    generated_time: datetime
    figures: list[Figure]
    sites: tuple[tuple[str, msgspec.Raw], ...]  # id and `SiteSummary`, encoded: a tenth of the memory; worst first


def day_span(day: date) -> tuple[datetime, datetime]:
    """Start (inclusive) and end (exclusive) of a local day, UTC."""
    start = datetime.combine(day, time(), LOCAL_ZONE)
    return start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC)


def make_summary(fleet: Fleet, figures: Figures, generated_time: datetime) -> Summary:
    """Put figures to their sites."""
    rows: list[tuple[int, SiteSummary]] = []
    for at, lines in figures.of_site.items():
        severity = severity_of(lines)
        rows.append(
            (
                -1 if severity is None else severity,
                {"site": site_shape(fleet.sites[at]), "figures": worst_first(lines)},
            )
        )
    rows.sort(key=lambda row: (-row[0], row[1]["site"]["id"]))
    encode = msgspec.json.Encoder().encode
    sites = tuple((row["site"]["id"], msgspec.Raw(encode(row))) for _, row in rows)
    return Summary(generated_time, figures.of_town, sites)
