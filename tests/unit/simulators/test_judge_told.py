"""The judge reads a ranking to its last page, and takes the second device of a site from the site itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulators.judge.http import Api
from simulators.judge.payloads import Registered
from simulators.judge.told import of_day, of_each_device, ranked

MADE = "2026-11-23T05:00:0{}+00:00"
BOX = Registered("box-1", "hoi-an", "lighting-cabinet", None, 0, False, 60, (15.88, 108.33), {}, "site-1")
BOXES = [BOX, *(replace(BOX, device_id=f"box-{n}", site_id=f"site-{n // 2 + 1}") for n in (2, 3, 4))]


def figure(device: str) -> dict[str, Any]:
    return {"id": "cabinet-faults", "detail": {"device": device}}


def page(made: int, site: str, device: str, following: str | None) -> dict[str, Any]:
    item = {"site": {"id": site}, "figure": figure(device)}
    return {"generated_time": MADE.format(made), "items": [item], "next": following}


class Canned(Api):
    """Answers what it was given, in order; remembers what it was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def get(self, path: str, **parameters: Any) -> Any:
        self.asked.append((path, parameters))
        return self.answers.pop(0)


def test_a_ranking_is_read_to_its_last_page_and_again_where_it_was_made_anew_meanwhile() -> None:
    api = Canned(
        page(0, "site-1", "box-1", "a"),
        page(1, "site-1", "box-1", None),
        page(2, "site-1", "box-1", "a"),
        page(2, "site-2", "box-2", None),
    )
    found = ranked(api, "hoi-an", "lighting", "cabinet-faults")
    assert list(found.figures) == ["site-1", "site-2"]
    assert [parameters.get("cursor") for _, parameters in api.asked] == [None, "a", None, "a"]


def test_the_second_device_of_a_site_is_told_by_the_site_and_one_whose_site_is_not_ranked_is_not_told() -> None:
    site = {"generated_time": MADE.format(3), "figures": [figure("box-3"), figure("box-2"), {"id": "energy-gap"}]}
    api = Canned(page(2, "site-1", "box-1", "a"), page(2, "site-2", "box-2", None), site)
    ranking = ranked(api, "hoi-an", "lighting", "cabinet-faults")
    told = of_each_device(api, ranking, "cabinet-faults", BOXES, lambda each: str(each["detail"]["device"]))
    assert told.keys() == {"box-1", "box-2", "box-3"}
    assert told["box-3"].generated_s == told["box-2"].generated_s + 1
    assert [path for path, _ in api.asked][2:] == ["/v1/sites/site-2"]


def test_a_summary_of_more_sites_than_an_answer_holds_is_asked_place_by_place() -> None:
    first = {"generated_time": MADE.format(0), "site_count": 2, "sites": [{"figures": [figure("box-1")]}]}
    api = Canned(first, {"sites": [{"figures": [figure("box-2")]}]})
    figures, _ = of_day(api, "hoi-an", "2026-11-22", [BOX.place, BOX.place])
    assert [each["detail"]["device"] for each in figures] == ["box-1", "box-2"]
    assert api.asked[1][1]["bbox"] == "108.33,15.88,108.33,15.88"
    whole = Canned(first | {"site_count": 1})
    assert len(of_day(whole, "hoi-an", "2026-11-22", [BOX.place])[0]) == 1
