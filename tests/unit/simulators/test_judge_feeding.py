"""The judge takes a lamp's cabinet to be the one registered with it, whoever carries its messages, else its gateway."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from devices.profiles import load_catalogue
from simulators.judge.findings import Findings
from simulators.judge.http import Api
from simulators.judge.indices import Fleet, check_lighting
from simulators.judge.outcomes import Row, Rows
from simulators.judge.payloads import Registered, Stream

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
NOON_US = round(NOON.timestamp() * 1e6)
PHASES = ("voltage-l1", "voltage-l2", "voltage-l3")


def device(name: str, profile_id: str) -> Registered:
    streams = {
        each.name: Stream(each.name, each.property_id, 1.0, 0.0, -1e9, 1e9, {}, 60, 0)
        for each in load_catalogue()[profile_id].datastreams
    }
    return Registered(name, "hoi-an", profile_id, None, 0, False, 60, (15.88, 108.33), streams, f"site-{name}")


BOX, OTHER = device("box-1", "lighting-cabinet"), device("box-2", "lighting-cabinet")
LAMP = device("lamp-1", "lamp-controller")


def said(name: str, _: object) -> Rows:
    """The first cabinet and the lamp are without supply, the other cabinet has it."""
    values = {
        "box-1": dict.fromkeys(PHASES, 0.0),
        "box-2": dict.fromkeys(PHASES, 230.0) | {"circuit": 1.0},
        "lamp-1": {"voltage": 0.0, "level": 0.0, "power": 0.0},
    }[name]
    return {(stream, NOON_US - 5_000_000): Row(value, 0, NOON_US) for stream, value in values.items()}


class Canned(Api):
    """Answers a ranking of lamps and one of cabinets."""

    def __init__(self, fault: str) -> None:
        self.of_lamps = [{"device": "lamp-1", "faults": [fault], "silent": False}]

    def get(self, path: str, **parameters: Any) -> Any:
        told = {
            "lamp-faults": {"site-lamp-1": {"lamps": self.of_lamps}},
            "cabinet-faults": {
                "site-box-1": {"device": "box-1", "faults": ["supply-lost"], "silent": False},
                "site-box-2": {"device": "box-2", "faults": [], "silent": False},
            },
        }[parameters["by"]]
        items = [{"site": {"id": site}, "figure": {"detail": detail}} for site, detail in told.items()]
        return {"generated_time": NOON.isoformat(), "items": items, "next": None}


@pytest.mark.parametrize(
    ("lamp", "fault"),
    [
        (replace(LAMP, fed_by_id="box-1"), "suppressed"),
        (replace(LAMP, fed_by_id="box-1", gateway_id="box-2"), "suppressed"),
        (replace(LAMP, gateway_id="box-1"), "suppressed"),
        (replace(LAMP, fed_by_id="box-2", gateway_id="box-1"), "supply-voltage"),
        (LAMP, "supply-voltage"),
    ],
)
def test_a_lamp_is_judged_with_the_cabinet_that_feeds_it(lamp: Registered, fault: str) -> None:
    fleet = Fleet({each.device_id: each for each in (BOX, OTHER, lamp)}, said, 0, 0.0)
    for told in ("suppressed", "supply-voltage"):
        findings = Findings()
        assert check_lighting(Canned(told), fleet, findings) == 3
        assert findings.count["lamp-fault"] == (told != fault), findings.texts
