"""What the API answers about the registry that people keep. See `api.schemas`."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.schemas import (
    DeviceId,
    Latitude,
    Longitude,
    Name,
    NextCursor,
    RefusalCodeText,
    RefusalParameters,
    TownId,
)
from devices.claims import InstallationStep
from devices.models import Domain

SiteId = Annotated[str, Field(examples=["hoi-an-cua-dai"])]
WardId = Annotated[str, Field(examples=["hoi-an-2019-cua-dai"])]
Labels = Annotated[list[str], Field(description="words or key=value, sorted", examples=[["old-town", "phase=2"]])]
Version = Annotated[int, Field(description="grows with every change; the ETag, for If-Match", ge=1, examples=[3])]
WardKind = Literal["ward", "commune"]


class KeptTown(TypedDict):
    """A town as people keep it."""

    id: TownId
    name: Name
    latitude: Latitude
    longitude: Longitude
    bbox: Annotated[
        tuple[float, float, float, float],
        Field(description="west, south, east, north; degrees", examples=[[108.28, 15.83, 108.41, 15.94]]),
    ]
    position: Annotated[int, Field(description="its place on the page, from 1", ge=1)]
    sites_in_use: Annotated[int, Field(ge=0)]
    devices_in_service: Annotated[int, Field(ge=0)]
    version: Version
    retired_time: datetime | None


class Ward(TypedDict):
    """A ward (phường) or commune (xã) in one version of the administrative map."""

    id: WardId
    town: TownId
    name: Annotated[str, Field(examples=["Cửa Đại"])]
    kind: WardKind
    valid_from: Annotated[date, Field(description="the first day we vouch for", examples=["2019-01-01"])]
    valid_to: Annotated[date | None, Field(description="exclusive; null: in force", examples=["2025-07-01"])]
    grade: Annotated[
        Literal["primary", "secondary", "unverified"], Field(description="how well its name and extent are known")
    ]
    source: Annotated[str, Field(examples=["several data sets, merged"])]
    successor: Annotated[str | None, Field(description="the ward that took it in whole")]
    sites: Annotated[int, Field(description="sites that stand in it", ge=0)]


class Wards(TypedDict):
    """The wards, by town and version."""

    items: list[Ward]
    next: NextCursor


class SiteWard(TypedDict):
    """A ward a site stands in."""

    id: WardId
    name: str
    kind: WardKind
    valid_from: date
    valid_to: date | None
    how: Annotated[
        Literal["declared", "successor"],
        Field(description="declared by people, or the ward that took a declared one in whole"),
    ]


class KeptSite(TypedDict):
    """A site as people keep it."""

    id: SiteId
    town: TownId
    name: Annotated[str, Field(examples=["Cửa Đại"])]
    kind: Annotated[str, Field(examples=["station"])]
    latitude: Latitude
    longitude: Longitude
    labels: Labels
    wards: Annotated[list[SiteWard], Field(description="by version; empty: nobody declared one")]
    devices: Annotated[int, Field(description="in service", ge=0)]
    version: Version
    retired_time: datetime | None


class Sites(TypedDict):
    """One page of sites, by id."""

    items: list[KeptSite]
    next: NextCursor


class ChangedSite(KeptSite):
    """A site after a change, with what to look at."""

    warnings: Annotated[list[str], Field(description="nothing was refused, but look at it; English")]
    warning_texts: Annotated[list[Name], Field(description="`warnings` in both languages")]


class KeptDevice(TypedDict):
    """A device as people keep it."""

    id: DeviceId
    town: TownId
    site: SiteId
    domain: Domain
    profile: Annotated[str, Field(examples=["air-station"])]
    name: Annotated[str, Field(examples=["Trạm không khí Cửa Đại"])]
    gateway: Annotated[str | None, Field(description="the device that speaks for it")]
    labels: Labels
    commissioned_time: Annotated[datetime, Field(description="earlier readings are refused")]
    rated_power_w: Annotated[
        float | None, Field(description="of a lamp at full light, W; null: that of its profile, or learnt", gt=0)
    ]
    fed_by: Annotated[str | None, Field(description="the cabinet that feeds it; null: its gateway where that is one")]
    retired_time: datetime | None
    version: Version


class MovedDevice(KeptDevice):
    """A device after a move."""

    former_topics_until: Annotated[
        datetime | None, Field(description="up to when topics of the town it left are taken; null: it left none")
    ]


class ImportFault(TypedDict):
    """Something in a file that must be mended, or looked at."""

    line: Annotated[int, Field(description="from 1, the header's; in a spreadsheet the row", ge=1, examples=[3])]
    column: Annotated[str, Field(description="empty: the row as a whole", examples=["town"])]
    detail: Annotated[
        str, Field(description="English", examples=["'da-nang' is not a town; allowed: tam-ky, hoi-an, dien-ban"])
    ]
    code: RefusalCodeText
    parameters: RefusalParameters
    text: Annotated[Name, Field(description="what is wrong and what is allowed, in both languages")]


class ImportCounts(TypedDict):
    """How many became what."""

    created: Annotated[int, Field(ge=0)]
    changed: Annotated[int, Field(ge=0)]
    unchanged: Annotated[int, Field(ge=0)]


class Import(TypedDict):
    """What an import did; after a dry run, what it would do, or all that is wrong."""

    dry_run: bool
    devices: ImportCounts
    sites: Annotated[ImportCounts, Field(description="`unchanged` counts those the file names")]
    datastreams: Annotated[ImportCounts, Field(description="`unchanged` is always 0: they are not counted")]
    changes: Annotated[list[str], Field(description="a line a changed attribute, English; the first 1,000")]
    change_texts: Annotated[list[Name], Field(description="`changes` in both languages")]
    warnings: Annotated[list[ImportFault], Field(description="the first 1,000")]
    faults: Annotated[list[ImportFault], Field(description="every bad row; the first 1,000. Empty: it can be imported")]
    fault_count: Annotated[int, Field(description="all of them", ge=0)]


class Installation(TypedDict):
    """How far the installation of a device is."""

    device: DeviceId
    step: Annotated[
        InstallationStep,
        Field(
            description="created; labelled: it has a claim code; claimed: somebody stood at it; heard: it said "
            "something, but no reading was stored yet; done: a reading was stored"
        ),
    ]
    labelled_time: datetime | None
    claimed_time: datetime | None
    claimed_by: str | None
    heard_time: Annotated[datetime | None, Field(description="its status word, its newest refusal or reading")]
    stored_time: Annotated[datetime | None, Field(description="received time of what was stored last")]
    refused_time: Annotated[datetime | None, Field(description="of the newest refusal within a day")]
    refused_reason: Annotated[str | None, Field(description="of the newest refusal within a day")]
    refused_detail: Annotated[str | None, Field(description="what was wrong and what is allowed")]


class DevicePassword(TypedDict):
    """What a device logs in with at the broker; shown this once."""

    user_name: Annotated[str, Field(description="also its client id, or the beginning of it")]
    password: str


class Claim(TypedDict):
    """A device that was claimed."""

    device: DeviceId
    town: TownId
    credential: Annotated[DevicePassword | None, Field(description="null: it has one in force already")]


class ClaimCode(TypedDict):
    """A claim code; the one before is void."""

    device: DeviceId
    code: Annotated[str, Field(examples=["7K3M-9PQX-4T"])]


class ProfileGuess(TypedDict):
    """A device profile that may be the one."""

    profile: Annotated[str, Field(examples=["air-station"])]
    matching: Annotated[list[str], Field(description="names it sent and the profile has", examples=[["pm25"]])]
    unknown: Annotated[list[str], Field(description="names it sent and the profile has not", examples=[[]])]


class Knock(TypedDict):
    """A device that sends and that nobody registered in this town."""

    device: DeviceId
    town: TownId
    reason: Annotated[
        Literal["unknown-device", "wrong-town"],
        Field(description="`wrong-town`: registered elsewhere; it must be moved"),
    ]
    gateway: Annotated[str | None, Field(description="who spoke for it, where it did not speak itself")]
    first_time: Annotated[datetime, Field(description="received")]
    last_time: Annotated[datetime, Field(description="received")]
    messages: Annotated[int, Field(ge=1)]
    readings: Annotated[int, Field(description="exact, also of a flood", ge=0)]
    kept: Annotated[int, Field(description="refusals that would be replayed; at most 1,000 are counted", ge=0)]
    topic: Annotated[str, Field(description="of its newest message", examples=["thubon/v1/hoi-an/new-1/telemetry"])]
    sample_text: Annotated[str | None, Field(description="its newest message, the first 4,096 bytes; null: no text")]
    guesses: Annotated[list[ProfileGuess], Field(description="by the names it sends, best first, at most three")]
    refused_time: Annotated[datetime | None, Field(description="when somebody turned it away")]
    refused_by: str | None


class Knocks(TypedDict):
    """One page of devices that knocked, newest first."""

    items: list[Knock]
    next: NextCursor


class RefusedKnock(TypedDict):
    """A knock that somebody decided about."""

    device: DeviceId
    town: TownId
    refused: bool
