"""The newest whole bands of day and night, and what of them was observed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from api.operations.noise import HOURS, band_of, last_bands
from api.windows import LOCAL_ZONE
from devices.environment.averaging import averaging_on


@pytest.mark.parametrize("hour", range(24))
def test_a_band_is_whole_and_of_one_day_at_any_hour(hour: int) -> None:
    now = datetime(2026, 3, 4, hour, tzinfo=LOCAL_ZONE)
    first_s = int((now - timedelta(hours=HOURS)).timestamp())

    places = last_bands(first_s, HOURS, averaging_on(now.date()).noise)

    for name, (begin, length) in {"day": (6, 15), "night": (21, 9)}.items():
        hours = [datetime.fromtimestamp(first_s + 3600 * int(at), UTC).astimezone(LOCAL_ZONE) for at in places[name]]
        assert (hours[0].hour, len(hours), hours[-1] - hours[0]) == (begin, length, timedelta(hours=length - 1))
        assert timedelta(0) <= now - hours[0] - timedelta(hours=length) < timedelta(days=1)


def test_a_band_observed_too_little_has_no_level_and_says_so() -> None:
    energy, count = np.full((3, 4), 1e6) * 60, np.full((3, 4), 60.0)
    share = np.array([[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.9, 0.0], [0.0] * 4])

    band = band_of(energy * (share > 0), count * (share > 0), share, np.arange(4), 0.75)

    np.testing.assert_allclose(band.laeq, [60.0, np.nan, np.nan])
    assert [band.reason(row) for row in range(3)] == [None, "too-few-readings", "no-reading"]
    assert band.coverage.tolist() == pytest.approx([0.75, 0.725, 0.0])
