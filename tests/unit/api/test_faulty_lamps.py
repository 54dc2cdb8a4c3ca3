"""How many lamps are at fault: silent ones are told apart, and where none speaks there is no number."""

from __future__ import annotations

import numpy as np
import pytest

from api.operations.lighting import faulty_lamps
from devices.lighting import faults

NOW_US = 1_763_910_000_000_000
SILENT, HIDDEN = faults.COMMUNICATION, faults.SUPPRESSED


@pytest.mark.parametrize(
    ("bits", "judged", "value", "level", "silent"),
    [
        ([0, SILENT, SILENT], [True, False, False], 0, ("none", 0), 2),
        ([faults.CYCLING, SILENT], [True, False], 1, ("faults", 1), 1),
        ([faults.LAMP_FAILURE | faults.CYCLING, 0], [True, True], 1, ("faults", 2), 0),
        ([HIDDEN, HIDDEN | faults.DAY_BURNING, 0], [True, True, True], 1, ("faults", 1), 0),
    ],
)
def test_lamps_with_a_fault_of_their_own_are_counted(
    bits: list[int], judged: list[bool], value: int, level: tuple[str, int], silent: int
) -> None:
    found = faulty_lamps(np.array(bits, np.uint16), np.array(judged), NOW_US)

    assert (found["value"], found["reason"]) == (value, None)
    assert found["level"] is not None
    assert (found["level"]["id"], found["level"]["severity"]) == level
    assert found["detail"] is not None
    assert (found["detail"]["silent"], "communication" in found["detail"]["by_fault"]) == (silent, False)


@pytest.mark.parametrize(("bits", "reason"), [([], "no-reading"), ([SILENT, HIDDEN], "not-current")])
def test_where_no_lamp_speaks_there_is_neither_a_number_nor_a_level(bits: list[int], reason: str) -> None:
    found = faulty_lamps(np.array(bits, np.uint16), np.zeros(len(bits), np.bool_), NOW_US)

    assert (found["value"], found["level"], found["reason"]) == (None, None, reason)
