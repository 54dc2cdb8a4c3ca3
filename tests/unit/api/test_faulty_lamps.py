"""How many lamps are at fault: silent ones are told apart, and where none speaks there is no number."""

from __future__ import annotations

import numpy as np
import pytest

from api.operations.lighting_lamp_lines import PlainLamps, faults_line, silence_line
from api.operations.lighting_lamps import faulty_lamps
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


def lamps_of_a_site(bits: list[int]) -> PlainLamps:
    many = len(bits)
    judged = [not each & (SILENT | HIDDEN) for each in bits]
    newest_s = [NOW_US / 1e6 - (30.0 if speaks else 1_800.0) for speaks in judged]
    names = [f"lamp-{at}" for at in range(many)]
    states = [0] * many
    none = [False] * many
    boxes: list[str | None] = ["box"] * many
    return PlainLamps(
        names, bits, newest_s, judged, [64.0] * many, ("learnt",) * many, states, states, states, states, none, boxes
    )


@pytest.mark.parametrize(
    ("bits", "value", "reason", "silent", "coverage"),
    [
        ([0, SILENT], 0, None, 1, 0.5),
        ([faults.LAMP_FAILURE, SILENT, SILENT, 0], 1, None, 2, 0.5),
        ([SILENT, SILENT], None, "not-current", 2, 0.0),
        ([HIDDEN, HIDDEN], None, "cabinet-out", 2, 0.0),
    ],
)
def test_a_silent_lamp_of_a_site_is_no_faulty_one(
    bits: list[int], value: int | None, reason: str | None, silent: int, coverage: float
) -> None:
    plain, rows = lamps_of_a_site(bits), list(range(len(bits)))

    found, silence = faults_line(plain, rows, NOW_US), silence_line(plain, rows, NOW_US)

    assert (found["value"], found["reason"], found["coverage"]) == (value, reason, coverage)
    assert found["detail"] is not None
    assert not [lamp for lamp in found["detail"]["lamps"] if "communication" in lamp["faults"]]
    assert [lamp["silent"] for lamp in found["detail"]["lamps"]].count(True) == silent
    assert silence["level"] is not None
    assert (silence["value"], silence["level"]["id"], silence["formula"]) == (silent, "silent", "lighting.silence/1")
