"""The fleet of a scenario: every simulated device with its place, its instrument and its beat."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devices.models import DeviceProfile
    from simulators.profiles import Instrument
    from simulators.signals import FloatArray

REGISTRY_COLUMNS = (
    "device", "town", "site", "site_name", "site_kind", "latitude", "longitude", "profile", "name",
    "gateway", "commissioned",
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

    @property
    def interval_s(self) -> int:
        """Seconds between two reports."""
        return self.profile.reporting_interval_s

    def report_times(self, after_s: float, until_s: float) -> FloatArray:
        """Times of the reports in (after, until], Unix seconds, shape (n,)."""
        first = np.floor((after_s - self.phase_s) / self.interval_s) + 1.0
        last = np.floor((until_s - self.phase_s) / self.interval_s)
        return np.arange(first, last + 1.0) * self.interval_s + self.phase_s


def registry_csv(fleet: Iterable[SimulatedDevice]) -> str:
    """The fleet as the CSV that `python -m devices import` reads, header included."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(REGISTRY_COLUMNS)
    for device in fleet:
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
            )
        )
    return out.getvalue()
