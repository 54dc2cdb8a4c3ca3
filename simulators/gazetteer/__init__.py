"""Where simulated devices stand: real places of the three towns, as data files, one a town."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from devices.models import IDENTIFIER_PATTERN
from devices.yaml_file import read_yaml
from simulators.signals.traffic import RoadKind  # noqa: TC001 - pydantic reads the annotation at run time

Identifier = Annotated[str, Field(pattern=f"^{IDENTIFIER_PATTERN}$", max_length=40)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Point = tuple[Latitude, Longitude]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Street(_Entry):
    """A street that lamps, counters and parking places stand along."""

    id: Identifier
    ward: Identifier  # unit of 2019
    name: str
    kind: RoadKind
    lamp_w: float = Field(gt=0, le=1_000)  # rated power of its lamps
    line: tuple[Point, ...] = Field(min_length=2)

    def point_at(self, share: float) -> Point:
        """Point at a share (0..1) of the way through the points of the line, each stretch taken as equally long."""
        position = share * (len(self.line) - 1)
        stretch = min(int(position), len(self.line) - 2)
        (lat_a, lon_a), (lat_b, lon_b) = self.line[stretch], self.line[stretch + 1]
        part = position - stretch
        return lat_a + (lat_b - lat_a) * part, lon_a + (lon_b - lon_a) * part


class Place(_Entry):
    """A named place for devices."""

    id: Identifier
    ward: Identifier  # unit of 2019
    name: str
    kind: Identifier  # of the site: junction, bridge, road, station, pole, gauge
    at: Point
    coordinates: Literal["unverified", "published"] = "unverified"


class RoadsidePlace(Place):
    """A place beside a road."""

    road: RoadKind
    peak_flow: float = Field(gt=0, le=10_000)  # vehicles an hour in one direction in the highest rush
    free_speed: float = Field(ge=10, le=100)  # km/h


class GaugePlace(Place):
    """A place at a river."""

    river: Identifier
    upstream: Point  # where the rain of this river falls
    mean_level: float = Field(ge=-2, le=10)  # m above gauge datum
    tide_range: float = Field(ge=0, le=2)  # m
    tide_lag_h: float = Field(ge=0, le=12)
    runoff_lag_h: float = Field(ge=0, le=48)
    runoff_gain: float = Field(ge=0, le=2)  # m a mm/h sustained
    flood_lag_h: float = Field(ge=-12, le=24)  # of a flood wave, after Cau Lau
    flood_peak: float = Field(ge=0, le=20)  # m above gauge datum in the flood of November 2017


class FloodStreet(Place):
    """A street that is flooded."""

    gauge: Identifier  # whose water comes into it
    road_level: float = Field(ge=-2, le=20)  # m above that gauge's datum
    ponding: float = Field(ge=0, le=2)  # m of water that an hour of 50 mm leaves in the street


class TownPlaces(_Entry):
    """The places of one town."""

    prefix: Identifier  # of the ids of its devices and sites
    streets: tuple[Street, ...] = Field(min_length=1)
    traffic: tuple[RoadsidePlace, ...] = Field(min_length=1)
    air: tuple[RoadsidePlace, ...] = Field(min_length=1)
    weather: tuple[Place, ...] = Field(min_length=1)
    noise: tuple[RoadsidePlace, ...] = Field(min_length=1)
    gauges: tuple[GaugePlace, ...] = Field(min_length=1)
    flood_streets: tuple[FloodStreet, ...] = Field(min_length=1)

    @property
    def centre(self) -> Point:
        """Middle of the first street: where the town's astronomical clock stands."""
        return self.streets[0].point_at(0.5)

    @property
    def wards(self) -> tuple[str, ...]:
        """Every ward that a street or place lies in."""
        places = (self.traffic, self.air, self.weather, self.noise, self.gauges, self.flood_streets)
        return tuple(sorted({street.ward for street in self.streets} | {at.ward for group in places for at in group}))

    @model_validator(mode="after")
    def _ids_are_unique(self) -> TownPlaces:
        groups = (self.streets, self.traffic, self.air, self.weather, self.noise, self.gauges, self.flood_streets)
        for group in groups:
            ids = [place.id for place in group]
            twice = sorted({place_id for place_id in ids if ids.count(place_id) > 1})
            if twice:
                raise ValueError(f"ids stand twice in one list: {', '.join(twice)}")
        gauges = {gauge.id for gauge in self.gauges}
        for street in self.flood_streets:
            if street.gauge not in gauges:
                raise ValueError(f"flood street {street.id}: no gauge '{street.gauge}'; there are {sorted(gauges)}")
        return self


@cache
def load_places(town_id: str) -> TownPlaces:
    """The places of a town.

    Raises:
        FileNotFoundError: there is no gazetteer of this town.
        DataFileError: the file is wrong; names file, line and what is allowed.
    """
    document = read_yaml(files("simulators.gazetteer") / f"{town_id}.yaml")
    try:
        return TownPlaces.model_validate(document.value)
    except ValidationError as error:
        raise document.validation_error(error) from error
