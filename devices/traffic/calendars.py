"""When no traffic is expected: zero is then what it should be, and not a dead sensor."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from devices.figures import UNKNOWN, BoolArray, CodeArray, FloatArray
from devices.models import Bilingual
from devices.observed_properties import BilingualEntry  # noqa: TC001 pydantic reads it
from devices.tables import DatedEntry, Entry, read_table

if TYPE_CHECKING:
    from datetime import date
    from typing import Self

FORMULA: Final = "traffic.expected-zero/1"
FLOW_STATES: Final = ("flowing", "expected-zero", "against-ban", "suspicious-zero", "zero")
FLOW_STATE_NAMES: Final = (
    Bilingual("Có xe", "Traffic"),
    Bilingual("Không có xe, đúng giờ cấm", "No traffic, as the ban has it"),
    Bilingual("Có xe trong giờ cấm", "Traffic during the ban"),
    Bilingual("Không có xe bất thường", "No traffic where there usually is"),
    Bilingual("Không có xe", "No traffic"),
)
SUSPICIOUS_USUAL: Final = 10.0
"""Usual vehicles of a period from which a 0 is suspicious: by chance it comes once in 20,000 (Poisson); own policy."""
LOCAL: Final = ZoneInfo("Asia/Ho_Chi_Minh")
_OFFSET_S: Final = 7 * 3600  # no summer time since 1975
_DAY_S: Final = 86_400


def _seconds(text: Any) -> Any:
    if isinstance(text, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text):
        hours, minutes = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60
    return text


ClockTime = Annotated[int, BeforeValidator(_seconds), Field(ge=0, le=_DAY_S)]


class Hours(Entry):
    """A span of every day, seconds since local midnight."""

    begin: ClockTime = Field(alias="from")  # inclusive
    end: ClockTime = Field(alias="to")  # exclusive

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.begin >= self.end:
            raise ValueError("from must be before to; a span over midnight takes two")
        return self


class Calendar(DatedEntry):
    """Where and when some classes are banned."""

    id: str
    name: BilingualEntry
    source: str
    grade: Literal["V", "V2", "U", "own"]
    classes: Annotated[list[str], Field(min_length=1)]
    hours: Annotated[list[Hours], Field(min_length=1)]
    area: list[tuple[float, float]]  # longitude, latitude; empty: the named sites alone
    sites: list[str]

    def covers(self, site_id: str, latitude: float, longitude: float) -> bool:
        """Whether a site lies where the calendar holds."""
        return site_id in self.sites or _inside(self.area, latitude, longitude)

    def banned(self, time_s: FloatArray, vehicle_class: str) -> BoolArray:
        """Whether a class is banned at these times, in the days in which the calendar is in force.

        Args:
            time_s: Unix seconds, as of the start of a period; any shape.
            vehicle_class: as a datastream's qualifier `class` names it.
        """
        local_s = np.asarray(time_s, np.float64) + _OFFSET_S
        if vehicle_class not in self.classes:
            return np.zeros(local_s.shape, np.bool_)
        clock, day = local_s % _DAY_S, np.floor(local_s / _DAY_S)
        inside = np.zeros(local_s.shape, np.bool_)
        for span in self.hours:
            inside |= (clock >= span.begin) & (clock < span.end)
        until = np.inf if self.until is None else _day_number(self.until)
        return inside & (day >= _day_number(self.first)) & (day < until)


def _day_number(day: date) -> int:
    return day.toordinal() - 719_163  # 1970-01-01


def _inside(corners: list[tuple[float, float]], latitude: float, longitude: float) -> bool:
    """Whether a ray to the east crosses the outline an odd number of times."""
    inside = False
    for (east, north), (next_east, next_north) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (north > latitude) != (next_north > latitude):
            inside ^= longitude < east + (next_east - east) * (latitude - north) / (next_north - north)
    return inside


@cache
def load_calendars() -> tuple[Calendar, ...]:
    """All calendars, read once."""
    return tuple(read_table("traffic", "calendars.yaml", list[Calendar]))


def calendar_at(site_id: str, latitude: float, longitude: float, day: date) -> Calendar | None:
    """The calendar that holds at a site on a local day, or None."""
    return next((c for c in load_calendars() if c.holds_on(day) and c.covers(site_id, latitude, longitude)), None)


def judge_zero(count: FloatArray, banned: BoolArray, usual: FloatArray) -> CodeArray:
    """What a count means where traffic may be banned.

    Args:
        count: vehicles of the banned classes in a period, NaN: not observed.
        banned: whether they were banned then.
        usual: what the same hours of past weeks had, NaN: not known.

    Returns:
        Place in FLOW_STATES, UNKNOWN where nothing was observed.
    """
    vehicles = np.asarray(count, np.float64)
    states = np.select(
        [
            np.isnan(vehicles),
            (vehicles == 0) & banned,
            (vehicles > 0) & banned,
            vehicles > 0,
            np.asarray(usual) >= SUSPICIOUS_USUAL,
        ],
        [UNKNOWN, 1, 2, 0, 3],
        default=4,
    )
    return states.astype(np.uint8)
