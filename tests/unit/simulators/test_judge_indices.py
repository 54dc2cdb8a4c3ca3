"""The judge's VN_AQI gives the decision's own worked figures, and its lamp rules what they say, case by case."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from simulators.judge.air import nowcast, of_day, of_hour, sub_index
from simulators.judge.lamps import (
    LAMP_FAULTS,
    Verdict,
    elevation_deg,
    judge_cabinet,
    judge_lamp,
    rated_power,
    suppressed,
    wrong_faults,
)

if TYPE_CHECKING:
    from simulators.judge.lamps import Report

PM25 = [26.9, 24.7, 20.5, 23.5, 19.5, 16.5, 19.0, 16.5, 20.3, 22.4, 19.6, 20.6]
O3 = [
    *(15.7, 14.2, 17.7, 18.9, 19.3, 15.7, 19.7, 22.6, 27.1, 29.0, 31.9, 25.3, 34.7, 35.2, 41.6, 45.7),
    *(49.2, 55.8, 69.6, 78.3, 91.5, 97.7, 81.2, 71.8, 43.5, 34.3, 21.5, 20.5, 19.4, 20.4, 21.3),
]
NOTHING: dict[str, list[float | None]] = {name: [None] * 31 for name in ("pm25", "pm10", "no2", "so2", "co", "o3")}
HOI_AN = (15.88, 108.335)
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 11, 23, 17, 0, tzinfo=UTC).timestamp()


def test_the_official_example_of_an_hour() -> None:
    newest_first = PM25[::-1]
    assert nowcast(newest_first) == pytest.approx(20.27, abs=0.005)
    hours = NOTHING | {"pm25": newest_first, "o3": [136.1]}
    assert of_hour({name: values[:12] for name, values in hours.items()}) == 43
    assert sub_index("o3", 136.1) == pytest.approx(42.53, abs=0.005)
    assert sub_index("no2", 118.7) == pytest.approx(59.35)


def test_the_official_figures_of_a_day() -> None:
    assert sub_index("o3-8h", 89.3) == pytest.approx(44.65)
    assert sub_index("o3", 114.6) == pytest.approx(35.81, abs=0.005)
    assert sub_index("pm25", 55.7) == pytest.approx(109.5)
    day = NOTHING | {"pm25": [None] * 7 + [55.7] * 24, "no2": [None] * 7 + [130.8] * 24, "o3": O3}
    assert of_day(day) == 110
    # 8-h means alone: the highest is 74.4 (label 17:00), of which 37.2 is the index.
    assert of_day(NOTHING | {"pm10": [0.0] * 31, "o3": O3}) == 37


@pytest.mark.parametrize(
    ("hours", "value"),
    [
        ([100.0, 10.0, *[None] * 10], 70.0),  # normalised
        ([100.0, None, None, *[50.0] * 9], None),
        ([None, 40.0, 40.0, *[None] * 9], 40.0),
        ([0.0] * 12, 0.0),
    ],
)
def test_nowcast_with_gaps(hours: list[float | None], value: float | None) -> None:
    assert nowcast(hours) == (None if value is None else pytest.approx(value))


def test_without_particles_there_is_no_index_and_nothing_is_extrapolated() -> None:
    assert of_day(NOTHING | {"no2": [50.0] * 31}) is None
    assert of_day(NOTHING | {"pm25": [None] * 14 + [20.0] * 17}) is None
    assert sub_index("pm25", 5_000.0) == 500.0
    assert sub_index("o3-8h", 400.1) is None
    assert sub_index("pm10", -1.0) is None


@pytest.mark.parametrize(("when", "low", "high"), [(NOON, 50.0, 56.0), (MIDNIGHT, -86.0, -78.0)])
def test_the_sun_stands_where_it_stands_over_hoi_an(when: float, low: float, high: float) -> None:
    assert low < elevation_deg(when, *HOI_AN) < high


def test_sunrise_in_hoi_an_is_when_the_almanac_says() -> None:
    rise = next(s for s in range(int(MIDNIGHT), int(MIDNIGHT) + 43_200, 30) if elevation_deg(s, *HOI_AN) > -0.833)
    assert datetime.fromtimestamp(rise + 7 * 3_600, UTC).strftime("%H:%M") in {"05:52", "05:53", "05:54", "05:55"}


def lamp(now_s: float, newest: list[Report], *, rated_w: float | None = 64.0, by_hand: bool = False) -> Verdict:
    reports = {now_s - 60.0 - 300.0 * at: report for at, report in enumerate(newest)}
    return judge_lamp(reports, rated_w=rated_w, now_s=now_s, place=HOI_AN, interval_s=300.0, by_hand=by_hand)


LIT = {"commanded-light-level": 100.0, "light-level": 100.0, "active-power": 64.0, "voltage": 230.0, "lamp-state": 1.0}
DARK = LIT | {"active-power": 3.0, "light-level": 0.0, "lamp-state": 0.0}


@pytest.mark.parametrize(
    ("verdict", "faults"),
    [
        (lamp(MIDNIGHT, [LIT, LIT]), set()),
        (lamp(MIDNIGHT, [DARK, DARK]), {"lamp-failure"}),
        (lamp(MIDNIGHT, [DARK, LIT]), set()),
        (lamp(MIDNIGHT, [DARK]), set()),
        (lamp(MIDNIGHT, [DARK, DARK], rated_w=None), set()),
        (lamp(MIDNIGHT, [LIT | {"lamp-failure": 1.0}]), {"lamp-failure"}),
        (lamp(NOON, [LIT]), {"day-burning"}),
        (lamp(NOON, [LIT], by_hand=True), set()),
        (lamp(MIDNIGHT, [LIT, DARK, LIT, DARK]), {"cycling"}),
        (lamp(MIDNIGHT, [LIT | {"voltage": 198.0}]), {"supply-voltage"}),
        (lamp(MIDNIGHT, []), {"communication"}),
    ],
)
def test_what_is_wrong_with_a_lamp(verdict: Verdict, faults: set[str]) -> None:
    assert verdict.faults == faults


def test_a_dark_group_is_one_fault_of_its_cabinet() -> None:
    lamps = [(lamp(MIDNIGHT, [DARK, DARK]), 100.0), (lamp(MIDNIGHT, [DARK, DARK]), 100.0)]
    fed = {MIDNIGHT - 30.0: {f"voltage-l{phase}": 230.0 for phase in (1, 2, 3)}}
    verdict, out = judge_cabinet(fed, lamps, now_s=MIDNIGHT, interval_s=60.0, night=True)
    assert (verdict.faults, out) == ({"group-dark"}, True)
    assert suppressed(lamps[0][0]).faults == {"suppressed"}
    lost = {MIDNIGHT - 30.0: {"voltage-l1": 0.0, "voltage-l2": 230.0, "door-open": 1.0, "leakage-current": 400.0}}
    verdict, out = judge_cabinet(lost, lamps[:1], now_s=MIDNIGHT, interval_s=60.0, night=True)
    assert (verdict.faults, out) == ({"phase-loss", "door-open", "leakage"}, False)


def test_lamps_without_voltage_are_the_fault_of_a_cabinet_whose_circuit_is_off() -> None:
    unfed = lamp(MIDNIGHT, [DARK | {"voltage": 0.0, "active-power": 0.0}], rated_w=None)
    assert (unfed.faults, unfed.unfed) == ({"supply-voltage"}, True)
    off = {MIDNIGHT - 30.0: {"voltage-l1": 230.0, "circuit-state": 0.0}}
    verdict, out = judge_cabinet(off, [(unfed, 100.0)], now_s=MIDNIGHT, interval_s=60.0, night=True)
    assert (verdict.without_supply, out) == (True, False)
    fed = {MIDNIGHT - 30.0: {"voltage-l1": 230.0}}
    verdict, out = judge_cabinet(fed, [(unfed, 100.0)] * 2, now_s=MIDNIGHT, interval_s=60.0, night=True)
    assert (verdict.faults, verdict.without_supply, out) == ({"group-dark"}, False, True)


def test_near_a_threshold_either_answer_is_right() -> None:
    verdict = judge_lamp(
        {MIDNIGHT - 895.0: LIT}, rated_w=64.0, now_s=MIDNIGHT, place=HOI_AN, interval_s=300.0, by_hand=False
    )
    assert wrong_faults(verdict, ["communication"], LAMP_FAULTS) == set()
    assert wrong_faults(lamp(MIDNIGHT, [LIT]), ["communication"], LAMP_FAULTS) == {"communication"}


def test_the_rated_power_is_the_median_of_days_in_full() -> None:
    assert rated_power([(64.0, 100.0), (63.0, 100.0), (30.0, 50.0), (70.0, 100.0)]) == 64.0
    assert math.isclose(rated_power([(57.6, 90.0), (66.0, 100.0)]) or 0.0, 65.0)
    assert rated_power([(0.0, 100.0), (30.0, 80.0)]) is None
    assert rated_power([(60.0, 100.0)] * 3 + [(1.5, 100.0)] * 4) == 60.0
