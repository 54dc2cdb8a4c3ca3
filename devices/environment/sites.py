"""What is known of places beside what their sensors say: `sites.yaml`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from devices.observed_properties import BilingualEntry  # noqa: TC001 pydantic reads it
from devices.tables import DatedEntry, Entry, in_force, read_table

if TYPE_CHECKING:
    from datetime import date

    from devices.environment.limits import Area

STREET_FORMULA: Final = "environment.street-depth/1"


class StreetDepth(Entry):
    """A level of water on a street."""

    id: str
    at_m: Annotated[float, Field(ge=0)]
    severity: Annotated[int, Field(ge=0, le=4)]
    name: BilingualEntry


class StreetDepths(DatedEntry):
    """The levels of some time."""

    source: str
    grade: Literal["V", "V2", "U", "own"]
    levels: list[StreetDepth]


class SiteTable(Entry):
    """The whole file."""

    noise_special: list[str]
    street_depth: list[StreetDepths]


@cache
def load_sites() -> SiteTable:
    """The file, read once."""
    return read_table("environment", "sites.yaml", SiteTable)


def noise_area(site_id: str) -> Area:
    """Which limits of noise hold at a site."""
    return "special" if site_id in load_sites().noise_special else "ordinary"


def street_level(depth_m: float, day: date) -> StreetDepth:
    """The level of a depth of water, >= 0 m, on a local day.

    Raises:
        LookupError: no levels hold on that day.
    """
    levels = in_force(load_sites().street_depth, day, "depths of streets").levels
    return [level for level in levels if level.at_m <= depth_m][-1]
