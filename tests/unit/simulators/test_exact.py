"""Our elementary functions against those of the C library."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.signals import exact

if TYPE_CHECKING:
    from collections.abc import Callable


def _one(function: Callable[[np.ndarray], np.ndarray], x: float) -> float:
    return float(function(np.array([x]))[0])


@given(st.floats(-1e5, 1e5))
def test_sine_and_cosine_of_turns(turns: float) -> None:
    part = turns - round(turns)
    assert _one(exact.cos_turns, turns) == pytest.approx(math.cos(2.0 * math.pi * part), abs=2e-15)
    # A quarter turn less is rounded to what a number of this size can hold.
    assert _one(exact.sin_turns, turns) == pytest.approx(math.sin(2.0 * math.pi * part), abs=2e-15 + 1e-15 * abs(turns))


@given(st.floats(-700.0, 700.0))
def test_the_exponential(x: float) -> None:
    assert _one(exact.exp, x) == pytest.approx(math.exp(x), rel=1e-14)


@given(st.floats(1e-300, 1e300))
def test_the_logarithms(x: float) -> None:
    assert _one(exact.log, x) == pytest.approx(math.log(x), rel=1e-14, abs=1e-15)
    assert _one(exact.log10, x) == pytest.approx(math.log10(x), rel=1e-14, abs=1e-15)


@given(st.floats(0.0, 1e6), st.floats(0.1, 3.0))
def test_powers(base: float, exponent: float) -> None:
    assert float(exact.power(np.array([base]), exponent)[0]) == pytest.approx(base**exponent, rel=1e-13, abs=1e-30)


@given(st.floats(-exact.MAX_ARCSIN, exact.MAX_ARCSIN))
def test_the_arc_sine_of_small_numbers(x: float) -> None:
    assert _one(exact.arcsin_small, x) == pytest.approx(math.asin(x), rel=1e-14, abs=1e-300)


@given(st.lists(st.integers(-1_000, 1_000), min_size=2, max_size=9, unique=True), st.floats(-2e3, 2e3))
def test_straight_lines_between_knots(knots: list[int], x: float) -> None:
    at = np.array(sorted(knots), dtype=float)
    values = np.arange(at.size) * 3.0 - 4.0
    expected = float(np.interp(x, at, values))
    assert float(exact.interpolate(np.array([x]), at, values)[0]) == pytest.approx(expected, abs=1e-9)
