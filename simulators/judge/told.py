"""What the API tells of each device in its operations views: all pages of a ranking, all devices of a site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from simulators.judge.http import Api
    from simulators.judge.payloads import Registered

PAGE: Final = 1_000
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Told:
    """A figure, and when what it was taken from was made."""

    figure: Mapping[str, Any]
    generated_s: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranking by one figure: the worst of each site that has it."""

    figures: Mapping[str, Mapping[str, Any]]  # by site
    generated_s: float


def generated_s(answer: Mapping[str, Any]) -> float:
    """When an answer was made, Unix seconds."""
    return datetime.fromisoformat(answer["generated_time"]).timestamp()


def ranked(api: Api, town: str, domain: str, by: str) -> Ranked:
    """All pages of a ranking; asked again where it was made anew between two of them, which may move sites about."""
    for _ in range(_TRIES):
        pages = list(api.bodies(f"/v1/towns/{town}/{domain}/ranking", by=by, limit=PAGE))
        if len({page["generated_time"] for page in pages}) == 1:
            break
    items = [item for page in pages for item in page["items"] if item["figure"] is not None]
    return Ranked({item["site"]["id"]: item["figure"] for item in items}, min(map(generated_s, pages)))


def of_each_device(
    api: Api, ranking: Ranked, by: str, wanted: Iterable[Registered], device_of: Callable[[Mapping[str, Any]], str]
) -> dict[str, Told]:
    """The figure of each device: as the ranking tells it, and where that names another one there, as the site does.

    Args:
        api: who is asked.
        ranking: by this figure.
        by: id of the figure.
        wanted: the devices; one whose site does not stand in the ranking is told nothing.
        device_of: the device that a figure speaks of.
    """
    told = {device_of(figure): Told(figure, ranking.generated_s) for figure in ranking.figures.values()}
    missing = [device for device in wanted if device.device_id not in told]
    for site in sorted({device.site_id for device in missing} & ranking.figures.keys()):
        answer = api.get(f"/v1/sites/{site}")
        of_site = [figure for figure in answer["figures"] if figure["id"] == by]
        told = {device_of(figure): Told(figure, generated_s(answer)) for figure in of_site} | told
    return told


def of_day(api: Api, town: str, day: str, places: Iterable[tuple[float, float]]) -> tuple[list[Any], float]:
    """Figures of the sites in the summary of a day of the environment, and when it was made.

    Where there are more sites than an answer holds, those at the places (latitude, longitude) are asked one by one.
    """
    path = f"/v1/towns/{town}/environment/summary"
    answer = api.get(path, date=day, limit=PAGE)
    sites = answer["sites"]
    if answer["site_count"] > len(sites):
        for latitude, longitude in sorted(set(places)):
            box = f"{longitude},{latitude},{longitude},{latitude}"
            sites = [*sites, *api.get(path, date=day, limit=PAGE, bbox=box)["sites"]]
    return [figure for site in sites for figure in site["figures"]], generated_s(answer)
