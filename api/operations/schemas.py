"""Shapes of the operations views."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.schemas import (
    DatastreamId,
    DeviceCounts,
    DeviceId,
    Figure,
    IntervalS,
    Level,
    Name,
    NextCursor,
    Obtained,
    Site,
    State,
    TownId,
    Unit,
    Value,
)
from devices.models import Domain

GeneratedTime = Annotated[datetime, Field(description="when this was worked out; some seconds ago at most")]


class SiteState(TypedDict):
    """A site as a domain sees it."""

    site: Site
    severity: Annotated[int | None, Field(description="of its worst figure; null: nothing can be said", ge=0, le=4)]
    state: Annotated[State, Field(description="worst of its devices")]
    devices: list[DeviceId]
    figures: Annotated[list[Figure], Field(description="worst first")]


class SeverityCounts(TypedDict):
    """How many sites stand at each severity."""

    unknown: int
    normal: int
    notice: int
    warning: int
    alarm: int
    emergency: int


class DomainView(TypedDict):
    """A domain of a town now."""

    town: TownId
    domain: Domain
    generated_time: GeneratedTime
    devices: DeviceCounts
    severities: SeverityCounts
    figures: Annotated[list[Figure], Field(description="of the whole town")]
    worst: Annotated[list[SiteState], Field(description="the five that need a look first")]


class Point(TypedDict):
    """A GeoJSON point."""

    type: Literal["Point"]
    coordinates: Annotated[tuple[float, float], Field(description="longitude, latitude, WGS 84, degrees")]


class MapFigure(TypedDict):
    """A figure in short: without what it is made of, which the site's own view tells."""

    id: Annotated[str, Field(description="what it is", examples=["flood-alarm"])]
    name: Name
    value: Annotated[float | None, Field(description="null where input is missing, with `reason`; never 0 instead")]
    unit: Unit
    text: Annotated[Name | None, Field(description="in words")]
    level: Level | None
    reason: Annotated[str | None, Field(description="why `value` is null", examples=["no-reading"])]
    obtained: Obtained
    formula: Annotated[str | None, Field(description="of an index, docs/indices.md")]
    phenomenon_time: datetime | None
    age_s: Annotated[float | None, Field(description="s")]
    coverage: Annotated[float | None, Field(ge=0, le=1)]
    quality: int | None
    indicative: bool


class MapProperties(TypedDict):
    """What the map shows of a site: its worst figure."""

    name: Annotated[str, Field(examples=["Cầu Cửa Đại"])]
    kind: Annotated[str, Field(examples=["bridge"])]
    state: State
    severity: Annotated[int | None, Field(ge=0, le=4)]
    devices: Annotated[int, Field(description="how many", ge=1)]
    figure: Annotated[MapFigure | None, Field(description="its worst; null where it has none")]


class MapFeature(TypedDict):
    """A GeoJSON feature, one a site."""

    type: Literal["Feature"]
    id: Annotated[str, Field(description="site", examples=["hoi-an-cua-dai-bridge"])]
    geometry: Point
    properties: MapProperties


class DomainMap(TypedDict):
    """The map layer of a domain, GeoJSON (RFC 7946) with some members of our own."""

    type: Literal["FeatureCollection"]
    town: TownId
    domain: Domain
    generated_time: GeneratedTime
    features: list[MapFeature]


class RankedSite(TypedDict):
    """A place in the ranking."""

    rank: Annotated[int, Field(ge=1)]
    site: Site
    state: State
    severity: Annotated[int | None, Field(ge=0, le=4)]
    figure: Annotated[Figure | None, Field(description="what it is ranked by; null where it has none")]


class Ranking(TypedDict):
    """Sites of a domain, worst first."""

    town: TownId
    domain: Domain
    by: Annotated[str, Field(description="figure it is ranked by; `severity`: by the worst of each site")]
    generated_time: GeneratedTime
    items: list[RankedSite]
    next: NextCursor


class SiteSummary(TypedDict):
    """A site's day."""

    site: Site
    figures: list[Figure]


class DomainSummary(TypedDict):
    """A domain's day in a town: local, of Asia/Ho_Chi_Minh."""

    town: TownId
    domain: Domain
    date: date
    start: Annotated[datetime, Field(description="inclusive")]
    end: Annotated[datetime, Field(description="exclusive")]
    complete: Annotated[bool, Field(description="whether the day is over")]
    generated_time: GeneratedTime
    figures: Annotated[list[Figure], Field(description="of the whole town")]
    sites: Annotated[list[SiteSummary], Field(description="worst first; at most `limit`")]
    site_count: Annotated[int, Field(description="all sites that have a figure")]


class SeriesItem(TypedDict):
    """A quarter of an hour of a datastream; figures are null where nothing of good quality was observed."""

    start: datetime
    count: int
    coverage: Annotated[float, Field(ge=0, le=1)]
    flagged: Annotated[int, Field(description="observations left out for their quality", ge=0)]
    mean: float | None
    min: float | None
    max: float | None


class Series(TypedDict):
    """The last 24 hours of a datastream, by the quarter of an hour, oldest first."""

    datastream: DatastreamId
    device: DeviceId
    property: str
    label: Name
    unit: Unit
    interval_s: IntervalS
    mean: Annotated[Literal["arithmetic", "energetic", "circular"], Field(description="how `mean` is made")]
    items: list[SeriesItem]


class SiteDevice(TypedDict):
    """A device of a site and what it said last."""

    id: DeviceId
    name: str
    domain: Domain
    profile: str
    state: State
    latest: list[Value]


class SiteView(TypedDict):
    """A site in full."""

    site: Site
    town: TownId
    generated_time: GeneratedTime
    severity: Annotated[int | None, Field(ge=0, le=4)]
    figures: list[Figure]
    devices: list[SiteDevice]
    start: Annotated[datetime, Field(description="of the first quarter of an hour of the series, inclusive")]
    end: Annotated[datetime, Field(description="of the last, exclusive")]
    series: list[Series]


class TownStatisticsWindow(TypedDict):
    """Many datastreams in one window; figures are null where nothing of good quality was observed."""

    start: datetime
    end: datetime
    datastreams: Annotated[int, Field(description="how many of them were observed", ge=0)]
    count: Annotated[int, Field(ge=0)]
    expected: Annotated[int, Field(description="due of all of them in the part that has passed", ge=0)]
    coverage: Annotated[float | None, Field(ge=0, le=1)]
    mean: float | None
    min: float | None
    max: float | None
    sum: float | None
    p50: Annotated[float | None, Field(description="null with no sketch kept; the next two, too")]
    p90: float | None
    p95: float | None
    flagged: Annotated[int, Field(ge=0)]


class TownStatistics(TypedDict):
    """One aggregate over many datastreams of one observed property, window by window, oldest first."""

    property: str
    name: Name
    unit: Unit
    town: TownId | None
    ward: str | None
    resolution: Annotated[Literal["PT15M", "PT1H", "P1D"], Field(description="the one used")]
    mean: Annotated[Literal["arithmetic", "energetic", "circular"], Field(description="how `mean` is made")]
    obtained: Obtained
    how: str
    datastreams: Annotated[int, Field(description="all that match", ge=0)]
    generated_time: GeneratedTime
    items: list[TownStatisticsWindow]
    next: NextCursor
