"""Traffic and lighting in the operations views, over a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from api.operations import schemas
from devices.profiles import load_catalogue
from tests.integration.api.conftest import checked
from tests.integration.api.figures import (
    figure_of,
    site_of,
)
from tests.integration.api.seed import ago, now

if TYPE_CHECKING:
    import httpx

    from tests.integration.api.seed import Seed


def feed(seed: Seed, lamp: str, cabinet: str) -> None:
    """Register the cabinet that feeds a lamp."""
    seed.connection.execute(
        "update device set fed_by_key = (select device_key from device where device_id = %s) where device_id = %s",
        [cabinet, lamp],
    )


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


async def test_a_cabinet_without_supply_hides_the_lamps_it_feeds_though_they_speak_for_themselves(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("cabinet", "lighting-cabinet")
    for name in ("fed", "other"):
        seed.device(name, "lamp-controller")
        seed.observe(name, ago(seconds=5), {"level": 0.0, "state": 0.0, "voltage": 0.0})
    seed.observe("cabinet", ago(seconds=5), {"voltage-l1": 0.0, "voltage-l2": 0.0, "voltage-l3": 0.0})
    feed(seed, "fed", "cabinet")

    view = checked(schemas.DomainView, await client.get("/v1/towns/hoi-an/lighting"))
    lamp = figure_of((await site_of(client, "site-fed"))["figures"], "lamp-faults")
    other = figure_of((await site_of(client, "site-other"))["figures"], "lamp-faults")
    box = figure_of((await site_of(client, "site-cabinet"))["figures"], "cabinet-faults")

    faulty = figure_of(view["figures"], "lamps-faulty")
    assert (faulty["value"], faulty["detail"]["by_fault"]["supply-voltage"]) == (1, 1)
    assert faulty["detail"]["by_fault"]["suppressed"] == 1
    assert [(each["cabinet"], each["faults"]) for each in lamp["detail"]["lamps"]] == [("cabinet", ["suppressed"])]
    assert [(each["cabinet"], each["faults"]) for each in other["detail"]["lamps"]] == [(None, ["supply-voltage"])]
    assert (lamp["value"], other["value"]) == (0, 1)
    assert (box["level"]["id"], box["detail"]["lamps"], box["detail"]["suppresses_lamps"]) == ("supply-lost", 1, True)


async def test_a_cabinet_that_reports_each_minute_is_metered_the_whole_night(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    for name, profile in (("cabinet", "lighting-cabinet"), ("lamp", "lamp-controller")):
        seed.device(name, profile, commissioned=ago(days=9))
    feed(seed, "lamp", "cabinet")
    day = (now() + timedelta(hours=7)).date() - timedelta(days=2)
    dusk = datetime(day.year, day.month, day.day, 11, 30, tzinfo=UTC)
    minutes = range(630)
    seed.history("cabinet", "energy", [(dusk + timedelta(minutes=at), 1000 + 0.01 * at, 0) for at in minutes])
    seed.history("lamp", "energy", [(dusk + timedelta(minutes=at), 500 + 0.001 * at, 0) for at in minutes[::5]])

    body = checked(schemas.DomainSummary, await client.get(f"/v1/towns/hoi-an/lighting/summary?date={day.isoformat()}"))

    assert figure_of(body["figures"], "meter-energy")["value"] == pytest.approx(6.29)
    assert figure_of(body["figures"], "lamps-energy")["value"] == pytest.approx(0.625)
    gap = figure_of([figure for site in body["sites"] for figure in site["figures"]], "energy-gap")
    assert (gap["value"], gap["detail"]["lamps"]) == (pytest.approx(100 * (6.29 - 0.625) / 6.29), 1)
