"""How the simulated towns hang together."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from simulators.fleet import SimulatedDevice
from simulators.gazetteer import load_places
from simulators.instruments import LampController, LightingCabinet, RiverGauge, TrafficCounter
from simulators.signals import local_day, local_hour
from simulators.signals.happenings import Flood, Happenings
from simulators.signals.lighting import CABINET_OWN_W, CABLE_LOSS, METERING_START_S, STANDBY_W
from simulators.signals.traffic import BAN_HOURS
from simulators.signals.water import Reach
from simulators.signals.weather import Sky

Groups = dict[str, list[SimulatedDevice]]


def _week(step_s: float) -> np.ndarray:
    start = datetime(2026, 11, 15, 17, tzinfo=UTC).timestamp()  # Monday 16 November, 00:00 local
    return start + np.arange(0.0, 7 * 86_400.0, step_s)


def _at(hour: float, times: np.ndarray) -> np.ndarray:
    return np.abs(local_hour(times) - hour) < 0.5


def test_no_motor_vehicle_passes_in_the_old_town_in_ban_hours_and_some_do_before(by_profile: Groups) -> None:
    times = _week(60.0)
    inside = np.zeros(times.shape, dtype=bool)
    for begin_h, end_h in BAN_HOURS:
        # The minute is stamped with its end; both edges belong to a minute outside.
        inside |= (local_hour(times) > begin_h + 0.01) & (local_hour(times) <= end_h + 1e-9)
    counters = [
        device.instrument
        for device in by_profile["traffic-counter"]
        if isinstance(device.instrument, TrafficCounter) and device.instrument.road.old_town
    ]
    assert counters
    for counter in counters:
        values = counter.observe(times)
        motor = sum(values[name] for name in ("flow-motorcycle", "flow-car", "flow-bus", "flow-truck"))
        assert not motor[inside].any()
        assert motor[~inside].sum() > 1_000.0
        assert values["flow-bicycle"][inside].sum() > 0.0


def test_the_ban_counts_the_share_of_a_period_that_lies_in_it(by_profile: Groups) -> None:
    road = next(
        device.instrument.road
        for device in by_profile["traffic-counter"]
        if isinstance(device.instrument, TrafficCounter) and device.instrument.road.old_town
    )
    nine = datetime(2026, 11, 16, 2, tzinfo=UTC).timestamp()
    starts = nine + np.array([-600.0, -300.0, 0.0, 7_000.0])
    np.testing.assert_allclose(road.allowed_share(starts, starts + 600.0), [1.0, 0.5, 0.0, 400.0 / 600.0])


def test_most_vehicles_are_motorcycles_and_rush_hours_stand_out(by_profile: Groups) -> None:
    times = _week(60.0)
    workdays = np.mod(local_day(times) + 3.0, 7.0) < 5.0
    for device in by_profile["traffic-counter"]:
        counter = device.instrument
        assert isinstance(counter, TrafficCounter)
        values = counter.observe(times)
        total = sum(values[name] for name in values if name.startswith("flow-"))
        assert values["flow-motorcycle"].sum() / total.sum() > 0.6, device.device_id
        if not counter.road.old_town:
            rush = total[workdays & (_at(7.0, times) | _at(17.0, times))].mean()
            assert rush > 8.0 * total[_at(2.0, times)].mean(), device.device_id
            assert np.nanmean(values["speed"][_at(2.0, times)]) > np.nanmean(
                values["speed"][workdays & _at(17.0, times)]
            )


def test_a_minute_without_vehicles_has_no_speed(by_profile: Groups) -> None:
    times = _week(60.0)
    for device in by_profile["traffic-counter"][:10]:
        values = device.instrument.observe(times)
        total = sum(values[name] for name in values if name.startswith("flow-"))
        assert (np.isnan(values["speed"]) == (total == 0.0)).all()


def test_what_a_cabinet_meters_is_what_its_lamps_draw_the_stated_losses_and_its_own(by_profile: Groups) -> None:
    times = _week(900.0)
    lamps: dict[int, list[LampController]] = {}
    for device in by_profile["lamp-controller"]:
        assert isinstance(device.instrument, LampController)
        lamps.setdefault(id(device.instrument.circuit), []).append(device.instrument)
    fed = 0
    for device in by_profile["lighting-cabinet"]:
        cabinet = device.instrument
        assert isinstance(cabinet, LightingCabinet)
        values = cabinet.observe(times)
        own_kwh = CABINET_OWN_W / 1_000.0 * (times - METERING_START_S) / 3_600.0
        energy_kwh = np.zeros(times.shape)
        sums = {phase: np.full(times.shape, CABINET_OWN_W if phase == 1 else 0.0) for phase in (1, 2, 3)}
        for lamp in lamps.get(id(cabinet.circuit), []):
            sent = lamp.observe(times)
            sums[int(lamp.lamp.phase)] += sent["power"] * (1.0 + CABLE_LOSS)
            energy_kwh += sent["energy"] / 1_000.0 * (1.0 + CABLE_LOSS)
            fed += 1
        for phase, total_w in sums.items():
            np.testing.assert_allclose(values[f"power-l{phase}"] * 1_000.0, total_w, rtol=1e-12)
        np.testing.assert_allclose(values["energy"], energy_kwh + own_kwh, rtol=1e-12)
    assert fed == len(by_profile["lamp-controller"])


def test_a_lamp_burns_from_sunset_to_sunrise_and_its_meter_counts_what_it_draws(by_profile: Groups) -> None:
    times = _week(30.0)
    device = by_profile["lamp-controller"][0]
    values = device.instrument.observe(times)
    lit = values["level"] > 0.0
    assert lit[_at(20.0, times)].all()
    assert not lit[_at(12.0, times)].any()
    hours_a_night = lit.sum() * 30.0 / 3_600.0 / 7.0
    assert 12.2 < hours_a_night < 12.9  # mid-November
    np.testing.assert_allclose(values["power"][~lit], STANDBY_W)
    metered_wh = values["energy"][-1] - values["energy"][0]
    drawn_wh = values["power"][:-1].sum() * 30.0 / 3_600.0
    assert metered_wh == pytest.approx(drawn_wh, rel=2e-3)  # the sum knows each switching to half a minute
    assert (np.diff(values["energy"]) >= 0.0).all()
    assert values["operating-time"][-1] - values["operating-time"][0] == pytest.approx(hours_a_night * 7.0, abs=0.05)


def test_dimming_lowers_power_in_proportion(by_profile: Groups) -> None:
    times = _week(600.0)
    values = by_profile["lamp-controller"][0].instrument.observe(times)
    for level in np.unique(values["level"][values["level"] > 0.0]):
        share = values["power"][values["level"] == level].mean() / values["power"].max()
        assert share == pytest.approx(level / 100.0, abs=0.06)


def test_ozone_peaks_in_the_afternoon_and_exhausts_in_the_rush(by_profile: Groups) -> None:
    times = _week(300.0)
    for device in by_profile["air-station"]:
        values = device.instrument.observe(times)
        assert values["o3"][_at(14.0, times)].mean() > 1.5 * values["o3"][_at(5.0, times)].mean()
        assert values["no2"][_at(18.0, times)].mean() > values["no2"][_at(2.0, times)].mean()
        assert (values["pm10"] > values["pm25"]).all()


def test_noise_follows_traffic(by_profile: Groups) -> None:
    times = _week(60.0)
    for device in by_profile["noise-meter"]:
        values = device.instrument.observe(times)
        assert values["laeq"][_at(17.0, times)].mean() > values["laeq"][_at(2.5, times)].mean() + 5.0
        assert (values["la90"] < values["la50"]).all()
        assert (values["la50"] < values["la10"]).all()
        assert (values["laeq"] < values["lamax"]).all()


def test_the_calm_river_at_hoi_an_swings_about_one_metre_with_the_tide(by_profile: Groups) -> None:
    gauge = next(device for device in by_profile["river-gauge"] if device.device_id == "ha-gauge-hoi-an-01")
    assert isinstance(gauge.instrument, RiverGauge)
    dry = datetime(2026, 5, 1, tzinfo=UTC).timestamp() + np.arange(0.0, 28 * 86_400.0, 900.0)
    tide = gauge.instrument.reach.tide(dry)
    assert 0.20 < tide.max() <= 0.28
    calm = gauge.instrument.reach.mean_level + tide
    assert 0.99 < calm.max() < 1.10
    assert calm.min() > 0.4


def _reach(town_id: str, gauge_id: str, happenings: Happenings) -> Reach:
    place = next(gauge for gauge in load_places(town_id).gauges if gauge.id == gauge_id)
    return Reach(
        surge=1,
        upstream=Sky(3, *place.upstream, happenings),
        mean_level=place.mean_level,
        tide_range=place.tide_range,
        tide_lag_h=place.tide_lag_h,
        runoff_lag_h=place.runoff_lag_h,
        runoff_gain=place.runoff_gain,
        flood_lag_h=place.flood_lag_h,
        flood_peak=place.flood_peak,
    )


def test_the_flood_of_2017_comes_to_cau_lau_before_hoi_an_and_as_high_as_it_came() -> None:
    peak_s = datetime(2026, 5, 6, 9, tzinfo=UTC).timestamp()
    times = peak_s + np.arange(-48 * 3_600.0, 96 * 3_600.0, 300.0)
    happenings = Happenings(floods=(Flood(peak_s, 1.0),))
    cau_lau = _reach("dien-ban", "cau-lau", happenings).level(times)
    hoi_an = _reach("hoi-an", "hoi-an", happenings).level(times)
    assert cau_lau.max() == pytest.approx(4.94, abs=0.15)
    assert hoi_an.max() == pytest.approx(3.04, abs=0.15)
    # Half way up, where a tide moves the moment little.
    half_way = [int(np.argmax(level > (level[0] + level.max()) / 2.0)) for level in (cau_lau, hoi_an)]
    assert (half_way[1] - half_way[0]) * 300.0 / 3_600.0 == pytest.approx(3.0, abs=1.0)


def test_no_river_swings_faster_than_a_river_does() -> None:
    autumn = datetime(2026, 10, 1, tzinfo=UTC).timestamp()
    times = autumn + np.arange(0.0, 60 * 86_400.0, 300.0)
    happenings = Happenings(floods=(Flood(autumn + 20 * 86_400.0, 1.0),))
    for town_id in ("tam-ky", "hoi-an", "dien-ban"):
        for place in load_places(town_id).gauges:
            level = _reach(town_id, place.id, happenings).level(times)
            assert np.abs(level[12:] - level[:-12]).max() < 0.45, place.id  # m in an hour
            assert np.abs(np.diff(level)).max() < 0.06, place.id  # m in five minutes


def test_rain_cells_cross_the_towns_from_the_north_west() -> None:
    times = datetime(2026, 10, 20, tzinfo=UTC).timestamp() + 60.0 * np.arange(20 * 1_440.0)
    upwind = Sky(20251117, 15.92, 108.20).rain_mm_h(times)
    # 20 km down the wind: an hour later the same cells, on the same track.
    downwind = Sky(20251117, 15.92 - 20.0 / 111.0 / 2.0**0.5, 108.20 + 20.0 / 107.0 / 2.0**0.5).rain_mm_h(times)
    aside = Sky(20251117, 15.92 + 0.12, 108.20 + 0.124).rain_mm_h(times)
    assert np.corrcoef(upwind[:-60], downwind[60:])[0, 1] > 0.98
    assert np.corrcoef(upwind, downwind)[0, 1] < 0.7
    assert np.corrcoef(upwind, aside)[0, 1] < 0.9


def test_rain_falls_in_the_rainy_season_and_seldom_in_spring() -> None:
    sky = Sky(seed=20251117, latitude=15.88, longitude=108.33)
    hours = np.arange(0.0, 30 * 24.0) * 3_600.0
    spring = sky.rain_mm_h(datetime(2026, 4, 1, tzinfo=UTC).timestamp() + hours).sum()
    autumn = sky.rain_mm_h(datetime(2026, 10, 20, tzinfo=UTC).timestamp() + hours).sum()
    assert spring < 150.0  # mm a month
    assert 250.0 < autumn < 1_500.0


def test_the_buckets_catch_the_rain_that_falls(by_profile: Groups) -> None:
    times = datetime(2026, 10, 20, tzinfo=UTC).timestamp() + 60.0 * np.arange(30 * 1_440.0)
    device = by_profile["weather-station"][0]
    caught = device.instrument.observe(times)["rain"]
    fallen = device.instrument.sky.rain_mm_h(times - 30.0).sum() / 60.0
    assert caught.sum() == pytest.approx(fallen, rel=0.03)
    np.testing.assert_allclose(np.mod(caught + 0.1, 0.2), 0.1, atol=1e-9)
