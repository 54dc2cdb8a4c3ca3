"""Flow, speed, occupancy, headway and density of one or several periods.

q = 3600 N / T; space-mean speed is the harmonic mean of spot speeds; k = q / v; headway = T / N. Periods are merged by
adding counts, weighing speeds harmonically by count and occupancies by time.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from devices.figures import Figures, FloatArray, Missing, figures, ratio

FLOW_FORMULA: Final = "traffic.vehicle-flow/1"
SPEED_FORMULA: Final = "traffic.space-mean-speed/1"
OCCUPANCY_FORMULA: Final = "traffic.occupancy/1"
HEADWAY_FORMULA: Final = "traffic.headway/1"
DENSITY_FORMULA: Final = "traffic.density/1"
_HOUR_S: Final = 3600.0


def vehicle_flow(count: FloatArray, period_s: float | FloatArray) -> Figures:
    """Vehicles an hour.

    Args:
        count: vehicles of the period, NaN: not observed.
        period_s: its length, > 0.
    """
    return figures(FLOW_FORMULA, "/h", count * (_HOUR_S / period_s), (Missing.NO_READING, np.isnan(count)))


def whole_flow(flow_per_h: FloatArray) -> Figures:
    """Vehicles of all classes an hour: missing where a class is, since a part of it would look like the whole.

    Args:
        flow_per_h: vehicles of each class an hour, NaN: not observed; shape (classes, ...).
    """
    there = ~np.isnan(flow_per_h)
    return figures(
        FLOW_FORMULA,
        "/h",
        flow_per_h.sum(axis=0),
        (Missing.NO_READING, ~there.any(axis=0)),
        (Missing.CLASS_MISSING, ~there.all(axis=0)),
    )


def space_mean_speed(speed_km_h: FloatArray, count: FloatArray) -> Figures:
    """Mean speed over a stretch of road: the harmonic mean of the periods' speeds, each weighing as many as it counted.

    Args:
        speed_km_h: mean speeds, NaN: none; shape (..., t). One of 0 tells nothing and does not weigh.
        count: vehicles behind each speed; one without vehicles or without a count does not weigh; shape (..., t).
    """
    speed, weight = np.broadcast_arrays(speed_km_h, count)
    there = (speed > 0) & (weight > 0)
    vehicles = np.where(there, weight, 0.0).sum(axis=-1)
    hours = np.where(there, ratio(weight, speed), 0.0).sum(axis=-1)
    nobody = ~there.any(axis=-1)
    counted_none = nobody & (weight == 0).any(axis=-1)
    return figures(
        SPEED_FORMULA, "km/h", ratio(vehicles, hours), (Missing.NO_VEHICLES, counted_none), (Missing.NO_READING, nobody)
    )


def occupancy(share_percent: FloatArray, period_s: float | FloatArray) -> Figures:
    """Share of the time in which the detector was occupied, each period weighing as long as it is.

    Args:
        share_percent: of each period, 0..100, NaN: none; shape (..., t).
        period_s: lengths, > 0; scalar or shape (..., t).
    """
    share, length = np.broadcast_arrays(share_percent, np.asarray(period_s, np.float64))
    there = ~np.isnan(share)
    total = np.where(there, length, 0.0).sum(axis=-1)
    occupied = np.where(there, share * length, 0.0).sum(axis=-1)
    return figures(OCCUPANCY_FORMULA, "%", ratio(occupied, total), (Missing.NO_READING, total == 0))


def headway(count: FloatArray, period_s: float | FloatArray) -> Figures:
    """Mean time between vehicles, s.

    Args:
        count: vehicles of the period, NaN: not observed.
        period_s: its length, > 0.
    """
    vehicles = np.asarray(count, np.float64)
    reasons = (Missing.NO_READING, np.isnan(vehicles)), (Missing.NO_VEHICLES, vehicles == 0)
    return figures(HEADWAY_FORMULA, "s", ratio(period_s, vehicles), *reasons)


def density(flow_per_h: FloatArray, speed_km_h: FloatArray) -> Figures:
    """Vehicles a kilometre.

    Args:
        flow_per_h: vehicles an hour, NaN: none.
        speed_km_h: space-mean speed, NaN: none; where it is 0 or missing no density is known, not an endless one.
    """
    flow, speed = np.broadcast_arrays(flow_per_h, speed_km_h)
    return figures(
        DENSITY_FORMULA,
        "/km",
        ratio(flow, speed),
        (Missing.NO_READING, np.isnan(flow)),
        (Missing.NO_VEHICLES, flow == 0),
        (Missing.NO_READING, ~(speed > 0)),
    )
