"""The operations views over a real database: what a town's domains say, and that nothing missing becomes a 0."""

from __future__ import annotations

import asyncio
import math
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from api import schemas as api_schemas
from api.grants import everywhere
from api.operations import schemas
from api.operations.fleet import read_fleet
from api.operations.history import read_history
from api.operations.service import AGGREGATE_S
from devices.profiles import load_catalogue
from tests.integration.aggregation.history import keeper, settle
from tests.integration.api.conftest import checked
from tests.integration.api.seed import ago, now

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from fastapi import FastAPI

    from api.operations.history import History
    from tests.fix_database import Database
    from tests.integration.api.seed import Seed


def at_site(seed: Seed, device: str, site: str) -> None:
    seed.execute("update site set site_id = %s where site_id = %s", [site, f"site-{device}"])


def figure_of(figures: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(figure for figure in figures if figure["id"] == name)


def hour_start() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


async def site_of(client: httpx.AsyncClient, site: str) -> dict[str, Any]:
    body: dict[str, Any] = checked(schemas.SiteView, await client.get(f"/v1/sites/{site}"))
    return body


def rising_gauge(seed: Seed) -> None:
    seed.device("gauge", "river-gauge")
    at_site(seed, "gauge", "ha-gauge-hoi-an")
    end = now().replace(microsecond=0)
    rows = [(end - timedelta(minutes=5 * step), 1.6 - 0.02 * step, 0) for step in range(1, 48)]
    seed.history("gauge", "water-level", rows)
    seed.observe("gauge", end, {"water-level": 1.6})


async def test_a_gauge_says_alarm_level_distance_rise_and_time_to_the_next(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    rising_gauge(seed)

    site = await site_of(client, "ha-gauge-hoi-an")

    alarm = figure_of(site["figures"], "flood-alarm")
    assert (alarm["value"], alarm["level"]["id"]) == (2, "alarm-2")
    assert alarm["text"] == {"vi": "trên BĐ2: 0,10 m", "en": "0.10 m above alarm level II"}
    assert (alarm["obtained"], alarm["formula"]) == ("index", "environment.flood-alarm/1")
    detail = alarm["detail"]
    assert detail["distance_to_next_m"] == pytest.approx(0.4)
    assert detail["rise_1h_m_per_h"] == pytest.approx(0.24, abs=0.03)
    assert detail["hours_to_next_at_1h_rate"] == pytest.approx(0.4 / detail["rise_1h_m_per_h"])
    assert site["severity"] == 3
    assert figure_of(site["figures"], "water-level")["obtained"] == "observed"


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


async def test_an_air_station_has_a_vn_aqi_and_a_low_cost_sensor_one_that_is_not_published(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    start = hour_start()
    seed.device("air", "air-station")
    seed.device("cheap", "air-sensor")
    for device, minutes, value in (("air", 5, 30.0), ("cheap", 10, 300.0)):
        rows = [(start - timedelta(minutes=minutes * step), value, 0) for step in range(13 * 60 // minutes)]
        seed.history(device, "pm25", rows)

    view = checked(schemas.DomainView, await client.get("/v1/towns/hoi-an/environment"))
    air, cheap = await site_of(client, "site-air"), await site_of(client, "site-cheap")

    aqi = figure_of(air["figures"], "vn-aqi-hour")
    assert aqi["value"] == 60  # (100 - 50) / (50 - 25) * (30 - 25) + 50
    assert (aqi["level"]["id"], aqi["level"]["colour"]) == ("moderate", "#FFFF00")
    assert (aqi["detail"]["dominant"], aqi["detail"]["published"], aqi["indicative"]) == ("pm25", True, False)
    assert aqi["coverage"] == 1.0
    indicative = figure_of(cheap["figures"], "vn-aqi-hour-indicative")
    assert (indicative["value"], indicative["indicative"], indicative["detail"]["published"]) == (350, True, False)
    assert "tham khảo" in indicative["name"]["vi"]
    assert not [figure for figure in cheap["figures"] if figure["id"] == "vn-aqi-hour"]
    assert figure_of(view["figures"], "vn-aqi-hour")["value"] == 60


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


async def test_rain_of_yesterday_evening_has_no_class_of_twelve_hours(client: httpx.AsyncClient, seed: Seed) -> None:
    end = now().replace(second=0, microsecond=0) - timedelta(hours=13)
    seed.device("rain", "rain-gauge")
    seed.history("rain", "rain", [(end - timedelta(minutes=5 * step), 0.5, 0) for step in range(24)])

    rain = figure_of((await site_of(client, "site-rain"))["figures"], "rain-24h")

    assert rain["value"] == pytest.approx(12.0)
    assert rain["detail"]["sums_mm"]["12h"] is None
    assert rain["detail"]["class_12h"] is None
    assert rain["detail"]["class_24h"]["en"] == "Rain"


async def test_a_day_without_enough_hours_has_a_reason_of_its_own(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")

    body = checked(schemas.DomainSummary, await client.get("/v1/towns/hoi-an/environment/summary"))

    for figure in (figure_of(body["figures"], "vn-aqi-day"), figure_of(body["sites"][0]["figures"], "vn-aqi-day")):
        assert figure["reason"] == "too-few-hours"
        assert "18 hours of the day" in figure["reason_text"]["en"]


async def test_sums_of_rain_and_levels_of_noise_come_with_their_classes(client: httpx.AsyncClient, seed: Seed) -> None:
    end = now().replace(second=0, microsecond=0)
    seed.device("rain", "rain-gauge")
    seed.history("rain", "rain", [(end - timedelta(minutes=5 * step), 0.5, 0) for step in range(12 * 23)])
    seed.device("noise", "noise-meter")
    seed.history("noise", "laeq", [(end - timedelta(minutes=step), 60.0 + step % 2 * 20, 0) for step in range(180)])

    rain = figure_of((await site_of(client, "site-rain"))["figures"], "rain-24h")
    noise = figure_of((await site_of(client, "site-noise"))["figures"], "noise-laeq")

    assert rain["value"] == pytest.approx(138.0)
    assert rain["text"]["vi"] == "Mưa rất to"
    assert rain["detail"]["sums_mm"]["1h"] == pytest.approx(6.0, abs=1.5)
    assert noise["value"] == pytest.approx(77.03, abs=0.05)  # energetic, not 70
    assert noise["detail"]["exceeded_of_the_last_hour"]["l10"] == 80.0
    assert noise["detail"]["area"] == "ordinary"


async def test_a_site_shows_its_last_day_by_the_quarter_of_an_hour(client: httpx.AsyncClient, seed: Seed) -> None:
    rising_gauge(seed)

    site = await site_of(client, "ha-gauge-hoi-an")

    level = next(series for series in site["series"] if series["datastream"] == "gauge:water-level")
    assert len(level["items"]) == 97
    assert max(item["max"] for item in level["items"] if item["max"] is not None) == pytest.approx(1.6)
    assert sum(item["count"] for item in level["items"]) == 48
    assert next(item for item in level["items"] if item["count"] == 0)["mean"] is None
    assert site["devices"][0]["latest"][0]["value"] == 1.6


async def test_traffic_tells_flow_speed_and_what_is_usual(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("count", "traffic-counter")
    end = now().replace(second=0, microsecond=0)
    for minute in range(1, 46):  # of the newest whole quarter hour a minute may be missing
        seed.observe(
            "count",
            end - timedelta(minutes=minute),
            {
                **dict.fromkeys(("flow-bus", "flow-truck", "flow-bicycle"), 0.0),
                "flow-motorcycle": 40.0,
                "flow-car": 10.0,
            }
            | {"speed": 30.0, "occupancy": 12.5},
            latest=minute == 1,
        )

    site = await site_of(client, "site-count")
    view = checked(schemas.DomainView, await client.get("/v1/towns/hoi-an/traffic"))
    today = checked(schemas.DomainSummary, await client.get("/v1/towns/hoi-an/traffic/summary"))

    assert figure_of(site["figures"], "vehicle-flow")["value"] == pytest.approx(3000)
    assert figure_of(site["figures"], "pcu-flow")["value"] == pytest.approx(60 * (40 * 0.3 + 10))
    assert figure_of(site["figures"], "mean-speed")["value"] == pytest.approx(30)
    assert figure_of(site["figures"], "headway")["value"] == pytest.approx(1.2)
    assert figure_of(site["figures"], "density")["value"] == pytest.approx(100)
    assert figure_of(site["figures"], "occupancy")["value"] == pytest.approx(12.5)
    assert figure_of(site["figures"], "level-of-service")["reason"] == "no-free-flow-speed"
    assert figure_of(site["figures"], "same-hour-difference")["value"] is None
    assert figure_of(view["figures"], "vehicle-flow")["value"] == pytest.approx(3000)
    assert figure_of(today["sites"][0]["figures"], "day-pcu-flow")["value"] == pytest.approx(60 * (40 * 0.3 + 10))

    # The same counts, weighed by another set of coefficients.
    asked = "pcu_set=urban-30-50"
    again = checked(schemas.SiteView, await client.get(f"/v1/sites/site-count?{asked}"))
    other = checked(schemas.DomainView, await client.get(f"/v1/towns/hoi-an/traffic?{asked}"))
    ranked = checked(schemas.Ranking, await client.get(f"/v1/towns/hoi-an/traffic/ranking?by=pcu-flow&{asked}"))
    layer = await client.get(f"/v1/towns/hoi-an/traffic/map?{asked}")
    of_day = checked(schemas.DomainSummary, await client.get(f"/v1/towns/hoi-an/traffic/summary?{asked}"))
    assert layer.status_code == 200
    for figures, name in (
        (again["figures"], "pcu-flow"),
        (other["worst"][0]["figures"], "pcu-flow"),
        ([ranked["items"][0]["figure"]], "pcu-flow"),
        (of_day["sites"][0]["figures"], "day-pcu-flow"),
    ):
        units = figure_of(figures, name)
        assert units["value"] == pytest.approx(60 * (40 * 0.25 + 10))
        assert (units["detail"]["coefficients"], units["detail"]["coefficients_from"]) == ("urban-30-50", "2007-01-01")


async def test_a_counter_of_which_a_class_is_missing_has_no_flow(client: httpx.AsyncClient, seed: Seed) -> None:
    classes = [
        stream.name for stream in load_catalogue()["traffic-counter"].datastreams if "class" in stream.qualifiers
    ]
    seed.device("count", "traffic-counter")
    end = now().replace(second=0, microsecond=0)
    for minute in range(1, 46):
        seed.observe("count", end - timedelta(minutes=minute), dict.fromkeys(classes[1:], 5.0), latest=minute == 1)

    site = await site_of(client, "site-count")
    view = checked(schemas.DomainView, await client.get("/v1/towns/hoi-an/traffic"))

    flow = figure_of(site["figures"], "vehicle-flow")
    assert (flow["value"], flow["reason"], flow["coverage"], flow["level"]) == (None, "class-missing", 0.0, None)
    assert list(flow["detail"]["by_class"].values()) == [None] + [300.0] * (len(classes) - 1)
    assert figure_of(site["figures"], "headway")["reason"] == "class-missing"
    assert figure_of(view["figures"], "vehicle-flow")["value"] is None


async def test_without_the_count_of_a_class_nothing_is_suspected_and_the_reason_is_told(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    classes = [
        stream.name for stream in load_catalogue()["traffic-counter"].datastreams if "class" in stream.qualifiers
    ]
    end = now().replace(second=0, microsecond=0)
    for name, counted in (("whole", classes), ("part", classes[1:])):
        seed.device(name, "traffic-counter")
        for minute in range(1, 20):
            values = dict.fromkeys(counted, 5.0) | {"speed": 10.0 if minute < 4 else 40.0}
            seed.observe(name, end - timedelta(minutes=minute), values, latest=minute == 1)

    whole = figure_of((await site_of(client, "site-whole"))["figures"], "speed-drop")
    part = figure_of((await site_of(client, "site-part"))["figures"], "speed-drop")

    assert (whole["value"], whole["level"]["id"]) == (75.0, "queue")
    assert (part["value"], part["level"], part["reason"]) == (None, None, "class-missing")


def without_age_or_share(figures: list[dict[str, Any]]) -> list[str]:
    """Figures that have a value and do not say how old it is, what it covers, how good it is or where it is from."""
    told = ("phenomenon_time", "age_s", "coverage", "quality", "obtained", "how")
    return [
        f"{figure['id']}: {name}"
        for figure in figures
        for name in told
        if figure[name] is None and figure["value"] is not None
    ]


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


_DAYS_OF_WINDOWS = """
insert into window_set (device_key, length_s, start_time, changed_time, computed_time, count, flagged, sum,
                        second_moment, min, min_time, max, max_time, first, first_time, last, last_time)
select d.device_key, 86400, t, now(), now(), array_fill(least, array[n]), array_fill(0, array[n]),
       array_fill(least * 20.0::float8, array[n]), z, z, times, z, times, z, times, z, times
from device d,
     lateral (select max(slot)::integer as n from datastream s where s.device_key = d.device_key) slots,
     lateral (select array_fill(0.0::float8, array[n]) as z, array_fill(now(), array[n]) as times) arrays,
     lateral (select 86400 / d.reporting_interval_s as least) due,
     generate_series(%s::timestamptz, %s::timestamptz, interval '1 day') t
where d.device_id = %s
"""


async def test_the_day_of_the_environment_has_limits_levels_exceeded_wind_and_depth(
    client: httpx.AsyncClient, seed: Seed, database: Database
) -> None:
    for profile in ("air-station", "noise-meter", "weather-station", "flood-sensor"):
        seed.device(profile, profile, commissioned=ago(days=9))
    seed.device("old-air", "air-station", commissioned=ago(days=400))
    day = (now() + timedelta(hours=7)).date() - timedelta(days=1)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=7)
    minutes = [start + timedelta(minutes=at) for at in range(1, 1441)]
    seed.history("air-station", "pm25", [(time, 46.0, 0) for time in minutes[4::5]])
    seed.history("noise-meter", "laeq", [(time, 40.0 + at % 10, 0) for at, time in enumerate(minutes)])
    turns = [(time, 350.0 if at % 2 else 20.0, 0) for at, time in enumerate(minutes[:720])]
    seed.history("weather-station", "wind-direction", turns)
    seed.history("flood-sensor", "depth", [(time, 0.2 if at == 5 else 0.0, 0) for at, time in enumerate(minutes[::60])])
    await folded(seed, database)
    seed.execute(_DAYS_OF_WINDOWS, [start - timedelta(days=280), start, "old-air"])

    answer = await client.get(f"/v1/towns/hoi-an/environment/summary?date={day.isoformat()}")

    body = checked(schemas.DomainSummary, answer)
    of_site = {site["site"]["id"]: site["figures"] for site in body["sites"]}
    assert without_age_or_share([figure for figures in of_site.values() for figure in figures]) == []
    air = figure_of(of_site["site-air-station"], "air-limits-day")
    assert (air["value"], air["level"]["id"]) == (pytest.approx(100 * 46 / 45), "exceeded")  # 45 since 2026
    assert [line["period"] for line in air["detail"]["limits"]] == ["P1D"]  # particles have no limit of an hour
    year = figure_of(of_site["site-air-station"], "air-limits-year")
    assert (year["value"], year["reason"], year["coverage"]) == (None, "too-few-days", pytest.approx(1 / 365))
    whole = figure_of(of_site["site-old-air"], "air-limits-year")
    assert (whole["value"], whole["formula"]) == (pytest.approx(80.0), "environment.year-mean/1")  # PM2.5: 20 of 25
    assert {line["property"]: line["days"] for line in whole["detail"]["limits"]}["no2"] == 281
    noise = figure_of(of_site["site-noise-meter"], "noise-exceeded-day")
    assert [noise["detail"][name] for name in ("l10", "l50", "l90")] == pytest.approx([48.0, 44.0, 40.0], rel=0.004)
    wind = figure_of(of_site["site-weather-station"], "wind-direction-day")
    assert (wind["value"], wind["coverage"]) == (pytest.approx(5.0, abs=0.1), pytest.approx(0.5, abs=0.01))
    assert wind["detail"]["resultant_length"] == pytest.approx(math.cos(math.radians(15)), abs=0.001)
    depth = figure_of(of_site["site-flood-sensor"], "highest-street-depth")
    assert (depth["value"], depth["level"]["id"], depth["detail"]["deepest_hour"]) == (0.2, "flooded", "05:00")


async def test_a_day_of_which_a_class_is_missing_has_no_volume(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("count", "traffic-counter")
    today = (now() + timedelta(hours=7)).date()
    start = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(hours=31)
    seed.history("count", "flow-motorcycle", [(start + timedelta(minutes=10 * step), 5.0, 0) for step in range(1, 60)])
    day = today - timedelta(days=1)

    body = checked(schemas.DomainSummary, await client.get(f"/v1/towns/hoi-an/traffic/summary?date={day.isoformat()}"))

    volume = figure_of(body["sites"][0]["figures"], "day-volume")
    assert (volume["value"], volume["reason"], volume["coverage"]) == (None, "class-missing", 0.0)
    assert figure_of(body["sites"][0]["figures"], "same-day-difference")["reason"] == "class-missing"


async def test_a_signal_that_only_flashes_is_named_and_parking_places_are_counted(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("signal", "signal-controller")
    for name in ("p1", "p2", "p3"):
        seed.device(name, "parking-sensor")
    time = ago(seconds=5)
    seed.observe("signal", time, {"mode": 5.0, "failed-lamps": 1.0})
    seed.observe("p1", time, {"occupied": 1.0})
    seed.observe("p2", time, {"occupied": 0.0})

    site = await site_of(client, "site-signal")
    view = checked(schemas.DomainView, await client.get("/v1/towns/hoi-an/traffic"))

    mode = figure_of(site["figures"], "signal-mode")
    assert (mode["text"]["vi"], mode["level"]["id"], mode["obtained"]) == ("Nháy vàng", "flashing", "observed")
    assert figure_of(site["figures"], "failed-signal-lamps")["level"]["severity"] == 2
    parking = figure_of(view["figures"], "parking-occupied")
    assert (parking["value"], parking["detail"]) == (1, {"places": 3, "current": 2, "free": 1})
    assert parking["coverage"] == pytest.approx(2 / 3)


async def test_a_lamp_that_burns_by_day_or_fails_is_named_and_a_sound_one_is_not(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    for name in ("dark", "sound", "rated"):
        seed.device(name, "lamp-controller")
    seed.execute("update device set rated_power_w = 64 where device_id = 'rated'")
    end = now().replace(microsecond=0)
    for step in range(4):
        time = end - timedelta(minutes=5 * (3 - step))
        seed.observe(
            "dark", time, {"level-commanded": 0.0, "level": 0.0, "power": 0.2, "lamp-failure": 1.0, "state": 0.0}
        )
        seed.observe(
            "sound", time, {"level-commanded": 0.0, "level": 0.0, "power": 0.2, "lamp-failure": 0.0, "state": 0.0}
        )
        # It says nothing of a failure; its registered power tells.
        seed.observe("rated", time, {"level-commanded": 100.0, "power": 0.2, "state": 0.0})

    view = checked(schemas.DomainView, await client.get("/v1/towns/hoi-an/lighting"))
    ranking = checked(schemas.Ranking, await client.get("/v1/towns/hoi-an/lighting/ranking?by=lamp-faults"))

    faulty = figure_of(view["figures"], "lamps-faulty")
    assert (faulty["value"], faulty["detail"]["by_fault"]["lamp-failure"]) == (2, 2)
    assert figure_of(view["figures"], "lamps-lit")["value"] == 0
    first, rated, second = ranking["items"]
    assert (rated["site"]["id"], rated["figure"]["text"]["vi"]) == ("site-rated", "Hỏng đèn")
    assert [(lamp["rated_w"], lamp["rated_from"]) for lamp in rated["figure"]["detail"]["lamps"]] == [(64.0, "device")]
    assert (first["site"]["id"], first["figure"]["text"]["vi"]) == ("site-dark", "Hỏng đèn")
    assert (second["figure"]["value"], second["figure"]["level"]["severity"]) == (0, 0)


async def test_a_cabinet_that_reports_each_minute_is_metered_the_whole_night(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    for name, profile in (("cabinet", "lighting-cabinet"), ("lamp", "lamp-controller")):
        seed.device(name, profile, commissioned=ago(days=9))
    day = (now() + timedelta(hours=7)).date() - timedelta(days=2)
    dusk = datetime(day.year, day.month, day.day, 11, 30, tzinfo=UTC)
    minutes = range(630)
    seed.history("cabinet", "energy", [(dusk + timedelta(minutes=at), 1000 + 0.01 * at, 0) for at in minutes])
    seed.history("lamp", "energy", [(dusk + timedelta(minutes=at), 500 + 0.001 * at, 0) for at in minutes[::5]])

    body = checked(schemas.DomainSummary, await client.get(f"/v1/towns/hoi-an/lighting/summary?date={day.isoformat()}"))

    assert figure_of(body["figures"], "meter-energy")["value"] == pytest.approx(6.29)
    assert figure_of(body["figures"], "lamps-energy")["value"] == pytest.approx(0.625)


async def test_a_day_that_is_over_is_complete_and_its_figures_are_of_it(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station", commissioned=ago(days=9))
    yesterday = (now() + timedelta(hours=7)).date() - timedelta(days=1)
    start = datetime(yesterday.year, yesterday.month, yesterday.day, tzinfo=UTC) - timedelta(hours=7)
    rows = [(start + timedelta(minutes=5 * step), 55.7, 0) for step in range(1, 289)]
    seed.history("air", "pm25", rows)

    body = checked(
        schemas.DomainSummary, await client.get(f"/v1/towns/hoi-an/environment/summary?date={yesterday.isoformat()}")
    )

    assert (body["complete"], body["date"]) == (True, yesterday.isoformat())
    aqi = figure_of(body["figures"], "vn-aqi-day")
    assert (aqi["value"], aqi["detail"]["dominant"]) == (110, "pm25")


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


async def folded(seed: Seed, database: Database) -> None:
    """Bring every window up to the last observation, as the aggregator does when nothing comes in."""
    changes = [
        (key, int(first.timestamp() * 1e6), int(last.timestamp() * 1e6), count)
        for key, first, last, count in seed.connection.execute(
            "select device_key, min(phenomenon_time), max(phenomenon_time), count(*)::integer from observation_set"
            " group by device_key, date_bin('15 minutes', phenomenon_time, timestamptz '1970-01-01 00:00Z')"
        )
    ]
    for key, first_us, last_us, count in changes:
        named = struct.pack("<iiqq", key, count, first_us, last_us)
        seed.execute("insert into window_change (changes) values (%s)", [named])
    made, connection = keeper(database, int(now().timestamp() * 1e6))
    with connection:
        settle(made)


async def test_many_datastreams_make_one_aggregate_of_all_their_observations(
    client: httpx.AsyncClient, seed: Seed, database: Database
) -> None:
    start = hour_start() - timedelta(hours=2)
    levels = {"n1": [50.0] * 30, "n2": [70.0] * 10}
    for name, values in levels.items():
        seed.device(name, "noise-meter", town="hoi-an")
        seed.history(name, "laeq", [(start + timedelta(minutes=at + 1), value, 0) for at, value in enumerate(values)])
    seed.device("there", "noise-meter", town="tam-ky")
    seed.history("there", "laeq", [(start + timedelta(minutes=1), 90.0, 0)])
    seed.history("n1", "lamax", [(start + timedelta(minutes=50), 99.0, 2)])
    await folded(seed, database)
    span = f"from={start.isoformat()[:19]}Z&to={(start + timedelta(hours=1)).isoformat()[:19]}Z"
    query = f"/v1/statistics?property=sound-level-equivalent&town=hoi-an&{span}&resolution="

    hour = checked(schemas.TownStatistics, await client.get(query + "PT1H"))
    quarters = checked(schemas.TownStatistics, await client.get(query + "PT15M"))
    everywhere = checked(
        schemas.TownStatistics, await client.get(f"/v1/statistics?property=sound-level-equivalent&{span}")
    )

    (item,) = hour["items"]
    assert (hour["datastreams"], item["datastreams"], item["count"]) == (2, 2, 40)
    assert item["mean"] == pytest.approx(10 * math.log10((30 * 1e5 + 10 * 1e7) / 40))
    assert (item["min"], item["max"], item["expected"]) == (50.0, 70.0, 120)
    assert item["p50"] == pytest.approx(50, rel=0.004)
    assert item["p90"] == pytest.approx(70, rel=0.004)
    assert [window["count"] for window in quarters["items"]] == [25, 15, 0, 0]
    assert quarters["items"][3]["mean"] is None
    assert everywhere["items"][0]["count"] == 41
    assert everywhere["items"][0]["max"] == 90.0


async def test_an_aggregate_counts_what_is_not_in_windows_yet_and_soon_what_comes_after_it_was_asked_for(
    client: httpx.AsyncClient, seed: Seed, database: Database
) -> None:
    start = hour_start()
    for name in ("n1", "n2"):
        seed.device(name, "noise-meter", town="hoi-an")
    seed.history("n1", "laeq", [(start - timedelta(minutes=at + 1), 50.0, 0) for at in range(20)])
    await folded(seed, database)
    seed.history("n2", "laeq", [(start - timedelta(minutes=at + 1), 70.0, 0) for at in range(20)])
    seed.history("n1", "laeq", [(start - timedelta(seconds=30), 99.0, 2)])
    span = f"from={(start - timedelta(hours=1)).isoformat()[:19]}Z&to={start.isoformat()[:19]}Z"
    query = f"/v1/statistics?property=sound-level-equivalent&town=hoi-an&{span}&resolution=PT1H"

    (item,) = checked(schemas.TownStatistics, await client.get(query))["items"]
    seed.history("n2", "laeq", [(start - timedelta(seconds=at), 90.0, 0) for at in (1, 2)])
    committed = asyncio.get_running_loop().time()
    while (later := checked(schemas.TownStatistics, await client.get(query))["items"][0])["count"] == 40:
        assert asyncio.get_running_loop().time() - committed < 10
        await asyncio.sleep(0.05)

    assert (item["datastreams"], item["count"], item["flagged"]) == (2, 40, 1)
    assert item["mean"] == pytest.approx(10 * math.log10((1e5 + 1e7) / 2))
    assert (item["min"], item["max"], item["sum"]) == (50.0, 70.0, 2400.0)
    assert item["p50"] == pytest.approx(50, rel=0.004)
    assert item["p90"] == pytest.approx(70, rel=0.004)
    assert (later["count"], later["max"]) == (42, 90.0)
    assert later["p95"] == pytest.approx(70, rel=0.004)
    assert AGGREGATE_S <= 2  # so long after its commit a reading is in what is served


async def test_of_a_device_only_what_falls_into_its_service_is_due(client: httpx.AsyncClient, seed: Seed) -> None:
    start = hour_start() - timedelta(hours=4)
    seed.device("stays", "noise-meter")
    seed.device("leaves", "noise-meter", retired=start + timedelta(minutes=90))
    seed.device("comes", "noise-meter", commissioned=start + timedelta(minutes=150))
    seed.device("left", "noise-meter", retired=start - timedelta(days=2))
    span = f"from={start.isoformat()[:19]}Z&to={(start + timedelta(hours=4)).isoformat()[:19]}Z"

    body = checked(
        schemas.TownStatistics,
        await client.get(f"/v1/statistics?property=sound-level-equivalent&town=hoi-an&{span}&resolution=PT1H"),
    )

    assert body["datastreams"] == 3
    assert [item["expected"] for item in body["items"]] == [120, 90, 90, 120]


@pytest.mark.parametrize(
    ("query", "named", "said"),
    [
        ("", "property", "required"),
        ("?property=happiness", "property", "pm25"),
        ("?property=pm25&town=atlantis", "town", "hoi-an"),
        ("?property=pm25&ward=x", "ward", "allowed"),
        ("?property=pm25&resolution=P1M", "resolution", "PT15M"),
        ("?property=pm25&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to", "later"),
        ("?property=pm25&from=2020-01-02T00:00:00Z", "from", "400 days"),
        ("?property=pm25&from=2150-01-01T00:00:00Z", "from", "later than now"),
        ("?property=pm25&from=2150-01-01T00:00:00Z&to=2150-01-02T00:00:00Z", "from", "later than now"),
        ("?property=pm25&metric=mean", "metric", "unknown parameter"),
    ],
)
async def test_a_wrong_question_about_statistics_is_told_what_is_allowed(
    client: httpx.AsyncClient, query: str, named: str, said: str
) -> None:
    response = await client.get(f"/v1/statistics{query}")

    assert response.status_code == 400, response.text
    assert response.json()["errors"][0]["name"] == named
    assert said in response.json()["detail"]


async def test_the_overview_bears_the_indices_of_each_domain(client: httpx.AsyncClient, seed: Seed) -> None:
    rising_gauge(seed)

    body = checked(api_schemas.Overview, await client.get("/v1/towns/hoi-an/overview"))

    of_domain = {domain["domain"]: domain["figures"] for domain in body["domains"]}
    assert figure_of(of_domain["environment"], "flood-alarm")["text"]["vi"] == "trên BĐ2: 0,10 m"
    assert figure_of(of_domain["environment"], "vn-aqi-hour")["value"] is None
    assert figure_of(of_domain["lighting"], "lamps-faulty")["id"] == "lamps-faulty"
    assert figure_of(of_domain["traffic"], "congested-sites")["reason"] == "too-few-readings"


async def test_history_is_the_same_before_and_after_it_is_folded(app: FastAPI, seed: Seed, database: Database) -> None:
    seed.device("weather", "weather-station")
    seed.device("noise", "noise-meter")
    end = now().replace(second=0, microsecond=0)
    for minute in range(150):
        time = end - timedelta(minutes=149 - minute)
        values = {"rain": minute % 7 * 0.2, "wind-direction": minute * 11.0 % 360, "wind-gust": minute % 13.0}
        quality = {"rain": 2} if minute % 50 == 0 else None
        seed.observe("weather", time, values, quality=quality, latest=False)
        seed.observe("noise", time, {"laeq": 50.0 + minute % 30}, latest=False)

    before = await histories(app)
    await folded(seed, database)
    after = await histories(app)

    for step, (ours, theirs) in enumerate(zip(before, after, strict=True)):
        for name in ("count", "flagged", "min", "max", "last", "last_us"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=f"{name} {step}")
        for name in ("sum", "energy", "east", "north"):
            one, other = np.nan_to_num(ours.added[name]), np.nan_to_num(theirs.added[name])
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6, err_msg=f"{name} {step}")
    assert before[0].count.sum() == 150 * 4 - 3
    assert before[0].flagged.sum() == 3


async def histories(app: FastAPI) -> list[History]:
    """Hours and quarters of the last three hours."""
    database = app.state.services.database
    first_s = int(hour_start().timestamp()) - 3 * 3600
    with everywhere():
        fleet = await read_fleet(database, "hoi-an", "environment", 0)
        return [
            await read_history(
                database,
                fleet,
                fleet.keys.tolist(),
                first_s=first_s,
                steps=4 * 3600 // step_s,
                step_s=step_s,
                wanted=("min", "max", "last", "energy", "east", "north"),
                tail=True,
            )
            for step_s in (3600, 900)
        ]
