"""Readings are held against the limit in force when their window begins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from devices.dated_limit import DatedLimit, always, of_regulation
from devices.profiles import kept_by
from ingest.aggregation.fleet import Kind, Slot
from ingest.aggregation.partial_windows import Work
from ingest.aggregation.store import Observations

NEW_YEAR_US = 1_767_200_400_000_000  # 2025-12-31T17:00Z, midnight in Hoi An
MINUTE_US = 60_000_000


def test_the_limit_of_fine_dust_changes_at_the_local_midnight_of_2026() -> None:
    limit = of_regulation("pm25", "P1D")
    assert limit is not None

    values = limit.at(np.array([0, NEW_YEAR_US - 1, NEW_YEAR_US]))

    assert values.tolist() == [np.inf, 50, 45]
    assert limit.on(datetime(2023, 1, 1, tzinfo=UTC)) is None
    assert limit.on(datetime(2026, 1, 1, tzinfo=UTC)) == 45


def test_a_limit_that_ends_without_a_next_one_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in of_rows() if row.first.year == 2023]
    monkeypatch.setattr("devices.dated_limit.load_limits", lambda: tuple(rows))

    limit = of_regulation("pm25", "P1D")

    assert limit is not None
    assert limit.value == (50, np.inf)
    assert of_regulation("pm25", "PT1H") is None


def of_rows() -> tuple[Any, ...]:
    from devices.environment.limits import load_limits  # noqa: PLC0415 - under its own name it is replaced above

    return load_limits()


def test_stations_keep_exceedances_of_what_the_regulation_limits() -> None:
    kept = {name: kept_by("air-station", name, name) for name in ("pm25", "pm10", "no2", "so2", "co", "o3")}

    assert all("exceedance" in keeps for keeps, _ in kept.values())
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert {name: limit.on(now) for name, (_, limit) in kept.items() if limit} == {
        "pm25": 45,
        "pm10": 100,
        "no2": 200,
        "so2": 350,
        "co": 30_000,
        "o3": 200,
    }


@pytest.mark.parametrize(
    ("limit", "above"), [(of_regulation("pm25", "P1D"), [1, 2]), (always(60), [0, 1]), (None, [0, 0])]
)
def test_each_quarter_counts_by_the_limit_of_its_time(limit: DatedLimit | None, above: list[int]) -> None:
    slot = Slot(0, 300, ("exceedance",), "pm25", limit)
    times = NEW_YEAR_US + MINUTE_US * np.array([-10, -5, 0, 5, 10])
    value = np.array([[47.0], [52.0], [47.0], [61.0], [44.0]])
    nothing = np.zeros(value.shape, dtype=np.bool_)

    windows = Work(Kind((slot,))).quarters(
        Observations(np.ones(5, dtype=np.int32), times, times, value, nothing, quality=None)
    )

    assert windows.partials["above"].tolist() == above
