"""How long the worker waits between two folds."""

from __future__ import annotations

import pytest

from ingest.background import fold_pause_s


@pytest.mark.parametrize(
    ("took_s", "pause_s"),
    [
        ([0.0], 0.05),  # nothing was folded yet
        ([0.01, 0.01, 0.01, 0.01], 0.05),
        ([0.03, 0.05, 0.03, 0.04], 0.12),  # folding takes a fifth of the time
        ([0.02, 0.9, 0.03, 0.02], 0.08),  # one fold met a checkpoint
        ([0.5, 0.4, 0.6, 0.5], 0.3),  # a slow machine: live push follows all the same
    ],
)
def test_it_waits_four_times_the_shortest_of_the_newest_folds_within_bounds(
    took_s: list[float], pause_s: float
) -> None:
    assert fold_pause_s(took_s, 0.05) == pytest.approx(pause_s)
