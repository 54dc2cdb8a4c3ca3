"""The air of a day against its limits: hours, eight hours and the day, each by its own limit and date."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.operations.air_day import BEFORE, of_day

DAY = date(2026, 11, 24)
O3 = np.array(
    [
        15.7, 14.2, 17.7, 18.9, 19.3, 15.7, 19.7, 22.6, 27.1, 29.0, 31.9, 25.3, 34.7, 35.2, 41.6, 45.7,
        49.2, 55.8, 69.6, 78.3, 91.5, 97.7, 81.2, 71.8, 43.5, 34.3, 21.5, 20.5, 19.4, 20.4, 21.3,
    ]
)  # fmt: skip
"""The worked example of QĐ 1459/QĐ-TCMT: hours of the day and the seven before."""
LIMITS = {("so2", "PT1H"): 350.0, ("so2", "P1D"): 125.0, ("co", "PT1H"): 30_000.0, ("co", "PT8H"): 10_000.0}


def by_period(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{line['property']} {line['period']}": line for line in made["detail"]["limits"]}


def test_the_decisions_ozone_keeps_the_limits_of_an_hour_and_of_eight() -> None:
    made = of_day({"o3": O3}, DAY, indicative=False)

    lines = by_period(made)
    assert lines.keys() == {"o3 PT1H", "o3 PT8H"}
    assert lines["o3 PT1H"]["mean"] == 97.7
    assert lines["o3 PT8H"]["mean"] == pytest.approx(74.4, abs=0.05)
    assert made["value"] == pytest.approx(100 * 74.4 / 120, abs=0.05)
    assert made["level"]["id"] == "kept"


def test_of_particles_the_mean_of_the_day_alone_is_held_against_the_limit_of_its_date() -> None:
    hours = np.full(BEFORE + 24, 47.0)
    before, after = (of_day({"pm25": hours}, day, indicative=False) for day in (date(2025, 12, 31), date(2026, 1, 1)))

    assert (before["level"]["id"], after["level"]["id"]) == ("kept", "exceeded")
    assert by_period(after)["pm25 P1D"]["limit"] == 45
    few = np.where(np.arange(BEFORE + 24) < BEFORE + 17, 47.0, math.nan)
    assert of_day({"pm25": few}, DAY, indicative=False)["value"] is None


@given(st.lists(st.none() | st.floats(0, 20_000), min_size=31, max_size=31), st.sampled_from(["so2", "co"]))
def test_a_day_equals_its_plain_reading(hours: list[float | None], name: str) -> None:
    means = {
        "PT1H": [hour for hour in hours[7:] if hour is not None],
        "PT8H": [mean for at in range(24) if (mean := plain_mean(hours[at : at + 8], 6)) is not None],
        "P1D": [mean for mean in [plain_mean(hours[7:], 18)] if mean is not None],
    }
    expected = {
        period: (max(known), sum(mean > LIMITS[name, period] for mean in known))
        for period, known in means.items()
        if known and (name, period) in LIMITS
    }

    made = of_day({name: np.array([math.nan if hour is None else hour for hour in hours])}, DAY, indicative=True)

    found = {line["period"]: (line["mean"], line["times_exceeded"]) for line in made["detail"]["limits"]}
    assert found.keys() == expected.keys()
    for period, (mean, times) in expected.items():
        assert found[period] == (pytest.approx(mean), times)
    assert (made["value"] is None) == (not expected)


def plain_mean(hours: list[float | None], least: int) -> float | None:
    known = [hour for hour in hours if hour is not None]
    return math.fsum(known) / len(known) if len(known) >= least else None
