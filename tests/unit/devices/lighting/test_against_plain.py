"""What the other lighting tests show by examples, for anything that may come in: against one lamp at a time."""

from __future__ import annotations

import math
import statistics
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.figures import UNKNOWN
from devices.lighting.cabinets import CABINET_FAULTS, Cabinets, cabinet_faults
from devices.lighting.energy import energy_gap
from devices.lighting.faults import FAULTS, LampFaults, drift_ratio, suppress
from devices.lighting.lamps import STATES, Reports, expected_power, lamp_states, rated_power
from devices.lighting.rules import rules_of
from tests.unit.devices.lighting import reference

RULES = rules_of(date(2025, 11, 23))
RULE = RULES.lamp
NONE = math.nan
NOW_S = 1_763_910_000.0


def maybe(*values: float) -> st.SearchStrategy[float]:
    return st.sampled_from([NONE, *values])


levels = maybe(0.0, 10.0, 30.0, 94.0, 96.0, 100.0)
powers = maybe(0.0, 0.4, 2.0, 5.0, 20.0, 44.0, 60.0, 80.0)
rated = maybe(20.0, 60.0, 150.0)


def _state_of_level(level: float) -> str:
    if math.isnan(level):
        return "?"
    return "off" if level <= 0 else ("on" if level >= RULE.full_level_percent else "dimmed")


def _measured(power: float, level: float, of_rated: float) -> str:
    if math.isnan(power) or math.isnan(of_rated):
        return "?"
    if reference.dark(power, 0.0 if math.isnan(level) else level, of_rated, RULE):
        return "off"
    share = (power / of_rated - RULE.standby_share) / (1 - RULE.standby_share)
    return "on" if share * 100 >= RULE.full_level_percent * RULE.drift_low else "dimmed"


@given(rows=st.lists(st.tuples(levels, levels, powers, maybe(0, 1, 2, 3), rated), min_size=1, max_size=8))
def test_states_equal_their_plain_reading(rows: list[tuple[float, float, float, float, float]]) -> None:
    commanded, level, power, word, of_rated = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    nothing = np.full((len(rows), 1), NONE)
    found = lamp_states(
        Reports(
            time_s=np.full((len(rows), 1), NOW_S),
            commanded=commanded[:, None],
            level=level[:, None],
            power_w=power[:, None],
            state=word[:, None],
            failure=nothing,
            power_factor=nothing,
            voltage_v=nothing,
        ),
        of_rated,
        RULE,
    )
    for at, (told, shown, drawn, said, full) in enumerate(rows):
        views = [
            "?" if code == UNKNOWN else STATES[code]
            for code in (found.commanded[at], found.reported[at], found.measured[at])
        ]
        reported = _state_of_level(shown) if math.isnan(said) else ("off", "on", "dimmed", "on")[int(said)]
        assert views == [_state_of_level(told), reported, _measured(drawn, shown, full)]
        assert bool(found.disagrees[at]) == ("off" in views and bool({"on", "dimmed"} & set(views)))


days = st.lists(st.tuples(powers, levels), min_size=0, max_size=7)


@given(rows=days)
def test_the_rated_power_equals_the_plain_median(rows: list[tuple[float, float]]) -> None:
    found = rated_power(np.array([[p for p, _ in rows]]), np.array([[v for _, v in rows]]), RULES.rated)
    in_full = [p * 100 / v for p, v in rows if p > 0 and v >= RULES.rated.level_percent]
    in_full = [power for power in in_full if power >= RULES.rated.day_share_min * max(in_full)]
    if len(in_full) >= RULES.rated.days_min:
        assert found.at(0) == (pytest.approx(statistics.median(in_full)), None)
    else:
        assert found.at(0) == (None, "too-few-readings")


@given(level=levels, of_rated=rated)
def test_expected_power_equals_its_formula(level: float, of_rated: float) -> None:
    plain = of_rated * (RULE.standby_share + (1 - RULE.standby_share) * level / 100)
    assert expected_power(np.array([level]), np.array([of_rated]), RULE)[0] == pytest.approx(plain, nan_ok=True)


@given(rows=days, of_rated=rated)
def test_drift_equals_the_plain_sums(rows: list[tuple[float, float]], of_rated: float) -> None:
    found = drift_ratio(np.array([[p for p, _ in rows]]), np.array([[v for _, v in rows]]), np.array([of_rated]), RULE)
    burned = [(p, v) for p, v in rows if v > 0 and not math.isnan(p)]
    expected = sum(of_rated * (RULE.standby_share + (1 - RULE.standby_share) * v / 100) for _, v in burned)
    plain = sum(p for p, _ in burned) / expected if burned and expected > 0 else NONE
    assert found[0] == pytest.approx(plain, nan_ok=True)


@given(
    rows=st.lists(st.tuples(st.integers(0, 2 ** len(FAULTS) - 1), st.integers(-1, 2), st.booleans())),
    out=st.tuples(*[st.booleans()] * 3),
    off=st.tuples(*[st.booleans()] * 3),
)
def test_suppression_equals_lamp_by_lamp(
    rows: list[tuple[int, int, bool]], out: tuple[bool, bool, bool], off: tuple[bool, bool, bool]
) -> None:
    found = suppress(
        np.array([bits for bits, _, _ in rows], np.uint16),
        np.array([cabinet for _, cabinet, _ in rows], np.intp),
        np.array(out),
        np.array([unfed for _, _, unfed in rows], np.bool_),
        np.array(off),
    )
    own = {"day-burning", "cycling", "suppressed"}
    for at, (bits, cabinet, unfed) in enumerate(rows):
        names = {name for place, name in enumerate(FAULTS) if bits >> place & 1}
        if cabinet >= 0 and (out[cabinet] or (unfed and off[cabinet])) and names - own:
            names = names & own | {"suppressed"}
        assert {name for place, name in enumerate(FAULTS) if int(found[at]) >> place & 1} == names


volts = maybe(0.0, 90.0, 150.0, 206.0, 230.0, 254.0)
amperes = maybe(0.0, 1.0, 9.0, 10.0, 14.0)
boxes = st.tuples(
    st.tuples(volts, volts, volts), st.tuples(amperes, amperes, amperes), maybe(10.0, 310.0), maybe(0, 1), maybe(0, 1),
    maybe(0, 1, 2, 3), maybe(0.0, 179.0, 181.0), maybe(-3.0, 9.0, 11.0), st.booleans(),
)  # fmt: skip


@given(rows=st.lists(boxes, min_size=1, max_size=6))
def test_faults_of_cabinets_equal_the_rules_applied_one_by_one(rows: list[tuple[Any, ...]]) -> None:
    voltage, current, leakage, door, circuit, mode, age, gap, night = zip(*rows, strict=True)
    nobody = LampFaults(np.zeros(0, np.uint16), *[np.zeros(0, np.bool_)] * 3)
    found = cabinet_faults(
        Cabinets(
            time_s=NOW_S - np.array(age, np.float64),
            interval_s=np.full(len(rows), 60.0),
            voltage_v=np.array(voltage, np.float64),
            current_a=np.array(current, np.float64),
            leakage_ma=np.array(leakage, np.float64),
            door=np.array(door, np.float64),
            circuit=np.array(circuit, np.float64),
            mode=np.array(mode, np.float64),
        ),
        nobody,
        np.zeros(0, np.intp),
        np.zeros(0),
        night=np.array(night),
        now_s=NOW_S,
        gap_percent=np.array(gap, np.float64),
        rules=RULES,
    )
    for at, row in enumerate(rows):
        names = {name for place, name in enumerate(CABINET_FAULTS) if int(found.bits[at]) >> place & 1}
        assert names == _cabinet(*row)
        assert bool(found.out[at]) == ("supply-lost" in names)


def _cabinet(
    voltage: tuple[float, ...], current: tuple[float, ...], leakage: float, door: float, circuit: float, mode: float,
    age: float, gap: float, night: bool,
) -> set[str]:  # fmt: skip
    if not age <= 180:
        return {"communication"}
    lost = [v < RULES.cabinet.phase_lost_v for v in voltage]
    mean = sum(current) / 3
    imbalance = max(abs(a - mean) for a in current) / mean * 100 if mean >= RULES.cabinet.imbalance_current_min_a else 0
    found = {
        "not-switched-on": night and mode == 0 and circuit == 0,
        "supply-lost": all(lost),
        "phase-loss": any(lost) and not all(lost),
        "supply-voltage": any(v >= RULES.cabinet.phase_lost_v and not 207 <= v <= 253 for v in voltage),
        "phase-imbalance": imbalance > RULES.cabinet.imbalance_percent,
        "leakage": leakage > RULES.cabinet.leakage_ma,
        "door-open": door == 1,
        "meter-gap": gap > RULES.cabinet.meter_gap_percent,
    }
    return {name for name, holds in found.items() if holds}


# No meter counts in less than a millionth of a kilowatt hour.
KILOWATT_HOURS = st.one_of(st.just(NONE), st.just(0.0), st.floats(1e-6, 1e4))


@given(meter=KILOWATT_HOURS, lamps=KILOWATT_HOURS)
def test_the_gap_equals_its_formula(meter: float, lamps: float) -> None:
    found = energy_gap(np.array([meter]), np.array([lamps])).at(0)
    if math.isnan(meter) or meter <= 0:
        assert found == (None, "no-meter")
    elif math.isnan(lamps):
        assert found == (None, "no-reading")
    else:
        assert found[0] == pytest.approx((meter - lamps) * 100 / meter, rel=1e-9, abs=1e-9)
