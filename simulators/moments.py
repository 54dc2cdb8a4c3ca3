"""Times in a scenario file: a local clock time on a day counted from the day of the run."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads the annotation at run time
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from simulators.signals import DAY_S, LOCAL_OFFSET_S
from simulators.signals.happenings import Span

ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


def local_midnight_s(day: date, days_after: int = 0) -> float:
    """Unix seconds of the local midnight that begins a day."""
    return (day.toordinal() - 719_163 + days_after) * DAY_S - LOCAL_OFFSET_S


def clock_s(clock: str) -> float:
    """Seconds after midnight of a clock time."""
    hours, minutes = clock.split(":")
    return int(hours) * 3_600.0 + int(minutes) * 60.0


class Day(BaseModel):
    """A day: 0 is the day of the run, -1 the day before; or a date such as 2025-11-17."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    day: Annotated[int, Field(ge=-400, le=30)] | date = 0

    def midnight_s(self, today: date) -> float:
        """Unix seconds of the local midnight that begins it."""
        if isinstance(self.day, int):
            return local_midnight_s(today, self.day)
        return local_midnight_s(self.day)


class Moment(Day):
    """A clock time on a day."""

    at: ClockTime

    def seconds(self, today: date) -> float:
        """Unix seconds of it."""
        return self.midnight_s(today) + clock_s(self.at)


class DaySpan(Day):
    """Hours from a clock time on a day on."""

    begin: ClockTime = Field(default="00:00", alias="from")
    hours: float = Field(default=24.0, gt=0, le=24 * 400)

    def span(self, today: date) -> Span:
        """The span in Unix seconds, on whole seconds."""
        start = self.midnight_s(today) + clock_s(self.begin)
        return Span(start, start + round(self.hours * 3_600.0))
