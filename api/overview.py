"""A town at a glance: its devices by state, a few figures for each domain, what needs a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from api.cache import Kept
from api.grants import everywhere
from api.operations.headlines import reduce_current
from api.registry import MOMENT_S, no_devices
from devices.models import DOMAINS, Bilingual, Domain
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.database import Database
    from api.operations.fleet import Fleet
    from api.operations.present import Present
    from api.operations.service import Operations
    from api.registry import Registry
    from api.schemas import DeviceProblem, Overview
    from api.schemas import Headline as HeadlineShape

PROBLEMS_SHOWN: Final = 50
BUSY_S: Final = 5.0
"""How old an overview is at most on a machine too busy to make one a second; `generated_time` says so."""
_QUERIES = load_queries("api_overview")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One figure of a domain: which datastreams it stands for and how they become one number."""

    domain: Domain
    property_id: str
    name: Bilingual
    unit: str  # UCUM, of the figure
    reduction: Literal["sum", "mean", "max", "energetic_mean", "hourly_rate", "lit"]
    how: str
    datastream: str | None = None  # only datastreams of this name; None: whatever observes the property
    profile: str | None = None  # only devices of this profile


HEADLINES: Final[tuple[Headline, ...]] = (
    Headline(
        domain="traffic",
        property_id="vehicle-count",
        name=Bilingual("Lưu lượng xe", "Traffic flow"),
        unit="/h",
        reduction="hourly_rate",
        how="sum over all counters and classes of the vehicles of the newest period, as an hourly rate",
    ),
    Headline(
        domain="traffic",
        property_id="vehicle-speed",
        name=Bilingual("Tốc độ trung bình", "Mean speed"),
        unit="km/h",
        reduction="mean",
        how="mean of the counters' current speeds, each counter weighing the same",
    ),
    Headline(
        domain="lighting",
        property_id="lamp-state",
        name=Bilingual("Đèn đang sáng", "Lamps lit"),
        unit="1",
        reduction="lit",
        how="number of lamps that now report on or low; 'of' counts all lamps",
    ),
    Headline(
        domain="lighting",
        property_id="active-power",
        name=Bilingual("Công suất chiếu sáng", "Lighting power"),
        unit="W",
        reduction="sum",
        how="sum of the current total power of the lighting cabinets",
        datastream="power",
        profile="lighting-cabinet",  # lamps hang behind cabinets: adding both would count them twice
    ),
    Headline(
        domain="environment",
        property_id="pm25",
        name=Bilingual("Bụi PM2.5", "PM2.5"),
        unit="ug/m3",
        reduction="mean",
        how="mean of current observations",
    ),
    Headline(
        domain="environment",
        property_id="water-level",
        name=Bilingual("Mực nước cao nhất", "Highest water level"),
        unit="m",
        reduction="max",
        how="highest of current observations",
    ),
    Headline(
        domain="environment",
        property_id="air-temperature",
        name=Bilingual("Nhiệt độ không khí", "Air temperature"),
        unit="Cel",
        reduction="mean",
        how="mean of current observations",
    ),
    Headline(
        domain="environment",
        property_id="sound-level-equivalent",
        name=Bilingual("Mức ồn LAeq", "Noise LAeq"),
        unit="dB[SPL]",
        reduction="energetic_mean",
        how="energetic mean of current observations: 10 log10 of the mean of 10^(L/10)",
    ),
)


class Overviews:
    """Overviews of towns, each worked out at most once a second.

    Args:
        database: to read from.
        registry: towns and counts of devices.
        operations: indices of the domains.
    """

    def __init__(self, database: Database, registry: Registry, operations: Operations) -> None:
        self._database = database
        self._registry = registry
        self._operations = operations
        self._kept: dict[str, Kept[Overview]] = {}

    async def of_town(self, town_id: str) -> Overview | None:
        """The town at a glance, at most a second old; None when there is no such town."""
        if await self._registry.town(town_id) is None:
            return None
        # Bounded by the number of towns: only a town that exists gets here.
        if town_id not in self._kept:
            self._kept[town_id] = Kept(lambda: self._read(town_id), MOMENT_S, busy_s=BUSY_S)
        with everywhere():  # it is kept for all who may see this town
            return await self._kept[town_id].get()

    async def close(self) -> None:
        """End what is being worked out."""
        for kept in self._kept.values():
            await kept.close()

    async def _read(self, town_id: str) -> Overview:
        found = await self._registry.town(town_id)
        if found is None:
            raise LookupError(f"town {town_id} is gone")
        town, states_by_domain = found
        generated_time = datetime.now(UTC)
        now = {domain: await self._operations.present(town_id, domain) for domain in DOMAINS}
        figures = {domain: (await self._operations.board(town_id, domain)).figures for domain in DOMAINS}
        problems = await self._database.rows(_QUERIES["town_problems"], {"town": town_id, "limit": PROBLEMS_SHOWN})
        return {
            "town": town,
            "generated_time": generated_time,
            "domains": [
                {
                    "domain": domain,
                    "devices": states_by_domain.get(domain) or no_devices(),
                    "headlines": [
                        _headline(headline, *now[domain]) for headline in HEADLINES if headline.domain == domain
                    ],
                    "figures": figures[domain],
                }
                for domain in DOMAINS
            ],
            "problems": [_problem(row) for row in problems],
            "problem_count": sum(town["devices"][state] for state in ("offline", "stale", "never-seen")),
        }


def _headline(headline: Headline, fleet: Fleet, present: Present) -> HeadlineShape:
    made = reduce_current(
        fleet,
        present,
        property_id=headline.property_id,
        name=headline.datastream,
        profile=headline.profile,
        reduction=headline.reduction,
    )
    return {
        "property": headline.property_id,
        "name": {"vi": headline.name.vi, "en": headline.name.en},
        "value": made["value"],
        "reason": "no current observation" if made["value"] is None else None,
        "unit": headline.unit,
        "how": headline.how,
        "datastreams": made["current"],
        "of": made["of"],
        "oldest_phenomenon_time": made["oldest"],
        "newest_phenomenon_time": made["newest"],
    }


def _problem(row: Mapping[str, Any]) -> DeviceProblem:
    return {
        "device": row["device_id"],
        "name": row["name"],
        "domain": row["domain"],
        "site": {"id": row["site_id"], "name": row["site_name"]},
        "state": row["state"],
        "since": row["state_since"],
    }
