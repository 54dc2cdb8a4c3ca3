"""The devices of one domain of a town as columns: who they are, where they stand, what they observe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from api.database import Database
    from devices.models import Domain

QUERIES = load_queries("api_operations")


@dataclass(frozen=True, slots=True)
class FleetDevice:
    """A device in service."""

    device_id: str
    name: str
    profile: str
    interval_s: int
    site: int  # position in `Fleet.sites`
    gateway: int  # position in `Fleet.devices`, -1: none of this domain
    rated_power_w: float | None = None  # as registered
    fed_by: int = -1  # position in `Fleet.devices` of the cabinet registered with it, -1: none


@dataclass(frozen=True, slots=True)
class FleetSite:
    """A place with devices of the domain."""

    site_key: int
    site_id: str
    name: str
    kind: str
    latitude: float
    longitude: float
    devices: tuple[int, ...]  # positions in `Fleet.devices`


@dataclass(frozen=True, slots=True)
class Stream:
    """One slot of one profile, and which devices have it."""

    profile: str
    slot: int  # from 0
    name: str
    property_id: str
    unit: str
    interval_s: int
    period_s: int | None
    stamp: str
    at: NDArray[np.intp]  # positions of the devices, ascending

    @property
    def shift_us(self) -> int:
        """By how much a phenomenon time lies after the start of its period."""
        return self.period_s * 1_000_000 if self.period_s and self.stamp == "end" else 0


@dataclass(frozen=True)
class Fleet:
    """All devices of one domain of a town."""

    version: int  # of the registry
    keys: NDArray[np.int32]  # device keys, ascending
    devices: tuple[FleetDevice, ...]
    sites: tuple[FleetSite, ...]
    streams: tuple[Stream, ...]
    slots: int  # of the device that has most
    site_by_id: dict[str, int] = field(default_factory=dict)

    def positions(self, device_keys: Sequence[int]) -> NDArray[np.intp]:
        """Where devices stand; -1 for those that are not here."""
        keys = np.asarray(device_keys, np.int32)
        at = np.minimum(np.searchsorted(self.keys, keys), max(0, len(self.keys) - 1))
        return np.where(self.keys[at] == keys, at, -1) if len(self.keys) else np.full(len(keys), -1)

    def observing(self, *property_ids: str) -> tuple[Stream, ...]:
        """The streams of some observed properties."""
        return tuple(stream for stream in self.streams if stream.property_id in property_ids)

    def keys_of(self, streams: Sequence[Stream]) -> list[int]:
        """The keys of the devices that have one of these streams."""
        if not streams:
            return []
        keys: list[int] = self.keys[np.unique(np.concatenate([stream.at for stream in streams]))].tolist()
        return keys


async def read_version(database: Database) -> int:
    """How often the registry has changed."""
    row = await database.row(QUERIES["operations_version"])
    return int(row["version"]) if row else 0


async def read_fleet(database: Database, town: str, domain: Domain, version: int) -> Fleet:
    """Read the devices of one domain of a town."""
    rows = await database.rows(QUERIES["operations_devices"], {"town": town, "domain": domain})
    keys = np.array([row["device_key"] for row in rows], np.int32)
    at_by_key = {row["device_key"]: at for at, row in enumerate(rows)}
    site_at: dict[str, int] = {}
    members: list[list[int]] = []
    for at, row in enumerate(rows):
        place = site_at.setdefault(row["site_id"], len(site_at))
        if place == len(members):
            members.append([])
        members[place].append(at)
    devices = tuple(
        FleetDevice(
            row["device_id"],
            row["name"],
            row["profile"],
            row["reporting_interval_s"],
            site_at[row["site_id"]],
            at_by_key.get(row["gateway_key"], -1),
            row["rated_power_w"],
            at_by_key.get(row["fed_by_key"], -1),
        )
        for row in rows
    )
    sites = tuple(
        FleetSite(
            rows[of[0]]["site_key"],
            rows[of[0]]["site_id"],
            rows[of[0]]["site_name"],
            rows[of[0]]["site_kind"],
            rows[of[0]]["latitude"],
            rows[of[0]]["longitude"],
            tuple(of),
        )
        for of in members
    )
    bare = Fleet(version, keys, devices, sites, (), 0, site_at)
    streams = []
    for row in await database.rows(QUERIES["operations_streams"], {"town": town, "domain": domain}):
        held = bare.positions(row["device_keys"])
        # A device that came between the two statements is there at the next change of the registry.
        streams.append(
            Stream(
                row["profile"],
                row["slot"] - 1,
                row["name"],
                row["property"],
                row["unit"],
                row["interval_s"],
                row["period_s"],
                row["stamp"],
                np.sort(held[held >= 0]),
            )
        )
    streams.sort(key=lambda stream: (stream.profile, stream.slot))
    slots = max((stream.slot + 1 for stream in streams), default=0)
    return Fleet(version, keys, devices, sites, tuple(streams), slots, site_at)
