"""Values as the device sent them, had back from values as stored.

stored = sent * factor + addend, in double precision, so the way back is off by some roundings. What devices send is a
decimal of a few digits or a single-precision number, however, and both can be told from a number that is off by so
little: they are had back to the bit. Whether a value is one of them is known when it comes in; any other is kept as
sent beside its observation (docs/decisions, "Values as sent").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECIMALS: Final = 6
"""Digits after the point up to which decimals are had back."""
BELOW: Final = 1e8
"""Size below which such decimals are had back whatever the conversion of the catalogue."""
_SCALE: Final = 10.0**DECIMALS
_NEAR: Final = 4 * np.finfo(np.float64).eps
"""More than the roundings there and back add up to: two of the values, two of the addend."""


def is_plain(sent: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether values are decimals that are surely had back, which nearly all are: a quick look before the exact one.

    A single-precision number that is near such a decimal and not equal to it is off by more than 1 / (5^6 2^24) of it,
    so that the two are never taken for each other.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray((np.rint(sent * _SCALE) / _SCALE == sent) & (np.abs(sent) < BELOW))


def as_sent(
    stored: NDArray[np.float64], factor: float | NDArray[np.float64], addend: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """What was most probably sent: the decimal that gives what is stored, else the single-precision number near.

    Args:
        stored: values in the canonical unit, NaN: none; any shape.
        factor: of the conversion, not 0; broadcast with the values.
        addend: of the conversion; broadcast with the values.

    Returns:
        Values in the unit sent, of the shape of `stored`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        raw = (stored - addend) / factor
        single = raw.astype(np.float32).astype(np.float64)
        near = np.abs(single - raw) <= _NEAR * (np.abs(raw) + np.abs(np.divide(addend, factor)))
        decimal = np.rint(raw * _SCALE) / _SCALE
        # Beside a great addend a tiny decimal and its single-precision neighbour lie within the roundings alike.
        found = np.where(near & (decimal * factor + addend != stored), single, decimal)
    return np.where((np.asarray(factor) == 1) & (np.asarray(addend) == 0), stored, found)
