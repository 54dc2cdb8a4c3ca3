"""A domain of a town at one moment: what every view of it is cut from."""

from __future__ import annotations

import gzip
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from api.operations.figures import severity_of, worst_first
from api.operations.schemas import MapFigure
from api.registry import no_devices

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from api.operations.fleet import Fleet, FleetSite
    from api.operations.present import Present
    from api.operations.schemas import RankedSite, SeverityCounts, SiteState
    from api.schemas import DeviceCounts, Figure, Site, State
    from devices.models import Domain

_STATES: Final[tuple[State, ...]] = ("offline", "never-seen", "stale", "online")
_NAMES: Final[tuple[Literal["normal", "notice", "warning", "alarm", "emergency"], ...]] = (
    "normal",
    "notice",
    "warning",
    "alarm",
    "emergency",
)
_LOWER_IS_WORSE: Final = frozenset({"level-of-service", "availability", "mean-speed"})
WORST_SHOWN: Final = 5
MAP_MEMBERS: Final = tuple(MapFigure.__annotations__)
_GZIP_LEVEL: Final = 4


@dataclass
class Figures:
    """What a domain's indices say: figures of sites (by position in the fleet) and of the town."""

    of_site: dict[int, list[Figure]] = field(default_factory=lambda: defaultdict(list))
    of_town: list[Figure] = field(default_factory=list)


@dataclass(frozen=True)
class Board:
    """A domain of a town at one moment."""

    town: str
    domain: Domain
    generated_time: datetime
    fleet: Fleet
    sites: tuple[SiteState, ...]  # in the order of the fleet
    figures: list[Figure]
    devices: DeviceCounts
    present: Present
    rankings: dict[str | None, list[RankedSite]] = field(default_factory=dict)

    @cached_property
    def severities(self) -> SeverityCounts:
        """How many sites stand at each severity."""
        counts: SeverityCounts = {"unknown": 0, "normal": 0, "notice": 0, "warning": 0, "alarm": 0, "emergency": 0}
        for site in self.sites:
            counts["unknown" if site["severity"] is None else _NAMES[site["severity"]]] += 1
        return counts

    @cached_property
    def layer(self) -> tuple[bytes, bytes]:
        """The whole map as JSON, plain and compressed: once a board, for all who ask."""
        plain = msgspec.json.encode(self.map_of(self.features))
        return plain, gzip.compress(plain, _GZIP_LEVEL)

    def map_of(self, features: Iterable[msgspec.Raw]) -> dict[str, Any]:
        """The map with some of its features."""
        return {
            "type": "FeatureCollection",
            "town": self.town,
            "domain": self.domain,
            "generated_time": self.generated_time,
            "features": list(features),
        }

    @cached_property
    def features(self) -> tuple[msgspec.Raw, ...]:
        """The map's features, encoded, in the order of the fleet."""
        encode = msgspec.json.Encoder().encode
        return tuple(msgspec.Raw(encode(_feature(state))) for state in self.sites)

    def ranked(self, by: str | None) -> list[RankedSite]:
        """Sites, worst first; ranked by one figure, those that have it. Sorted once a board.

        Args:
            by: a figure of the domain's `ranked_by`, which bounds what is kept.
        """
        if by not in self.rankings:
            self.rankings[by] = _ranked(self, by)
        return self.rankings[by]


def site_shape(site: FleetSite) -> Site:
    """A site in the contract's shape."""
    return {
        "id": site.site_id,
        "name": site.name,
        "kind": site.kind,
        "latitude": site.latitude,
        "longitude": site.longitude,
    }


def make_board(
    town: str, domain: Domain, generated_time: datetime, fleet: Fleet, present: Present, figures: Figures
) -> Board:
    """Put figures to their sites."""
    rank = {state: at for at, state in enumerate(_STATES)}
    states = present.state.tolist()
    devices = no_devices()
    for state in states:
        devices[state] += 1
    sites: list[SiteState] = []
    for at, site in enumerate(fleet.sites):
        mine = worst_first(figures.of_site.get(at, []))
        sites.append(
            {
                "site": site_shape(site),
                "severity": severity_of(mine),
                "state": min((states[device] for device in site.devices), key=lambda state: rank[state]),
                "devices": [fleet.devices[device].device_id for device in site.devices],
                "figures": mine,
            }
        )
    return Board(town, domain, generated_time, fleet, tuple(sites), figures.of_town, devices, present)


def _feature(state: SiteState) -> dict[str, Any]:
    site = state["site"]
    return {
        "type": "Feature",
        "id": site["id"],
        "geometry": {"type": "Point", "coordinates": (site["longitude"], site["latitude"])},
        "properties": {
            "name": site["name"],
            "kind": site["kind"],
            "state": state["state"],
            "severity": state["severity"],
            "devices": len(state["devices"]),
            "figure": {name: state["figures"][0][name] for name in MAP_MEMBERS} if state["figures"] else None,  # type: ignore[literal-required]
        },
    }


def _ranked(board: Board, by: str | None) -> list[RankedSite]:
    chosen: list[tuple[tuple[int, bool, float], SiteState, Figure | None, int | None]] = []
    for state in board.sites:
        if by is None:
            line, severity = (state["figures"][0] if state["figures"] else None), state["severity"]
        else:
            line = next((line for line in state["figures"] if line["id"] == by), None)
            if line is None:
                continue
            severity = line["level"]["severity"] if line["level"] and line["value"] is not None else None
        value = line["value"] if line else None
        weight = 0.0 if value is None or line is None else value * (1 if line["id"] in _LOWER_IS_WORSE else -1)
        # Highest severity first, then those with a value, then the worst value.
        chosen.append(((-1 if severity is None else -severity - 2, value is None, weight), state, line, severity))
    chosen.sort(key=lambda entry: (entry[0], entry[1]["site"]["id"]))
    return [
        {"rank": rank, "site": state["site"], "state": state["state"], "severity": severity, "figure": line}
        for rank, (_, state, line, severity) in enumerate(chosen, start=1)
    ]
