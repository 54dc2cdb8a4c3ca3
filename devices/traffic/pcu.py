"""Passenger car units: a second look at the counts by class, computed again whenever the coefficients change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
from pydantic import Field, model_validator

from devices.figures import Figures, FloatArray, Missing, figures
from devices.tables import DatedEntry, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from typing import Self

FORMULA: Final = "traffic.pcu-flow/1"
DEFAULT_SET: Final = "tcvn-4054-2005-flat"
_HOUR_S: Final = 3600.0


class PcuSet(DatedEntry):
    """Coefficients of one source: passenger car units a vehicle, by class."""

    id: str
    source: str
    grade: Literal["V", "V2", "U"]
    coefficients: dict[str, Annotated[float, Field(gt=0, le=20)] | None]  # None: the source has none for this class

    @model_validator(mode="after")
    def _a_car_is_the_unit(self) -> Self:
        if self.coefficients.get("car") != 1:
            raise ValueError("coefficients: a car is the unit, so its coefficient is 1")
        return self


@cache
def load_pcu_sets() -> tuple[PcuSet, ...]:
    """All sets, read once."""
    return tuple(read_table("traffic", "pcu.yaml", list[PcuSet]))


def sets_on(day: date) -> list[str]:
    """The ids of the sets that hold on a local day."""
    return sorted(entry.id for entry in load_pcu_sets() if entry.holds_on(day))


def pcu_set(day: date, set_id: str = DEFAULT_SET) -> PcuSet:
    """The set of this id that holds on a local day.

    Raises:
        LookupError: there is none.
    """
    found = next((entry for entry in load_pcu_sets() if entry.id == set_id and entry.holds_on(day)), None)
    if found is None:
        raise LookupError(f"no coefficients '{set_id}' hold on {day}; there are: {', '.join(sets_on(day))}")
    return found


@dataclass(frozen=True, slots=True)
class PcuFlow:
    """A flow in passenger car units, and what is not in it."""

    flow: Figures  # pcu/h
    uncounted: FloatArray  # vehicles/h of classes without a coefficient; NaN where one of them was not observed


def pcu_flow(count: FloatArray, classes: Sequence[str], period_s: float | FloatArray, coefficients: PcuSet) -> PcuFlow:
    """Sum of the counts by their coefficients, as an hourly rate: sum(n_k pcu_k) 3600 / T.

    Args:
        count: vehicles of the period, NaN: not observed; shape (classes, ...).
        classes: what the first axis means; classes that a detector does not tell apart do not stand here.
        period_s: length of the period, > 0; scalar or of the shape of one class.
        coefficients: passenger car units a vehicle.
    """
    weights = np.array([coefficients.coefficients.get(name) or np.nan for name in classes], np.float64)
    weighed = ~np.isnan(weights)
    hourly = _HOUR_S / np.asarray(period_s, np.float64)
    flow = np.tensordot(weights[weighed], count[weighed], axes=1) * hourly
    there = ~np.isnan(count[weighed])
    nothing = np.full(np.shape(flow), not weighed.any())
    return PcuFlow(
        flow=figures(
            FORMULA,
            "/h",
            flow,
            (Missing.NO_COEFFICIENT, nothing),
            (Missing.NO_READING, ~there.any(axis=0)),
            (Missing.CLASS_MISSING, ~there.all(axis=0)),
        ),
        uncounted=count[~weighed].sum(axis=0) * hourly,
    )
