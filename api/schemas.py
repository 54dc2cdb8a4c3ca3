"""What the API answers, as typed dictionaries: mypy checks those who fill them, OpenAPI is written from them.

Plain dictionaries rather than models, since a page of a thousand devices is encoded several times faster so.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from devices.models import Domain

State = Literal["online", "stale", "offline", "never-seen", "retired"]
ChosenResolution = Literal["PT15M", "PT1H", "P1D", "P1M"]
MeanKind = Literal["arithmetic", "energetic", "circular"]

TownId = Annotated[str, Field(examples=["hoi-an"])]
DeviceId = Annotated[str, Field(examples=["hoi-an-air-01"])]
DatastreamId = Annotated[str, Field(description="`<device>:<name>`, for ever", examples=["hoi-an-air-01:pm25"])]
Unit = Annotated[str, Field(description="UCUM code", examples=["ug/m3"])]
PhenomenonTime = Annotated[datetime, Field(description="when it was so, UTC", examples=["2026-11-23T02:15:00Z"])]
ReceivedTime = Annotated[datetime, Field(description="when it reached us, UTC", examples=["2026-11-23T02:15:00.412Z"])]
Quality = Annotated[
    int,
    Field(
        description="0: nothing is said against it; bits: 1 calibrating, 2 fault, 4 outside the expected range,"
        " 8 spike, 16 stuck, 32 flat-lined at a bound, 64 clock skew; 1, 2, 8, 16 and 32 leave it out of statistics",
        ge=0,
        le=127,
        examples=[0],
    ),
]
FlagId = Literal["calibrating", "fault", "outside-expected-range", "spike", "stuck", "flat-at-bound", "clock-skew"]
Latitude = Annotated[float, Field(description="WGS 84, degrees", examples=[15.8801])]
Longitude = Annotated[float, Field(description="WGS 84, degrees", examples=[108.335])]
IntervalS = Annotated[int, Field(description="how often a value is due, s", ge=1, examples=[60])]
NextCursor = Annotated[str | None, Field(description="`cursor` of the next page; null: this was the last")]


class Name(TypedDict):
    """A text an operator reads, in both languages."""

    vi: Annotated[str, Field(examples=["Bụi PM2.5"])]
    en: Annotated[str, Field(examples=["PM2.5"])]


class Flag(TypedDict):
    """One thing said against a value."""

    id: FlagId
    name: Name


Flags = Annotated[list[Flag], Field(description="`quality` in words; empty: nothing is said against the value")]

DeviceCounts = Annotated[
    dict[State, int],
    Field(
        description="how many devices stand in each state",
        examples=[{"online": 96, "stale": 2, "offline": 1, "never-seen": 0, "retired": 1}],
    ),
]


class Town(TypedDict):
    """One of the towns, with its devices by state."""

    id: TownId
    name: Name
    latitude: Latitude
    longitude: Longitude
    bbox: Annotated[
        tuple[float, float, float, float],
        Field(description="west, south, east, north; degrees", examples=[[108.28, 15.83, 108.41, 15.94]]),
    ]
    devices: DeviceCounts


class Towns(TypedDict):
    """The towns, in the order of the page."""

    items: list[Town]
    next: NextCursor


class Headline(TypedDict):
    """One figure that stands for a domain in a town."""

    property: Annotated[str, Field(examples=["pm25"])]
    name: Name
    value: Annotated[float | None, Field(description="null where nothing current was observed; never 0 instead")]
    reason: Annotated[Literal["no current observation"] | None, Field(description="why `value` is null")]
    unit: Unit
    how: Annotated[str, Field(description="how the figure was made", examples=["mean of current observations"])]
    datastreams: Annotated[int, Field(description="datastreams whose observation is current", examples=[11])]
    of: Annotated[int, Field(description="all datastreams of this kind", examples=[12])]
    oldest_phenomenon_time: datetime | None
    newest_phenomenon_time: datetime | None


Obtained = Literal["observed", "window-statistics", "index"]
Severity = Annotated[
    int,
    Field(description="0 normal, 1 notice, 2 warning, 3 alarm, 4 emergency; how the page colours it", ge=0, le=4),
]


class Level(TypedDict):
    """Where a figure stands among the classes of its norm."""

    id: Annotated[str, Field(examples=["alarm-2"])]
    name: Name
    colour: Annotated[str | None, Field(description="of the norm; null where it names none", examples=["#FF7E00"])]
    severity: Severity


class Figure(TypedDict):
    """One figure, with how it was obtained and how far it can be relied on."""

    id: Annotated[str, Field(description="what it is", examples=["flood-alarm"])]
    name: Name
    value: Annotated[float | None, Field(description="null where input is missing, with `reason`; never 0 instead")]
    unit: Unit
    text: Annotated[Name | None, Field(description="in words, as bulletins have it")]
    level: Level | None
    reason: Annotated[str | None, Field(description="why `value` is null", examples=["no-reading"])]
    reason_text: Name | None
    obtained: Annotated[
        Obtained, Field(description="observed; window-statistics (reductions at rest); index (see `formula`)")
    ]
    formula: Annotated[
        str | None, Field(description="id and version of the index, docs/indices.md", examples=["environment.rise/1"])
    ]
    how: Annotated[str, Field(description="how it was made, English")]
    phenomenon_time: Annotated[datetime | None, Field(description="of the newest observation in it")]
    age_s: Annotated[float | None, Field(description="time since then, s")]
    coverage: Annotated[
        float | None, Field(description="observed / due of what it is made of; null: of one value", ge=0, le=1)
    ]
    quality: Annotated[int | None, Field(description="bits set on what is in it, 0: none", examples=[0])]
    flagged: Annotated[int, Field(description="observations left out for their quality", ge=0)]
    indicative: Annotated[bool, Field(description="of a low-cost sensor: not to be published as an index")]
    detail: Annotated[dict[str, Any] | None, Field(description="what it is made of, by figure; docs/indices.md")]


class DomainOverview(TypedDict):
    """A domain of a town at a glance."""

    domain: Domain
    devices: DeviceCounts
    headlines: list[Headline]
    figures: Annotated[list[Figure], Field(description="indices of the whole town, some seconds old at most")]


class SiteName(TypedDict):
    """A place on the map, by name."""

    id: Annotated[str, Field(examples=["hoi-an-cua-dai-bridge"])]
    name: Annotated[str, Field(examples=["Cầu Cửa Đại"])]


class DeviceProblem(TypedDict):
    """A device that needs a look."""

    device: DeviceId
    name: str
    domain: Domain
    site: SiteName
    state: State
    since: Annotated[datetime | None, Field(description="since when it stands so")]


class Overview(TypedDict):
    """A town at a glance."""

    town: Town
    generated_time: Annotated[datetime, Field(description="when these figures were read; at most a second ago")]
    domains: list[DomainOverview]
    problems: Annotated[list[DeviceProblem], Field(description="worst first, within it the longest; at most 50")]
    problem_count: Annotated[int, Field(description="all of them")]


class Site(TypedDict):
    """A place on the map."""

    id: Annotated[str, Field(examples=["hoi-an-cua-dai-bridge"])]
    name: Annotated[str, Field(examples=["Cầu Cửa Đại"])]
    kind: Annotated[str, Field(examples=["bridge"])]
    latitude: Latitude
    longitude: Longitude


class Value(TypedDict):
    """What a datastream said last."""

    datastream: DatastreamId
    name: Annotated[str, Field(description="name within the device", examples=["pm25"])]
    property: Annotated[str, Field(description="observed property", examples=["pm25"])]
    label: Name
    value: Annotated[float, Field(examples=[31.2])]
    unit: Unit
    phenomenon_time: PhenomenonTime
    quality: Quality
    flags: Flags
    age_s: Annotated[float, Field(description="time since the phenomenon time, s", examples=[12.4])]


class Reported(TypedDict):
    """What a device reports of itself."""

    datastream: DatastreamId
    value: Annotated[float | None, Field(description="null: nothing came yet", examples=[87.0])]
    unit: Unit
    phenomenon_time: datetime | None


class Placement(TypedDict):
    """Where a device stood for a time."""

    town: TownId
    site: Annotated[str, Field(examples=["hoi-an-cua-dai"])]
    site_name: str
    from_time: Annotated[datetime | None, Field(description="inclusive; null: from the beginning")]
    until_time: Annotated[datetime | None, Field(description="exclusive; null: still")]
    topics_until: Annotated[datetime | None, Field(description="up to when this town's topics are taken still")]


class DeviceCore(TypedDict):
    """An installed unit and how it stands."""

    id: DeviceId
    name: Annotated[str, Field(examples=["Trạm không khí Cửa Đại"])]
    town: TownId
    domain: Domain
    profile: Annotated[str, Field(description="device profile", examples=["air-station"])]
    site: Site
    state: Annotated[
        State,
        Field(
            description="online; stale: nothing newer than 3 reporting intervals; offline: it said so, or nothing "
            "for the longer of 10 intervals and an hour; never-seen; retired"
        ),
    ]
    state_since: datetime | None
    reporting_interval_s: IntervalS
    phenomenon_time: Annotated[datetime | None, Field(description="newest phenomenon time of any datastream")]
    received_time: Annotated[datetime | None, Field(description="when the newest message came")]
    gateway: Annotated[str | None, Field(description="the device that speaks for it; null: it speaks itself")]
    labels: Annotated[list[str], Field(description="words or key=value", examples=[["phase=2"]])]
    version: Annotated[int, Field(description="grows with every change; the ETag, for If-Match", ge=1, examples=[3])]
    battery: Annotated[Reported | None, Field(description="charge, or else voltage; null: its profile has neither")]
    signal: Annotated[Reported | None, Field(description="received strength; null: its profile has none")]


class Device(DeviceCore, total=False):
    """An installed unit, with its values where they were asked for."""

    latest: Annotated[list[Value], Field(description="only with `include=latest`")]


class Devices(TypedDict):
    """One page of devices, by id."""

    items: list[Device]
    next: NextCursor


class Datastream(TypedDict):
    """One observed property of one device, in one unit."""

    id: DatastreamId
    name: Annotated[str, Field(examples=["pm25"])]
    property: Annotated[str, Field(examples=["pm25"])]
    label: Name
    unit: Unit
    unit_sent: Annotated[str, Field(description="UCUM code of the unit the device sends", examples=["mg/m3"])]
    interval_s: IntervalS
    period_s: Annotated[int | None, Field(description="length a value covers, s; null: it holds at an instant")]
    stamp: Annotated[Literal["end", "start"], Field(description="which end of the period the phenomenon time names")]
    lower_bound: Annotated[float, Field(description="physically possible, inclusive, in `unit`", examples=[0.0])]
    upper_bound: Annotated[float, Field(description="physically possible, inclusive, in `unit`", examples=[1000.0])]


class DeviceDetail(DeviceCore):
    """An installed unit, with its datastreams and the times of its life."""

    commissioned_time: datetime
    rated_power_w: Annotated[float | None, Field(description="of a lamp at full light, as registered, W")]
    fed_by: Annotated[str | None, Field(description="the cabinet that feeds it; null: its gateway where that is one")]
    feeds: Annotated[
        int | None, Field(description="how many devices in service it feeds, by their `fed_by`; null: it is no cabinet")
    ]
    retired_time: datetime | None
    placements: Annotated[list[Placement], Field(description="where it stood and stands, newest first")]
    datastreams: list[Datastream]


class DeviceLatest(TypedDict):
    """What a device said last, value beside value."""

    device: DeviceId
    state: State
    items: list[Value]


class ChangedDevice(TypedDict):
    """A device in a `change` event."""

    id: DeviceId
    town: TownId
    domain: Domain
    state: State
    phenomenon_time: datetime | None
    received_time: datetime | None
    latest: list[Value]


class Change(TypedDict):
    """Data of a `change` event of /v1/live."""

    devices: list[ChangedDevice]


class Check(TypedDict, total=False):
    """One check of readiness."""

    status: Annotated[Literal["ok", "degraded", "unknown", "informative"], Field()]
    detail: str
    free_bytes: int | None
    reserve_bytes: int
    newest_change_time: datetime | None
    newest_change_age_s: float | None
    newest_ledger_hour: datetime | None
    batches_waiting: int


class Readiness(TypedDict):
    """Whether this process can answer, check by check."""

    status: Literal["ok", "degraded"]
    checks: dict[str, Check]


RefusalCodeText = Annotated[
    str,
    Field(
        description="stable, see docs/installing-devices.md; `invalid-...`: of a value's form",
        examples=["town-unknown"],
    ),
]
RefusalParameters = Annotated[
    dict[str, str | int | float | Name],
    Field(description="what fills the text", examples=[{"town": "da-nang", "allowed": "tam-ky, hoi-an, dien-ban"}]),
]
ParameterRequired = TypedDict("ParameterRequired", {"in": str, "name": str, "detail": str})
"""Where a request is wrong (query, path, body), in which parameter, and what is allowed, English."""


class ParameterError(ParameterRequired, total=False):
    """One thing wrong with a request; `code`, `parameters` and `text` wherever it has words in both languages."""

    code: RefusalCodeText
    parameters: RefusalParameters
    text: Annotated[Name, Field(description="`detail` in both languages")]


class ProblemRequired(TypedDict):
    """RFC 9457 problem detail."""

    type: Annotated[str, Field(examples=["about:blank"])]
    title: Annotated[str, Field(examples=["Bad Request"])]
    status: Annotated[int, Field(examples=[400])]
    detail: Annotated[str, Field(examples=["limit: Input should be less than or equal to 1000"])]


class ProblemDetail(ProblemRequired, total=False):
    """RFC 9457 problem detail; `errors` lists the parameters at fault.

    `code`, `parameters` and `text` stand wherever the refusal as a whole has words in both languages.
    """

    code: RefusalCodeText
    parameters: RefusalParameters
    text: Annotated[Name, Field(description="why, in both languages")]
    errors: list[ParameterError]
