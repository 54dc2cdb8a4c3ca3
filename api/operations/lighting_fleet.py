"""Where a town's lamps and cabinets stand in its fleet, where their values stand, and the rated power of each lamp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from api.operations.figures import FigureKind, figure, level
from devices.lighting import faults, lamps
from devices.models import CABINET_PROPERTIES, Bilingual
from devices.profiles import load_catalogue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.operations.fleet import Fleet, Stream
    from api.operations.history import SlotWindows
    from api.schemas import Figure
    from devices.lighting.rules import LightingRules

COMMANDED, LEVEL, POWER, ENERGY = "commanded-light-level", "light-level", "active-power", "active-energy"
LAMP_PROPERTY: Final = "lamp-state"
RATED_DAYS: Final = 7
RATED_SOURCES: Final = ("device", "profile", "learnt")
"""Where a rated power is from: registered with the device, a default of its device profile, out of its last days."""
DAY_S: Final = 86_400


SILENT: Final = FigureKind(
    "silent-devices",
    Bilingual("Thiết bị mất liên lạc", "Silent devices"),
    "1",
    "index",
    faults.SILENCE_FORMULA,
    "lamp controllers and cabinets of the site that said nothing for three of their intervals: stale is not failed",
)


@dataclass(frozen=True, slots=True)
class Installed:
    """The lamps and cabinets of a fleet."""

    lamp_profiles: frozenset[str]
    lamp_at: NDArray[np.intp]  # positions in the fleet, ascending; n of them
    cabinet_at: NDArray[np.intp]  # positions in the fleet, ascending
    cabinet: NDArray[np.intp]  # place in `cabinet_at` of the cabinet that feeds each lamp; -1: not known; shape (n,)


def installed(fleet: Fleet) -> Installed:
    """Find them: lamps tell a state, cabinets have a door or a circuit.

    A lamp is fed by the cabinet registered with it; where none is, by its gateway, if that is a cabinet.
    """
    lamp_profiles = frozenset(stream.profile for stream in fleet.observing(LAMP_PROPERTY))
    lamp_at = np.flatnonzero([device.profile in lamp_profiles for device in fleet.devices])
    with_door = {stream.profile for stream in fleet.observing(*CABINET_PROPERTIES)}
    cabinet_at = np.flatnonzero([device.profile in with_door for device in fleet.devices])
    place_of = {device: place for place, device in enumerate(cabinet_at.tolist())}
    of_lamps = [fleet.devices[at] for at in lamp_at.tolist()]
    feeding = [lamp.fed_by if lamp.fed_by >= 0 else lamp.gateway for lamp in of_lamps]
    cabinet = np.array([place_of.get(device, -1) for device in feeding], np.intp)
    return Installed(lamp_profiles, lamp_at, cabinet_at, cabinet)


class Slots:
    """Where the values of lamps, or of cabinets, stand: a profile's slot for each property."""

    def __init__(self, fleet: Fleet, at: NDArray[np.intp]) -> None:
        self._fleet, self.at = fleet, at
        self._profile = np.array([fleet.devices[device].profile for device in at.tolist()])

    def of(self, values: NDArray[np.float64], property_id: str, name: str | None = None) -> NDArray[np.float64]:
        """One property out of (devices, k, slots): (devices, k), NaN where a profile does not have it."""
        found = np.full(values.shape[:2], np.nan)
        for stream in self._fleet.observing(property_id):
            if name is None or stream.name == name:
                mine = (self._profile == stream.profile) & np.isin(self.at, stream.at)
                found[mine] = values[mine, :, stream.slot]
        return found


def places(fleet: Fleet, at: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitudes and longitudes of devices, degrees."""
    sites = [fleet.sites[fleet.devices[device].site] for device in at.tolist()]
    return np.array([site.latitude for site in sites]), np.array([site.longitude for site in sites])


def intervals(fleet: Fleet, at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Reporting intervals of devices, s."""
    return np.array([float(fleet.devices[device].interval_s) for device in at.tolist()])


def grid(
    fleet: Fleet,
    windows: SlotWindows,
    property_id: str,
    name: str,
    first_s: int,
    step_s: int,
    steps: int,
    at: NDArray[np.intp],
) -> NDArray[np.float64]:
    """A column of a property, whatever profile it comes from."""
    found = np.full((len(at), steps), np.nan)
    for stream in single_streams(fleet, property_id):
        part = windows.grid(stream, name, first_s, step_s, steps, at)
        found = np.where(np.isnan(found), part, found)
    return found


def single_streams(fleet: Fleet, property_id: str) -> list[Stream]:
    """Of each profile the stream that stands for the whole device: not that of a phase."""
    return [stream for stream in fleet.observing(property_id) if not stream.name.endswith(("-l1", "-l2", "-l3"))]


def silent_line(silent: int, devices: int, now_us: int, heard_us: int | None) -> Figure:
    """How many devices of a site are silent.

    Args:
        silent: that many.
        devices: of so many.
        now_us: Unix microseconds.
        heard_us: when the newest of their reports is from; None: nothing of late.
    """
    return figure(
        SILENT,
        float(silent),
        now_us=now_us,
        time_us=heard_us,
        coverage=1.0,
        level=level("silent", Bilingual("Mất liên lạc", "No communication"), 1)
        if silent
        else level("none", Bilingual("Có liên lạc", "All speak"), 0),
        detail={"devices": devices},
    )


@dataclass(frozen=True, slots=True)
class Rated:
    """Power at full level of n lamps."""

    watts: NDArray[np.float64]  # NaN: not known; shape (n,)
    source: tuple[str | None, ...]  # of `RATED_SOURCES`; None: not known


def rated_powers(fleet: Fleet, days: SlotWindows, first_s: int, at: NDArray[np.intp], ruling: LightingRules) -> Rated:
    """Power at full level of lamps: as registered, else of their profile, else out of the highest of whole days.

    Args:
        fleet: the devices.
        days: highest power and level of whole days.
        first_s: start of the first of `RATED_DAYS` local days, Unix seconds.
        at: positions of the lamps.
        ruling: which days tell.
    """
    highest, light = (grid(fleet, days, name, "max", first_s, DAY_S, RATED_DAYS, at) for name in (POWER, LEVEL))
    learnt = lamps.rated_power(highest, light, ruling.rated).value
    catalogue = load_catalogue()
    by_profile = {name: profile.rated_power_w for name, profile in catalogue.items()}
    devices = [fleet.devices[device] for device in at.tolist()]
    given = np.array([device.rated_power_w or np.nan for device in devices], np.float64)
    of_profile = np.array([by_profile.get(device.profile) or np.nan for device in devices], np.float64)
    columns = np.stack([given, of_profile, learnt])
    there = ~np.isnan(columns)
    first = np.argmax(there, axis=0)
    known: list[bool] = np.any(there, axis=0).tolist()
    return Rated(
        np.take_along_axis(columns, first[None], axis=0)[0],
        tuple(RATED_SOURCES[which] if has else None for which, has in zip(first.tolist(), known, strict=True)),
    )
