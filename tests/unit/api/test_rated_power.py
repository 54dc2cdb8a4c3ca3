"""Where the rated power of a lamp is from: registered, of its profile, learnt from its days, or not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from api.operations import lighting_fleet
from api.operations.fleet import Fleet, FleetDevice, FleetSite, Stream
from api.operations.history import SlotWindows
from api.operations.lighting_fleet import DAY_S, RATED_DAYS, rated_powers
from devices.lighting.rules import rules_of
from devices.profiles import load_catalogue

if TYPE_CHECKING:
    import pytest

FIRST_S = 1_766_966_400
DAYS = np.arange(RATED_DAYS)


def lamp(number: int, profile: str, rated_w: float | None) -> FleetDevice:
    return FleetDevice(f"lamp-{number}", f"Lamp {number}", profile, 300, 0, -1, rated_w)


def fleet_of(*devices: FleetDevice) -> Fleet:
    site = FleetSite(1, "site", "Site", "pole", 15.88, 108.33, tuple(range(len(devices))))
    streams = []
    for profile in sorted({device.profile for device in devices}):
        at = np.flatnonzero([device.profile == profile for device in devices])
        streams += [
            Stream(profile, 0, "level", "light-level", "%", 300, None, "end", at),
            Stream(profile, 1, "power", "active-power", "W", 300, None, "end", at),
        ]
    return Fleet(1, np.arange(len(devices), dtype=np.int32), devices, (site,), tuple(streams), 2, {"site": 0})


def days_of(lamps: dict[int, float]) -> SlotWindows:
    """Whole days in which lamps burned in full and drew so much."""
    at, slot, starts, highest = [], [], [], []
    for device, watts in lamps.items():
        for of_slot, value in ((0, 100.0), (1, watts)):
            at += [device] * RATED_DAYS
            slot += [of_slot] * RATED_DAYS
            starts += (FIRST_S + DAYS * DAY_S).tolist()
            highest += [value] * RATED_DAYS
    count = np.full(len(at), 288.0)
    return SlotWindows(np.array(at), np.array(slot), np.array(starts), count, {"max": np.array(highest)})


def test_the_power_registered_goes_before_that_of_the_profile_and_that_before_the_learnt_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = load_catalogue()
    luminaire = replace(known["motion-luminaire"], rated_power_w=58.0)
    catalogue = MappingProxyType({**known, "motion-luminaire": luminaire})
    monkeypatch.setattr(lighting_fleet, "load_catalogue", lambda: catalogue)
    fleet = fleet_of(
        lamp(0, "lamp-controller", 64.0),
        lamp(1, "lamp-controller", None),
        lamp(2, "motion-luminaire", 40.0),
        lamp(3, "motion-luminaire", None),
        lamp(4, "lamp-controller", None),
    )

    found = rated_powers(fleet, days_of({0: 90.0, 1: 90.0, 3: 90.0}), FIRST_S, np.arange(5), rules_of(date(2026, 1, 1)))

    assert found.source == ("device", "learnt", "device", "profile", None)
    np.testing.assert_allclose(found.watts, [64.0, 90.0, 40.0, 58.0, np.nan])
