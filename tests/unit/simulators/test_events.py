"""What a scenario lets happen reaches every signal that it should, and no other."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulators.instruments import LampController, LightingCabinet
from simulators.scenario import Scenario
from simulators.signals.lighting import CABINET_OWN_W, CABLE_LOSS, FEAST_LEVEL, METERING_START_S, STANDBY_W
from simulators.siting import build_fleet

if TYPE_CHECKING:
    from simulators.fleet import SimulatedDevice

TODAY = date(2026, 11, 20)
MIDNIGHT_S = 1_795_107_600.0  # of that day, in Vietnam
DEVICES = {
    "hoi-an": {
        "traffic-counter": 14, "noise-meter": 8, "lighting-cabinet": 3, "lamp-controller": 18, "weather-station": 1,
        "flood-sensor": 6, "river-gauge": 1, "camera-counter": 5,
    },
}  # fmt: skip


@cache
def _city(*events: tuple[str, str]) -> dict[str, SimulatedDevice]:
    """The devices of a town to which these events happen, by id."""
    given: dict[str, Any] = {name: [_item(text)] for name, text in events}
    scenario = Scenario.model_validate({"seed": 3, "devices": DEVICES, "events": given})
    return {device.device_id: device for device in build_fleet(scenario, TODAY)}


def _item(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split())


def _values(devices: dict[str, SimulatedDevice], device_id: str, times: np.ndarray) -> dict[str, np.ndarray]:
    return devices[device_id].instrument.observe(times)


def test_a_feast_bans_motors_fills_the_old_town_with_sound_and_dims_its_street_lamps() -> None:
    feast = ("feasts", "day=0 from=17:00 hours=6")
    times = MIDNIGHT_S + np.arange(19.0 * 3_600.0, 20.0 * 3_600.0, 60.0)
    with_it, without = _city(feast), _city()
    counter = _values(with_it, "ha-count-tran-phu-le-loi-01", times + 2.6 * 3_600.0)  # after the hours of the daily ban
    assert not counter["flow-motorcycle"].any()
    assert _values(without, "ha-count-tran-phu-le-loi-01", times + 2.6 * 3_600.0)["flow-motorcycle"].any()
    louder = [_values(devices, "ha-noise-tran-phu-01", times)["laeq"].mean() for devices in (with_it, without)]
    assert louder[0] > louder[1] + 2.0
    assert _values(with_it, "ha-lamp-bach-dang-01", times)["level"].max() == FEAST_LEVEL
    busier = [_values(devices, "ha-count-hung-vuong-thanh-ha-01", times)["flow-motorcycle"].sum() for devices in
              (with_it, without)]  # fmt: skip
    assert busier[0] > 1.2 * busier[1]


def test_a_flood_puts_streets_under_water_in_their_order_and_empties_them() -> None:
    flood = ("floods", "day=0 at=02:00 severity=1")
    times = MIDNIGHT_S + np.arange(-24 * 3_600.0, 12 * 3_600.0, 600.0)
    with_it = _city(flood)
    wet_from = [
        int(np.argmax(_values(with_it, f"ha-flood-{street}-01", times)["depth"] > 5.0))
        for street in ("bach-dang", "nguyen-phuc-chu", "nguyen-thai-hoc", "nguyen-thi-minh-khai")
    ]
    assert 0 < wet_from[0] <= wet_from[1] <= wet_from[2] <= wet_from[3]
    assert wet_from[0] < wet_from[3]
    deep = _values(with_it, "ha-flood-bach-dang-01", times)
    assert 100.0 < deep["depth"].max() < 160.0
    assert ((deep["depth"] >= 1.0) == (deep["water"] == 1.0)).all()
    morning = MIDNIGHT_S + np.arange(6.0 * 3_600.0, 8.0 * 3_600.0, 60.0)
    assert not _values(with_it, "ha-count-tran-phu-le-loi-01", morning)["flow-motorcycle"].any()


def test_rain_slows_traffic_and_takes_motorcycles_off_the_road() -> None:
    times = MIDNIGHT_S + np.arange(7.0 * 3_600.0, 9.0 * 3_600.0, 60.0)
    wet = _values(_city(("cloudbursts", "day=0 from=05:00 hours=6 mm_h=30")), "ha-count-hung-vuong-thanh-ha-01", times)
    dry = _values(_city(), "ha-count-hung-vuong-thanh-ha-01", times)
    assert wet["flow-motorcycle"].sum() < 0.85 * dry["flow-motorcycle"].sum()
    assert np.nanmean(wet["speed"]) < np.nanmean(dry["speed"])


def test_a_power_cut_silences_what_needs_mains_in_its_ward_alone() -> None:
    cut = ("power_cuts", "town=hoi-an ward=minh-an day=0 from=19:00 hours=2")
    begin, end = MIDNIGHT_S + 19 * 3_600.0, MIDNIGHT_S + 21 * 3_600.0
    for device in _city(cut).values():
        during = device.report_times(begin, end - 1.0)
        needs_mains = device.profile.profile_id in {"lighting-cabinet", "lamp-controller", "camera-counter"}
        assert (during.size == 0) == (needs_mains and device.ward == "minh-an"), device.device_id
        assert device.report_times(end, end + 4_000.0).size


@pytest.mark.parametrize(
    "events",
    [
        (("power_cuts", "town=hoi-an ward=minh-an day=0 from=19:00 hours=2"),),
        (("dark_cabinets", "town=hoi-an cabinets=2 day=0 from=18:30 hours=3"),),
        (("failed_lamps", "town=hoi-an lamps=5 day=-1"),),
        (
            ("failed_lamps", "town=hoi-an lamps=7 day=0"),
            ("dark_cabinets", "town=hoi-an cabinets=3 day=0 from=18:30 hours=3"),
            ("feasts", "day=0 from=17:00 hours=6"),
        ),
    ],
)
def test_meters_add_up_through_failures_and_outages_and_never_fall(events: tuple[tuple[str, str], ...]) -> None:
    devices = _city(*events)
    times = MIDNIGHT_S + np.arange(0.0, 30 * 3_600.0, 60.0)
    cabinets = [d.instrument for d in devices.values() if isinstance(d.instrument, LightingCabinet)]
    for cabinet in cabinets:
        circuit = cabinet.circuit
        cabinet_values = cabinet.observe(times)
        lamps = [
            d.instrument.observe(times)
            for d in devices.values()
            if isinstance(d.instrument, LampController) and d.instrument.circuit is circuit
        ]
        fed = (times < circuit.supply.cut_from_s) | (times >= circuit.supply.cut_until_s)
        power_w = sum(lamp["power"] for lamp in lamps) * (1.0 + CABLE_LOSS) + CABINET_OWN_W * fed
        np.testing.assert_allclose(cabinet_values["power"] * 1_000.0, power_w, rtol=1e-12, atol=1e-9)
        metered_kwh = sum(lamp["energy"] for lamp in lamps) * (1.0 + CABLE_LOSS) / 1_000.0
        own_s = times - METERING_START_S - np.clip(times - circuit.supply.cut_from_s, 0.0, 7_200.0)
        own_kwh = CABINET_OWN_W * own_s / 3.6e6
        np.testing.assert_allclose(cabinet_values["energy"], metered_kwh + own_kwh, rtol=1e-12)
        assert (np.diff(cabinet_values["energy"]) >= 0.0).all()
        # Programmes switch on full minutes here, sunset does not: within two minutes of full power a day.
        drawn_kwh = np.cumsum(cabinet_values["power"])[:-1] / 60.0
        np.testing.assert_allclose(np.diff(cabinet_values["energy"]).cumsum(), drawn_kwh, atol=0.04)


def test_the_lamps_of_a_dark_cabinet_and_failed_ones_say_what_they_see() -> None:
    devices = _city(
        ("dark_cabinets", "town=hoi-an cabinets=1 day=0 from=18:30 hours=3"),
        ("failed_lamps", "town=hoi-an lamps=4 day=-1"),
    )
    times = MIDNIGHT_S + np.array([19.0, 22.5]) * 3_600.0
    dark = _values(devices, "ha-cabinet-bach-dang-01", times)
    assert dark["circuit"].tolist() == [0.0, 1.0]
    lamps = [d for d in devices.values() if isinstance(d.instrument, LampController)]
    failed = 0
    for device in lamps:
        assert isinstance(device.instrument, LampController)
        values = device.instrument.observe(times)
        assert (values["level-commanded"] > 0.0).all()
        broken = values["lamp-failure"] > 0.0
        failed += int(broken[1])
        assert (values["power"][broken] <= STANDBY_W).all()
        assert (values["state"][broken] == 0.0).all()
        if "bach-dang" in device.device_id:
            assert (values["voltage"][0], values["power"][0], values["level"][0]) == (0.0, 0.0, 0.0)
            assert values["voltage"][1] > 200.0
    assert failed == 4
