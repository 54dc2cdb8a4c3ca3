"""How full averaging periods have to be, and which hours make the bands of noise: rows of `averaging.yaml`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from devices.tables import DatedEntry, Entry, read_table

if TYPE_CHECKING:
    from datetime import date
    from typing import Self

YEAR_DAYS = 365
Share = Annotated[float, Field(gt=0, le=1)]
Hour = Annotated[int, Field(ge=0, le=23)]


class AirPeriods(Entry):
    """Of means of air."""

    source: str
    grade: Literal["V", "V2", "U", "own"]
    hours_of_eight_min: Annotated[int, Field(ge=1, le=8)]
    hours_of_day_min: Annotated[int, Field(ge=1, le=24)]
    day_coverage_min: Share
    days_of_year_min: Annotated[int, Field(ge=1, le=YEAR_DAYS)]


class NoiseBands(Entry):
    """Of levels of noise."""

    source: str
    grade: Literal["V", "V2", "U", "own"]
    day: tuple[Hour, Hour]  # local hours, the first inclusive, the second exclusive; the next, too
    night: tuple[Hour, Hour]
    band_coverage_min: Share

    @model_validator(mode="after")
    def _make_a_day(self) -> Self:
        if self.day[0] >= self.day[1] or self.night != (self.day[1], self.day[0]):
            raise ValueError("the night must begin where the day ends and end where it begins")
        return self


class Averaging(DatedEntry):
    """What holds for some time."""

    air: AirPeriods
    noise: NoiseBands


@cache
def load_averaging() -> tuple[Averaging, ...]:
    """All rows, read once."""
    return tuple(read_table("environment", "averaging.yaml", list[Averaging]))


def averaging_on(day: date) -> Averaging:
    """What holds on a local day; before the first row, what the first says.

    Raises:
        LookupError: after the first row there is a day without one.
    """
    rows = load_averaging()
    found = next((row for row in rows if row.holds_on(day)), None)
    if found is None and day < rows[0].first:
        return rows[0]
    if found is None:
        raise LookupError(f"nothing is said of averaging periods on {day}")
    return found
