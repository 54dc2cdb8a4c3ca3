"""The fleet of a scenario: every simulated device with its place, its instrument and its beat."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devices.models import DeviceProfile
    from simulators.instruments import Instrument
    from simulators.signals import FloatArray
    from simulators.signals.happenings import Span

REGISTRY_COLUMNS = (
    "device", "town", "site", "site_name", "site_kind", "latitude", "longitude", "profile", "name",
    "gateway", "commissioned", "labels", "ward", "fed_by",
)  # fmt: skip
COMMISSIONED = "2024-01-01"
"""Day the whole simulated fleet went into service; the meters of the lighting count from it."""


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """One device of the fleet, as the registry and as the street know it."""

    device_id: str
    town_id: str
    site_id: str
    site_name: str
    site_kind: str
    latitude: float
    longitude: float
    name: str
    profile: DeviceProfile
    gateway_id: str | None  # the device whose connection carries this one's messages
    instrument: Instrument
    phase_s: int  # reports at times that leave this remainder by the profile's reporting interval
    ward: str  # unit of 2019, as the gazetteer writes it
    coordinates: Literal["unverified", "published"] = "unverified"
    stamp_lag_s: int = 0  # a report made at t bears the time t less this: the period's start, for those that stamp it
    unpowered: tuple[Span, ...] = ()  # power cuts of its neighbourhood that silence it
    registered: bool = True  # False: a stranger that the registry does not know
    fed_by_id: str | None = None  # the cabinet on whose circuit it hangs

    @property
    def interval_s(self) -> int:
        """Seconds between two reports."""
        return self.profile.reporting_interval_s

    def report_times(self, after_s: float, until_s: float) -> FloatArray:
        """Times at which reports are made in (after, until], Unix seconds, shape (n,); none without power."""
        first = np.floor((after_s - self.phase_s) / self.interval_s) + 1.0
        last = np.floor((until_s - self.phase_s) / self.interval_s)
        times = np.arange(first, last + 1.0) * self.interval_s + self.phase_s
        for span in self.unpowered:
            times = times[(times < span.from_s) | (times >= span.until_s)]
        return times


def registry_csv(fleet: Iterable[SimulatedDevice]) -> str:
    """The fleet as the CSV that `python -m devices import` reads, header included; strangers are left out."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(REGISTRY_COLUMNS)
    for device in fleet:
        if not device.registered:
            continue
        writer.writerow(
            (
                device.device_id,
                device.town_id,
                device.site_id,
                device.site_name,
                device.site_kind,
                device.latitude,
                device.longitude,
                device.profile.profile_id,
                device.name,
                device.gateway_id or "",
                COMMISSIONED,
                "coordinates-unverified" if device.coordinates == "unverified" else "",
                f"{device.town_id}-2019-{device.ward}",
                device.fed_by_id or "",
            )
        )
    return out.getvalue()
