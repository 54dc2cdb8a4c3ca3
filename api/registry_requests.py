"""What a request about the registry may say. See `api.dependencies`."""

import re
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Header, Path
from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.dependencies import Bbox, Cursor, Identifier, Label, Limit, Search, Time, box_of
from api.errors import Problem, bad_parameter
from api.invalid import InvalidCode, invalid, invalid_words
from devices.changes import MAX_GRACE_S
from devices.models import IDENTIFIER_PATTERN, MAX_LABELS, MAX_RATED_POWER_W
from devices.refusal_texts import RefusalCode
from devices.registry_file import MAX_NAME_CHARACTERS
from devices.towns import MAX_POSITION
from devices.wording import worded

SitePath = Annotated[
    str, Path(pattern=f"^{IDENTIFIER_PATTERN}$", description="id of a site", examples=["hoi-an-cua-dai"])
]
KnockPath = Annotated[
    str, Path(pattern=f"^{IDENTIFIER_PATTERN}$", description="id of a device that knocked", examples=["hoi-an-air-02"])
]
Name = Annotated[
    str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS, description="for people", examples=["Cửa Đại"])
]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False, description="WGS 84, degrees")]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False, description="WGS 84, degrees")]
LabelList = Annotated[list[Label], Field(max_length=MAX_LABELS, description="all its labels: words or key=value")]
WardList = Annotated[list[Identifier], Field(max_length=5, description="its wards, at most one of each version")]
RatedPower = Annotated[
    float,
    Field(
        gt=0,
        le=MAX_RATED_POWER_W,
        allow_inf_nan=False,
        description="of a lamp at full light, W; null: that of its profile, or learnt from its last days",
        examples=[64.0],
    ),
]
FED_BY: Final = "the cabinet of its town that feeds it; null: its gateway where that is one, else not known"
_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')


async def _if_match(
    given: Annotated[
        str | None,
        Header(alias="If-Match", description="the ETag read before; `*`: change whatever stands", max_length=50),
    ] = None,
) -> int | None:
    if given is None:
        raise Problem(HTTPStatus.PRECONDITION_REQUIRED, worded(RefusalCode.IF_MATCH_NEEDED))
    if given.strip() == "*":
        return None
    found = _ETAG.fullmatch(given.strip())
    if found is None:
        raise bad_parameter("If-Match", invalid_words(InvalidCode.ETAG), where="header")
    return int(found[1])


VersionDep = Annotated[int | None, Depends(_if_match)]
"""The version a change was decided against; None: whatever it is."""


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TownsQuery(_Query):
    """Which towns."""

    retired: bool = Field(default=False, description="`true`: those out of use too")


class SitesQuery(_Query):
    """Which sites."""

    town: Identifier | None = Field(default=None, description="only this town", examples=["hoi-an"])
    ward: Identifier | None = Field(default=None, description="only in this ward, of whichever version")
    label: Label | None = Field(default=None, description="only with this label")
    search: Search | None = Field(
        default=None, description="only where all these words occur, with or without accents", examples=["cua dai"]
    )
    bbox: Bbox | None = Field(default=None, description="only inside west,south,east,north; degrees")
    retired: bool = Field(default=False, description="`true`: those out of use too")
    limit: Limit = 100
    cursor: Cursor = None

    def box(self) -> tuple[float | None, float | None, float | None, float | None]:
        """West, south, east, north in degrees; nothing where no place was asked for."""
        return box_of(self.bbox)


class WardsQuery(_Query):
    """Which wards."""

    town: Identifier | None = Field(default=None, description="only this town", examples=["hoi-an"])
    on: date | None = Field(default=None, description="only those in force on this day", examples=["2025-07-01"])


class ImportQuery(_Query):
    """How to import."""

    dry_run: bool = Field(default=False, description="`true`: say what it would do, change nothing")


class ExportQuery(_Query):
    """What to export."""

    town: Identifier | None = Field(default=None, description="only this town", examples=["hoi-an"])
    format: Literal["csv", "xlsx"] = Field(default="csv", description="of the file")


class KnocksQuery(_Query):
    """Which knocks."""

    town: Identifier | None = Field(default=None, description="only this town", examples=["hoi-an"])
    refused: bool = Field(default=False, description="`true`: those that were turned away, instead")
    search: Identifier | None = Field(default=None, description="only where the device's id holds this")
    limit: Limit = 100
    cursor: Cursor = None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TownName(_Body):
    """What people call a town, in both languages."""

    vi: Name = Field(examples=["Núi Thành"])
    en: Name = Field(examples=["Nui Thanh"])


Box = Annotated[
    tuple[Longitude, Latitude, Longitude, Latitude],
    Field(description="west, south, east, north of its area; degrees", examples=[[108.5, 15.3, 108.8, 15.5]]),
]
Position = Annotated[int, Field(ge=1, le=MAX_POSITION, description="its place on the page")]


def _town_values(said: dict[str, Any]) -> dict[str, Any]:
    """What was said of a town by field of its record."""
    values = {name: value for name, value in said.items() if name in {"latitude", "longitude", "position"}}
    if "name" in said:
        values |= {f"name_{language}": text for language, text in said["name"].items()}
    if "bbox" in said:
        values |= dict(zip(("west", "south", "east", "north"), said["bbox"], strict=True))
    return values


class NewTown(_Body):
    """A town to be."""

    id: Identifier = Field(description="stands in topics, for ever", examples=["nui-thanh"])
    name: TownName
    latitude: Latitude
    longitude: Longitude
    bbox: Box
    position: Position | None = Field(default=None, description="left out: after all others")

    def values(self) -> dict[str, Any]:
        """By field of the record."""
        return _town_values(self.model_dump())


class NewSite(_Body):
    """A site to be."""

    id: Identifier = Field(examples=["hoi-an-cua-dai"])
    town: Identifier = Field(examples=["hoi-an"])
    name: Name
    kind: Identifier = Field(description="junction, pole, cabinet, station, gauge, bridge ...", examples=["station"])
    latitude: Latitude
    longitude: Longitude
    labels: LabelList = []
    wards: WardList = []


class _Changes(_Body):
    """What is named changes; nothing else does."""

    @field_validator("*", mode="before")
    @classmethod
    def _named_has_a_value(cls, value: Any) -> Any:
        if value is None:
            raise invalid(InvalidCode.VALUE_NEEDED)
        return value

    def changes(self) -> dict[str, Any]:
        """New values by field of the record."""
        return self.model_dump(exclude_unset=True)


class TownChanges(_Changes):
    """What changes of a town; its id never does."""

    name: TownName | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    bbox: Box | None = None
    position: Position | None = None

    def values(self) -> dict[str, Any]:
        """By field of the record."""
        return _town_values(self.changes())


class SiteChanges(_Changes):
    """What changes of a site; its town never does."""

    name: Name | None = None
    kind: Identifier | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    labels: LabelList | None = None
    wards: WardList | None = None


class _DeviceToBe(_Body):
    site: Identifier = Field(description="id of its site, which says its town", examples=["hoi-an-cua-dai"])
    profile: Identifier = Field(description="device profile", examples=["air-station"])
    name: Name
    gateway: Identifier | None = Field(
        default=None, description="the device that speaks for it; null: it speaks itself"
    )
    labels: LabelList = []
    commissioned: Time | None = Field(default=None, description="earlier readings are refused; left out: see there")
    rated_power_w: RatedPower | None = None
    fed_by: Identifier | None = Field(default=None, description=FED_BY)


class NewRegisteredDevice(_DeviceToBe):
    """A device to be; it counts from now on where `commissioned` is left out."""

    id: Identifier = Field(description="unique over all towns, never reused", examples=["hoi-an-air-01"])


class AcceptedKnock(_DeviceToBe):
    """A device that knocked; left out, it counts from a week before its first message, behind who spoke for it."""

    town: Identifier = Field(description="where it knocked", examples=["hoi-an"])


class KnockTown(_Body):
    """Where a device knocked."""

    town: Identifier = Field(examples=["hoi-an"])


class DeviceChanges(_Body):
    """What changes of a device: what is named. Its id, town, site and profile do not change here."""

    name: Name | None = None
    gateway: Identifier | None = Field(default=None, description="null: it speaks for itself")
    labels: LabelList | None = None
    commissioned: Time | None = None
    rated_power_w: RatedPower | None = None
    fed_by: Identifier | None = Field(default=None, description=FED_BY)

    @field_validator("name", "labels", "commissioned", mode="before")
    @classmethod
    def _named_has_a_value(cls, value: Any) -> Any:
        if value is None:
            raise invalid(InvalidCode.VALUE_NEEDED)
        return value

    def changes(self) -> dict[str, Any]:
        """New values by field of the record."""
        named = self.model_dump(exclude_unset=True)
        fields = {"gateway": "gateway_id", "commissioned": "commissioned_time", "fed_by": "fed_by_id"}
        return {fields.get(name, name): value for name, value in named.items()}


class Move(_Body):
    """Where a device goes."""

    site: Identifier = Field(description="perhaps of another town", examples=["tam-ky-station-2"])
    gateway: Identifier | None = Field(default=None, description="its gateway there; null: it speaks for itself")
    grace_hours: float = Field(
        default=72.0,
        ge=0,
        le=MAX_GRACE_S / 3600,
        allow_inf_nan=False,
        description="how long topics of the old town are taken, h",
    )


class LabelSheet(_Body):
    """Whose labels are printed, at most 1,000; of devices in service."""

    town: Identifier | None = Field(default=None, description="only this town")
    site: Identifier | None = Field(default=None, description="only on this site")
    devices: list[Identifier] | None = Field(default=None, max_length=1_000, description="only these")


class ClaimWish(_Body):
    """Whose label somebody stands before."""

    code: str = Field(min_length=1, max_length=40, description="as typed or scanned", examples=["7K3M-9PQX-4T"])
