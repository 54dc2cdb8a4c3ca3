"""What was sent is had back from what is stored, for everything that devices send."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.profiles import load_catalogue
from devices.sent import BELOW, as_sent, is_plain
from devices.units import UNITS, conversion

CONVERSIONS = sorted(
    {
        (stream.sent_unit, stream.unit, stream.factor, stream.addend)
        for profile in load_catalogue().values()
        for stream in profile.datastreams
        if (stream.factor, stream.addend) != (1, 0)
    }
    | {
        (sent, stored, conversion(sent, stored).factor, conversion(sent, stored).addend)
        for sent, stored in itertools.permutations(UNITS, 2)
        if UNITS[sent].dimension == UNITS[stored].dimension and sent != stored
    }
)


def _there_and_back(value: float, factor: float, addend: float) -> float:
    stored = np.array([value], np.float64) * factor + addend
    return float(as_sent(stored, factor, addend)[0])


@given(of=st.sampled_from(CONVERSIONS), units=st.integers(-(10**12), 10**12), decimals=st.integers(0, 6))
def test_a_decimal_is_had_back_to_the_bit(of: tuple[str, str, float, float], units: int, decimals: int) -> None:
    sent = float(f"{units}e-{decimals}")
    if abs(sent) < BELOW:
        assert is_plain(np.array([sent])).all()
        assert _there_and_back(sent, of[2], of[3]) == sent


@given(of=st.sampled_from(CONVERSIONS), value=st.floats(2.0**-6, 2.0**24, width=32), sign=st.sampled_from([1, -1]))
def test_a_single_precision_number_is_had_back_to_the_bit(
    of: tuple[str, str, float, float], value: float, sign: int
) -> None:
    assert _there_and_back(sign * value, of[2], of[3]) == sign * value


def test_what_is_neither_is_not_mistaken_for_itself() -> None:
    # Two doubles next to each other become one: nothing could tell them apart afterwards.
    mean = 82.3 / 3
    factor = conversion("[ppb]", "ug/m3", 46.0055).factor
    assert _there_and_back(mean, factor, 0.0) != mean


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_none(value: float) -> None:
    found = as_sent(np.array([value]), 0.001, 0.0)[0]
    assert not np.isfinite(found)


def test_a_tiny_decimal_beside_a_great_addend_is_not_taken_for_its_neighbour() -> None:
    assert _there_and_back(1e-05, 1.0, -273.15) == 1e-05
