"""How full a road is at each counter: occupancy, headway and density of the newest whole quarter hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from api.operations.figures import FigureKind
from devices.figures import because
from devices.models import Bilingual
from devices.traffic import flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.operations.fleet import Fleet
    from api.operations.history import History
    from devices.figures import Figures as Indices

OCCUPANCY_PROPERTY: Final = "detector-occupancy"

OCCUPANCY: Final = FigureKind(
    "occupancy",
    Bilingual("Độ chiếm dụng", "Occupancy"),
    "%",
    "index",
    flow.OCCUPANCY_FORMULA,
    "share of the newest whole quarter hour in which the detector was occupied",
)
HEADWAY: Final = FigureKind(
    "headway",
    Bilingual("Giãn cách thời gian", "Headway"),
    "s",
    "index",
    flow.HEADWAY_FORMULA,
    "time observed by vehicles of all classes, of the newest whole quarter hour",
)
DENSITY: Final = FigureKind(
    "density",
    Bilingual("Mật độ xe", "Density"),
    "/km",
    "index",
    flow.DENSITY_FORMULA,
    "vehicle flow by space-mean speed, of the newest whole quarter hour",
)


def road_indices(
    fleet: Fleet,
    profile: str,
    at: NDArray[np.intp],
    quarter: History,
    *,
    flows: Indices,
    speed_km_h: NDArray[np.float64],
) -> list[tuple[FigureKind, Indices]]:
    """Occupancy, headway and density of the counters of one profile.

    Args:
        fleet: the devices.
        profile: of the counters.
        at: positions of the counters in the fleet; shape (n,).
        quarter: the newest whole quarter hour.
        flows: vehicles of all classes an hour; shape (n,).
        speed_km_h: space-mean speed, NaN: none; shape (n,).
    """
    streams = [stream for stream in fleet.observing(OCCUPANCY_PROPERTY) if stream.profile == profile]
    return [
        (HEADWAY, because(flow.headway(flows.value, 3600.0), flows.missing)),
        (DENSITY, because(flow.density(flows.value, speed_km_h), flows.missing)),
        *(
            (OCCUPANCY, flow.occupancy(quarter.mean(stream), float(quarter.step_s)))
            for stream in streams
            if np.array_equal(stream.at, at)
        ),
    ]
