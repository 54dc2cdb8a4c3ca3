"""What goes wrong does so by its chance, at moments that the seed decides, and bears its name."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from simulators.faults.delivery import Delivery, Dispatch
from simulators.faults.plan import NONE, DeviceFaults, plan_faults
from simulators.faults.readings import disturb
from simulators.faults.rules import FaultRule
from simulators.messages import reports_of
from simulators.outlook import Outlook
from simulators.parcels import cut, observe_faultless
from simulators.scenario import load_scenario, scenario_names
from simulators.siting import build_fleet

if TYPE_CHECKING:
    from simulators.fleet import SimulatedDevice
    from simulators.parcels import MadeReport, Parcel

Fleet = tuple["SimulatedDevice", ...]
TODAY = date(2026, 11, 20)
MIDNIGHT_S = 1_795_107_600.0  # of that day, in Vietnam


def _faults(fleet: Fleet, device: SimulatedDevice, **rule: Any) -> DeviceFaults:
    given = FaultRule.model_validate({"devices": [device.device_id], **rule})
    return plan_faults(fleet, [given], 7, TODAY)[device.device_id]


def _first(fleet: Fleet, profile_id: str) -> SimulatedDevice:
    return next(device for device in fleet if device.profile.profile_id == profile_id)


def _disturbed(fleet: Fleet, device: SimulatedDevice, hours: float = 24.0, **rule: Any) -> list[MadeReport]:
    times = device.report_times(MIDNIGHT_S, MIDNIGHT_S + hours * 3_600.0)
    return disturb(device, _faults(fleet, device, **rule), times.tolist(), reports_of(device, times))


def _parcels(device: SimulatedDevice, hours: float = 48.0) -> list[Parcel]:
    return cut(device, [], MIDNIGHT_S, MIDNIGHT_S + hours * 3_600.0, 1)


def _sent(fleet: Fleet, device: SimulatedDevice, **rule: Any) -> list[Dispatch]:
    delivery = Delivery(device, _faults(fleet, device, **rule))
    sent = [dispatch for parcel in _parcels(device) for dispatch in delivery.carry(parcel)]
    return [*sent, *delivery.rest()]


def test_a_rule_strikes_those_it_names_and_so_many_of_them(fleet: Fleet) -> None:
    rule = FaultRule.model_validate({"fault": "lost", "profiles": ["noise-meter"], "towns": ["hoi-an"], "count": 2})
    struck = plan_faults(fleet, [rule], 7, TODAY)
    assert len(struck) == 2
    assert all("ha-noise-" in device_id for device_id in struck)
    half = FaultRule.model_validate({"fault": "lost", "profiles": ["lamp-controller"], "share": 0.5})
    lamps = [device for device in fleet if device.profile.profile_id == "lamp-controller"]
    assert 0.35 < len(plan_faults(fleet, [half], 7, TODAY)) / len(lamps) < 0.65


def test_a_fault_strikes_by_its_chance_and_only_in_its_span(fleet: Fleet) -> None:
    device = _first(fleet, "traffic-counter")
    always = _sent(fleet, device, fault="lost", chance=0.1)
    assert 0.07 < sum(dispatch.lost for dispatch in always) / len(always) < 0.13
    evening = _sent(fleet, device, fault="lost", during={"day": 0, "from": "18:00", "hours": 2})
    lost_ts = [msgspec.json.decode(d.message.payload)["ts"] / 1_000 for d in evening if d.lost]
    assert len(lost_ts) == 120
    assert min(lost_ts) == MIDNIGHT_S + 18 * 3_600
    assert max(lost_ts) == MIDNIGHT_S + 20 * 3_600 - 60


def test_the_same_seed_decides_the_same_however_time_is_cut(fleet: Fleet) -> None:
    device = _first(fleet, "weather-station")
    faults = _faults(fleet, device, fault="spiking", chance=0.2, size=3)
    times = device.report_times(MIDNIGHT_S, MIDNIGHT_S + 7_200.0)
    whole = disturb(device, faults, times.tolist(), reports_of(device, times))
    alone = [made for t in times for made in disturb(device, faults, [t], reports_of(device, np.array([t])))]
    assert whole == alone
    assert 10 < sum(bool(names) for _, _, names in whole) < 40


def test_a_message_that_is_doubled_late_or_out_of_order_arrives_as_often_as_it_should(fleet: Fleet) -> None:
    device = _first(fleet, "river-gauge")
    plain = [parcel.message.payload for parcel in _parcels(device)]
    doubled = _sent(fleet, device, fault="duplicated", chance=0.1)
    counts = Counter(dispatch.message.payload for dispatch in doubled)
    assert set(counts) == set(plain)
    twice = [payload for payload, count in counts.items() if count == 2]
    assert len(twice) == len(doubled) - len(plain) > 20
    assert {d.message.payload for d in doubled if "duplicated" in d.faults} == set(twice)
    for name, extra in (("late", {"minutes": 30}), ("out-of-order", {})):
        moved = _sent(fleet, device, fault=name, chance=0.1, **extra)
        payloads = [dispatch.message.payload for dispatch in moved]
        assert sorted(payloads) == sorted(plain)
        assert payloads != plain
        behind = [payloads.index(dispatch.message.payload) - plain.index(dispatch.message.payload)
                  for dispatch in moved if name in dispatch.faults]  # fmt: skip
        assert max(behind) <= 6  # half an hour of five-minute messages
        assert max(behind) >= 1


def test_garbage_is_no_report_and_a_retained_replay_is_the_same_again(fleet: Fleet) -> None:
    device = _first(fleet, "noise-meter")
    spoilt = [dispatch for dispatch in _sent(fleet, device, fault="garbage", chance=0.1) if dispatch.faults]
    assert len(spoilt) > 100
    ways = set()
    for dispatch in spoilt:
        try:
            body = msgspec.json.decode(dispatch.message.payload)
            assert "values" not in body
            ways.add("another format")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            ways.add(type(error).__name__ + str(error)[:12])
    assert len(ways) >= 3
    again = [d for d in _sent(fleet, device, fault="retained-replay", chance=0.01) if d.message.retain]
    plain = {parcel.message.payload for parcel in _parcels(device)}
    assert again
    assert {dispatch.message.payload for dispatch in again} <= plain


def test_a_flooding_device_sends_its_last_report_again_and_again_under_new_stamps(fleet: Fleet) -> None:
    device = _first(fleet, "traffic-counter")
    sent = _sent(fleet, device, fault="flooding", messages=30, during={"day": 0, "from": "10:00", "hours": 0.1})
    flood = [dispatch for dispatch in sent if dispatch.faults == ("flooding",)]
    assert len(flood) == 6 * 31
    stamps = [msgspec.json.decode(dispatch.message.payload)["ts"] for dispatch in sent]
    assert len(set(stamps)) == len(stamps)


@pytest.mark.parametrize(
    ("clock", "minutes", "shift_ms"),
    [("ahead", 45.0, 2_700_000), ("behind", 60.0, -3_600_000), ("local-time", 60.0, 25_200_000)],
)
def test_a_wrong_clock_shifts_the_stamp_and_nothing_else(
    fleet: Fleet, clock: str, minutes: float, shift_ms: int
) -> None:
    device = _first(fleet, "air-station")
    rule: dict[str, Any] = {"fault": "wrong-clock", "clock": clock, "minutes": minutes}
    for time_s, report, names in _disturbed(fleet, device, hours=2.0, **rule):
        assert names == ("wrong-clock",)
        (right,) = reports_of(device, np.array([time_s]))
        assert report == {"ts": right["ts"] + shift_ms, "values": right["values"]}


def test_a_clock_in_seconds_and_one_that_was_reset(fleet: Fleet) -> None:
    device = _first(fleet, "air-station")
    for time_s, report, _ in _disturbed(fleet, device, hours=1.0, fault="wrong-clock", clock="in-seconds"):
        assert report["ts"] == int(time_s)
    for time_s, report, _ in _disturbed(fleet, device, hours=1.0, fault="wrong-clock", clock="reset"):
        assert report["ts"] == int((946_684_800.0 + time_s - MIDNIGHT_S) * 1_000)


def test_a_stuck_value_stays_through_its_spell_and_a_drifting_one_leaves_slowly(fleet: Fleet) -> None:
    device = _first(fleet, "air-station")
    stuck = _disturbed(fleet, device, fault="stuck", minutes=120, datastreams=["pm25", "o3"])
    for spell in {t // 7_200 for t, _, _ in stuck}:
        within = [report["values"] for t, report, _ in stuck if t // 7_200 == spell]
        assert len({values["pm25"] for values in within}) == len({values["o3"] for values in within}) == 1
    times = device.report_times(MIDNIGHT_S, MIDNIGHT_S + 86_400.0)
    right = reports_of(device, times)
    drifting = [made for _, made, _ in _disturbed(fleet, device, fault="drifting", minutes=1_440 * 400, size=1)]
    pairs = [(made["values"], true["values"]) for made, true in zip(drifting, right, strict=True)]
    ratios = [made["pm25"] / true["pm25"] for made, true in pairs]
    assert ratios[-1] / ratios[0] > 1.0
    assert all(made["o3"] == true["o3"] for made, true in pairs)


def test_a_spike_is_the_first_value_times_its_size_and_the_others_are_as_measured(fleet: Fleet) -> None:
    device = _first(fleet, "noise-meter")
    made = _disturbed(fleet, device, hours=6.0, fault="spiking", chance=0.1, size=6)
    right = reports_of(device, np.array([time_s for time_s, _, _ in made]))
    struck = [(report["values"], true["values"]) for (_, report, names), true in zip(made, right, strict=True) if names]
    assert 20 < len(struck) < 60
    first, *others = (stream.name for stream in device.profile.datastreams)
    assert all(spiked[first] == pytest.approx(6 * true[first], abs=0.05) for spiked, true in struck)
    assert all(spiked[name] == true[name] for spiked, true in struck for name in others)
    assert [report for _, report, names in made if not names] == [
        true for (_, _, names), true in zip(made, right, strict=True) if not names
    ]


def test_a_silent_device_makes_no_report(fleet: Fleet) -> None:
    device = _first(fleet, "air-sensor")
    during = {"day": 0, "from": "06:00", "hours": 12}
    hours = [(t - MIDNIGHT_S) / 3_600.0 for t, _, _ in _disturbed(fleet, device, fault="silent", during=during)]
    assert all(hour < 6.0 or hour >= 18.0 for hour in hours)
    assert len(hours) == 72


def test_faults_of_devices_behind_a_gateway_are_told_one_by_one(fleet: Fleet) -> None:
    carrier_id = next(device.gateway_id for device in fleet if device.gateway_id)
    carrier = next(device for device in fleet if device.device_id == carrier_id)
    carried = [device for device in fleet if device.gateway_id == carrier_id]
    faults = {carried[0].device_id: _faults(fleet, carried[0], fault="stuck", datastreams=["power"])}
    parcels = cut(carrier, carried, MIDNIGHT_S, MIDNIGHT_S + 900.0, 1_000, Outlook(fleet, faults).reports)
    messages = [parcel for parcel in parcels if parcel.message.topic.endswith("/gateway")]
    assert messages
    assert all(parcel.device_faults == {carried[0].device_id: ("stuck",)} for parcel in messages)
    assert all(parcel.faults == () for parcel in parcels)


def test_reports_looked_up_one_by_one_are_those_of_the_device_alone(fleet: Fleet) -> None:
    outlook = Outlook(fleet, {})
    for device in fleet[::9]:
        for time_s in device.report_times(MIDNIGHT_S, MIDNIGHT_S + 3.0 * device.interval_s):
            times = np.array([time_s])
            assert outlook.reports(device, times) == observe_faultless(device, times)


def test_every_scenario_builds_and_its_faults_find_devices() -> None:
    for name in scenario_names():
        scenario = load_scenario(name)
        fleet = build_fleet(scenario, TODAY)
        for rule in scenario.faults:
            assert plan_faults(fleet, [rule], scenario.seed, TODAY), (name, rule.fault)
    assert NONE.named("lost") == ()
