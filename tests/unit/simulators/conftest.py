"""The demo's fleet, built once for all tests of the simulators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulators.scenario import load_scenario
from simulators.siting import build_fleet

if TYPE_CHECKING:
    from simulators.fleet import SimulatedDevice


@pytest.fixture(scope="session")
def fleet() -> tuple[SimulatedDevice, ...]:
    return build_fleet(load_scenario("demo"))


@pytest.fixture(scope="session")
def by_profile(fleet: tuple[SimulatedDevice, ...]) -> dict[str, list[SimulatedDevice]]:
    groups: dict[str, list[SimulatedDevice]] = {}
    for device in fleet:
        groups.setdefault(device.profile.profile_id, []).append(device)
    return groups
