"""Randomness without state: numbers drawn by hashing (key, index), so that any moment can be asked for first."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.signals import FloatArray

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)  # splitmix64, Steele, Lea and Flood 2014
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_NORMAL_FROM_MEAN: Final = 30.0  # from here on no histogram tells a Poisson law from a normal one


@lru_cache(maxsize=65_536)
def key_of(seed: int, *names: str) -> int:
    """A 64-bit key for a named source of randomness; equal on every machine."""
    text = "\x1f".join((str(seed), *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _hash(key: int, index: NDArray[np.int64]) -> NDArray[np.uint64]:
    x = index.astype(np.uint64) * _GOLDEN + np.uint64(key)
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def uniform(key: int, index: NDArray[np.int64]) -> FloatArray:
    """Independent draws, 0 <= u < 1, one for each index."""
    # 53 bits: what a float64 holds exactly.
    return (_hash(key, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def gaussian(key: int, index: NDArray[np.int64]) -> FloatArray:
    """Independent draws, mean 0, deviation 1, never beyond 3.5: sums of four uniforms, near to a normal law."""
    total = np.zeros(index.shape)
    for part in range(4):
        total += uniform(key ^ (0x5851F42D4C957F2D * (part + 1) & 0xFFFFFFFFFFFFFFFF), index)
    centred: FloatArray = (total - 2.0) * 3.0**0.5
    return centred


def smooth(key: int, times_s: FloatArray, period_s: float) -> FloatArray:
    """A wandering signal, mean 0, mostly within -1..1 and always within -2.5..2.5.

    Draws stand `period_s` apart and are joined without a kink; a second octave adds detail.
    """
    return 0.8 * _octave(key, times_s, period_s) + 0.4 * _octave(key ^ 0x6A09E667F3BCC909, times_s, period_s / 3.0)


def _octave(key: int, times_s: FloatArray, period_s: float) -> FloatArray:
    position = times_s / period_s
    index = np.floor(position).astype(np.int64)
    x = position - index
    weight = x * x * (3.0 - 2.0 * x)
    left, right = _neighbours(key, index)
    # Between two draws the variance sinks to a half; 1.6 gives back the mean variance a wandering signal should have.
    return 1.6 * (left + (right - left) * weight)


def _neighbours(key: int, index: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """The draws at each index and at the one after it, -1..1."""
    if not index.size:
        return np.zeros(0), np.zeros(0)
    first = int(index.min())
    span = int(index.max()) - first + 2
    if span > 2 * index.size:
        return 2.0 * uniform(key, index) - 1.0, 2.0 * uniform(key, index + 1) - 1.0
    # Neighbouring times share their draws: make each of them once.
    draws = 2.0 * uniform(key, np.arange(first, first + span)) - 1.0
    return draws[index - first], draws[index - first + 1]


def poisson(key: int, index: NDArray[np.int64], mean: FloatArray) -> FloatArray:
    """Independent counts with the given means (>= 0), whole numbers >= 0.

    Small means by inverting the exact law, large ones by the normal law of the same mean and variance.
    """
    counts = np.maximum(np.rint(mean + np.sqrt(mean) * gaussian(key, index)), 0.0)
    small = mean <= _NORMAL_FROM_MEAN
    if small.any():
        counts[small] = _poisson_small(uniform(key, index[small]), mean[small])
    return counts


def _poisson_small(u: FloatArray, mean: FloatArray) -> FloatArray:
    counts = np.zeros(mean.shape)
    term = np.exp(-mean)
    cumulative = term.copy()
    for n in range(1, 80):  # P(N > 80) < 1e-12 for a mean of 30
        beyond = u >= cumulative
        if not beyond.any():
            break
        counts[beyond] = n
        term = term * mean / n
        cumulative = cumulative + term
    return counts
