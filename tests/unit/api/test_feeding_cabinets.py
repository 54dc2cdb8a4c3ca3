"""The cabinet of a lamp is the one registered with it, else its gateway where that is a cabinet."""

from __future__ import annotations

import numpy as np

from api.operations.fleet import Fleet, FleetDevice, FleetSite, Stream
from api.operations.lighting_fleet import installed


def fleet_of(*devices: FleetDevice) -> Fleet:
    site = FleetSite(1, "site", "Site", "pole", 15.88, 108.33, tuple(range(len(devices))))
    streams = []
    for profile, name in (("lamp-controller", "lamp-state"), ("lighting-cabinet", "door-open")):
        at = np.flatnonzero([device.profile == profile for device in devices])
        streams.append(Stream(profile, 0, name, name, "1", 300, None, "end", at))
    return Fleet(1, np.arange(len(devices), dtype=np.int32), devices, (site,), tuple(streams), 1, {"site": 0})


def lamp(name: str, *, gateway: int = -1, fed_by: int = -1) -> FleetDevice:
    return FleetDevice(name, name, "lamp-controller", 300, 0, gateway, fed_by=fed_by)


def test_the_registered_cabinet_goes_before_the_gateway_and_no_other_gateway_is_one() -> None:
    boxes = [FleetDevice(name, name, "lighting-cabinet", 60, 0, -1) for name in ("box-1", "box-2")]
    concentrator = FleetDevice("hub", "hub", "feeder-meter", 60, 0, -1)
    lamps = [
        lamp("fed", fed_by=0),
        lamp("behind", gateway=1),
        lamp("both", gateway=1, fed_by=0),
        lamp("through-a-hub", gateway=2),
        lamp("through-a-hub-and-fed", gateway=2, fed_by=1),
        lamp("alone"),
    ]

    here = installed(fleet_of(*boxes, concentrator, *lamps))

    assert here.cabinet_at.tolist() == [0, 1]
    assert here.cabinet.tolist() == [0, 1, 0, -1, 1, -1]
