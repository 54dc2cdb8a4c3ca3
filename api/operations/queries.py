"""What a request about operations may say. See `api.dependencies`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.dependencies import Bbox, Cursor, Identifier, Limit, Time, parse_box
from api.errors import bad_parameter
from api.invalid import InvalidCode, invalid, invalid_words
from api.windows import LOCAL_ZONE
from devices.models import IDENTIFIER_PATTERN, Domain
from devices.traffic.pcu import DEFAULT_SET, sets_on

DATE_MIN = date(2020, 1, 1)
"""From here on the tables of thresholds hold."""


def _day(text: Any) -> Any:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        raise invalid(InvalidCode.DAY_FORM) from None
    if not DATE_MIN <= day <= local_today():
        raise invalid(InvalidCode.DAY_RANGE, first=str(DATE_MIN), last=str(local_today()))
    return day


def local_today() -> date:
    """The present day in Asia/Ho_Chi_Minh."""
    return datetime.now(UTC).astimezone(LOCAL_ZONE).date()


DomainPath = Annotated[Domain, Path(description="traffic, lighting or environment")]
SitePath = Annotated[
    str, Path(pattern=f"^{IDENTIFIER_PATTERN}$", description="id of a site", examples=["ha-gauge-hoi-an"])
]
Ward = Annotated[
    Identifier | None,
    Field(description="only sites in this ward, of the units of 2019 or of 2025", examples=["hoi-an-2025-hoi-an"]),
]
Box = Annotated[
    Bbox | None,
    Field(description="only sites inside west,south,east,north; degrees", examples=["108.3,15.8,108.4,15.9"]),
]


PcuSet = Annotated[
    Identifier | None,
    Field(
        description="coefficients by which vehicles become passenger car units, of those in `devices/traffic/pcu.yaml`"
        f" that hold on the day; {DEFAULT_SET} where left out; only of traffic",
        examples=["urban-30-50"],
    ),
]


def check_pcu_set(given: str | None, day: date, *, traffic: bool) -> str | None:
    """The set of coefficients that was asked for; None: the default one.

    Args:
        given: as asked.
        day: local day on which it has to hold.
        traffic: whether what is asked for has traffic.

    Raises:
        Problem: 400, there is no such set on the day, or no traffic.
    """
    if given is None or given == DEFAULT_SET:
        return None
    if not traffic:
        raise bad_parameter("pcu_set", invalid_words(InvalidCode.PCU_OF_TRAFFIC))
    allowed = sets_on(day)
    if given not in allowed:
        unknown = invalid_words(InvalidCode.UNKNOWN_PCU_SET, given=given, day=str(day), allowed=", ".join(allowed))
        raise bad_parameter("pcu_set", unknown)
    return given


class CountedQuery(BaseModel):
    """How vehicles are counted."""

    model_config = ConfigDict(extra="forbid")

    pcu_set: PcuSet = None


class _PlaceQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ward: Ward = None
    bbox: Box = None

    def box(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north in degrees; None where no place was asked for."""
        return parse_box(self.bbox) if self.bbox is not None else None


class MapQuery(_PlaceQuery, CountedQuery):
    """Which sites, and how vehicles are counted."""


class RankingQuery(_PlaceQuery, CountedQuery):
    """Which sites, and by what."""

    by: Annotated[
        str | None, Field(max_length=100, description="figure to rank by; the worst of each site if left out")
    ] = None
    limit: Limit = 20
    cursor: Cursor = None


class SummaryQuery(_PlaceQuery, CountedQuery):
    """Which day."""

    day: Annotated[date | None, BeforeValidator(_day, json_schema_input_type=date)] = Field(
        default=None, alias="date", description="local date; today where left out", examples=["2026-11-22"]
    )
    limit: Limit = 100


class TownStatisticsQuery(_PlaceQuery):
    """Which datastreams, and which windows: those that touch the span, each whole."""

    property: Identifier = Field(description="observed property", examples=["pm25"])
    town: Identifier | None = Field(default=None, description="only this town", examples=["hoi-an"])
    domain: Domain | None = Field(default=None, description="only this domain")
    first: Time | None = Field(default=None, alias="from", description="inclusive; a day before `to` where left out")
    last: Time | None = Field(default=None, alias="to", description="exclusive; now where left out")
    resolution: Literal["auto", "PT15M", "PT1H", "P1D"] = Field(
        default="auto", description="length of a window; `auto`: PT1H up to 4 days, else P1D"
    )
    limit: Limit = 500
    cursor: Cursor = None
