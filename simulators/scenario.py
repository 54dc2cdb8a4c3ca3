"""Scenario files: which devices a simulated city has, from which seed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from devices.yaml_file import DataFileError, read_yaml

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Count = Annotated[int, Field(ge=0, le=100_000)]


class TownDevices(BaseModel):
    """How many devices of each profile a town has."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    traffic_counter: Count = 0
    lighting_cabinet: Count = 0
    lamp_controller: Count = 0
    air_station: Count = 0
    weather_station: Count = 0
    river_gauge: Count = 0
    noise_meter: Count = 0


class TownsDevices(BaseModel):
    """The towns of a scenario."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    tam_ky: TownDevices = TownDevices()
    hoi_an: TownDevices = TownDevices()
    dien_ban: TownDevices = TownDevices()

    def items(self) -> list[tuple[str, TownDevices]]:
        """Town id and its devices, in a fixed order."""
        return [("tam-ky", self.tam_ky), ("hoi-an", self.hoi_an), ("dien-ban", self.dien_ban)]


class Scenario(BaseModel):
    """What is simulated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0, lt=2**63)
    devices: TownsDevices
    cabinets_as_gateways: float = Field(default=0.0, ge=0, le=1)  # share of the cabinets that carry their lamps
    readings_per_message: int = Field(
        default=100, ge=1, le=1_000
    )  # most readings in one message when a device catches up


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
        raise document.validation_error(error) from error
