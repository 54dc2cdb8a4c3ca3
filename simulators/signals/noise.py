"""Randomness without state: numbers drawn by hashing (key, index), so that any moment can be asked for first."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.signals import FloatArray

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)  # splitmix64, Steele, Lea and Flood 2014
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


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
    """Independent draws, mean 0, standard deviation 1, never beyond 3.5: the sum of four uniforms, near enough to a normal law."""
    total = np.zeros(index.shape)
    for part in range(4):
        total += uniform(key ^ (0x5851F42D4C957F2D * (part + 1) & 0xFFFFFFFFFFFFFFFF), index)
    return (total - 2.0) * 3.0**0.5


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
    left = 2.0 * uniform(key, index) - 1.0
    right = 2.0 * uniform(key, index + 1) - 1.0
    # Between two draws the variance sinks to a half; 1.6 gives back the mean variance a wandering signal should have.
    return 1.6 * (left + (right - left) * weight)


def poisson(key: int, index: NDArray[np.int64], mean: FloatArray) -> FloatArray:
    """Independent counts with the given means (>= 0), whole numbers >= 0.

    Small means by inverting the exact law, large ones (> 30) by the normal law with the same mean and variance, which no histogram can tell apart.
    """
    counts = np.maximum(np.rint(mean + np.sqrt(mean) * gaussian(key, index)), 0.0)
    small = mean <= 30.0
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
