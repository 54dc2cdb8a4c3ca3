"""Which reductions a datastream keeps beside the basic ones, by its observed property."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVEL: Final = ("energetic-mean", "sketch")
_COUNTER: Final = ("increase",)
_STATE: Final = ("states",)
_HELD: Final = ("time-weighted-mean",)

KEPT_BY_PROPERTY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "sound-level-equivalent": _LEVEL,
        "sound-level-maximum": ("sketch",),
        "wind-direction": ("circular-mean",),
        "vehicle-speed": ("harmonic-mean", "sketch"),
        "active-energy": _COUNTER,
        "operating-time": _COUNTER,
        "reactive-energy": _COUNTER,
        "rainfall-total": _COUNTER,
        "signal-mode": _STATE,
        "parking-occupied": _STATE,
        "water-detected": _STATE,
        "lamp-state": _STATE,
        "lamp-failure": _STATE,
        "door-open": _STATE,
        "cabinet-mode": _STATE,
        "circuit-state": _STATE,
        "light-level": _HELD,
        "active-power": _HELD,
        "water-level": _HELD,
        "water-depth": _HELD,
    }
)
"""Observed property -> names in `devices.reductions.table`; any other property keeps the basic ones alone."""


KEPT: Final = frozenset(
    {
        "sketch",
        "energetic-mean",
        "circular-mean",
        "harmonic-mean",
        "time-weighted-mean",
        "increase",
        "states",
        "exceedance",
    }
)
"""What a datastream may keep; `exceedance` where it declares a limit."""


def kept(property_id: str) -> tuple[str, ...]:
    """The reductions that datastreams of an observed property keep beside the basic ones."""
    return KEPT_BY_PROPERTY.get(property_id, ())
