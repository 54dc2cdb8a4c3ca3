"""The thresholds of the fault rules, dated."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from devices.tables import DatedEntry, Entry, read_table

if TYPE_CHECKING:
    from datetime import date

Share = Annotated[float, Field(gt=0, lt=1)]
Percent = Annotated[float, Field(gt=0, le=100)]
Positive = Annotated[float, Field(gt=0)]


class LampRules(Entry):
    """Of single lamps."""

    standby_share: Annotated[float, Field(ge=0, lt=1)]
    lit_share: Share
    full_level_percent: Percent
    dark_reports: Annotated[int, Field(ge=1, le=12)]
    cycling_transitions: Annotated[int, Field(ge=2, le=100)]
    cycling_span_s: Positive
    drift_low: Share
    drift_high: Annotated[float, Field(gt=1)]
    power_factor_min: Share
    power_factor_level_percent: Percent
    voltage_nominal_v: Positive
    supply_lost_v: Positive
    voltage_tolerance: Share
    stale_intervals: Annotated[int, Field(ge=1)]
    day_elevation_deg: Annotated[float, Field(ge=-18, le=30)]
    day_margin_s: Annotated[float, Field(ge=0)]


class CabinetRules(Entry):
    """Of cabinets."""

    phase_lost_v: Positive
    imbalance_percent: Percent
    imbalance_current_min_a: Positive
    leakage_ma: Positive
    meter_gap_percent: Percent
    dark_lamps_min: Annotated[int, Field(ge=1)]
    silent_lamps_max_share: Annotated[float, Field(ge=0, lt=1)]


class RatedRules(Entry):
    """How the rated power of a lamp is told from what it drew."""

    level_percent: Percent
    day_share_min: Annotated[float, Field(gt=0, le=1)]
    days_min: Annotated[int, Field(ge=1)]


class LightingRules(DatedEntry):
    """All of them."""

    source: str
    lamp: LampRules
    cabinet: CabinetRules
    rated: RatedRules
    availability_percent: Annotated[float, Field(gt=0, le=100)]


@cache
def load_rules() -> tuple[LightingRules, ...]:
    """All rows, read once."""
    return tuple(read_table("lighting", "rules.yaml", list[LightingRules]))


def rules_of(day: date) -> LightingRules:
    """The rules that hold on a local day.

    Raises:
        LookupError: there are none.
    """
    found = next((rules for rules in load_rules() if rules.holds_on(day)), None)
    if found is None:
        raise LookupError(f"no lighting rules hold on {day}")
    return found
