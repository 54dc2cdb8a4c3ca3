"""Counts by class: rates of the time observed, and the whole only of all classes."""

from __future__ import annotations

import numpy as np
import pytest

from api.operations.fleet import Fleet, FleetDevice, FleetSite, Stream
from api.operations.history import History
from api.operations.traffic_counts import compare_hours, full_rate, hourly, missing_classes, observed_s, zero_states
from devices.traffic.calendars import FLOW_STATES
from devices.traffic.flow import whole_flow

AT = np.arange(1)
STREAMS = tuple(
    Stream("traffic-counter", slot, f"flow-{name}", "vehicle-count", "1", 60, 60, "end", AT)
    for slot, name in enumerate(("motorcycle", "car"))
)
HOUR_S = 1_766_966_400


def history(reports: tuple[int, int], vehicles: tuple[float, float], step_s: int = 3600) -> History:
    """One step of one counter of two classes."""
    count = np.array(reports).reshape(1, 1, 2)
    none = np.full((1, 1, 2), np.nan)
    added = {"sum": np.array(vehicles, np.float64).reshape(1, 1, 2)}
    times = np.zeros((1, 1, 2), np.int64)
    return History(HOUR_S, step_s, AT, count, count * 0, none, none, none, times, added, none[..., None])


def test_each_class_is_a_rate_of_its_own_observed_time() -> None:
    quarter = history((15, 5), (150.0, 50.0), 900)

    rates = hourly(quarter, STREAMS)[..., 0]

    assert rates.tolist() == [[600.0], [600.0]]
    assert observed_s(quarter, STREAMS)[:, 0, 0].tolist() == [900.0, 300.0]
    assert whole_flow(rates).at(0) == (1200.0, None)


def test_a_class_that_is_missing_leaves_no_whole() -> None:
    rates = hourly(history((15, 0), (150.0, 0.0), 900), STREAMS)[..., 0]

    assert whole_flow(rates).at(0) == (None, "class-missing")
    assert missing_classes(np.array([[1.0, 1.0, np.nan], [1.0, np.nan, np.nan]])).tolist() == [0, 3, 1]


def test_hours_of_unlike_coverage_are_compared_by_their_rates() -> None:
    now, week = history((45, 45), (450.0, 450.0)), history((60, 60), (600.0, 600.0))

    found = compare_hours([now, week, history((30, 60), (9.0, 9.0))], STREAMS)

    assert found.of_all.difference.at(0) == (pytest.approx(0.0), None)
    assert (found.of_all.usual.at(0), found.of_all.weeks.tolist()) == ((1200.0, None), [1])
    assert (found.coverage.tolist(), found.end_us) == ([0.75], (HOUR_S + 3600) * 1_000_000)


@pytest.mark.parametrize(
    ("reports", "reason"), [((44, 60), "too-few-readings"), ((60, 0), "class-missing"), ((0, 0), "no-reading")]
)
def test_an_hour_observed_too_little_is_not_compared(reports: tuple[int, int], reason: str) -> None:
    week = history((60, 60), (600.0, 600.0))

    found = compare_hours([history(reports, (440.0, 600.0)), week], STREAMS)

    assert found.of_all.difference.at(0) == (None, reason)


def test_a_window_observed_too_little_has_no_rate() -> None:
    rates = full_rate(np.array([90.0, 90.0, np.nan]), np.array([45.0, 44.0, np.nan]), 60, 3600)

    np.testing.assert_equal(rates, [120.0, np.nan, np.nan])


@pytest.mark.parametrize(
    ("reports", "expected"), [((15, 15), "suspicious-zero"), ((2, 2), "zero"), ((15, 2), "suspicious-zero")]
)
def test_a_zero_is_suspicious_by_what_is_usual_in_the_time_observed(reports: tuple[int, int], expected: str) -> None:
    # 60 an hour of each class: 30 in the quarter hour, 4 in two minutes.
    device = FleetDevice("c", "C", "traffic-counter", 60, 0, -1)
    site = FleetSite(1, "somewhere", "S", "road", 15.5, 108.0, (0,))
    fleet = Fleet(1, np.array([1], np.int32), (device,), (site,), STREAMS, 2)
    quarter = history(reports, (0.0, 0.0), 900)
    usual = np.array([[60.0], [60.0]]) * observed_s(quarter, STREAMS)[..., 0] / 3600

    (state,) = zero_states(fleet, AT, ("motorcycle", "car"), np.zeros((2, 1)), usual, HOUR_S).tolist()

    assert FLOW_STATES[state] == expected
