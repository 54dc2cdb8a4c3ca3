"""The operations views over a real database: what a town's domains say, and that nothing missing becomes a 0."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api import schemas as api_schemas
from api.operations import schemas
from devices.profiles import load_catalogue
from tests.integration.api.conftest import checked
from tests.integration.api.figures import (
    at_site,
    figure_of,
    folded,
    rising_gauge,
    site_of,
    without_age_or_share,
)
from tests.integration.api.seed import ago, now

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.fix_database import Database
    from tests.integration.api.seed import Seed


async def test_the_towns_domain_its_map_and_its_ranking_name_the_worst_first(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    rising_gauge(seed)
    seed.device("calm", "river-gauge", place=(15.9, 108.4))
    at_site(seed, "calm", "ha-gauge-bach-dang")
    seed.observe("calm", now(), {"water-level": 0.4})
    seed.device("unknown", "river-gauge", place=(15.91, 108.4))

    view = checked(schemas.DomainView, await client.get("/v1/towns/hoi-an/environment"))
    layer = checked(schemas.DomainMap, await client.get("/v1/towns/hoi-an/environment/map"))
    ranking = checked(schemas.Ranking, await client.get("/v1/towns/hoi-an/environment/ranking?by=flood-alarm"))

    assert figure_of(view["figures"], "flood-alarm")["value"] == 2
    assert view["worst"][0]["site"]["id"] == "ha-gauge-hoi-an"
    assert (view["severities"]["alarm"], view["severities"]["normal"], view["severities"]["unknown"]) == (1, 1, 1)
    assert layer["type"] == "FeatureCollection"
    worst = next(feature for feature in layer["features"] if feature["id"] == "ha-gauge-hoi-an")
    assert worst["geometry"] == {"type": "Point", "coordinates": [108.33, 15.88]}
    assert worst["properties"]["figure"]["id"] == "flood-alarm"
    assert [item["site"]["id"] for item in ranking["items"]] == [
        "ha-gauge-hoi-an",
        "ha-gauge-bach-dang",
        "site-unknown",
    ]
    assert ranking["items"][2]["figure"]["value"] is None
    assert ranking["items"][2]["figure"]["reason"] == "no-alarm-levels"


async def test_a_box_and_a_ward_leave_sites_out(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("in", "river-gauge", place=(15.88, 108.33))
    seed.device("out", "river-gauge", place=(15.92, 108.40))
    seed.execute(
        "insert into site_ward (site_key, ward_id, how)"
        " select site_key, 'hoi-an-2019-minh-an', 'declared' from site where site_id = 'site-out'"
    )

    boxed = await client.get("/v1/towns/hoi-an/environment/map?bbox=108.3,15.8,108.35,15.9")
    warded = await client.get("/v1/towns/hoi-an/environment/ranking?ward=hoi-an-2019-minh-an")
    wrong = await client.get("/v1/towns/hoi-an/environment/map?ward=hoi-an-2019-nowhere")

    assert [feature["id"] for feature in checked(schemas.DomainMap, boxed)["features"]] == ["site-in"]
    assert [item["site"]["id"] for item in checked(schemas.Ranking, warded)["items"]] == ["site-out"]
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["name"] == "ward"
    assert "hoi-an-2019-minh-an" in wrong.json()["detail"]


async def test_what_is_missing_is_null_with_the_reason(client: httpx.AsyncClient, seed: Seed) -> None:
    for profile in ("air-station", "river-gauge", "weather-station", "noise-meter", "flood-sensor", "rain-gauge"):
        seed.device(profile, profile)
    for profile in ("traffic-counter", "lamp-controller", "lighting-cabinet"):
        seed.device(profile, profile)

    for domain in ("environment", "traffic", "lighting"):
        view = checked(schemas.DomainView, await client.get(f"/v1/towns/hoi-an/{domain}"))
        summary = checked(schemas.DomainSummary, await client.get(f"/v1/towns/hoi-an/{domain}/summary"))
        ranking = checked(schemas.Ranking, await client.get(f"/v1/towns/hoi-an/{domain}/ranking"))
        sites = [line["figure"] for line in ranking["items"] if line["figure"]]
        of_day = [figure for site in summary["sites"] for figure in site["figures"]]
        for figure in (*view["figures"], *sites, *of_day, *summary["figures"]):
            assert figure["value"] is None or figure["id"] == "silent-devices", figure  # they are, and it is known
            assert (figure["reason"] is None) == (figure["value"] is not None), figure


def every_figure(part: Any) -> Iterator[dict[str, Any]]:
    """The figures anywhere in an answer."""
    if isinstance(part, dict):
        if {"obtained", "value", "level", "text", "reason"} <= part.keys():
            yield part
        for value in part.values():
            yield from every_figure(value)
    elif isinstance(part, list):
        for value in part:
            yield from every_figure(value)


async def test_no_figure_without_a_value_has_a_class_or_a_text(client: httpx.AsyncClient, seed: Seed) -> None:
    # A value of each stream, so old that nothing is current.
    for profile_id, profile in load_catalogue().items():
        seed.device(profile_id, profile_id)
        values = {stream.name: max(1.0, stream.lower_bound) for stream in profile.datastreams}
        seed.observe(profile_id, ago(days=3), values)

    paths = [f"/v1/sites/site-{profile_id}" for profile_id in load_catalogue()]
    for domain in ("environment", "traffic", "lighting"):
        paths += [f"/v1/towns/hoi-an/{domain}{view}" for view in ("", "/map", "/ranking", "/summary")]
    seen = set()
    for path in ("/v1/towns/hoi-an/overview", *paths):
        response = await client.get(path)
        assert response.status_code == 200, response.text
        for figure in every_figure(response.json()):
            if figure["value"] is None:
                seen.add(figure["id"])
                assert (figure["level"], figure["text"]) == (None, None), (path, figure)

    assert {"noise-laeq", "vehicle-flow", "vn-aqi-day", "congested-sites", "rain-24h"} <= seen


async def test_every_figure_of_now_says_how_old_it_is_and_what_it_covers(client: httpx.AsyncClient, seed: Seed) -> None:
    end = now().replace(microsecond=0)
    for profile_id, profile in load_catalogue().items():
        seed.device(profile_id, profile_id)
        values = {stream.name: max(1.0, stream.lower_bound) for stream in profile.datastreams}
        for back_s in (2 * profile.reporting_interval_s, profile.reporting_interval_s, 5):
            seed.observe(profile_id, end - timedelta(seconds=back_s), values, latest=back_s == 5)

    seen: dict[str, Any] = {}
    paths = [f"/v1/sites/site-{profile_id}" for profile_id in load_catalogue()]
    for path in ("/v1/towns/hoi-an/overview", *paths):
        answer = await client.get(path)
        figures = list(every_figure(answer.json()))
        assert without_age_or_share(figures) == [], path
        seen |= {figure["id"]: figure for figure in figures if figure["value"] is not None}

    assert {
        "lamp-faults",
        "cabinet-faults",
        "silent-devices",
        "water-level",
        "street-depth",
        "signal-mode",
    } <= seen.keys()
    assert {
        "signal-mode",
        "uv-index",
        "feeder-power",
        "parking-occupied",
        "wind-direction-mean",
        "rain-24h",
    } <= seen.keys()


async def test_a_site_shows_its_last_day_by_the_quarter_of_an_hour(client: httpx.AsyncClient, seed: Seed) -> None:
    rising_gauge(seed)

    site = await site_of(client, "ha-gauge-hoi-an")

    level = next(series for series in site["series"] if series["datastream"] == "gauge:water-level")
    assert len(level["items"]) == 97
    assert max(item["max"] for item in level["items"] if item["max"] is not None) == pytest.approx(1.6)
    assert sum(item["count"] for item in level["items"]) == 48
    assert next(item for item in level["items"] if item["count"] == 0)["mean"] is None
    assert site["devices"][0]["latest"][0]["value"] == 1.6


async def test_every_figure_of_a_day_says_how_old_it_is_and_what_it_covers(
    client: httpx.AsyncClient, seed: Seed, database: Database
) -> None:
    for name, profile in (("cabinet", "lighting-cabinet"), ("lamp", "lamp-controller"), ("count", "traffic-counter")):
        seed.device(name, profile, commissioned=ago(days=9))
    seed.execute(
        "update device set gateway_key = (select device_key from device where device_id = 'cabinet')"
        " where device_id = 'lamp'"
    )
    day = (now() + timedelta(hours=7)).date() - timedelta(days=2)
    dusk = datetime(day.year, day.month, day.day, 11, 0, tzinfo=UTC)
    for minute in range(0, 720, 5):
        time = dusk + timedelta(minutes=minute)
        values = {"level-commanded": 100.0, "level": 100.0, "power": 64.0, "energy": 10.0 + minute * 0.064 / 60}
        seed.observe("lamp", time, values, latest=False)
        seed.observe("cabinet", time, {"energy": 90.0 + minute * 0.07 / 60}, latest=False)
    counter = load_catalogue()["traffic-counter"]
    classes = [stream.name for stream in counter.datastreams if "class" in stream.qualifiers]
    noon = datetime(day.year, day.month, day.day, 5, 0, tzinfo=UTC)
    for minute in range(60):
        seed.observe(
            "count", noon + timedelta(minutes=minute), dict.fromkeys(classes, 5.0) | {"speed": 30.0}, latest=False
        )
    await folded(seed, database)

    for domain, expected in (
        ("traffic", {"day-volume", "day-mean-speed"}),
        ("lighting", {"burn-hours", "energy-gap", "dimming-saving"}),
    ):
        answer = await client.get(f"/v1/towns/hoi-an/{domain}/summary?date={day.isoformat()}")
        body = checked(schemas.DomainSummary, answer)
        figures = [figure for site in body["sites"] for figure in site["figures"]] + body["figures"]
        assert without_age_or_share(figures) == []
        assert expected <= {figure["id"] for figure in figures if figure["value"] is not None}


@pytest.mark.parametrize(
    ("path", "status", "named", "said"),
    [
        ("/v1/towns/hoi-an/water", 400, "domain", "traffic"),
        ("/v1/towns/atlantis/environment", 404, None, "atlantis"),
        ("/v1/towns/hoi-an/environment?ward=x", 400, "ward", "unknown parameter"),
        ("/v1/towns/hoi-an/environment/map?bbox=1,2", 400, "bbox", "west,south,east,north"),
        ("/v1/towns/hoi-an/environment/ranking?by=level-of-service", 400, "by", "vn-aqi-hour"),
        ("/v1/towns/hoi-an/environment/ranking?limit=0", 400, "limit", "greater than or equal to 1"),
        ("/v1/towns/hoi-an/environment/ranking?cursor=nonsense", 400, "cursor", "next"),
        ("/v1/towns/hoi-an/environment/summary?date=yesterday", 400, "date", "2026-11-23"),
        ("/v1/towns/hoi-an/environment/summary?date=2999-01-01", 400, "date", "today"),
        ("/v1/towns/hoi-an/traffic?pcu_set=hanoi", 400, "pcu_set", "tcvn-4054-2005-flat"),
        ("/v1/towns/hoi-an/traffic/map?pcu_set=hanoi", 400, "pcu_set", "urban-30-50"),
        ("/v1/towns/hoi-an/traffic/summary?pcu_set=hanoi&date=2026-01-01", 400, "pcu_set", "2026-01-01"),
        ("/v1/towns/hoi-an/lighting/ranking?pcu_set=urban-60", 400, "pcu_set", "only traffic"),
        ("/v1/towns/hoi-an/lighting/summary?date=2019-12-31", 400, "date", "2020-01-01"),
        ("/v1/sites/nowhere", 404, None, "nowhere"),
        ("/v1/sites/UPPER", 400, "site", "match"),
        ("/v1/sites/x?include=latest", 400, "include", "unknown parameter"),
    ],
)
async def test_what_is_not_allowed_is_refused_with_its_name_and_what_is(
    client: httpx.AsyncClient, path: str, status: int, named: str | None, said: str
) -> None:
    response = await client.get(path)

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.json()["detail"]
    if named is not None:
        assert response.json()["errors"][0]["name"] == named


async def test_the_overview_bears_the_indices_of_each_domain(client: httpx.AsyncClient, seed: Seed) -> None:
    rising_gauge(seed)

    body = checked(api_schemas.Overview, await client.get("/v1/towns/hoi-an/overview"))

    of_domain = {domain["domain"]: domain["figures"] for domain in body["domains"]}
    assert figure_of(of_domain["environment"], "flood-alarm")["text"]["vi"] == "trên BĐ2: 0,10 m"
    assert figure_of(of_domain["environment"], "vn-aqi-hour")["value"] is None
    assert figure_of(of_domain["lighting"], "lamps-faulty")["id"] == "lamps-faulty"
    assert figure_of(of_domain["traffic"], "congested-sites")["reason"] == "too-few-readings"
