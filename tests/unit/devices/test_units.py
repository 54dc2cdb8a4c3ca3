"""Conversion between units."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.units import MOLAR_VOLUME_L_MOL, UNITS, UnitError, conversion

PAIRS = [
    (sent, stored)
    for sent, stored in itertools.product(UNITS, UNITS)
    if UNITS[sent].dimension == UNITS[stored].dimension
]


@pytest.mark.parametrize(
    ("value", "sent", "stored", "expected"),
    [
        (2.5, "kW", "W", 2500),
        (812_500, "W.h", "kW.h", 812.5),
        (3.6, "MJ", "kW.h", 1),
        (0.125, "1", "%", 12.5),
        (12.5, "%", "1", 0.125),
        (0.75, "mg/m3", "ug/m3", 750),
        (36, "km/h", "m/s", 10),
        (10, "m/s", "km/h", 36),
        (212, "[degF]", "Cel", 100),
        (-40, "[degF]", "Cel", -40),
        (273.15, "K", "Cel", 0),
        (302, "cm", "m", 3.02),
        (1, "[in_i]", "mm", 25.4),
        (4, "L/m2", "mm", 4),
        (760, "mm[Hg]", "hPa", 1013.2472),
        (1013.25, "mbar", "hPa", 1013.25),
        (203.125, "mA", "A", 0.203125),
        (1, "[kn_i]", "m/s", 0.514444444444444),
        (400, "gon", "deg", 360),
        (98.4, "klx", "lx", 98_400),
        (9_120_500, "V.A.h{reactive}", "kV.A.h{reactive}", 9_120.5),
        (3_580, "mV", "V", 3.58),
        (1_500, "ms", "s", 1.5),
    ],
)
def test_known_values_convert(value: float, sent: str, stored: str, expected: float) -> None:
    found = conversion(sent, stored)
    assert value * found.factor + found.addend == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("code", UNITS)
def test_a_unit_is_itself_exactly(code: str) -> None:
    assert (conversion(code, code).factor, conversion(code, code).addend) == (1.0, 0.0)


@given(pair=st.sampled_from(PAIRS), value=st.floats(-1e6, 1e6))
def test_there_and_back_is_where_one_was(pair: tuple[str, str], value: float) -> None:
    there, back = conversion(*pair), conversion(*reversed(pair))
    converted = value * there.factor + there.addend
    # Temperatures lose what the offset swallows, in the unit they come back to.
    assert converted * back.factor + back.addend == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("ratio", "sent", "molar_mass_g_mol", "ug_m3"),
    [
        (1, "[ppb]", 46.0055, 1.88),
        (1, "[ppb]", 64.066, 2.62),
        (1, "[ppb]", 47.998, 1.96),
        (1, "[ppb]", 28.010, 1.145),
        (0.5, "[ppm]", 28.010, 572.5),
        (1e-7, "%", 46.0055, 1.88),
    ],
)
def test_a_mixing_ratio_of_a_gas_becomes_a_concentration_at_25_cel_and_760_mm_of_mercury(
    ratio: float, sent: str, molar_mass_g_mol: float, ug_m3: float
) -> None:
    found = conversion(sent, "ug/m3", molar_mass_g_mol)
    assert ratio * found.factor == pytest.approx(ug_m3, rel=2e-3)
    assert found.addend == 0
    assert float(MOLAR_VOLUME_L_MOL) == pytest.approx(24.465, abs=1e-3)


def test_a_mixing_ratio_without_a_molar_mass_is_no_concentration() -> None:
    with pytest.raises(UnitError, match=r"'\[ppb\]' measures number, 'ug/m3' measures mass concentration"):
        conversion("[ppb]", "ug/m3")


def test_units_of_different_things_are_an_error_that_names_what_would_do() -> None:
    with pytest.raises(UnitError, match=r"'kW' measures power, 'kW\.h' measures energy; allowed: W\.h, kW\.h"):
        conversion("kW", "kW.h")


@pytest.mark.parametrize("code", ["°C", "kWh", "µg/m3", "KM/H", ""])
def test_a_code_that_is_not_ucum_is_an_error_that_names_the_known_ones(code: str) -> None:
    with pytest.raises(UnitError, match="is not known; known UCUM codes: 1, %"):
        conversion(code, "m")
