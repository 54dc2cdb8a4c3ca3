"""Speeds of counters: free flow out of the last days, and falls that are suspicious."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from api.operations.history import newest_reports
from api.windows import LOCAL_ZONE
from devices.figures import Missing, because
from devices.traffic import incidents, service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from api.operations.fleet import Fleet, Stream
    from api.operations.history import Recent, SlotWindows
    from devices.figures import Figures as Indices

SPEED: Final = "vehicle-speed"
FREE_FLOW_DAYS: Final = 7


def free_flow_of(fleet: Fleet, windows: SlotWindows, speed: Stream, now_us: int) -> tuple[NDArray[np.float64], Indices]:
    """Free-flow speed of each device of a stream, km/h; by hand where set, else out of the last days' hours."""
    table = service.service_table(datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(LOCAL_ZONE).date())
    first_s = now_us // 3_600_000_000 * 3600 - FREE_FLOW_DAYS * 86_400
    steps = FREE_FLOW_DAYS * 24
    weight = windows.grid(speed, "weight", first_s, 3600, steps, speed.at)
    by_value = windows.grid(speed, "weight_by_value", first_s, 3600, steps, speed.at)
    with np.errstate(invalid="ignore", divide="ignore"):
        speeds = np.where(by_value > 0, weight / by_value, np.nan)
    found = service.free_flow_speed(speeds, np.nan_to_num(weight), table.free_flow)
    by_hand = np.array(
        [table.sites.get(fleet.sites[fleet.devices[at].site].site_id, np.nan) for at in speed.at.tolist()]
    )
    return np.where(np.isnan(by_hand), found.value, by_hand), found


def suspect(
    recent: Mapping[str, Recent],
    speed: Stream | None,
    counts: Sequence[Stream],
    free: NDArray[np.float64],
    rule: service.Drop,
) -> incidents.Suspicion | None:
    """Suspicions of a queue or an incident at the counters of one profile; None where it tells no speed.

    Args:
        recent: newest reports by profile.
        speed: of the profile.
        counts: streams of its classes.
        free: free-flow speeds, km/h, NaN: not known.
        rule: the thresholds.
    """
    if speed is None or speed.profile not in recent:
        return None
    _, values = newest_reports(recent[speed.profile], speed.at, rule.periods + rule.before_periods)
    by_class = values[..., [stream.slot for stream in counts]]
    # A report without one of its classes has no count: a part of it would look like vehicles held back.
    found = incidents.suspicion(values[..., speed.slot], by_class.sum(axis=-1), free, rule)
    return incidents.Suspicion(found.kind, because(found.drop, _uncounted(by_class[:, -rule.periods :])))


def _uncounted(by_class: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Why counters have no count in any of their newest reports: codes of `Missing`; (devices, reports, classes)."""
    there = ~np.isnan(by_class)
    codes = np.where(there.any(axis=(1, 2)), Missing.CLASS_MISSING, Missing.NO_READING)
    counted = np.asarray(np.all(there, axis=2)).any(axis=1)
    return np.where(counted, 0, codes).astype(np.uint8)
