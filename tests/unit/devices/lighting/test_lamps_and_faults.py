"""States and faults of lamps and cabinets: every rule at work, and the vectorised form against a lamp at a time."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.figures import UNKNOWN
from devices.lighting.cabinets import CABINET_FAULTS, Cabinets, cabinet_faults
from devices.lighting.faults import FAULTS, LampFaults, drift_ratio, lamp_faults, suppress
from devices.lighting.lamps import STATES, Reports, expected_power, is_dark, lamp_states, newest, rated_power
from devices.lighting.rules import rules_of
from tests.unit.devices.lighting import reference

RULES = rules_of(date(2025, 11, 23))
RULE = RULES.lamp
NONE = math.nan
NIGHT_S = datetime.fromisoformat("2025-11-23T22:00:00+07:00").timestamp()
NOON_S = datetime.fromisoformat("2025-11-23T12:00:00+07:00").timestamp()
SUNSET_S = datetime.fromisoformat("2025-11-23T17:12:17+07:00").timestamp()
INTERVAL_S = 300.0


def array(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, np.float64)


def reports(now_s: float, k: int = 2, **columns: list[float]) -> Reports:
    """One lamp's newest k reports, the last just now."""
    names = ("commanded", "level", "power_w", "state", "failure", "power_factor", "voltage_v")
    given_as = {name: np.array([columns.get(name, [NONE] * k)], np.float64) for name in names}
    return Reports(time_s=(now_s - INTERVAL_S * np.arange(k)[::-1])[None], **given_as)


def judge(
    found: Reports, now_s: float = NIGHT_S, *, rated: float = 60.0, mode: float = 0.0, drift: float = NONE
) -> Any:
    many = len(found.time_s)
    return lamp_faults(
        found,
        rated_w=np.full(many, rated),
        now_s=now_s,
        latitude_deg=np.full(many, 15.88),
        longitude_deg=np.full(many, 108.33),
        interval_s=np.full(many, INTERVAL_S),
        cabinet_mode=np.full(many, mode),
        drift_ratio=np.full(many, drift),
        rule=RULE,
    )


def names(bits: int, known: tuple[str, ...] = FAULTS) -> list[str]:
    return [name for at, name in enumerate(known) if bits & 1 << at]


def of(found: Any) -> list[str]:
    return names(int(found.bits[0]))


SOUND = {"commanded": [70.0, 70.0], "level": [70.0, 70.0], "power_w": [42.6, 42.7], "state": [1.0, 1.0]}


def test_a_sound_lamp_has_no_fault_by_night() -> None:
    found = judge(reports(NIGHT_S, **SOUND, failure=[0, 0], power_factor=[0.96, 0.96], voltage_v=[229.5, 229.0]))
    assert of(found) == []
    assert found.judged.tolist() == [True]


def test_a_lamp_told_to_burn_and_dark_in_two_reports_has_failed_and_in_one_not_yet() -> None:
    assert of(judge(reports(NIGHT_S, **SOUND | {"power_w": [0.4, 0.4]}))) == ["lamp-failure"]
    assert of(judge(reports(NIGHT_S, **SOUND | {"power_w": [42.6, 0.4]}))) == []
    assert of(judge(reports(NIGHT_S, **SOUND | {"power_w": [0.4, 0.4], "commanded": [0, 0]}))) == []


def test_the_limit_is_a_tenth_of_what_is_expected_of_the_level() -> None:
    expected = expected_power(array(100), array(60), RULE)[0]
    assert expected == pytest.approx(60)
    for power, faults in ((0.0999, ["lamp-failure"]), (0.1001, [])):
        told = {"commanded": [100, 100], "power_w": [power * expected] * 2, "level": [0, 0]}
        assert of(judge(reports(NIGHT_S, **told))) == faults


def test_a_driver_that_reports_the_failure_is_believed_without_its_rated_power() -> None:
    assert of(judge(reports(NIGHT_S, **SOUND, failure=[0, 1]), rated=NONE)) == ["lamp-failure"]
    assert of(judge(reports(NIGHT_S, **SOUND | {"power_w": [0, 0]}), rated=NONE)) == []


@pytest.mark.parametrize(
    ("now_s", "mode", "faults"),
    [
        (NOON_S, 0, ["day-burning"]),
        (NOON_S, NONE, ["day-burning"]),
        (NOON_S, 1, []),  # by hand
        (NOON_S, 3, []),  # maintenance
        (NIGHT_S, 0, []),
        (SUNSET_S - 600, 0, []),  # a margin of a quarter of an hour
        (SUNSET_S - 1800, 0, ["day-burning"]),
    ],
)
def test_a_lamp_that_burns_with_the_sun_up_burns_by_day(now_s: float, mode: float, faults: list[str]) -> None:
    assert of(judge(reports(now_s, **SOUND), now_s, mode=mode)) == faults


def test_power_alone_or_the_level_alone_shows_a_lamp_burning_by_day() -> None:
    assert of(judge(reports(NOON_S, power_w=[60, 60]), NOON_S)) == ["day-burning"]
    assert of(judge(reports(NOON_S, level=[40, 40]), NOON_S)) == ["day-burning"]
    assert of(judge(reports(NOON_S, power_w=[0.9, 0.9], level=[0, 0]), NOON_S)) == []


def test_three_changes_in_half_an_hour_are_cycling_and_two_are_not() -> None:
    for levels, faults in (([100, 0, 100, 0], ["cycling"]), ([100, 100, 0, 100], [])):
        assert of(judge(reports(NIGHT_S, 4, level=levels))) == faults
    slow = reports(NIGHT_S, 4, level=[100, 0, 100, 0])
    slow.time_s[:] = NIGHT_S - np.array([[2400, 1600, 800, 0]])
    assert of(judge(slow)) == []


@pytest.mark.parametrize(
    ("drift", "faults"), [(0.79, ["power-drift"]), (0.81, []), (1.19, []), (1.21, ["power-drift"]), (NONE, [])]
)
def test_power_that_drifts_from_what_is_expected_over_a_day(drift: float, faults: list[str]) -> None:
    assert of(judge(reports(NIGHT_S, **SOUND), drift=drift)) == faults


def test_power_factor_and_voltage_have_limits() -> None:
    assert of(judge(reports(NIGHT_S, **SOUND, power_factor=[0.9, 0.45]))) == ["low-power-factor"]
    assert of(judge(reports(NIGHT_S, **SOUND | {"level": [10, 10]}, power_factor=[0.45, 0.45]))) == []
    for volts, faults in ((206.9, ["supply-voltage"]), (207.1, []), (252.9, []), (253.1, ["supply-voltage"])):
        assert of(judge(reports(NIGHT_S, **SOUND, voltage_v=[230, volts]))) == faults


def test_a_silent_lamp_is_stale_and_nothing_else() -> None:
    late = judge(reports(NIGHT_S, **SOUND | {"power_w": [0, 0]}), NIGHT_S + 3 * INTERVAL_S + 1)
    assert (of(late), late.judged.tolist(), late.dark.tolist()) == (["communication"], [False], [False])
    assert of(judge(reports(NIGHT_S, **SOUND), NIGHT_S + 3 * INTERVAL_S)) == []
    never = reports(NIGHT_S)
    never.time_s[:] = NONE
    assert of(judge(never)) == ["communication"]


values = st.one_of(st.just(NONE), st.sampled_from([0.0, 0.5, 2.0, 6.0, 30.0, 70.0, 100.0]))
columns = st.lists(st.tuples(values, values, values, st.sampled_from([NONE, 0, 1, 2, 3])), min_size=2, max_size=7)


@given(lamps=st.lists(columns, min_size=1, max_size=5), rated=st.one_of(st.just(NONE), st.floats(20, 150)))
def test_faults_equal_the_rules_applied_lamp_by_lamp(
    lamps: list[list[tuple[float, float, float, float]]], rated: float
) -> None:
    k = max(len(lamp) for lamp in lamps)
    table = np.full((len(lamps), k, 4), NONE)
    for at, lamp in enumerate(lamps):
        table[at, k - len(lamp) :] = lamp
    time_s = np.tile(NIGHT_S - INTERVAL_S * np.arange(k)[::-1], (len(lamps), 1))
    nothing = np.full((len(lamps), k), NONE)
    found = judge(
        Reports(time_s, table[..., 0], table[..., 1], table[..., 2], table[..., 3], nothing, nothing, nothing),
        rated=rated,
    )
    for at in range(len(lamps)):
        commanded, level, power, state = table[at].T.tolist()
        assert bool(found.dark[at]) == reference.told_and_dark(commanded, power, rated, RULE)
        changes = reference.transitions(time_s[at].tolist(), level, state, NIGHT_S - RULE.cycling_span_s)
        expected = [
            *(["lamp-failure"] if found.dark[at] else []),
            *(["cycling"] if changes >= RULE.cycling_transitions else []),
        ]
        assert names(int(found.bits[at])) == expected


@given(power=values, level=values, rated=st.one_of(st.just(NONE), st.floats(20, 150)))
def test_dark_equals_its_plain_reading(power: float, level: float, rated: float) -> None:
    assert is_dark(array(power), array(level), array(rated), RULE).tolist() == [
        reference.dark(power, level, rated, RULE)
    ]


def test_a_lamp_is_seen_as_commanded_as_reported_and_as_measured() -> None:
    found = lamp_states(
        Reports(
            time_s=np.full((4, 1), NIGHT_S),
            commanded=np.array([[100], [100], [0], [NONE]]),
            level=np.array([[100], [0], [0], [NONE]]),
            power_w=np.array([[59], [0.4], [30], [NONE]]),
            state=np.array([[1], [NONE], [2], [NONE]]),
            failure=np.full((4, 1), NONE),
            power_factor=np.full((4, 1), NONE),
            voltage_v=np.full((4, 1), NONE),
        ),
        np.array([60, 60, 60, NONE]),
        RULE,
    )
    seen = [
        ["?" if code == UNKNOWN else STATES[code] for code in view.tolist()]
        for view in (found.commanded, found.reported, found.measured)
    ]
    assert seen == [["on", "on", "off", "?"], ["on", "off", "dimmed", "?"], ["on", "off", "dimmed", "?"]]
    assert found.disagrees.tolist() == [False, True, True, False]


@given(rows=st.lists(st.lists(values, min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_newest_value_is_the_last_that_is_there(rows: list[list[float]]) -> None:
    plain = [next((v for v in reversed(row) if not math.isnan(v)), NONE) for row in rows]
    assert newest(np.array(rows)).tolist() == pytest.approx(plain, nan_ok=True)


def test_the_rated_power_is_told_from_days_in_full() -> None:
    power = np.array([[60.0, 61, 63], [30, 31, NONE], [54, NONE, NONE], [NONE, NONE, NONE]])
    level = np.array([[100.0, 100, 100], [50, 50, NONE], [90, NONE, NONE], [NONE, NONE, NONE]])
    found = rated_power(power, level, RULES.rated)
    assert [found.at(at) for at in range(4)] == [
        (pytest.approx(61), None), (None, "too-few-readings"), (pytest.approx(60), None), (None, "too-few-readings"),
    ]  # fmt: skip
    assert rated_power(np.empty((2, 0)), np.empty((2, 0)), RULES.rated).at(1) == (None, "too-few-readings")


def test_a_lamp_that_failed_days_ago_is_still_dark() -> None:
    power, level = array(60, 60, 60, 1.5, 1.5, 1.5, 1.5), np.full(7, 100.0)
    found = rated_power(power[None], level[None], RULES.rated)
    assert found.at(0) == (pytest.approx(60), None)
    told = reports(NIGHT_S, commanded=[100.0, 100.0], level=[100.0, 100.0], power_w=[1.5, 1.5])
    assert of(judge(told, rated=float(found.value[0]))) == ["lamp-failure"]


def test_drift_is_over_the_windows_in_which_the_lamp_burned() -> None:
    power = np.array([[0.9, 30.9, 60.0], [0.9, 15.45, 30.0], [0.9, NONE, NONE]])
    level = np.array([[0.0, 50, 100], [0, 50, 100], [0, NONE, NONE]])
    assert drift_ratio(power, level, np.full(3, 60.0), RULE).tolist() == pytest.approx([1, 0.5, NONE], nan_ok=True)


# --- cabinets ---


def cabinets(many: int = 1, **changed: Any) -> Cabinets:
    sound = {
        "time_s": np.full(many, NIGHT_S),
        "interval_s": np.full(many, 60.0),
        "voltage_v": np.full((many, 3), 229.0),
        "current_a": np.tile(array(9.6, 10.1, 9.4), (many, 1)),
        "leakage_ma": np.full(many, 12.5),
        "door": np.zeros(many),
        "circuit": np.ones(many),
        "mode": np.zeros(many),
    }
    return Cabinets(**sound | {name: np.asarray(value, np.float64) for name, value in changed.items()})


def lamps(
    dark: list[bool],
    judged: list[bool] | None = None,
    bits: list[int] | None = None,
    unfed: list[bool] | None = None,
) -> LampFaults:
    return LampFaults(
        bits=np.array(bits if bits is not None else [1 if d else 0 for d in dark], np.uint16),
        dark=np.array(dark, np.bool_),
        judged=np.array(judged if judged is not None else [True] * len(dark), np.bool_),
        unfed=np.array(unfed if unfed is not None else [False] * len(dark), np.bool_),
    )


def cabinet_names(
    found: Cabinets,
    of_lamps: LampFaults | None = None,
    *,
    night: bool = True,
    gap: float = NONE,
    commanded: float = 100,
) -> tuple[list[str], bool]:
    behind = of_lamps or lamps([False] * 4)
    result = cabinet_faults(
        found,
        behind,
        np.zeros(len(behind.bits), np.intp),
        np.full(len(behind.bits), commanded),
        night=np.array([night]),
        now_s=NIGHT_S,
        gap_percent=array(gap),
        rules=RULES,
    )
    return names(int(result.bits[0]), CABINET_FAULTS), bool(result.out[0])


@pytest.mark.parametrize(
    ("changed", "faults", "out"),
    [
        ({}, [], False),
        ({"voltage_v": [[0, 229, 229]]}, ["phase-loss"], False),
        ({"voltage_v": [[0, 2, 5]]}, ["supply-lost"], True),
        ({"voltage_v": [[229, 254, 229]]}, ["supply-voltage"], False),
        ({"voltage_v": [[229, NONE, 206]]}, ["supply-voltage"], False),
        ({"current_a": [[9.6, 12.5, 9.4]]}, ["phase-imbalance"], False),
        ({"current_a": [[0.1, 0.6, 0.1]]}, [], False),
        ({"leakage_ma": [310]}, ["leakage"], False),
        ({"door": [1]}, ["door-open"], False),
        ({"circuit": [0]}, ["not-switched-on"], False),
        ({"circuit": [0], "mode": [3]}, [], False),
        ({"time_s": [NIGHT_S - 181]}, ["communication"], False),
    ],
)
def test_a_cabinet_is_judged_by_what_it_reports(changed: dict[str, Any], faults: list[str], out: bool) -> None:
    assert cabinet_names(cabinets(**changed)) == (faults, out)


def test_by_day_an_open_circuit_is_right_and_a_gap_of_the_meter_is_a_fault_at_any_time() -> None:
    assert cabinet_names(cabinets(circuit=[0]), night=False) == ([], False)
    assert cabinet_names(cabinets(), gap=10.1) == (["meter-gap"], False)
    assert cabinet_names(cabinets(), gap=9.9) == ([], False)


def test_a_group_of_which_every_lamp_told_to_burn_is_dark_is_one_fault_of_the_cabinet() -> None:
    assert cabinet_names(cabinets(), lamps([True, True, True, True])) == (["group-dark"], True)
    assert cabinet_names(cabinets(), lamps([True, True, True, False])) == ([], False)
    assert cabinet_names(cabinets(), lamps([True])) == ([], False)  # one lamp is a lamp
    assert cabinet_names(cabinets(), lamps([True, True]), night=False) == ([], False)
    assert cabinet_names(cabinets(), lamps([True, True, False], [True, True, False])) == (["group-dark"], True)


def test_a_cabinet_that_is_silent_with_all_its_lamps_is_out_and_one_whose_lamps_speak_is_not() -> None:
    silent = cabinets(time_s=[NONE])
    assert cabinet_names(silent, lamps([False] * 3, [False] * 3)) == (["communication"], True)
    assert cabinet_names(silent, lamps([False] * 3, [False, False, True])) == (["communication"], False)
    assert cabinet_names(silent, lamps([True, True])) == (["group-dark", "communication"], True)


def test_lamps_of_a_cabinet_that_is_out_are_suppressed_and_no_others() -> None:
    failure, day, silent = 1, 2, 1 << FAULTS.index("communication")
    bits = np.array([failure, failure | day, silent, 0, failure, failure], np.uint16)
    nobody, none = np.zeros(6, np.bool_), np.zeros(2, np.bool_)
    found = suppress(bits, np.array([0, 0, 0, 0, 1, -1]), np.array([True, False]), nobody, none)
    assert [names(int(value)) for value in found] == [
        ["suppressed"], ["day-burning", "suppressed"], ["suppressed"], [], ["lamp-failure"], ["lamp-failure"],
    ]  # fmt: skip


def test_lamps_without_voltage_behind_a_circuit_that_is_off_are_the_cabinets_fault() -> None:
    lamp = judge(reports(NIGHT_S, commanded=[100.0, 100.0], power_w=[0.0, 0.0], voltage_v=[0.0, 0.0]), rated=NONE)
    assert (of(lamp), bool(lamp.unfed[0])) == (["supply-voltage"], True)
    off = cabinet_faults(
        cabinets(circuit=[0]), lamp, np.array([0]), array(100), night=np.array([True]), now_s=NIGHT_S,
        gap_percent=array(NONE), rules=RULES,
    )  # fmt: skip
    assert names(int(off.bits[0]), CABINET_FAULTS) == ["not-switched-on"]
    hidden = suppress(lamp.bits, np.array([0]), off.out, lamp.unfed, off.without_supply)
    assert names(int(hidden[0])) == ["suppressed"]
    alone = suppress(lamp.bits, np.array([0]), np.array([False]), lamp.unfed, np.array([False]))
    assert names(int(alone[0])) == ["supply-voltage"]
    two = lamps([False, False], unfed=[True, True])
    assert cabinet_names(cabinets(), two) == (["group-dark"], True)


@given(
    lamp_rows=st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([NONE, 0.0, 80.0]), st.integers(-1, 2))),
    night=st.booleans(),
)
def test_groups_equal_their_lamps_counted_one_by_one(
    lamp_rows: list[tuple[bool, bool, float, int]], night: bool
) -> None:
    rows = [(dark and judged and commanded > 0, judged, commanded, at) for dark, judged, commanded, at in lamp_rows]
    found = cabinet_faults(
        cabinets(3),
        lamps([r[0] for r in rows], [r[1] for r in rows]),
        np.array([r[3] for r in rows], np.intp),
        np.array([r[2] for r in rows], np.float64),
        night=np.full(3, night),
        now_s=NIGHT_S,
        gap_percent=np.full(3, NONE),
        rules=RULES,
    )
    for at in range(3):
        told = [dark for dark, judged, commanded, place in rows if place == at and judged and commanded > 0]
        group_dark = night and len(told) >= RULES.cabinet.dark_lamps_min and all(told)
        assert names(int(found.bits[at]), CABINET_FAULTS) == (["group-dark"] if group_dark else [])
        assert bool(found.out[at]) == group_dark
        assert found.dark_lamps[at] == sum(told)
