"""Puts the devices of a scenario at the places of the gazetteer and gives each the surroundings it measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from devices.profiles import load_catalogue
from simulators.fleet import SimulatedDevice
from simulators.gazetteer import GaugePlace, Place, Point, RoadsidePlace, Street, TownPlaces, load_places
from simulators.profiles import (
    AirStation,
    Instrument,
    LampController,
    LightingCabinet,
    NoiseMeter,
    RiverGauge,
    TrafficCounter,
    WeatherStation,
)
from simulators.signals.air import Air
from simulators.signals.lighting import PROGRAMMES, Circuit, Lamp
from simulators.signals.noise import key_of, uniform
from simulators.signals.sound import Soundscape
from simulators.signals.traffic import Road, RoadKind
from simulators.signals.water import Reach
from simulators.signals.weather import Sky

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.scenario import Scenario, TownDevices

AnyPlace = TypeVar("AnyPlace", Place, RoadsidePlace, GaugePlace, Street)


def build_fleet(scenario: Scenario) -> tuple[SimulatedDevice, ...]:
    """All devices of a scenario, gateways before what they carry.

    Raises:
        ValueError: the scenario has lamps in a town without a cabinet.
        DataFileError: a file of the gazetteer or the catalogue is wrong.
    """
    fleet: list[SimulatedDevice] = []
    for town_id, devices in scenario.devices.items():
        fleet.extend(_TownBuilder(scenario, town_id, load_places(town_id)).build(devices))
    return tuple(fleet)


def _dealt(places: Sequence[AnyPlace], count: int) -> Iterator[tuple[AnyPlace, int]]:
    """Deal `count` devices over the places in turn; with each place the number of the device there, from 1."""
    for index in range(count):
        yield places[index % len(places)], index // len(places) + 1


def _draw(seed: int, name: str, what: str) -> float:
    """One draw, 0 <= u < 1, that belongs to a named thing."""
    return float(uniform(key_of(seed, name, what), np.zeros(1, dtype=np.int64))[0])


@dataclass(frozen=True, slots=True)
class _TownBuilder:
    """Places the devices of one town."""

    scenario: Scenario
    town_id: str
    places: TownPlaces

    def build(self, devices: TownDevices) -> Iterator[SimulatedDevice]:
        yield from self._traffic(devices.traffic_counter)
        yield from self._lighting(devices.lighting_cabinet, devices.lamp_controller)
        yield from self._air(devices.air_station)
        yield from self._weather(devices.weather_station)
        yield from self._gauges(devices.river_gauge)
        yield from self._noise(devices.noise_meter)

    def _device(
        self,
        device_id: str,
        name: str,
        place: Place,
        profile_id: str,
        instrument: Instrument,
        gateway_id: str | None = None,
    ) -> SimulatedDevice:
        profile = load_catalogue()[profile_id]
        # Loggers that form counts or means stamp the full minute; the others report from when they were switched on.
        aligned = any(stream.period_s for stream in profile.datastreams)
        phase_s = 0 if aligned else int(_draw(self.scenario.seed, device_id, "phase") * profile.reporting_interval_s)
        return SimulatedDevice(
            device_id=device_id,
            town_id=self.town_id,
            site_id=f"{self.places.prefix}-{place.kind}-{place.id}",
            site_name=place.name,
            site_kind=place.kind,
            latitude=round(place.at[0], 6),
            longitude=round(place.at[1], 6),
            name=name,
            profile=profile,
            gateway_id=gateway_id,
            instrument=instrument,
            phase_s=phase_s,
        )

    def _id(self, kind: str, place: Place | Street, number: int) -> str:
        return f"{self.places.prefix}-{kind}-{place.id}-{number:02d}"

    def _sky(self, at: Point) -> Sky:
        return Sky(seed=self.scenario.seed, latitude=at[0], longitude=at[1])

    def _road(self, name: str, place: RoadsidePlace, share: float = 1.0) -> Road:
        return Road(
            self.scenario.seed, name, place.road, place.peak_flow * share, place.free_speed, self._sky(place.at)
        )

    def _traffic(self, count: int) -> Iterator[SimulatedDevice]:
        for place, number in _dealt(self.places.traffic, count):
            device_id = self._id("count", place, number)
            # Counters of one place face the two directions in turn; one of them is always a little emptier.
            road = self._road(device_id, place, 1.0 if number % 2 else 0.85)
            lanes = 2 if place.road is RoadKind.ARTERIAL else 1
            counter = TrafficCounter(self.scenario.seed, device_id, road.sky, road, lanes)
            yield self._device(device_id, f"Đếm xe {place.name} {number}", place, "traffic-counter", counter)

    def _lighting(self, cabinets: int, lamps: int) -> Iterator[SimulatedDevice]:
        if lamps and not cabinets:
            raise ValueError(f"{self.town_id}: {lamps} lamp-controller need a lighting-cabinet that feeds them")
        lamps_by_street = dict.fromkeys((street.id for street in self.places.streets), 0)
        for index, (street, number) in enumerate(_dealt(self.places.streets, cabinets)):
            fed = lamps // cabinets + (1 if index < lamps % cabinets else 0)
            yield from self._circuit(street, number, lamps_by_street[street.id], fed)
            lamps_by_street[street.id] += fed

    def _circuit(self, street: Street, number: int, lamps_before: int, fed: int) -> Iterator[SimulatedDevice]:
        seed = self.scenario.seed
        cabinet_id = self._id("cabinet", street, number)
        lamps = tuple(
            Lamp(self._id("lamp", street, lamps_before + i + 1), street.lamp_w, phase=i % 3 + 1, position=i)
            for i in range(fed)
        )
        # Cabinets and lamps of later rounds stand further along, never on top of the first ones.
        offset = 0.0004 * (number - 1)
        corner = Place(
            id=f"{street.id}-{number:02d}",
            name=f"Tủ {street.name} {number}",
            kind="cabinet",
            at=(street.line[0][0] + offset, street.line[0][1]),
        )
        circuit = Circuit(seed, cabinet_id, PROGRAMMES[street.kind], self._sky(corner.at), lamps)
        cabinet = LightingCabinet(seed, cabinet_id, circuit.sky, circuit)
        yield self._device(cabinet_id, f"Tủ chiếu sáng {street.name} {number}", corner, "lighting-cabinet", cabinet)
        is_gateway = _draw(seed, cabinet_id, "gateway") < self.scenario.cabinets_as_gateways
        for lamp in lamps:
            latitude, longitude = street.point_at((lamp.position + 0.5) / fed)
            serial = f"{lamps_before + lamp.position + 1:02d}"
            pole = Place(
                id=f"{street.id}-{serial}",
                name=f"Cột đèn {street.name} {serial}",
                kind="pole",
                at=(latitude + offset, longitude),
            )
            controller = LampController(seed, lamp.name, self._sky(pole.at), circuit, lamp)
            gateway_id = cabinet_id if is_gateway else None
            yield self._device(
                lamp.name, f"Đèn {street.name} {serial}", pole, "lamp-controller", controller, gateway_id
            )

    def _air(self, count: int) -> Iterator[SimulatedDevice]:
        for place, number in _dealt(self.places.air, count):
            device_id = self._id("air", place, number)
            air = Air(self.scenario.seed, device_id, self._sky(place.at), self._road(device_id, place))
            station = AirStation(self.scenario.seed, device_id, air.sky, air)
            yield self._device(device_id, f"Không khí {place.name}", place, "air-station", station)

    def _weather(self, count: int) -> Iterator[SimulatedDevice]:
        for place, number in _dealt(self.places.weather, count):
            device_id = self._id("weather", place, number)
            station = WeatherStation(self.scenario.seed, device_id, self._sky(place.at))
            yield self._device(device_id, f"Thời tiết {place.name}", place, "weather-station", station)

    def _gauges(self, count: int) -> Iterator[SimulatedDevice]:
        for place, number in _dealt(self.places.gauges, count):
            device_id = self._id("gauge", place, number)
            reach = Reach(
                seed=self.scenario.seed,
                river=place.river,
                upstream=self._sky(place.upstream),
                mean_level=place.mean_level,
                tide_range=place.tide_range,
                tide_lag_h=place.tide_lag_h,
                flood_lag_h=place.flood_lag_h,
                flood_gain=place.flood_gain,
            )
            gauge = RiverGauge(self.scenario.seed, device_id, self._sky(place.at), reach)
            yield self._device(device_id, f"Mực nước {place.name}", place, "river-gauge", gauge)

    def _noise(self, count: int) -> Iterator[SimulatedDevice]:
        for place, number in _dealt(self.places.noise, count):
            device_id = self._id("noise", place, number)
            sound = Soundscape(self.scenario.seed, device_id, self._road(device_id, place))
            meter = NoiseMeter(self.scenario.seed, device_id, sound.road.sky, sound)
            yield self._device(device_id, f"Tiếng ồn {place.name}", place, "noise-meter", meter)
