"""What the ground floor knows about hardware, as plain frozen records.

Everything here is a value: no record reads a file, a database or a clock. Units are UCUM codes, times aware UTC,
coordinates WGS 84 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from devices.dated_limit import DatedLimit
    from devices.quality_rules import QualityRules
    from devices.reasons import Reason

Domain = Literal["traffic", "lighting", "environment"]
Stamp = Literal["end", "start"]

DOMAINS: Final[tuple[Domain, ...]] = ("traffic", "lighting", "environment")
IDENTIFIER_PATTERN: Final = r"[a-z0-9][a-z0-9-]{0,62}"
"""Form of the ids of towns, sites, devices and device profiles."""
DATASTREAM_NAME_PATTERN: Final = r"[a-z0-9][a-z0-9_.-]{0,62}"
"""Form of the name of a datastream within its device, which is the key a device sends."""
MAX_DATASTREAMS_PER_DEVICE: Final = 256
LABEL_PATTERN: Final = r"[a-z0-9][a-z0-9_.-]{0,62}(=[^\s=,;]{1,100})?"
"""Form of a label: a word, or key=value."""
MAX_LABELS: Final = 20
MAX_RATED_POWER_W: Final = 100_000.0
CABINET_PROPERTIES: Final = ("door-open", "circuit-state")
"""A device of the lighting that observes one of these is a cabinet, which feeds lamps."""
RESERVED_DEVICE_IDS: Final = frozenset({"ingest", "simulators", "health", "identity", "devices"})
"""Names of our own programs at the broker, as are those that begin with `thubon-`; no device may bear one."""

QUALITY_GOOD: Final = 0
QUALITY_CALIBRATING: Final = 1
QUALITY_FAULT: Final = 2


@dataclass(frozen=True, slots=True)
class Bilingual:
    """A text an operator reads."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class ObservedProperty:
    """What is observed, declared once: its canonical unit and what is physically possible in that unit."""

    property_id: str
    name: Bilingual
    description: str
    unit: str  # UCUM; the unit observations are stored in
    lower_bound: float  # inclusive, in `unit`
    upper_bound: float  # inclusive, in `unit`
    decimals: int  # digits after the point that make sense to a reader, 0..6
    words: Mapping[str, int] = field(default_factory=dict)  # enumeration: word -> number; empty: a number
    fiware: str = "Device.value"  # <model>.<attribute> of the Smart Data Models; Device.value where no model has one
    sensorthings: str = ""  # name of the SensorThings ObservedProperty
    definition: str = ""  # URI that says what is observed, the SensorThings definition
    molar_mass_g_mol: float | None = None  # of a gas, by which a mixing ratio becomes a mass concentration


@dataclass(frozen=True, slots=True)
class ProfileDatastream:
    """One datastream of a device profile, with every default resolved."""

    slot: int  # position in the profile, from 1; never changes
    name: str
    property_id: str
    label: Bilingual  # what an operator reads
    qualifiers: Mapping[str, str]  # what tells it from others of its property: class, lane, phase, percent
    sent_unit: str  # UCUM, as the device sends
    unit: str  # UCUM, canonical unit of the property, as stored
    factor: float  # stored = sent * factor + addend
    addend: float
    lower_bound: float  # inclusive, in `unit`
    upper_bound: float  # inclusive, in `unit`
    decimals: int
    words: Mapping[str, float]  # word -> stored number; empty: no words
    interval_s: int
    period_s: int | None  # None: the value holds at an instant
    stamp: Stamp  # which end of the period the timestamp names
    keep: tuple[str, ...]  # reductions its statistics keep beside the basic ones
    rules: QualityRules  # what makes its values doubtful
    limit: DatedLimit | None  # readings above it are counted at rest; None: no limit


@dataclass(frozen=True, slots=True)
class Reading:
    """A decoded value that passed the checks of its datastream, in the canonical unit."""

    device_id: str
    name: str
    value: float
    time_us: int | None  # phenomenon time, Unix microseconds; None: the message bears no time
    quality: int  # QUALITY_GOOD, QUALITY_CALIBRATING or QUALITY_FAULT


@dataclass(frozen=True, slots=True)
class Refusal:
    """Readings that are not taken, and why."""

    reason: Reason
    detail: str  # for people, in English: what was wrong, what is allowed
    readings: int  # how many readings it refuses; what cannot be told apart counts one
    device_id: str | None = None  # where the payload tells
    name: str | None = None  # datastream name as sent, where the refusal concerns one


@dataclass(frozen=True, slots=True)
class ProfileExample:
    """A message a device of this profile may send and what has to become of it."""

    description: str
    topic: str
    payload: bytes
    readings: tuple[Reading, ...]  # what must be taken, in any order
    rejections: tuple[Reason, ...]  # reasons of what must be refused, one a refusal, in any order
    missing: int  # readings sent as null


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """The description of a device model, independent of its maker."""

    profile_id: str
    domain: Domain
    name: Bilingual
    description: Bilingual
    reporting_interval_s: int
    datastreams: tuple[ProfileDatastream, ...]  # by slot
    examples: tuple[ProfileExample, ...]
    indicative: bool = False  # "trạm tham khảo": no index from it is published as one of a station
    rated_power_w: float | None = None  # of a lamp of this model at full light; None: models differ, or it is no lamp

    @property
    def is_cabinet(self) -> bool:
        """Whether it feeds others: a cabinet of the lighting has a door or a circuit."""
        return self.domain == "lighting" and any(d.property_id in CABINET_PROPERTIES for d in self.datastreams)

    def datastream(self, name: str) -> ProfileDatastream | None:
        """The datastream of this name, or None."""
        return next((d for d in self.datastreams if d.name == name), None)


@dataclass(frozen=True, slots=True)
class Town:
    """A tenant: the area and its place on the page."""

    town_id: str
    name: Bilingual
    latitude: float
    longitude: float
    west: float
    south: float
    east: float
    north: float
    retired: bool = False  # out of use: takes neither sites nor devices

    def contains(self, latitude: float, longitude: float) -> bool:
        """Whether a point lies in the town's bounding box, edges included."""
        return self.south <= latitude <= self.north and self.west <= longitude <= self.east


@dataclass(frozen=True, slots=True)
class Site:
    """A place on the map: junction, pole, cabinet, station, gauge, bridge."""

    site_id: str
    town_id: str
    name: str
    kind: str
    latitude: float
    longitude: float
    labels: tuple[str, ...] = ()  # words, or key=value
    wards: tuple[str, ...] = ()  # declared, at most one of each version, by id


@dataclass(frozen=True, slots=True)
class Device:
    """An installed unit."""

    device_id: str
    town_id: str
    site_id: str
    domain: Domain
    profile_id: str
    name: str
    reporting_interval_s: int
    gateway_id: str | None
    commissioned_time: datetime | None  # None: the time it is first registered
    labels: tuple[str, ...] = ()
    rated_power_w: float | None = None  # of a lamp at full light; None: that of its profile, or learnt
    fed_by_id: str | None = None  # the cabinet that feeds it; None: its gateway where that is one, else not known


@dataclass(frozen=True, slots=True)
class Ward:
    """A ward or commune in one version of the administrative map."""

    ward_id: str
    town_id: str
    name: str
    kind: Literal["ward", "commune"]
    valid_from: date  # the first day we vouch for
    valid_to: date | None  # exclusive; None: in force
    grade: Literal["primary", "secondary", "unverified"]  # how well its name is known
    source: str
    successor_id: str | None  # the ward that took it in whole

    def overlaps(self, other: Ward) -> bool:
        """Whether the two were ever in force on the same day."""
        return (other.valid_to is None or self.valid_from < other.valid_to) and (
            self.valid_to is None or other.valid_from < self.valid_to
        )


@dataclass(frozen=True, slots=True)
class Datastream:
    """One observed property of one installed device, in one unit."""

    datastream_id: str  # <device>:<name>
    device_id: str
    profile_datastream: ProfileDatastream
