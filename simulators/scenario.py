"""Scenario files: which devices a simulated city has, what happens, what goes wrong with them, from which seed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from devices.yaml_file import DataFileError, read_yaml
from simulators.faults.rules import FaultRule  # noqa: TC001 - pydantic reads the annotation at run time
from simulators.gazetteer import load_places
from simulators.moments import Day, DaySpan, Moment
from simulators.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

MAX_DEVICES: Final = 200_000

TownId = Literal["tam-ky", "hoi-an", "dien-ban"]
TOWN_IDS: Final[tuple[TownId, ...]] = ("tam-ky", "hoi-an", "dien-ban")
ProfileId = Literal[
    "traffic-counter", "camera-counter", "signal-controller", "parking-sensor",
    "lighting-cabinet", "feeder-meter", "lamp-controller", "motion-luminaire",
    "air-station", "air-sensor", "weather-station", "rain-gauge", "uv-station", "river-gauge", "flood-sensor",
    "noise-meter",
]  # fmt: skip
Count = Annotated[int, Field(ge=0, le=100_000)]
Chance = Annotated[float, Field(ge=0, le=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FloodEvent(Moment):
    """A flood wave down the rivers; the moment is its peak at Cau Lau."""

    severity: float = Field(ge=0, le=1)  # share of the flood of November 2017


class CloudburstEvent(DaySpan):
    """Hours of heavy rain."""

    towns: tuple[TownId, ...] = TOWN_IDS
    mm_h: float = Field(gt=0, le=100)


class FeastEvent(DaySpan):
    """A feast in the old town of Hoi An: no motors, many people, dimmed street lamps."""


class WardEvent(DaySpan):
    """A ward without mains."""

    town: TownId
    ward: str

    @model_validator(mode="after")
    def _ward_is_known(self) -> WardEvent:
        wards = load_places(self.town).wards
        if self.ward not in wards:
            raise ValueError(f"{self.town} has no ward '{self.ward}' with devices; there are {', '.join(wards)}")
        return self


class DarkCabinets(DaySpan):
    """Cabinets whose contactor stays open: power at the cabinet, none at its lamps."""

    town: TownId
    cabinets: int = Field(default=1, ge=1, le=1_000)  # so many of the town's, the first ones


class FailedLamps(Day):
    """Lamps whose light source fails."""

    town: TownId
    lamps: int = Field(ge=1, le=10_000)  # so many, chosen by the seed


class Events(_Entry):
    """What happens in the world."""

    floods: tuple[FloodEvent, ...] = ()
    cloudbursts: tuple[CloudburstEvent, ...] = ()
    feasts: tuple[FeastEvent, ...] = ()
    power_cuts: tuple[WardEvent, ...] = ()
    dark_cabinets: tuple[DarkCabinets, ...] = ()
    failed_lamps: tuple[FailedLamps, ...] = ()
    high_water_m: float = Field(default=0.0, ge=-0.5, le=2)  # how much higher than usual the rivers stand

    @model_validator(mode="after")
    def _a_circuit_fails_once(self) -> Events:
        # Meters are worked out from one outage of each kind a circuit.
        names_by_outage: dict[str, list[str]] = {
            "power cut a ward": [f"{cut.town} {cut.ward}" for cut in self.power_cuts],
            "entry of dark_cabinets a town": [dark.town for dark in self.dark_cabinets],
        }
        for what, names in names_by_outage.items():
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"at most one {what} (twice: {', '.join(twice)})")
        return self


def _not_too_many(devices: dict[TownId, dict[ProfileId, int]]) -> dict[TownId, dict[ProfileId, int]]:
    for town_id, counts in devices.items():
        if not counts.get("lighting-cabinet"):
            for profile_id in ("lamp-controller", "feeder-meter"):
                if counts.get(profile_id):
                    raise ValueError(f"{town_id}: {profile_id} needs a lighting-cabinet that feeds it")
    return devices


class Scenario(_Entry):
    """What is simulated."""

    seed: int = Field(ge=0, lt=2**63)
    devices: Annotated[dict[TownId, dict[ProfileId, Count]], AfterValidator(_not_too_many)]
    scale: float = Field(default=1.0, gt=0, le=1_000)  # every number of devices times this
    cabinets_as_gateways: Chance = 0.0  # share of the cabinets that carry their lamps
    strangers: int = Field(default=0, ge=0, le=100)  # devices that send without being registered
    readings_per_message: int = Field(
        default=100, ge=1, le=1_000
    )  # most readings in one message when a device catches up
    events: Events = Events()
    faults: tuple[FaultRule, ...] = Field(default=(), max_length=100)

    @model_validator(mode="after")
    def _is_bounded(self) -> Scenario:
        total = sum(count for _, counts in self.towns() for count in counts.values())
        if total > MAX_DEVICES:
            raise ValueError(f"{total:,} devices are too many; at most {MAX_DEVICES:,}")
        return self

    def towns(self) -> Iterator[tuple[TownId, dict[str, int]]]:
        """Town id and how many devices of each profile it has, scaled, in a fixed order.

        What there is at all stays at least one, so that a lamp keeps its cabinet however small the scale.
        """
        for town_id in TOWN_IDS:
            counts = self.devices.get(town_id, {})
            yield (
                town_id,
                {profile_id: max(1, round(count * self.scale)) if count else 0 for profile_id, count in counts.items()},
            )


def scenario_names() -> list[str]:
    """Names of the scenarios that come with the package."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in (files("simulators") / "scenarios").iterdir()
        if entry.name.endswith(".yaml")
    )


def load_scenario(name_or_file: str) -> Scenario:
    """Read a scenario by its name, or from a file whose name ends in .yaml.

    Raises:
        DataFileError: there is no such scenario, or its file is wrong; names file, line, key and what is allowed.
    """
    source: Traversable = files("simulators") / "scenarios" / f"{name_or_file}.yaml"
    if name_or_file.endswith(".yaml"):
        source = Path(name_or_file)
    elif name_or_file not in scenario_names():
        raise DataFileError(
            f"there is no scenario '{name_or_file}'; there are {', '.join(scenario_names())}, or give a .yaml file"
        )
    try:
        document = read_yaml(source)
    except OSError as error:
        raise DataFileError(f"{source}: {error.strerror}") from error
    try:
        return Scenario.model_validate(document.value)
    except ValidationError as error:
        raise refusal(document, Scenario, error) from error
