"""What a request may say: one model for the query of each resource. Who may say it: `api.access`.

Every model forbids what it does not name, so a misspelt parameter is refused and never ignored.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.errors import bad_parameter
from api.invalid import InvalidCode, invalid, invalid_words
from api.schemas import State
from api.services import Services
from devices.models import DATASTREAM_NAME_PATTERN, IDENTIFIER_PATTERN, LABEL_PATTERN, Domain

PAGE_LIMIT = 1000
TIME_MIN = datetime(1970, 1, 1, tzinfo=UTC)
TIME_MAX = datetime(2200, 1, 1, tzinfo=UTC)

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")


def _time(text: Any) -> Any:
    if isinstance(text, str) and not _RFC_3339.fullmatch(text):
        raise invalid(InvalidCode.TIME_FORM)
    return text


def _within_range(time: datetime) -> datetime:
    time = time.astimezone(UTC)
    if not TIME_MIN <= time <= TIME_MAX:
        raise invalid(InvalidCode.TIME_RANGE, first=f"{TIME_MIN:%Y-%m-%d}", last=f"{TIME_MAX:%Y-%m-%d}")
    return time


def parse_box(text: str) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees.

    Raises:
        ValueError: it is not of that form.
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise invalid(InvalidCode.BOX_NUMBERS) from None
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004 degrees
        raise invalid(InvalidCode.BOX_ORDER)
    return west, south, east, north


def box_of(bbox: str | None) -> tuple[float, float, float, float] | tuple[None, None, None, None]:
    """West, south, east, north in degrees; nothing where no place was asked for."""
    return parse_box(bbox) if bbox is not None else (None, None, None, None)


def _checked_box(text: str) -> str:
    parse_box(text)
    return text


Identifier = Annotated[str, Field(pattern=f"^{IDENTIFIER_PATTERN}$")]
Time = Annotated[datetime, BeforeValidator(_time, json_schema_input_type=datetime), AfterValidator(_within_range)]
Bbox = Annotated[str, AfterValidator(_checked_box)]
Limit = Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="items on a page")]
Label = Annotated[str, Field(pattern=f"^{LABEL_PATTERN}$", max_length=164)]
Search = Annotated[str, Field(min_length=1, max_length=100)]
Cursor = Annotated[str | None, Field(max_length=200, description="`next` of the page before")]

TownPath = Annotated[str, Path(pattern=f"^{IDENTIFIER_PATTERN}$", description="id of a town", examples=["hoi-an"])]
DevicePath = Annotated[
    str, Path(pattern=f"^{IDENTIFIER_PATTERN}$", description="id of a device", examples=["hoi-an-air-01"])
]
DatastreamPath = Annotated[
    str,
    Path(
        pattern=f"^{IDENTIFIER_PATTERN}:{DATASTREAM_NAME_PATTERN}$",
        description="`<device>:<name>`",
        examples=["hoi-an-air-01:pm25"],
    ),
]


class NoParameters(BaseModel):
    """This resource takes no query parameters."""

    model_config = ConfigDict(extra="forbid")


class DevicesQuery(BaseModel):
    """Which devices."""

    model_config = ConfigDict(extra="forbid")

    town: Identifier | None = Field(default=None, description="only this town", examples=["hoi-an"])
    domain: Domain | None = Field(default=None, description="only this domain")
    state: State | None = Field(default=None, description="only devices that stand so now")
    bbox: Bbox | None = Field(
        default=None, description="only sites inside west,south,east,north; degrees", examples=["108.3,15.8,108.4,15.9"]
    )
    profile: Identifier | None = Field(default=None, description="only of this device profile")
    site: Identifier | None = Field(default=None, description="only on this site")
    gateway: Identifier | None = Field(default=None, description="only behind this gateway")
    fed_by: Identifier | None = Field(
        default=None, description="only what this cabinet feeds: registered so, or else behind it as its gateway"
    )
    ward: Identifier | None = Field(
        default=None, description="only in this ward, of whichever version", examples=["hoi-an-2025-hoi-an"]
    )
    label: Label | None = Field(default=None, description="only with this label", examples=["phase=2"])
    search: Search | None = Field(
        default=None, description="only where all these words occur, with or without accents", examples=["cua dai"]
    )
    include: Literal["latest"] | None = Field(default=None, description="`latest`: with current values")
    limit: Limit = 100
    cursor: Cursor = None

    def box(self) -> tuple[float, float, float, float] | tuple[None, None, None, None]:
        """West, south, east, north in degrees; nothing where no place was asked for."""
        return box_of(self.bbox)


class _SpanQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    first: Time | None = Field(default=None, alias="from", description="inclusive")
    last: Time | None = Field(default=None, alias="to", description="exclusive")
    limit: Limit = 100
    cursor: Cursor = None

    def span(self) -> tuple[datetime, datetime]:
        """The span asked for; open ends are as wide as times go.

        Raises:
            Problem: 400, it ends before it begins.
        """
        first, last = self.first or TIME_MIN, self.last or TIME_MAX
        if first >= last:
            raise bad_parameter("to", invalid_words(InvalidCode.SPAN_ORDER))
        return first, last


class RejectionsQuery(_SpanQuery):
    """Which rejections, by received time; newest first."""


class ObservationsQuery(_SpanQuery):
    """Which part of the history, by phenomenon time."""

    order: Literal["asc", "desc"] = Field(default="asc", description="oldest or newest first")


class StatisticsQuery(_SpanQuery):
    """Which windows: those that touch the span, each whole."""

    first: Time | None = Field(default=None, alias="from", description="inclusive; a day before `to` where left out")
    last: Time | None = Field(default=None, alias="to", description="exclusive; now where left out")
    resolution: Literal["auto", "PT15M", "PT1H", "P1D", "P1M"] = Field(
        default="auto", description="length of a window; `auto`: the finest that gives at most 300 windows"
    )
    limit: Limit = PAGE_LIMIT


class LiveQuery(BaseModel):
    """Which changes."""

    model_config = ConfigDict(extra="forbid")

    town: Identifier | None = Field(default=None, description="only this town")
    domain: Domain | None = Field(default=None, description="only this domain")
    device: Identifier | None = Field(default=None, description="only this device")


def get_services(request: Request) -> Services:
    """What the application was composed of."""
    return cast("Services", request.app.state.services)


ServicesDep = Annotated[Services, Depends(get_services)]


def single_parameters(request: Request) -> None:
    """Refuse a query parameter that stands twice: taking either would ignore the other.

    Raises:
        Problem: 400.
    """
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            raise bad_parameter(name, invalid_words(InvalidCode.REPEATED))
        seen.add(name)
