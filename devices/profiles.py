"""Device profiles: the catalogue's YAML files, checked and with every default resolved.

Datastreams of a profile are append-only: the position of a datastream is its slot in stored rows, so an entry is never
removed, renamed or moved; a new one goes to the end.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from devices.dated_limit import DatedLimit, always, of_regulation
from devices.keeping import KEPT, kept
from devices.models import (
    DATASTREAM_NAME_PATTERN,
    DOMAINS,
    MAX_DATASTREAMS_PER_DEVICE,
    MAX_RATED_POWER_W,
    DeviceProfile,
    Domain,
    ProfileDatastream,
    ProfileExample,
    Reading,
    Stamp,
)
from devices.observed_properties import BilingualEntry, Finite, Identifier, load_observed_properties
from devices.quality_rules import QualityEntry, rules_of
from devices.reasons import Reason  # noqa: TC001 - pydantic reads the annotation at run time
from devices.units import UnitError, conversion
from devices.yaml_file import DataFileError, Document, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable
    from typing import Self

    from devices.models import ObservedProperty

DatastreamName = Annotated[str, StringConstraints(pattern=f"^{DATASTREAM_NAME_PATTERN}$")]
Seconds = Annotated[int, Field(ge=1, le=7 * 86_400)]

RESERVED_NAMES = frozenset({"ts", "values", "quality"})
"""Keys of the stamped payload form; a datastream of this name could not be told from it."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _DatastreamEntry(_Entry):
    name: DatastreamName
    property: Identifier
    unit: str | None = None  # as sent; default: the property's
    label: BilingualEntry | None = None  # default: the property's name
    qualifiers: dict[Identifier, str] = {}
    interval_s: Seconds | None = None  # default: the device's reporting interval
    period_s: Seconds | None = None
    stamp: Stamp = "end"
    bounds: tuple[Finite, Finite] | None = None  # in the property's unit; default and limit: the property's bounds
    words: dict[Identifier, int] | None = None  # default: the property's
    keep: tuple[Identifier, ...] | None = None  # default: what its property keeps
    quality: QualityEntry = QualityEntry()  # default: the property's rules
    limit: Finite | Literal["PT1H", "PT8H", "P1D"] | None = None
    """With one, readings above it are counted at rest: a number in the property's unit, or that of the regulation for
    this averaging period, as it holds at the time."""

    @model_validator(mode="after")
    def _name_is_free(self) -> Self:
        if self.name in RESERVED_NAMES:
            raise ValueError(f"name must not be one of {', '.join(sorted(RESERVED_NAMES))}")
        return self


class _ReadingsEntry(_Entry):
    values: dict[DatastreamName, Finite]
    time: AwareDatetime | None = None
    quality: Annotated[int, Field(ge=0, le=2)] = 0
    device: Identifier | None = None  # default: the device of the topic


class _ExampleEntry(_Entry):
    description: str = Field(min_length=1)
    topic: str = Field(pattern=r"^thubon/v1/[^/]+/[^/]+/(telemetry|gateway)$")
    payload: str
    readings: list[_ReadingsEntry] = []
    rejections: list[Reason] = []
    missing: int = Field(default=0, ge=0)


class _ProfileEntry(_Entry):
    id: Identifier
    domain: Domain
    name: BilingualEntry
    description: BilingualEntry
    reporting_interval_s: Seconds
    indicative: bool = False
    rated_power_w: Annotated[float, Field(gt=0, le=MAX_RATED_POWER_W)] | None = None  # of a lamp at full light
    datastreams: list[_DatastreamEntry] = Field(min_length=1, max_length=MAX_DATASTREAMS_PER_DEVICE)
    examples: list[_ExampleEntry] = Field(min_length=2)


def read_profile(document: Document, properties: Mapping[str, ObservedProperty]) -> DeviceProfile:
    """Check one profile and resolve its defaults.

    Args:
        document: the file, as `read_yaml` gives it.
        properties: the observed properties it may name, by id.

    Raises:
        DataFileError: names file, line, key and what is allowed.
    """
    try:
        entry = _ProfileEntry.model_validate(document.value)
    except ValidationError as error:
        raise document.validation_error(error) from error
    datastreams: dict[str, ProfileDatastream] = {}
    for index, stream in enumerate(entry.datastreams):
        if stream.name in datastreams:
            raise document.error(("datastreams", index, "name"), f"'{stream.name}' stands twice in this profile")
        datastreams[stream.name] = _resolve(document, index, stream, entry, properties)
    return DeviceProfile(
        profile_id=entry.id,
        domain=entry.domain,
        name=entry.name.record(),
        description=entry.description.record(),
        reporting_interval_s=entry.reporting_interval_s,
        datastreams=tuple(datastreams.values()),
        examples=tuple(_example(example) for example in entry.examples),
        indicative=entry.indicative,
        rated_power_w=entry.rated_power_w,
    )


def _resolve(
    document: Document,
    index: int,
    stream: _DatastreamEntry,
    profile: _ProfileEntry,
    properties: Mapping[str, ObservedProperty],
) -> ProfileDatastream:
    def fault(key: str, message: str) -> DataFileError:
        return document.error(("datastreams", index, key), f"datastream '{stream.name}': {message}")

    of = properties.get(stream.property)
    if of is None:
        raise fault("property", f"'{stream.property}' is not an observed property; allowed: {', '.join(properties)}")
    sent_unit = stream.unit or of.unit
    try:
        converted = conversion(sent_unit, of.unit, of.molar_mass_g_mol)
    except UnitError as error:
        raise fault("unit", str(error)) from error
    words = of.words if stream.words is None else stream.words
    if words and sent_unit != of.unit:
        raise fault("unit", f"a datastream with words is sent in the property's unit '{of.unit}'")
    lower, upper = stream.bounds or (of.lower_bound, of.upper_bound)
    if not of.lower_bound <= lower <= upper <= of.upper_bound:
        raise fault("bounds", f"must lie within those of '{of.property_id}', [{of.lower_bound}, {of.upper_bound}]")
    if any(not lower <= number <= upper for number in words.values()):
        raise fault("words", f"numbers must lie within the bounds [{lower}, {upper}]")
    keep = _kept(stream, of)
    if not KEPT.issuperset(keep):
        raise fault("keep", f"reductions that may be kept: {', '.join(sorted(KEPT))}")
    rules = stream.quality.over(rules_of(of.property_id))
    if stream.quality.expected and not lower <= rules.expected_lower <= rules.expected_upper <= upper:
        raise fault("quality", f"expected must lie within the bounds [{lower}, {upper}]")
    try:
        limit = _limit(stream, of, lower, upper)
    except ValueError as error:
        raise fault("limit", str(error)) from error
    return ProfileDatastream(
        slot=index + 1,
        name=stream.name,
        property_id=of.property_id,
        label=stream.label.record() if stream.label else of.name,
        qualifiers=MappingProxyType(stream.qualifiers),
        sent_unit=sent_unit,
        unit=of.unit,
        factor=converted.factor,
        addend=converted.addend,
        lower_bound=lower,
        upper_bound=upper,
        decimals=of.decimals,
        words=MappingProxyType({word: float(number) for word, number in words.items()}),
        interval_s=stream.interval_s or profile.reporting_interval_s,
        period_s=stream.period_s,
        stamp=stream.stamp,
        keep=keep,
        rules=rules,
        limit=limit,
    )


def _limit(stream: _DatastreamEntry, of: ObservedProperty, lower: float, upper: float) -> DatedLimit | None:
    if isinstance(stream.limit, str):
        limit = of_regulation(of.property_id, stream.limit)
        if limit is None:
            raise ValueError(f"devices/environment/limits.yaml has none for '{of.property_id}' over {stream.limit}")
    else:
        limit = None if stream.limit is None else always(stream.limit)
    if limit is not None and any(not lower <= value <= upper for value in limit.value if isfinite(value)):
        raise ValueError(f"must lie within the bounds [{lower}, {upper}]")
    return limit


def _kept(stream: _DatastreamEntry, of: ObservedProperty) -> tuple[str, ...]:
    keep = kept(of.property_id) if stream.keep is None else stream.keep
    return keep if stream.limit is None else (*dict.fromkeys((*keep, "exceedance")),)


def _example(entry: _ExampleEntry) -> ProfileExample:
    source_id = entry.topic.split("/")[3]
    readings = tuple(
        Reading(
            device_id=group.device or source_id,
            name=name,
            value=value,
            time_us=None if group.time is None else round(group.time.timestamp() * 1_000_000),
            quality=group.quality,
        )
        for group in entry.readings
        for name, value in group.values.items()
    )
    return ProfileExample(
        description=entry.description,
        topic=entry.topic,
        payload=entry.payload.encode(),
        readings=readings,
        rejections=tuple(entry.rejections),
        missing=entry.missing,
    )


def read_catalogue(folder: Traversable, properties: Mapping[str, ObservedProperty]) -> Mapping[str, DeviceProfile]:
    """Read `<folder>/<domain>/<id>.yaml` for every domain.

    Raises:
        DataFileError: a file is wrong, or lies where its domain or id does not say.
    """
    profiles: dict[str, DeviceProfile] = {}
    for domain in DOMAINS:
        for file in sorted((folder / domain).iterdir(), key=lambda found: found.name):
            if not file.name.endswith(".yaml"):
                raise DataFileError(f"{domain}/{file.name}: a profile's file ends in .yaml")
            document = read_yaml(file)
            profile = read_profile(document, properties)
            if profile.domain != domain:
                raise document.error(("domain",), f"the file lies in the folder '{domain}'")
            if file.name != f"{profile.profile_id}.yaml":
                raise document.error(("id",), f"a profile's file bears its id, here '{profile.profile_id}.yaml'")
            if profile.profile_id in profiles:
                raise document.error(("id",), f"'{profile.profile_id}' stands in two domains")
            profiles[profile.profile_id] = profile
    return MappingProxyType(profiles)


@cache
def load_catalogue() -> Mapping[str, DeviceProfile]:
    """The device profiles that come with the platform, by id; read once.

    Raises:
        DataFileError: a data file is wrong.
    """
    return read_catalogue(files("devices") / "catalogue", load_observed_properties())


@cache
def kept_by(profile_id: str, name: str, property_id: str) -> tuple[tuple[str, ...], DatedLimit | None]:
    """What a registered datastream keeps beside the basic reductions, and its limit.

    As its profile says, or as its property where the catalogue does not know the profile or the datastream.
    """
    profile = load_catalogue().get(profile_id)
    stream = profile.datastream(name) if profile else None
    return (stream.keep, stream.limit) if stream else (kept(property_id), None)
