"""The demo's fleet, built once for all tests of the simulators."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from simulators.scenario import Events, load_scenario
from simulators.siting import build_fleet

if TYPE_CHECKING:
    from simulators.fleet import SimulatedDevice


@pytest.fixture(scope="session")
def fleet() -> tuple[SimulatedDevice, ...]:
    # Without what happens to it: that has tests of its own.
    scenario = load_scenario("demo").model_copy(update={"events": Events(), "faults": ()})
    return build_fleet(scenario, date(2026, 11, 20))


@pytest.fixture(scope="session")
def by_profile(fleet: tuple[SimulatedDevice, ...]) -> dict[str, list[SimulatedDevice]]:
    groups: dict[str, list[SimulatedDevice]] = {}
    for device in fleet:
        groups.setdefault(device.profile.profile_id, []).append(device)
    return groups
