"""Water, air, rain and noise in the operations views, over a real database."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from api.operations import schemas
from tests.integration.api.conftest import checked
from tests.integration.api.figures import (
    figure_of,
    folded,
    hour_start,
    rising_gauge,
    site_of,
    without_age_or_share,
)
from tests.integration.api.seed import ago, now

if TYPE_CHECKING:
    import httpx

    from tests.fix_database import Database
    from tests.integration.api.seed import Seed


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
    assert figure_of(body["figures"], "highest-street-depth")["value"] == 0.2
