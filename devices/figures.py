"""Figures that were computed: their values, how they were obtained and, where there is none, why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from devices.models import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = "NDArray[np.float64]"
BoolArray: TypeAlias = "NDArray[np.bool_]"
CodeArray: TypeAlias = "NDArray[np.uint8]"

UNKNOWN: Final = 255
"""In an array of places in a list of words: none of them, since it cannot be told."""


class Missing(IntEnum):
    """Why a figure has no value; 0 where it has one."""

    PRESENT = 0
    NO_READING = 1
    NO_VEHICLES = 2
    CLASS_MISSING = 3
    NO_FREE_FLOW_SPEED = 4
    TOO_FEW_READINGS = 5
    NO_HISTORY = 6
    NOT_COMMANDED = 7
    NO_RATED_POWER = 8
    NO_METER = 9
    NO_COEFFICIENT = 10
    NOT_LIT = 11
    NOT_COMPUTABLE = 12

    @property
    def code(self) -> str:
        """As the API says it: `no-reading`."""
        return self.name.lower().replace("_", "-")


MISSING_TEXTS: Final[Mapping[Missing, Bilingual]] = MappingProxyType(
    {
        Missing.PRESENT: Bilingual("Có giá trị", "There is a value"),
        Missing.NO_READING: Bilingual("Không có số liệu", "Nothing was observed"),
        Missing.NO_VEHICLES: Bilingual("Không có xe đi qua", "No vehicle passed"),
        Missing.CLASS_MISSING: Bilingual("Thiếu số liệu của một loại xe", "The count of a vehicle class is missing"),
        Missing.NO_FREE_FLOW_SPEED: Bilingual(
            "Chưa có tốc độ dòng tự do", "The free-flow speed of the site is not known"
        ),
        Missing.TOO_FEW_READINGS: Bilingual("Quá ít số liệu", "Too few readings"),
        Missing.NO_HISTORY: Bilingual("Chưa có số liệu các tuần trước", "Nothing to compare with in the past weeks"),
        Missing.NOT_COMMANDED: Bilingual("Đèn không có lệnh bật", "The lamp was not told to burn"),
        Missing.NO_RATED_POWER: Bilingual("Chưa biết công suất định mức", "The rated power is not known"),
        Missing.NO_METER: Bilingual("Không có công tơ", "There is no meter"),
        Missing.NO_COEFFICIENT: Bilingual("Không có hệ số quy đổi", "No class has a coefficient"),
        Missing.NOT_LIT: Bilingual("Đèn không sáng", "The lamp did not burn"),
        Missing.NOT_COMPUTABLE: Bilingual("Không tính được", "It cannot be computed"),
    }
)


@dataclass(frozen=True, slots=True)
class Figures:
    """One figure for each of many things."""

    formula: str  # id in devices.formulas
    unit: str  # UCUM
    value: FloatArray  # NaN: none
    missing: CodeArray  # Missing, of the same shape

    def at(self, *place: int) -> tuple[float | None, str | None]:
        """The value of one thing, or None and the code of the reason."""
        reason = Missing(int(self.missing[place]))
        if reason is Missing.PRESENT:
            return float(self.value[place]), None
        return None, reason.code


def ratio(top: ArrayLike, bottom: ArrayLike) -> FloatArray:
    """Top / bottom, NaN where the bottom is not above 0 or either is NaN; both broadcast."""
    above, below = np.broadcast_arrays(np.asarray(top, np.float64), np.asarray(bottom, np.float64))
    with np.errstate(over="ignore"):
        return np.asarray(np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0), np.float64)


def figures(formula: str, unit: str, value: FloatArray, *reasons: tuple[Missing, ArrayLike]) -> Figures:
    """Figures whose values hold where no reason stands against them.

    Args:
        formula: id of the formula.
        unit: UCUM code of the values.
        value: any shape; its elements at a reason are of no account.
        reasons: why elements are missing, of shapes that broadcast to the value's; of several the first one holds.

    Returns:
        What is not finite although no reason stands against it (an overflow) is missing as not computable.
    """
    shape = np.shape(value)
    missing = np.zeros(shape, np.uint8)
    for reason, where in reversed(reasons):
        missing[np.broadcast_to(where, shape)] = reason
    missing[(missing == 0) & ~np.isfinite(value)] = Missing.NOT_COMPUTABLE
    return Figures(formula=formula, unit=unit, value=np.where(missing == 0, value, np.nan), missing=missing)


def because(made: Figures, missing: CodeArray) -> Figures:
    """Figures that are missing also where what they are made of is, for its reason.

    Args:
        made: the figures.
        missing: codes of `Missing` of what they are made of, of the same shape.
    """
    codes = np.where(missing > 0, missing, made.missing).astype(np.uint8)
    return Figures(made.formula, made.unit, np.where(codes == 0, made.value, np.nan), codes)
