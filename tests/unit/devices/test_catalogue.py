"""The catalogue that comes with the platform: every example of every profile is a test."""

from __future__ import annotations

from collections import Counter

import pytest

from devices.codecs.thubon_json import decode_gateway, decode_telemetry
from devices.models import DOMAINS, DeviceProfile, ProfileExample, Reading
from devices.observed_properties import load_observed_properties
from devices.profiles import load_catalogue
from devices.units import UNITS

CATALOGUE = load_catalogue()
EXAMPLES = [
    pytest.param(profile, example, id=f"{profile.profile_id}: {example.description}")
    for profile in CATALOGUE.values()
    for example in profile.examples
]


def _by_place(readings: tuple[Reading, ...] | list[Reading]) -> list[tuple[object, ...]]:
    return sorted((r.device_id, r.time_us or 0, r.name, r.quality) for r in readings)


@pytest.mark.parametrize(("profile", "example"), EXAMPLES)
def test_an_example_decodes_to_what_it_says(profile: DeviceProfile, example: ProfileExample) -> None:
    streams = {stream.name: stream for stream in profile.datastreams}
    _, _, _, source_id, family = example.topic.split("/")
    if family == "gateway":
        decoded = decode_gateway(example.payload, {reading.device_id: streams for reading in example.readings})
    else:
        decoded = decode_telemetry(example.payload, source_id, streams)

    assert _by_place(decoded.readings) == _by_place(example.readings)
    expected = {(r.device_id, r.time_us, r.name): r.value for r in example.readings}
    for reading in decoded.readings:
        assert reading.value == pytest.approx(expected[reading.device_id, reading.time_us, reading.name], rel=1e-12)
    assert Counter(refusal.reason for refusal in decoded.refusals) == Counter(example.rejections)
    assert decoded.missing == example.missing


@pytest.mark.parametrize("profile", CATALOGUE.values(), ids=list(CATALOGUE))
def test_a_profile_shows_a_good_and_a_bad_message(profile: DeviceProfile) -> None:
    assert any(example.readings and not example.rejections for example in profile.examples)
    assert any(example.rejections for example in profile.examples)


@pytest.mark.parametrize("profile", CATALOGUE.values(), ids=list(CATALOGUE))
def test_the_good_examples_of_a_profile_show_most_of_its_datastreams(profile: DeviceProfile) -> None:
    shown = {reading.name for example in profile.examples for reading in example.readings}
    assert len(shown) >= 0.7 * len(profile.datastreams)


def test_the_catalogue_has_sixteen_profiles_or_more_and_what_radio_devices_say_of_themselves() -> None:
    assert len(CATALOGUE) >= 16
    for profile in CATALOGUE.values():
        powered = {stream.property_id for stream in profile.datastreams}
        if powered & {"battery-level", "battery-voltage"}:
            assert "signal-strength" in powered


def test_every_observed_property_has_its_names_elsewhere() -> None:
    properties = load_observed_properties().values()
    assert all(of.fiware and of.sensorthings and of.definition for of in properties)
    names = Counter(of.sensorthings for of in properties)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_domain_has_device_profiles() -> None:
    assert {profile.domain for profile in CATALOGUE.values()} == set(DOMAINS)


def test_slots_count_from_one_in_the_order_of_the_file() -> None:
    for profile in CATALOGUE.values():
        assert [stream.slot for stream in profile.datastreams] == list(range(1, len(profile.datastreams) + 1))


def test_datastreams_of_one_property_can_be_told_apart_by_people() -> None:
    for profile in CATALOGUE.values():
        labels = Counter(stream.label for stream in profile.datastreams)
        assert [label for label, count in labels.items() if count > 1] == []


def test_every_observed_property_is_observed_by_some_device() -> None:
    used = {stream.property_id for profile in CATALOGUE.values() for stream in profile.datastreams}
    assert used == set(load_observed_properties())


def test_bounds_and_words_are_those_of_the_property_or_narrower() -> None:
    properties = load_observed_properties()
    for profile in CATALOGUE.values():
        for stream in profile.datastreams:
            of = properties[stream.property_id]
            assert of.lower_bound <= stream.lower_bound < stream.upper_bound <= of.upper_bound
            assert stream.unit == of.unit
            assert stream.unit in UNITS


def test_the_published_slots_never_move() -> None:
    # Stored rows hold values by slot: this list may only grow at the ends.
    published = {
        "camera-counter": "flow-motorcycle flow-car flow-suv flow-pickup flow-van flow-bus flow-light-truck"
        " flow-truck flow-tricycle flow-bicycle speed occupancy headway queue-length"
        " temperature signal",
        "parking-sensor": "occupied battery battery-voltage temperature signal",
        "signal-controller": "mode plan cycle-time green-g1 green-g2 green-g3 green-g4 failed-lamps"
        " pedestrian-calls voltage door battery-voltage temperature signal",
        "traffic-counter": "flow-motorcycle flow-car flow-bus flow-truck flow-bicycle speed occupancy temperature"
        " battery-voltage signal",
        "feeder-meter": "voltage-l1 voltage-l2 voltage-l3 current-l1 current-l2 current-l3 power-l1 power-l2"
        " power-l3 power reactive-power energy reactive-energy power-factor frequency"
        " current-distortion signal",
        "lamp-controller": "level-commanded level power energy voltage current power-factor state lamp-failure"
        " operating-time temperature signal",
        "lighting-cabinet": "voltage-l1 voltage-l2 voltage-l3 current-l1 current-l2 current-l3 power-l1 power-l2"
        " power-l3 power energy power-factor frequency leakage circuit mode door temperature"
        " signal",
        "motion-luminaire": "level-commanded level power energy voltage current power-factor state lamp-failure"
        " operating-time motions temperature signal",
        "air-sensor": "pm1 pm25 pm10 no2 o3 co temperature humidity battery-voltage signal",
        "air-station": "pm25 pm10 no2 so2 co o3 temperature humidity enclosure-temperature",
        "flood-sensor": "depth water battery-voltage temperature signal",
        "noise-meter": "laeq lamax la10 la50 la90 battery signal",
        "rain-gauge": "rain rain-total battery-voltage temperature signal",
        "river-gauge": "water-level rain temperature battery-voltage signal distance",
        "uv-station": "uv-index solar illuminance sunshine temperature battery-voltage signal",
        "weather-station": "temperature humidity pressure wind-speed wind-direction wind-gust rain solar"
        " battery-voltage signal",
    }
    for profile_id, names in published.items():
        stored = names.split()
        assert [stream.name for stream in CATALOGUE[profile_id].datastreams][: len(stored)] == stored
