"""Randomness without state, against what its laws promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.signals.noise import gaussian, key_of, poisson, smooth, uniform

KEYS = st.integers(0, 2**64 - 1)
INDEX = np.arange(200_000)


def test_a_key_is_the_same_on_every_machine() -> None:
    assert key_of(20251117, "rain-cells") == 5532023720096918757
    assert key_of(1, "a", "b") != key_of(1, "ab")


def test_uniform_draws_fill_the_unit_interval_evenly() -> None:
    draws = uniform(key_of(1, "u"), INDEX)
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    counts, _ = np.histogram(draws, bins=20, range=(0.0, 1.0))
    # Chi square with 19 degrees of freedom: 43.8 is passed by one law in a thousand.
    assert ((counts - 10_000.0) ** 2 / 10_000.0).sum() < 43.8
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.01


def test_gaussian_draws_have_mean_nought_and_deviation_one() -> None:
    draws = gaussian(key_of(1, "g"), INDEX)
    assert draws.mean() == pytest.approx(0.0, abs=0.01)
    assert draws.std() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("mean", [0.0, 0.3, 4.0, 29.9, 30.1, 400.0])
def test_counts_have_the_mean_and_variance_of_their_law(mean: float) -> None:
    counts = poisson(key_of(1, "p"), INDEX, np.full(INDEX.shape, mean))
    assert (counts == np.floor(counts)).all()
    assert (counts >= 0.0).all()
    assert counts.mean() == pytest.approx(mean, rel=0.02)
    assert counts.var() == pytest.approx(mean, rel=0.03)


@given(KEYS, st.floats(0, 4e9), st.floats(10, 1e6), st.integers(1, 300), st.floats(0.5, 4_000))
def test_any_slice_of_a_wandering_signal_is_the_same_signal(
    key: int, start_s: float, period_s: float, count: int, step_s: float
) -> None:
    times = start_s + step_s * np.arange(count)
    whole = smooth(key, times, period_s)
    alone = np.concatenate([smooth(key, times[i : i + 1], period_s) for i in range(count)])
    assert (whole == alone).all()
    assert (np.abs(whole) <= 2.5).all()


def test_a_wandering_signal_of_no_times_is_empty() -> None:
    assert smooth(1, np.zeros(0), 60.0).shape == (0,)
