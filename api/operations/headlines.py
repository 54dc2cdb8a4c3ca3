"""Headlines: one figure out of the current values of many datastreams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.responses import from_micros
from devices.environment.noise import laeq

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from api.operations.fleet import Fleet, Stream
    from api.operations.present import Present

_LIT: Final = (1.0, 2.0)
"""Numbers of the lamp states `on` and `low`."""

REDUCTIONS: Final[Mapping[str, Callable[[NDArray[np.float64]], float]]] = {
    "sum": lambda values: float(values.sum()),
    "mean": lambda values: float(values.mean()),
    "max": lambda values: float(values.max()),
    "hourly_rate": lambda values: float(values.sum()),
    "lit": lambda values: float(np.isin(values, _LIT).sum()),
    "energetic_mean": lambda values: float(laeq(values)),
}
"""How current values become one number; of `hourly_rate` they are hourly rates already."""


def reduce_current(
    fleet: Fleet, present: Present, *, property_id: str, name: str | None, profile: str | None, reduction: str
) -> dict[str, Any]:
    """One figure of the datastreams of an observed property.

    Args:
        fleet: the devices of the domain.
        present: what they said last.
        property_id: what they observe.
        name: only datastreams of this name.
        profile: only devices of this profile.
        reduction: one of `REDUCTIONS`.

    Returns:
        `value` (None where nothing is current), `current` and `of` (datastreams), `oldest` and `newest` (phenomenon
        times).
    """
    streams = [
        stream
        for stream in fleet.observing(property_id)
        if (name is None or stream.name == name) and (profile is None or stream.profile == profile)
    ]
    parts = [_current(present, stream, hourly=reduction == "hourly_rate") for stream in streams]
    values = np.concatenate([np.zeros(0), *(part[0] for part in parts)])
    times = np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)])
    return {
        "value": REDUCTIONS[reduction](values) if len(values) else None,
        "current": len(values),
        "of": sum(len(stream.at) for stream in streams),
        "oldest": from_micros(int(times.min())) if len(times) else None,
        "newest": from_micros(int(times.max())) if len(times) else None,
    }


def _current(present: Present, stream: Stream, *, hourly: bool) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    at = stream.at[present.current(stream)]
    values = present.value[at, stream.slot]
    if hourly:
        values = values * (3600.0 / (stream.period_s or stream.interval_s))
    return values, present.time_us[at, stream.slot]
