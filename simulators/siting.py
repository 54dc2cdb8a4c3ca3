"""Puts the devices of a scenario at the places of the gazetteer and gives each the surroundings it measures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from typing import TYPE_CHECKING, Final, TypeVar

from devices.profiles import load_catalogue
from simulators.circuits import CircuitBuilder
from simulators.fleet import SimulatedDevice
from simulators.gazetteer import GaugePlace, Place, Point, RoadsidePlace, TownPlaces, load_places
from simulators.instruments import (
    AirSensor,
    AirStation,
    CameraCounter,
    FloodSensor,
    Instrument,
    NoiseMeter,
    ParkingSensor,
    RainGauge,
    RiverGauge,
    SignalController,
    TrafficCounter,
    UvStation,
    WeatherStation,
)
from simulators.signals.air import Air
from simulators.signals.happenings import Cloudburst, Flood, Happenings, Span
from simulators.signals.noise import draw, key_of
from simulators.signals.sound import Soundscape
from simulators.signals.traffic import Road, RoadKind
from simulators.signals.water import Reach
from simulators.signals.weather import Sky

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.scenario import Scenario

AnyPlace = TypeVar("AnyPlace", bound=Place)

DEVICES_A_PLACE: Final = 2
"""So many devices of a profile a named place takes; further ones stand along the streets."""
_GOLDEN_SHARE: Final = (sqrt(5.0) - 1.0) / 2.0
_MAINS: Final = frozenset({"camera-counter", "signal-controller", "air-station"})
"""Profiles without a battery of their own; those on a lighting circuit are dealt with there."""


def local_today() -> date:
    """The day in Vietnam now."""
    return (datetime.now(UTC) + timedelta(hours=7)).date()


def build_fleet(scenario: Scenario, today: date | None = None) -> tuple[SimulatedDevice, ...]:
    """All devices of a scenario, gateways before what they carry.

    Args:
        scenario: what to build.
        today: the day that the events of the scenario count from; default: the day in Vietnam now.

    Raises:
        DataFileError: a file of the gazetteer or the catalogue is wrong.
    """
    day = today or local_today()
    fleet: list[SimulatedDevice] = []
    for town_id, counts in scenario.towns():
        happenings = _happenings(scenario, town_id, day)
        fleet.extend(TownBuilder(scenario, town_id, load_places(town_id), day, happenings).build(counts))
    return tuple(fleet)


def _happenings(scenario: Scenario, town_id: str, today: date) -> Happenings:
    events = scenario.events
    return Happenings(
        floods=tuple(Flood(flood.seconds(today), flood.severity) for flood in events.floods),
        cloudbursts=tuple(
            Cloudburst(burst.span(today), burst.mm_h) for burst in events.cloudbursts if town_id in burst.towns
        ),
        feasts=tuple(feast.span(today) for feast in events.feasts) if town_id == "hoi-an" else (),
        high_water_m=events.high_water_m,
    )


@dataclass(frozen=True)
class TownBuilder:
    """Places the devices of one town."""

    scenario: Scenario
    town_id: str
    places: TownPlaces
    today: date
    happenings: Happenings

    def build(self, counts: Mapping[str, int]) -> Iterator[SimulatedDevice]:
        """The devices of the town, profile by profile."""
        yield from self._traffic(counts)
        yield from CircuitBuilder(self).build(counts)
        yield from self._air(counts)
        yield from self._weather(counts)
        yield from self._water(counts)
        yield from self._noise(counts.get("noise-meter", 0))
        yield from self._strangers()

    def device(
        self,
        device_id: str,
        name: str,
        place: Place,
        profile_id: str,
        instrument: Instrument,
        *,
        gateway_id: str | None = None,
        fed_by_id: str | None = None,
        mains: bool = False,
        registered: bool = True,
    ) -> SimulatedDevice:
        """A device at a place."""
        profile = load_catalogue()[profile_id]
        # Loggers that form counts or means stamp the full minute; the others report from when they were switched on.
        periods = [stream for stream in profile.datastreams if stream.period_s]
        lag_s = max((stream.period_s or 0 for stream in periods if stream.stamp == "start"), default=0)
        phase_s = 0
        if not periods:
            phase_s = int(draw(key_of(self.scenario.seed, device_id, "phase")) * profile.reporting_interval_s)
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
            ward=place.ward,
            coordinates=place.coordinates,
            stamp_lag_s=lag_s,
            unpowered=self.power_cuts(place.ward) if mains or profile_id in _MAINS else (),
            registered=registered,
            fed_by_id=fed_by_id,
        )

    def power_cuts(self, ward: str) -> tuple[Span, ...]:
        """When a ward has no mains."""
        cuts = self.scenario.events.power_cuts
        return tuple(cut.span(self.today) for cut in cuts if cut.town == self.town_id and cut.ward == ward)

    def device_id(self, kind: str, place: Place, number: int) -> str:
        """Id of the device of its kind with this number at a place."""
        return f"{self.places.prefix}-{kind}-{place.id}-{number:02d}"

    def key(self, device_id: str) -> int:
        """Where the randomness of a device comes from."""
        return key_of(self.scenario.seed, device_id)

    def sky(self, at: Point) -> Sky:
        """The weather over a place."""
        return Sky(self.scenario.seed, at[0], at[1], self.happenings)

    def road(self, device_id: str, place: RoadsidePlace, share: float = 1.0) -> Road:
        """The road beside a place, with a randomness of its own for each device."""
        return Road(
            key=key_of(self.scenario.seed, device_id, "road"),
            old_town=float(place.road is RoadKind.OLD_TOWN),
            arterial=float(place.road is RoadKind.ARTERIAL),
            peak_flow=place.peak_flow * share,
            free_speed=place.free_speed,
            sky=self.sky(place.at),
        )

    def dealt(self, places: Sequence[AnyPlace], count: int) -> Iterator[tuple[AnyPlace, int]]:
        """Deal `count` devices over named places in turn; with each place the number of the device there, from 1.

        When all of them have `DEVICES_A_PLACE` the others stand near them, at places of their own.
        """
        for index in range(count):
            place, number = places[index % len(places)], index // len(places) + 1
            if number > DEVICES_A_PLACE:
                further = number - DEVICES_A_PLACE
                at = self._near(place.at, further)
                name = f"{place.name}, vị trí {further}"
                moved = {"id": f"{place.id}-v{further}", "name": name, "at": at, "coordinates": "unverified"}
                yield place.model_copy(update=moved), 1
            else:
                yield place, number

    def roadside(self, places: Sequence[RoadsidePlace], count: int) -> Iterator[tuple[RoadsidePlace, int]]:
        """Deal devices over named places, then along the streets of the town."""
        named = min(count, DEVICES_A_PLACE * len(places))
        yield from self.dealt(places, named)
        streets = self.places.streets
        flow = {RoadKind.ARTERIAL: (2_400.0, 48.0), RoadKind.STREET: (1_300.0, 36.0), RoadKind.OLD_TOWN: (600.0, 22.0)}
        for index in range(count - named):
            street, number = streets[index % len(streets)], index // len(streets) + 1
            peak_flow, free_speed = flow[street.kind]
            yield (
                RoadsidePlace(
                    id=f"{street.id}-d{number}",
                    ward=street.ward,
                    name=f"{street.name}, đoạn {number}",
                    kind="road",
                    at=street.point_at(number * _GOLDEN_SHARE % 1.0),
                    road=street.kind,
                    peak_flow=peak_flow,
                    free_speed=free_speed,
                ),
                1,
            )

    @staticmethod
    def _near(at: Point, number: int) -> Point:
        """A point within some hundred metres, another for each number."""
        return at[0] + 0.003 * (number * _GOLDEN_SHARE % 1.0), at[1] + 0.003 * (number * sqrt(2.0) % 1.0)

    def _traffic(self, counts: Mapping[str, int]) -> Iterator[SimulatedDevice]:
        for place, number in self.roadside(self.places.traffic, counts.get("traffic-counter", 0)):
            device_id = self.device_id("count", place, number)
            # Counters of one place face the two directions in turn; one of them is always a little emptier.
            road = self.road(device_id, place, 1.0 if number % 2 else 0.85)
            counter = TrafficCounter(self.key(device_id), road.sky, road, 2.0 if road.arterial else 1.0)
            yield self.device(device_id, f"Đếm xe {place.name} {number}", place, "traffic-counter", counter)
        for place, number in self.roadside(self.places.traffic, counts.get("camera-counter", 0)):
            device_id = self.device_id("camera", place, number)
            road = self.road(device_id, place, 1.0 if number % 2 else 0.85)
            camera = CameraCounter(self.key(device_id), road.sky, road, 2.0 if road.arterial else 1.0)
            yield self.device(device_id, f"Camera {place.name} {number}", place, "camera-counter", camera)
        junctions = [place for place in self.places.traffic if place.kind == "junction"]
        for place, number in self.roadside(junctions, counts.get("signal-controller", 0)):
            device_id = self.device_id("signal", place, number)
            road = self.road(device_id, place)
            controller = SignalController(self.key(device_id), road.sky, road)
            yield self.device(device_id, f"Đèn tín hiệu {place.name}", place, "signal-controller", controller)
        for place, number in self.roadside((), counts.get("parking-sensor", 0)):
            device_id = self.device_id("park", place, number)
            sensor = ParkingSensor(self.key(device_id), self.sky(place.at))
            yield self.device(device_id, f"Chỗ đỗ {place.name}", place, "parking-sensor", sensor)

    def _air(self, counts: Mapping[str, int]) -> Iterator[SimulatedDevice]:
        seed = self.scenario.seed
        for place, number in self.roadside(self.places.air, counts.get("air-station", 0)):
            device_id = self.device_id("air", place, number)
            air = Air(seed, self.key(device_id), self.sky(place.at), self.road(device_id, place))
            station = AirStation(self.key(device_id), air.sky, air)
            yield self.device(device_id, f"Không khí {place.name}", place, "air-station", station)
        for place, number in self.roadside(self.places.noise, counts.get("air-sensor", 0)):
            device_id = self.device_id("dust", place, number)
            air = Air(seed, self.key(device_id), self.sky(place.at), self.road(device_id, place))
            sensor = AirSensor(self.key(device_id), air.sky, air)
            yield self.device(device_id, f"Cảm biến không khí {place.name}", place, "air-sensor", sensor)

    def _weather(self, counts: Mapping[str, int]) -> Iterator[SimulatedDevice]:
        kinds = (
            ("weather-station", "weather", "Thời tiết", WeatherStation),
            ("rain-gauge", "rain", "Đo mưa", RainGauge),
            ("uv-station", "uv", "Bức xạ UV", UvStation),
        )
        for profile_id, kind, title, instrument in kinds:
            for place, number in self.dealt(self.places.weather, counts.get(profile_id, 0)):
                device_id = self.device_id(kind, place, number)
                station = instrument(self.key(device_id), self.sky(place.at))
                yield self.device(device_id, f"{title} {place.name}", place, profile_id, station)

    def _reach(self, place: GaugePlace) -> Reach:
        return Reach(
            surge=key_of(self.scenario.seed, place.river, "surge"),
            upstream=self.sky(place.upstream),
            mean_level=place.mean_level,
            tide_range=place.tide_range,
            tide_lag_h=place.tide_lag_h,
            runoff_lag_h=place.runoff_lag_h,
            runoff_gain=place.runoff_gain,
            flood_lag_h=place.flood_lag_h,
            flood_peak=place.flood_peak,
        )

    def _water(self, counts: Mapping[str, int]) -> Iterator[SimulatedDevice]:
        for place, number in self.dealt(self.places.gauges, counts.get("river-gauge", 0)):
            device_id = self.device_id("gauge", place, number)
            gauge = RiverGauge(self.key(device_id), self.sky(place.at), self._reach(place))
            yield self.device(device_id, f"Mực nước {place.name}", place, "river-gauge", gauge)
        gauges = {place.id: place for place in self.places.gauges}
        for street, number in self.dealt(self.places.flood_streets, counts.get("flood-sensor", 0)):
            device_id = self.device_id("flood", street, number)
            reach = self._reach(gauges[street.gauge])
            sensor = FloodSensor(self.key(device_id), self.sky(street.at), reach, street.road_level, street.ponding)
            yield self.device(device_id, f"Ngập {street.name}", street, "flood-sensor", sensor)

    def _noise(self, count: int) -> Iterator[SimulatedDevice]:
        for place, number in self.roadside(self.places.noise, count):
            device_id = self.device_id("noise", place, number)
            sound = Soundscape(self.key(device_id), self.road(device_id, place))
            meter = NoiseMeter(self.key(device_id), sound.road.sky, sound)
            yield self.device(device_id, f"Tiếng ồn {place.name}", place, "noise-meter", meter)

    def _strangers(self) -> Iterator[SimulatedDevice]:
        """Weather stations nobody has registered; the towns get them in turn."""
        order: list[str] = [town_id for town_id, _ in self.scenario.towns()]
        for number in range(order.index(self.town_id), self.scenario.strangers, len(order)):
            place = self.places.weather[number % len(self.places.weather)]
            device_id = self.device_id("stranger", place, number + 1)
            station = WeatherStation(self.key(device_id), self.sky(place.at))
            yield self.device(device_id, f"Trạm lạ {place.name}", place, "weather-station", station, registered=False)
