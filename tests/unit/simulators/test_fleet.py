"""The fleet of a scenario: the same for everybody, real places, and values every profile admits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from devices.codecs.thubon_json import decode_gateway, decode_telemetry
from devices.models import IDENTIFIER_PATTERN
from devices.profiles import load_catalogue
from devices.registry_file import read_registry_file
from simulators.fleet import SimulatedDevice, registry_csv
from simulators.instruments import observe_rounded
from simulators.messages import gateway, reports_of, telemetry
from simulators.scenario import Scenario, load_scenario
from simulators.siting import build_fleet
from simulators.stack import bunches, stacked

Fleet = tuple[SimulatedDevice, ...]
START_S = 1_795_000_000.0

# As the migrations have them: west, south, east, north.
BOX_BY_TOWN = {
    "tam-ky": (108.43, 15.49, 108.57, 15.65),
    "hoi-an": (108.28, 15.83, 108.41, 15.94),
    "dien-ban": (108.10, 15.83, 108.30, 15.98),
}

DIGEST_PROGRAM = f"""
import hashlib, sys
from datetime import date
from simulators.faults.delivery import Delivery
from simulators.faults.plan import NONE, plan_faults
from simulators.outlook import Outlook
from simulators.parcels import cut
from simulators.publisher import connections_of
from simulators.scenario import load_scenario
from simulators.siting import build_fleet
day = date(2026, 11, 19)
scenario = load_scenario(sys.argv[1])
fleet = build_fleet(scenario, day)
faults = plan_faults(fleet, scenario.faults, scenario.seed, day)
observe = Outlook(fleet, faults).reports
digest = hashlib.sha256()
for device, carried in connections_of(fleet):
    delivery = Delivery(device, faults.get(device.device_id, NONE))
    parcels = cut(device, carried, {START_S}, {START_S} + 3600, scenario.readings_per_message, observe)
    sent = [dispatch for parcel in parcels for dispatch in delivery.carry(parcel)] + list(delivery.rest())
    for dispatch in sent:
        line = (dispatch.message.topic, dispatch.message.retain, dispatch.faults, dispatch.device_faults, dispatch.lost)
        digest.update(repr(line).encode() + dispatch.message.payload)
print(digest.hexdigest())
"""
DIGESTS = {
    "demo": "88dd9feb533f33546725cd840da962580eda2131f691635c276cf72397a497ee",
    "every-fault": "83173cd39c60cd9776846c281aa5a07c8e045c2d2f65dbfa808aac5156f2d479",
    "flood-night": "831ca422b62a74725408ce124f74546bf74ddba9dc72db7313850724cc8057d9",
}
"""SHA-256 of an hour of messages, faults and all, as every machine has to make them."""


@pytest.mark.parametrize(("scenario", "least", "most"), [("demo", 290, 330), ("city", 1_400, 1_650)])
def test_demo_and_city_have_so_many_devices_of_every_profile_in_every_town(
    scenario: str, least: int, most: int
) -> None:
    fleet = build_fleet(load_scenario(scenario))
    assert least <= sum(device.registered for device in fleet) <= most
    assert {(device.town_id, device.profile.profile_id) for device in fleet} == {
        (town_id, profile_id) for town_id in BOX_BY_TOWN for profile_id in load_catalogue()
    }


def test_ids_are_unique_and_well_formed_and_places_lie_in_their_towns(fleet: Fleet) -> None:
    assert len({device.device_id for device in fleet}) == len(fleet)
    for device in fleet:
        assert re.fullmatch(IDENTIFIER_PATTERN, device.device_id)
        west, south, east, north = BOX_BY_TOWN[device.town_id]
        assert west <= device.longitude <= east, device.device_id
        assert south <= device.latitude <= north, device.device_id


def test_the_registry_takes_the_whole_fleet(fleet: Fleet) -> None:
    read = read_registry_file(registry_csv(fleet).encode(), load_catalogue())
    assert not read.faults
    assert len(read.entries) == sum(device.registered for device in fleet) == len(fleet) - 1
    by_id = {entry.device.device_id: entry for entry in read.entries}
    assert by_id["db-gauge-cau-lau-01"].device.labels == ()
    assert by_id["ha-gauge-hoi-an-01"].device.labels == ("coordinates-unverified",)
    wards = {ward for entry in read.entries for ward in entry.site.wards}
    known = (Path(__file__).parents[3] / "sql" / "migrations" / "0009_kept_registry.sql").read_text()
    assert all(f"('{ward}'" in known for ward in wards)
    lamps = [entry.device for entry in read.entries if entry.device.profile_id == "lamp-controller"]
    assert lamps
    assert all(by_id[lamp.fed_by_id or ""].device.profile_id == "lighting-cabinet" for lamp in lamps)
    assert any(lamp.gateway_id is None for lamp in lamps)
    gateways = {entry.device.gateway_id for entry in read.entries} - {None}
    assert gateways <= {device.device_id for device in fleet}
    assert gateways


def test_every_datastream_of_every_profile_has_a_signal_and_its_digits(fleet: Fleet) -> None:
    for device in fleet:
        names = [stream.name for stream in device.profile.datastreams]
        assert set(device.instrument.observe(np.array([START_S]))) == set(names)
        assert set(device.instrument.DECIMALS) == set(names)


@pytest.mark.parametrize("scenario", DIGESTS)
def test_the_same_seed_gives_the_same_bytes_on_every_machine(scenario: str) -> None:
    # numpy chooses its loops by the processor; without the newer ones it computes as on an older machine.
    older = {"NPY_DISABLE_CPU_FEATURES": " ".join(_newer_features())}
    command = [sys.executable, "-c", DIGEST_PROGRAM, scenario]
    programs = [
        subprocess.Popen(command, env={**os.environ, **machine}, stdout=subprocess.PIPE, text=True)
        for machine in ({}, older)
    ]
    made = [program.communicate()[0].strip() for program in programs]
    assert made == [DIGESTS[scenario]] * 2
    assert [program.returncode for program in programs] == [0, 0]


def _newer_features() -> list[str]:
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return [name for name in found if name != "NEON"]


def test_many_devices_observed_at_once_say_what_each_says_alone(fleet: Fleet) -> None:
    for devices, bunch in bunches(fleet):
        times = np.array([START_S - 20.0 + device.phase_s for device in devices])
        together = bunch.observe(times)
        for column, device in enumerate(devices):
            alone = observe_rounded(device.instrument, times[column : column + 1])
            expected = [float(np.broadcast_to(alone[name], (1,))[0]) for name in bunch.names]
            np.testing.assert_array_equal(together[:, column], expected)


def test_what_differs_in_more_than_numbers_is_not_stacked() -> None:
    with pytest.raises(TypeError, match="cannot stack different values of str"):
        stacked(["a", "b"])


def test_a_city_of_a_hundred_thousand_has_places_for_all() -> None:
    fleet = build_fleet(load_scenario("city").model_copy(update={"scale": 6.0}))
    assert 8_000 < len(fleet) < 10_500
    assert not read_registry_file(registry_csv(fleet).encode(), load_catalogue()).faults
    for device in fleet:
        west, south, east, north = BOX_BY_TOWN[device.town_id]
        assert west <= device.longitude <= east, device.device_id
        assert south <= device.latitude <= north, device.device_id


def test_history_in_one_piece_is_the_same_as_report_by_report(fleet: Fleet) -> None:
    for device in fleet[:: len(fleet) // 40]:
        times = device.report_times(START_S, START_S + 3_600)
        alone = [report for time_s in times for report in reports_of(device, np.array([time_s]))]
        assert reports_of(device, times) == alone


def test_another_seed_gives_other_values_for_the_same_devices(fleet: Fleet) -> None:
    other = build_fleet(load_scenario("demo").model_copy(update={"seed": 1}))
    assert [device.device_id for device in other] == [device.device_id for device in fleet]
    times = np.array([START_S])
    assert reports_of(other[0], times)[0]["values"] != reports_of(fleet[0], times)[0]["values"]


def test_a_year_of_values_decodes_without_a_single_refusal(fleet: Fleet) -> None:
    """Every payload as the reference decoder reads it, hours of all seasons, days and times of day."""
    rng = np.random.default_rng(7)
    for device in fleet[::3]:
        times = np.sort(rng.choice(365 * 24 * 12, size=60, replace=False)) * 300.0 + START_S
        times = np.floor(times / device.interval_s) * device.interval_s + device.phase_s
        streams = {stream.name: stream for stream in device.profile.datastreams}
        message = telemetry(device, reports_of(device, times))
        decoded = decode_telemetry(message.payload, device.device_id, streams)
        assert not decoded.refusals, device.device_id
        assert decoded.received == message.readings == times.size * len(streams)
        assert decoded.missing == message.payload.count(b"null")
        stamps = times - device.stamp_lag_s
        assert {reading.time_us for reading in decoded.readings} == {int(time_s * 1e6) for time_s in stamps}


def test_what_a_gateway_sends_decodes_for_the_devices_behind_it(fleet: Fleet) -> None:
    carrier_id = next(device.gateway_id for device in fleet if device.gateway_id)
    carrier = next(device for device in fleet if device.device_id == carrier_id)
    carried = [device for device in fleet if device.gateway_id == carrier_id]
    message = gateway(carrier, {d.device_id: reports_of(d, d.report_times(START_S, START_S + 900)) for d in carried})
    assert message.topic == f"thubon/v1/{carrier.town_id}/{carrier_id}/gateway"
    streams = {device.device_id: {s.name: s for s in device.profile.datastreams} for device in carried}
    decoded = decode_gateway(message.payload, streams)
    assert not decoded.refusals
    assert decoded.received == message.readings == 3 * 12 * len(carried)


def test_more_devices_than_places_share_the_places_under_numbers_of_their_own() -> None:
    scenario = Scenario.model_validate(
        {"seed": 5, "devices": {"hoi-an": {"traffic-counter": 40, "lighting-cabinet": 21, "lamp-controller": 50}}}
    )
    fleet = build_fleet(scenario)
    assert len(fleet) == len({device.device_id for device in fleet}) == 111
    assert not read_registry_file(registry_csv(fleet).encode(), load_catalogue()).faults


def test_lamps_without_a_cabinet_are_refused() -> None:
    with pytest.raises(ValueError, match="hoi-an: lamp-controller needs a lighting-cabinet"):
        Scenario.model_validate({"seed": 5, "devices": {"hoi-an": {"lamp-controller": 5}}})


@pytest.mark.parametrize(
    ("after_s", "until_s"), [(0.0, 0.0), (START_S, START_S + 59.0), (START_S + 0.5, START_S + 7_201.3)]
)
def test_report_times_are_those_in_the_half_open_interval(fleet: Fleet, after_s: float, until_s: float) -> None:
    for device in fleet[::20]:
        candidates = np.arange(np.floor(after_s), np.floor(until_s) + 1.0)
        expected = candidates[(np.mod(candidates - device.phase_s, device.interval_s) == 0.0) & (candidates > after_s)]
        assert device.report_times(after_s, until_s).tolist() == expected[expected <= until_s].tolist()
