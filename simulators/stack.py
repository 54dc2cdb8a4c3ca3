"""Many devices of one profile as one: their numbers side by side, so that numpy works on all of them at once."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from simulators.instruments import observe_rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.fleet import SimulatedDevice
    from simulators.instruments import Instrument
    from simulators.signals import FloatArray

Part = TypeVar("Part")


def stacked(parts: Sequence[Part]) -> Part:
    """One record whose numbers are arrays, shape (n,), of those of n records of one class.

    What is the same object, or the same number, in all of them stays as it is.

    Raises:
        TypeError: the records differ in something that is no number.
    """
    first: Any = parts[0]
    if all(part is first for part in parts):
        return parts[0]
    if is_dataclass(first) and not isinstance(first, type):
        columns = {field.name: stacked([getattr(part, field.name) for part in parts]) for field in fields(first)}
        return type(first)(**columns)  # type: ignore[return-value]
    if isinstance(first, (int, float)):
        if all(part == first for part in parts):
            return parts[0]
        # Keys are whole numbers of 64 bits, everything else that differs is measured.
        return np.array(parts, dtype=np.uint64 if isinstance(first, int) else np.float64)  # type: ignore[return-value]
    raise TypeError(f"cannot stack different values of {type(first).__name__}")


class Bunch:
    """All devices of one profile in one town, observed together."""

    def __init__(self, devices: Sequence[SimulatedDevice]) -> None:
        """Stack the devices.

        Args:
            devices: of one profile and one town, at least one.
        """
        self.names = tuple(stream.name for stream in devices[0].profile.datastreams)
        self._instrument: Instrument = stacked([device.instrument for device in devices])

    def observe(self, times_s: FloatArray) -> FloatArray:
        """What each device sends at a time of its own.

        Args:
            times_s: one time a device, Unix seconds, shape (n,).

        Returns:
            Values as `observe_rounded` gives them, shape (datastreams, n).
        """
        values = observe_rounded(self._instrument, times_s)
        return np.stack([np.broadcast_to(values[name], times_s.shape) for name in self.names])


def bunches(fleet: Sequence[SimulatedDevice]) -> list[tuple[list[SimulatedDevice], Bunch]]:
    """The fleet in bunches, each with its devices."""
    groups: dict[tuple[str, str], list[SimulatedDevice]] = {}
    for device in fleet:
        groups.setdefault((device.town_id, device.profile.profile_id), []).append(device)
    return [(devices, Bunch(devices)) for devices in groups.values()]
