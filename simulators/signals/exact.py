"""Elementary functions from IEEE 754 basic operations alone: the same bits on every machine.

numpy's own cos, exp and log come from the C library or from vector code chosen by the processor at run time, and
differ in the last bit between machines. Sums, products, quotients, square roots and rounding do not, and elementwise
numpy never fuses them. Every function here is made of those, good to a few units in the last place.
"""

from __future__ import annotations

from math import factorial, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from simulators.signals import FloatArray

_TERMS: Final = 14


def _cosine_coefficients() -> tuple[float, ...]:
    # By products, since a power would again come from the C library.
    coefficients, power = [], 1.0
    for k in range(_TERMS):
        coefficients.append(power / factorial(2 * k))
        power *= -(2.0 * 3.141592653589793) * (2.0 * 3.141592653589793)
    return tuple(coefficients)


_COS: Final = _cosine_coefficients()
"""cos(2 pi u) = sum of _COS[k] u^2k; on 0..1/4 the first term left out is below 1e-19."""
_EXP: Final = tuple(1.0 / factorial(k) for k in range(15))
_LN2_HIGH: Final = 0.6931471803691238  # the last bits are zero, so that whole multiples are exact
_LN2_LOW: Final = 1.9082149292705877e-10
_LN10: Final = 2.302585092994046
_HALF_SQRT2: Final = sqrt(0.5)
_QUARTER: Final = 0.25
_ARCSIN: Final = tuple(factorial(2 * k) / (4**k * factorial(k) ** 2 * (2 * k + 1)) for k in range(17))
MAX_ARCSIN: Final = 0.3


def _polynomial(coefficients: tuple[float, ...], x: FloatArray) -> FloatArray:
    """Horner's rule; coefficients from the constant upwards."""
    total = np.full(x.shape, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total *= x
        total += coefficient
    return total


def cos_turns(turns: FloatArray) -> FloatArray:
    """Cosine of an angle in whole turns: cos(2 pi u)."""
    u = np.asarray(turns, dtype=np.float64)
    part = np.abs(u - np.rint(u))
    folded = np.minimum(part, 0.5 - part)
    cosine = _polynomial(_COS, folded * folded)
    return np.where(part > _QUARTER, -cosine, cosine)


def sin_turns(turns: FloatArray) -> FloatArray:
    """Sine of an angle in whole turns: sin(2 pi u)."""
    return cos_turns(np.asarray(turns, dtype=np.float64) - _QUARTER)


def exp(x: FloatArray) -> FloatArray:
    """The exponential, for |x| up to 700; beyond it the value at 700."""
    x = np.clip(np.asarray(x, dtype=np.float64), -700.0, 700.0)
    twos = np.rint(x / _LN2_HIGH)
    rest = (x - twos * _LN2_HIGH) - twos * _LN2_LOW
    result: FloatArray = np.ldexp(_polynomial(_EXP, rest), twos.astype(np.int32))
    return result


def log(x: FloatArray) -> FloatArray:
    """The natural logarithm of positive numbers."""
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    low = mantissa < _HALF_SQRT2
    mantissa = np.where(low, 2.0 * mantissa, mantissa)
    twos = exponent - low
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    series = np.full(square.shape, 1.0 / 23.0)
    for odd in range(21, 0, -2):
        series = series * square + 1.0 / odd
    result: FloatArray = twos * _LN2_HIGH + (2.0 * s * series + twos * _LN2_LOW)
    return result


def log10(x: FloatArray) -> FloatArray:
    """The common logarithm of positive numbers."""
    return log(x) / _LN10


def power(base: FloatArray, exponent: float) -> FloatArray:
    """A power of numbers >= 0; 0 stays 0 (exponent > 0)."""
    positive = np.maximum(base, 1e-300)  # so that the logarithm has an answer where it is not asked for
    return np.where(base > 0.0, exp(exponent * log(positive)), 0.0)


def bell(x: FloatArray) -> FloatArray:
    """exp(-x^2): 1 at 0, 0.37 at 1, 0.02 at 2."""
    return exp(-(x * x))


def arcsin_small(x: FloatArray) -> FloatArray:
    """Arc sine, radians, of numbers within -MAX_ARCSIN..MAX_ARCSIN: as far as its series is exact."""
    return x * _polynomial(_ARCSIN, x * x)


def interpolate(x: FloatArray, knots: FloatArray, values: FloatArray) -> FloatArray:
    """Straight lines between (knots, values), constant outside; knots rise."""
    index = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, knots.size - 2)
    part = np.clip((x - knots[index]) / (knots[index + 1] - knots[index]), 0.0, 1.0)
    result: FloatArray = values[index] + (values[index + 1] - values[index]) * part
    return result
