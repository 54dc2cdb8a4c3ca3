"""Randomness without state: numbers drawn by hashing (key, index), so that any moment can be asked for first.

A key is one 64-bit number, or an array of them, one an element: then every element draws from a source of its own, and
gets the very numbers it would get alone.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from simulators.signals.exact import exp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.signals import FloatArray, Parameter

Key: TypeAlias = "int | NDArray[np.uint64]"
"""Where randomness comes from: 0 <= key < 2**64, or such keys, shape (n,)."""

_GOLDEN: Final = 0x9E3779B97F4A7C15  # splitmix64, Steele, Lea and Flood 2014
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
_MASK: Final = 0xFFFFFFFFFFFFFFFF
_SQRT3: Final = sqrt(3.0)
_NORMAL_FROM_MEAN: Final = 30.0  # from here on no histogram tells a Poisson law from a normal one


@lru_cache(maxsize=65_536)
def key_of(seed: int, *names: str) -> int:
    """A 64-bit key for a named source of randomness; equal on every machine."""
    text = "\x1f".join((str(seed), *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def derive(key: Key, what: str) -> Key:
    """The key of one of several sources that belong to the same thing, or things."""
    salt = key_of(0, what)
    if isinstance(key, int):
        return _mix_int(((key ^ salt) + _GOLDEN) & _MASK)
    return _mix((key ^ np.uint64(salt)) + np.uint64(_GOLDEN))


def numbered(key: int, number: Parameter) -> Key:
    """The key of one of a row of sources, such as the lanes of a field that drifts by; `number` is whole."""
    if isinstance(number, float):
        return _mix_int((int(number) * _GOLDEN + key) & _MASK)
    return _hash(key, np.asarray(number).astype(np.int64))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MIX_1)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MIX_2)
    return x ^ (x >> np.uint64(31))


def _mix_int(x: int) -> int:
    x = (x ^ (x >> 30)) * _MIX_1 & _MASK
    x = (x ^ (x >> 27)) * _MIX_2 & _MASK
    return x ^ (x >> 31)


def _hash(key: Key, index: NDArray[np.int64]) -> NDArray[np.uint64]:
    added = np.uint64(key) if isinstance(key, int) else key
    return _mix(index.astype(np.uint64) * np.uint64(_GOLDEN) + added)


def uniform(key: Key, index: NDArray[np.int64]) -> FloatArray:
    """Independent draws, 0 <= u < 1, one for each index."""
    # 53 bits: what a float64 holds exactly.
    return (_hash(key, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw(key: int, index: int = 0) -> float:
    """A single draw, 0 <= u < 1; the same as `uniform` gives."""
    return (_mix_int((index * _GOLDEN + key) & _MASK) >> 11) * 2.0**-53


def gaussian(key: Key, index: NDArray[np.int64]) -> FloatArray:
    """Independent draws, mean 0, deviation 1, never beyond 3.5: sums of four uniforms, near to a normal law."""
    total = np.zeros(index.shape)
    for part in range(4):
        salt = 0x5851F42D4C957F2D * (part + 1) & _MASK
        total += uniform(key ^ salt if isinstance(key, int) else key ^ np.uint64(salt), index)
    centred: FloatArray = (total - 2.0) * _SQRT3
    return centred


def smooth(key: Key, times_s: FloatArray, period_s: float) -> FloatArray:
    """A wandering signal, mean 0, mostly within -1..1 and always within -2.5..2.5.

    Draws stand `period_s` apart and are joined without a kink; a second octave adds detail.
    """
    salt = 0x6A09E667F3BCC909
    second = key ^ salt if isinstance(key, int) else key ^ np.uint64(salt)
    return 0.8 * _octave(key, times_s, period_s) + 0.4 * _octave(second, times_s, period_s / 3.0)


def _octave(key: Key, times_s: FloatArray, period_s: float) -> FloatArray:
    position = times_s / period_s
    index = np.floor(position).astype(np.int64)
    x = position - index
    weight = x * x * (3.0 - 2.0 * x)
    left, right = _neighbours(key, index)
    # Between two draws the variance sinks to a half; 1.6 gives back the mean variance a wandering signal should have.
    return 1.6 * (left + (right - left) * weight)


def _neighbours(key: Key, index: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """The draws at each index and at the one after it, -1..1."""
    if not index.size:
        return np.zeros(0), np.zeros(0)
    if isinstance(key, int):
        first = int(index.min())
        span = int(index.max()) - first + 2
        if span <= 2 * index.size:
            # Neighbouring times share their draws: make each of them once.
            draws = 2.0 * uniform(key, np.arange(first, first + span)) - 1.0
            return draws[index - first], draws[index - first + 1]
    return 2.0 * uniform(key, index) - 1.0, 2.0 * uniform(key, index + 1) - 1.0


def poisson(key: Key, index: NDArray[np.int64], mean: FloatArray) -> FloatArray:
    """Independent counts with the given means (>= 0), whole numbers >= 0.

    Small means by inverting the exact law, large ones by the normal law of the same mean and variance.
    """
    counts = np.maximum(np.rint(mean + np.sqrt(mean) * gaussian(key, index)), 0.0)
    small = mean <= _NORMAL_FROM_MEAN
    if small.any():
        counts[small] = _poisson_small(uniform(key, index)[small], mean[small])
    return counts


def _poisson_small(u: FloatArray, mean: FloatArray) -> FloatArray:
    counts = np.zeros(mean.shape)
    term = exp(-mean)
    cumulative = term.copy()
    for n in range(1, 80):  # P(N > 80) < 1e-12 for a mean of 30
        beyond = u >= cumulative
        if not beyond.any():
            break
        counts[beyond] = n
        term = term * mean / n
        cumulative = cumulative + term
    return counts
