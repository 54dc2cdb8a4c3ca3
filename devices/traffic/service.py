"""How well traffic flows: free-flow speed, level of service, congestion state, and the indices of travel time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
from pydantic import Field, model_validator

from devices.figures import UNKNOWN, BoolArray, CodeArray, Figures, FloatArray, Missing, figures, ratio
from devices.models import Bilingual
from devices.tables import DatedEntry, Entry, read_table

if TYPE_CHECKING:
    from datetime import date
    from typing import Self

FREE_FLOW_FORMULA: Final = "traffic.free-flow-speed/1"
SHARE_FORMULA: Final = "traffic.level-of-service/1"
TRAVEL_TIME_FORMULA: Final = "traffic.travel-time-index/1"
PLANNING_TIME_FORMULA: Final = "traffic.planning-time-index/1"
BUFFER_FORMULA: Final = "traffic.buffer-index/1"

LEVELS: Final = "ABCDEF"
STATES: Final = ("free", "slow", "congested", "jammed")
STATE_NAMES: Final = (
    Bilingual("Thông thoáng", "Free"),
    Bilingual("Chậm", "Slow"),
    Bilingual("Ùn", "Congested"),
    Bilingual("Tắc", "Jammed"),
)
_EDGE: Final = 1e-9  # 0.85 * 40 / 40 is not 0.85 in binary
_LATE_SHARE: Final = 95

Percent = Annotated[float, Field(gt=0, le=100)]


class FreeFlow(Entry):
    """How the free-flow speed of a site is told from what was observed there."""

    percentile: Percent
    vehicles_min: Annotated[float, Field(ge=1)]
    windows_min: Annotated[int, Field(ge=1)]


class Drop(Entry):
    """When a fall of the speed is suspicious."""

    source: str
    periods: Annotated[int, Field(ge=1, le=60)]
    before_periods: Annotated[int, Field(ge=1, le=1000)]
    before_min: Annotated[int, Field(ge=1, le=1000)]
    drop_percent: Percent
    free_flow_percent: Percent
    flow_kept_percent: Percent

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.before_min > self.before_periods:
            raise ValueError("before_min must not be above before_periods")
        return self


class ServiceTable(DatedEntry):
    """Limits of the levels and states."""

    source: str
    grade: Literal["V", "V2", "U", "own"]
    level_above_percent: tuple[Percent, Percent, Percent, Percent, Percent]
    state_above_percent: tuple[Percent, Percent, Percent]
    state_source: str
    free_flow: FreeFlow
    drop: Drop
    sites: dict[str, Annotated[float, Field(gt=0, le=150)]]

    @model_validator(mode="after")
    def _fall(self) -> Self:
        for row in (self.level_above_percent, self.state_above_percent):
            if list(row) != sorted(set(row), reverse=True):
                raise ValueError("limits must fall from one to the next")
        return self


@cache
def load_service_tables() -> tuple[ServiceTable, ...]:
    """All tables, read once."""
    return tuple(read_table("traffic", "service.yaml", list[ServiceTable]))


def service_table(day: date) -> ServiceTable:
    """The table that holds on a local day.

    Raises:
        LookupError: there is none.
    """
    found = next((table for table in load_service_tables() if table.holds_on(day)), None)
    if found is None:
        raise LookupError(f"no limits of service hold on {day}")
    return found


def free_flow_speed(speed_km_h: FloatArray, count: FloatArray, rule: FreeFlow) -> Figures:
    """The speed drivers choose where nobody holds them up: a high percentile of the speeds of many windows.

    Args:
        speed_km_h: space-mean speeds of windows, NaN: none; shape (..., t).
        count: vehicles of each window; shape (..., t).
        rule: which percentile, of which windows.
    """
    usable = ~np.isnan(speed_km_h) & (count >= rule.vehicles_min)
    windows = usable.sum(axis=-1)
    enough = windows >= rule.windows_min
    # Sorted with what does not count at the end: the percentile of each row is between two of its own first elements.
    ordered = np.sort(np.where(usable, speed_km_h, np.inf), axis=-1)
    place = np.where(enough, (windows - 1) * (rule.percentile / 100), 0.0)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(windows - 1, 0))
    low = np.take_along_axis(ordered, below[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, above[..., None], axis=-1)[..., 0]
    with np.errstate(invalid="ignore"):
        value = low + (high - low) * (place - below)
    return figures(
        FREE_FLOW_FORMULA, "km/h", value, (Missing.NO_READING, windows == 0), (Missing.TOO_FEW_READINGS, ~enough)
    )


@dataclass(frozen=True, slots=True)
class Service:
    """Speed against free flow, and the words for it."""

    share: Figures  # percent of the free-flow speed
    level: CodeArray  # place in LEVELS; UNKNOWN where there is no share
    state: CodeArray  # place in STATES; UNKNOWN where there is no share


def level_of_service(speed_km_h: FloatArray, free_flow_km_h: FloatArray, table: ServiceTable) -> Service:
    """Level of service A to F and congestion state.

    Args:
        speed_km_h: space-mean speed, NaN: none.
        free_flow_km_h: of the site, NaN: not known.
        table: the limits; a share that lies on one belongs to the worse side.
    """
    speed, free = np.broadcast_arrays(np.asarray(speed_km_h, np.float64), np.asarray(free_flow_km_h, np.float64))
    share = figures(
        SHARE_FORMULA,
        "%",
        ratio(speed * 100.0, free),
        (Missing.NO_READING, np.isnan(speed)),
        (Missing.NO_FREE_FLOW_SPEED, ~(free > 0)),
    )
    return Service(
        share=share,
        level=_place(share.value, table.level_above_percent),
        state=_place(share.value, table.state_above_percent),
    )


def _place(share: FloatArray, limits: tuple[float, ...]) -> CodeArray:
    """How many of the falling limits a share is not above."""
    place = (share[..., None] <= np.asarray(limits) + _EDGE).sum(axis=-1)
    return np.where(np.isnan(share), UNKNOWN, place).astype(np.uint8)


def travel_time_index(speed_km_h: FloatArray, free_flow_km_h: FloatArray) -> Figures:
    """Mean travel time by that of free flow: 1 flows freely, 2 takes twice as long.

    Args:
        speed_km_h: space-mean speed, NaN: none. At 0 nobody arrives, and there is no index.
        free_flow_km_h: NaN: not known.
    """
    speed, free = np.broadcast_arrays(np.asarray(speed_km_h, np.float64), np.asarray(free_flow_km_h, np.float64))
    return figures(
        TRAVEL_TIME_FORMULA,
        "1",
        ratio(free, speed),
        (Missing.NO_READING, ~(speed > 0)),
        (Missing.NO_FREE_FLOW_SPEED, ~(free > 0)),
    )


def planning_time_index(speed_km_h: FloatArray, free_flow_km_h: FloatArray) -> Figures:
    """Time to plan so as to be late once in twenty: the 95th percentile of travel times by that of free flow.

    Args:
        speed_km_h: space-mean speeds of many periods, NaN: none; shape (..., t).
        free_flow_km_h: shape (...), NaN: not known.
    """
    travel_time = _travel_times(speed_km_h)
    late, there = _late(travel_time)
    return figures(
        PLANNING_TIME_FORMULA,
        "1",
        late * free_flow_km_h,
        (Missing.NO_READING, ~there),
        (Missing.NO_FREE_FLOW_SPEED, ~(np.asarray(free_flow_km_h) > 0)),
    )


def buffer_index(speed_km_h: FloatArray) -> Figures:
    """How much more than the mean travel time one needs so as to be late once in twenty: (P95 - mean) / mean.

    Args:
        speed_km_h: space-mean speeds of many periods, NaN: none; shape (..., t).
    """
    travel_time = _travel_times(speed_km_h)
    late, there = _late(travel_time)
    seen = ~np.isnan(travel_time)
    mean = ratio(np.where(seen, travel_time, 0.0).sum(axis=-1), seen.sum(axis=-1))
    return figures(BUFFER_FORMULA, "1", (late - mean) / mean, (Missing.NO_READING, ~there))


def _travel_times(speed_km_h: FloatArray) -> FloatArray:
    """Hours a kilometre; NaN where there is no speed."""
    return ratio(1.0, speed_km_h)


def _late(travel_time: FloatArray) -> tuple[FloatArray, BoolArray]:
    """The 95th percentile along the last axis, linear between neighbours, and whether there is one."""
    there = np.asarray((~np.isnan(travel_time)).any(axis=-1))
    filled = np.where(there[..., None], travel_time, 0.0)
    return np.asarray(np.nanpercentile(filled, _LATE_SHARE, axis=-1), np.float64), there
