from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from api import schemas
from tests.integration.api.conftest import checked
from tests.integration.api.seed import ago, now

if TYPE_CHECKING:
    import httpx

    from tests.integration.api.seed import Seed


async def headlines(client: httpx.AsyncClient, town: str = "hoi-an") -> dict[str, Any]:
    body = checked(schemas.Overview, await client.get(f"/v1/towns/{town}/overview"))
    return {line["property"]: line for domain in body["domains"] for line in domain["headlines"]}


async def test_a_town_without_observations_has_null_figures_with_the_reason_and_never_zero(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("air", "air-station")

    lines = await headlines(client)

    assert set(lines) == {
        "vehicle-count",
        "vehicle-speed",
        "lamp-state",
        "active-power",
        "pm25",
        "water-level",
        "air-temperature",
        "sound-level-equivalent",
    }
    assert {line["value"] for line in lines.values()} == {None}
    assert {line["reason"] for line in lines.values()} == {"no current observation"}
    assert (lines["pm25"]["datastreams"], lines["pm25"]["of"]) == (0, 1)
    assert lines["water-level"]["of"] == 0


async def test_only_current_observations_of_good_quality_make_a_figure(client: httpx.AsyncClient, seed: Seed) -> None:
    for name in ("a", "b", "stale", "flagged", "gone", "retired"):
        seed.device(name, "air-station", retired=ago(days=1) if name == "retired" else None)
    seed.device("there", "air-station", town="tam-ky")
    newest, oldest = ago(seconds=10), ago(minutes=10)
    seed.observe("a", newest, {"pm25": 10.0})
    seed.observe("b", oldest, {"pm25": 30.0})
    seed.observe("stale", ago(minutes=16), {"pm25": 500.0})
    seed.observe("flagged", newest, {"pm25": 500.0, "pm10": 1.0}, quality={"pm25": 2})
    seed.observe("gone", ago(minutes=2), {"pm25": 500.0})
    seed.status("gone", "offline", ago(minutes=1))
    seed.observe("retired", newest, {"pm25": 500.0})
    seed.observe("there", newest, {"pm25": 99.0})

    pm25 = (await headlines(client))["pm25"]

    assert pm25["value"] == 20.0
    assert (pm25["datastreams"], pm25["of"], pm25["unit"], pm25["reason"]) == (2, 5, "ug/m3", None)
    assert pm25["oldest_phenomenon_time"] == oldest.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert pm25["newest_phenomenon_time"] == newest.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_a_fresh_device_with_one_old_datastream_does_not_lend_it_its_freshness(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("air", "air-station")
    seed.observe("air", ago(hours=1), {"pm25": 80.0})
    seed.observe("air", now(), {"temperature": 28.0})

    lines = await headlines(client)

    assert lines["pm25"]["value"] is None
    assert lines["air-temperature"]["value"] == 28.0


async def test_each_headline_is_reduced_as_it_says(client: httpx.AsyncClient, seed: Seed) -> None:
    for name in ("c1", "c2"):
        seed.device(name, "traffic-counter")
    for name in ("l1", "l2", "l3", "l4", "l5"):
        seed.device(name, "lamp-controller")
    seed.device("cab", "lighting-cabinet")
    for name in ("n1", "n2"):
        seed.device(name, "noise-meter")
    for name in ("r1", "r2"):
        seed.device(name, "river-gauge")
    time = ago(seconds=5)
    seed.observe("c1", time, {"flow-motorcycle": 40.0, "flow-car": 10.0, "speed": 30.0})
    seed.observe("c2", time, {"flow-motorcycle": 5.0, "speed": 40.0})
    for name, state in (("l1", 1.0), ("l2", 2.0), ("l3", 0.0), ("l4", 3.0)):
        seed.observe(name, time, {"state": state, "power": 90.0})
    seed.observe("cab", time, {"power-l1": 700.0, "power": 2000.0})
    seed.observe("n1", time, {"laeq": 50.0})
    seed.observe("n2", time, {"laeq": 70.0})
    seed.observe("r1", time, {"water-level": 1.2})
    seed.observe("r2", time, {"water-level": 2.7})

    lines = await headlines(client)

    assert lines["vehicle-count"]["value"] == 55 * 60
    assert (lines["vehicle-count"]["unit"], lines["vehicle-count"]["datastreams"]) == ("/h", 3)
    assert lines["vehicle-speed"]["value"] == 35.0
    assert lines["lamp-state"]["value"] == 2
    assert (lines["lamp-state"]["datastreams"], lines["lamp-state"]["of"]) == (4, 5)
    assert lines["active-power"]["value"] == 2000.0
    assert lines["active-power"]["of"] == 1
    assert math.isclose(lines["sound-level-equivalent"]["value"], 10 * math.log10((1e5 + 1e7) / 2))
    assert lines["water-level"]["value"] == 2.7


async def test_lamps_that_all_say_off_are_zero_lit_lamps_and_not_a_missing_figure(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("lamp", "lamp-controller")
    seed.observe("lamp", now(), {"state": 0.0})

    lines = await headlines(client)

    assert (lines["lamp-state"]["value"], lines["lamp-state"]["reason"]) == (0, None)


async def test_problems_come_worst_first_then_longest_and_are_counted_in_full(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("fine", "air-station")
    seed.device("never", "air-station")
    seed.device("stale", "air-station")
    seed.device("gone-long", "air-station")
    seed.device("gone", "air-station")
    for number in range(50):
        seed.device(f"never-{number:02}", "lamp-controller")
    seed.observe("fine", now(), {"pm25": 1.0})
    seed.observe("stale", ago(minutes=20), {"pm25": 1.0})
    seed.status("gone", "offline", ago(minutes=5))
    seed.status("gone-long", "offline", ago(hours=5))

    body = checked(schemas.Overview, await client.get("/v1/towns/hoi-an/overview"))

    assert [problem["device"] for problem in body["problems"][:3]] == ["gone-long", "gone", "stale"]
    assert {problem["state"] for problem in body["problems"][3:]} == {"never-seen"}
    assert len(body["problems"]) == 50
    assert body["problem_count"] == 54
    assert body["problems"][0]["site"] == {"id": "site-gone-long", "name": "Nơi gone-long"}
    environment = next(domain for domain in body["domains"] if domain["domain"] == "environment")
    assert environment["devices"] == {"online": 1, "stale": 1, "offline": 2, "never-seen": 1, "retired": 0}
    assert body["town"]["devices"]["never-seen"] == 51


async def test_a_town_that_does_not_exist_has_no_overview(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/towns/hue/overview")).status_code == 404
