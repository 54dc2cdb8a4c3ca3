from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import history_schemas
from tests.integration.api.conftest import checked
from tests.integration.api.seed import ago, now

if TYPE_CHECKING:
    import httpx

    from tests.integration.api.seed import Seed

HOUR = timedelta(hours=1)
LOCAL_OFFSET = timedelta(hours=7)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BASE = datetime(2026, 2, 27, 17, 0, tzinfo=UTC)  # a local midnight, one day before a month's end


def slow_start(time: datetime, resolution: str) -> datetime:
    """The start of the window around a time, by counting on a naive local calendar."""
    if resolution in {"PT15M", "PT1H"}:
        length = timedelta(minutes=15) if resolution == "PT15M" else HOUR
        return EPOCH + (time - EPOCH) // length * length
    local = time + LOCAL_OFFSET
    return datetime(local.year, local.month, local.day if resolution == "P1D" else 1, tzinfo=UTC) - LOCAL_OFFSET


def slow_end(start: datetime, resolution: str) -> datetime:
    probe = start
    while slow_start(probe, resolution) == start:
        probe += timedelta(minutes=15)
    return probe


def slow_mean(kind: str, values: list[float]) -> float | None:
    if not values:
        return None
    if kind == "energetic":
        return 10 * math.log10(math.fsum(10 ** (value / 10) for value in values) / len(values))
    if kind == "circular":
        east = math.fsum(math.sin(math.radians(value)) for value in values) / len(values)
        north = math.fsum(math.cos(math.radians(value)) for value in values) / len(values)
        return None if math.hypot(east, north) < 1e-9 else math.degrees(math.atan2(east, north)) % 360
    return math.fsum(values) / len(values)


def slow_flags(rows: list[tuple[datetime, float, int]]) -> dict[str, int]:
    names = ("calibrating", "fault", "outside-expected-range", "spike", "stuck", "flat-at-bound", "clock-skew")
    counts = {name: sum(quality >> bit & 1 for _, _, quality in rows) for bit, name in enumerate(names)}
    return {name: count for name, count in counts.items() if count}


def slow_windows(
    rows: list[tuple[datetime, float, int]],
    first: datetime,
    last: datetime,
    resolution: str,
    period: timedelta,
    kind: str,
) -> list[dict[str, Any]]:
    """Every window that touches [first, last), by looking at every observation for each."""
    windows = []
    start = slow_start(first, resolution)
    while start < last:
        end = slow_end(start, resolution)
        inside = [row for row in rows if start <= row[0] - period < end]
        good = [row for row in inside if not row[2] & (1 | 2 | 8 | 16 | 32)]
        values = [value for _, value, _ in good]
        windows.append(
            {
                "start": start,
                "end": end,
                "count": len(good),
                "flagged": len(inside) - len(good),
                "mean": slow_mean(kind, values),
                "min": min(values, default=None),
                "max": max(values, default=None),
                "sum": math.fsum(values) if values else None,
                "min_time": min(((value, time) for time, value, _ in good), default=(0, None))[1],
                "max_time": min(((-value, time) for time, value, _ in good), default=(0, None))[1],
                "first": min(good)[1] if good else None,
                "last": max(good)[1] if good else None,
                "flags": slow_flags(inside),
                "first_phenomenon_time": min((time for time, _, _ in good), default=None),
                "last_phenomenon_time": max((time for time, _, _ in good), default=None),
            }
        )
        start = end
    return windows


def parsed(item: dict[str, Any]) -> dict[str, Any]:
    times = ("start", "end", "first_phenomenon_time", "last_phenomenon_time", "min_time", "max_time")
    return {
        name: datetime.fromisoformat(value) if name in times and value else value
        for name, value in item.items()
        if name not in {"expected", "coverage"}
    }


def close(kind: str, got: Any, expected: Any) -> bool:
    if not isinstance(got, float) or not isinstance(expected, int | float):
        return bool(got == expected)
    if kind == "circular" and abs(got - expected) > 180:
        got, expected = (got + 180) % 360, (expected + 180) % 360
    return math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-6)


async def all_windows(client: httpx.AsyncClient, datastream: str, **parameters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = parameters | ({"cursor": cursor} if cursor else {})
        body = checked(
            history_schemas.Statistics, await client.get(f"/v1/datastreams/{datastream}/statistics", params=query)
        )
        items += body["items"]
        cursor = body["next"]
    return items


borders = st.sampled_from([BASE + timedelta(days=1), BASE + timedelta(days=2), BASE + 30 * HOUR, BASE])
near_a_border = st.builds(
    lambda border, off: border + timedelta(microseconds=off),
    borders,
    st.sampled_from([-300_000_001, -300_000_000, -1, 0, 1]),
)
anywhere = st.integers(0, 4 * 86_400 * 1_000_000).map(lambda micros: BASE + timedelta(microseconds=micros))
times = st.one_of(near_a_border, anywhere)
histories = st.dictionaries(
    times, st.tuples(st.floats(0, 140, allow_subnormal=False), st.sampled_from([0, 0, 0, 1, 2, 4, 12, 64])), max_size=40
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=histories,
    span=st.tuples(times, times).filter(lambda pair: pair[0] < pair[1]),
    resolution=st.sampled_from(["PT15M", "PT1H", "P1D", "P1M"]),
    datastream=st.sampled_from(
        [("air", "pm25", 300, "arithmetic"), ("lamp", "power", 0, "arithmetic"),
         ("noise", "laeq", 60, "energetic"), ("wind", "wind-direction", 60, "circular")]
    ),
    limit=st.sampled_from([1000, 7, 60]),
)  # fmt: skip
async def test_statistics_are_those_of_a_slow_plain_reference(
    client: httpx.AsyncClient, seed: Seed, history: Any, span: Any, resolution: str, datastream: Any, limit: int
) -> None:
    device, name, period_s, kind = datastream
    for known, profile in (
        ("air", "air-station"),
        ("lamp", "lamp-controller"),
        ("noise", "noise-meter"),
        ("wind", "weather-station"),
    ):
        if known not in seed._keys:
            seed.device(known, profile)
    seed.execute("delete from observation_set")
    rows = [(time, value, quality) for time, (value, quality) in history.items()]
    seed.history(device, name, rows)
    first, last = span

    items = await all_windows(
        client,
        f"{device}:{name}",
        **{"from": first.isoformat(), "to": last.isoformat()},
        resolution=resolution,
        limit=limit,
    )

    expected = slow_windows(rows, first, last, resolution, timedelta(seconds=period_s), kind)
    assert len(items) == len(expected)
    for got, want in zip((parsed(item) for item in items), expected, strict=True):
        assert {k: got[k] for k, v in want.items() if not close(kind, got[k], v)} == {}, want


async def test_levels_are_averaged_as_energies_and_directions_on_the_circle(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("noise", "noise-meter")
    seed.device("wind", "weather-station")
    seed.history("noise", "laeq", [(BASE + timedelta(minutes=1), 50.0, 0), (BASE + timedelta(minutes=2), 70.0, 0)])
    seed.history(
        "wind", "wind-direction", [(BASE + timedelta(minutes=1), 350.0, 0), (BASE + timedelta(minutes=2), 20.0, 0)]
    )
    query = {"from": BASE.isoformat(), "to": (BASE + HOUR).isoformat(), "resolution": "PT1H"}

    noise = checked(history_schemas.Statistics, await client.get("/v1/datastreams/noise:laeq/statistics", params=query))
    wind = checked(
        history_schemas.Statistics, await client.get("/v1/datastreams/wind:wind-direction/statistics", params=query)
    )

    assert (noise["mean"], wind["mean"]) == ("energetic", "circular")
    assert math.isclose(noise["items"][0]["mean"], 10 * math.log10((1e5 + 1e7) / 2))
    assert math.isclose(wind["items"][0]["mean"], 5.0)


async def test_the_period_of_a_value_counts_where_it_starts(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    midnight = BASE + timedelta(days=1)
    seed.history("air", "pm25", [(midnight, 10.0, 0), (midnight + timedelta(minutes=5), 20.0, 0)])

    days = await all_windows(
        client, "air:pm25", **{"from": BASE.isoformat(), "to": (BASE + timedelta(days=2)).isoformat()}, resolution="P1D"
    )

    assert [(day["start"], day["count"], day["mean"]) for day in days] == [
        ("2026-02-27T17:00:00Z", 1, 10.0),
        ("2026-02-28T17:00:00Z", 1, 20.0),
    ]


async def test_a_closed_window_expects_one_observation_each_interval(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    rows = [(BASE + timedelta(minutes=5 * number), 1.0, 0 if number else 2) for number in range(1, 7)]
    seed.history("air", "pm25", [*rows, (BASE + timedelta(minutes=35), 1.0, 2)])

    (hour, empty) = await all_windows(
        client, "air:pm25", **{"from": BASE.isoformat(), "to": (BASE + 2 * HOUR).isoformat()}, resolution="PT1H"
    )

    assert (hour["count"], hour["expected"], hour["coverage"], hour["flagged"]) == (6, 12, 0.5, 1)
    assert (empty["count"], empty["expected"], empty["coverage"], empty["mean"]) == (0, 12, 0.0, None)


async def test_an_open_window_expects_only_what_was_due_and_none_lies_ahead(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    seed.device("count", "traffic-counter")
    seed.observe("count", ago(seconds=1), {"speed": 30.0})
    query = {"from": ago(days=2).isoformat(), "to": (now() + timedelta(days=2)).isoformat(), "resolution": "P1D"}

    days = await all_windows(client, "count:speed", **query)

    assert len(days) == 3
    passed_s = (now() - datetime.fromisoformat(days[-1]["start"])).total_seconds()
    assert passed_s // 60 - 1 <= days[-1]["expected"] <= passed_s // 60
    assert [day["expected"] for day in days[:2]] == [1440, 1440]


@pytest.mark.parametrize(
    ("span", "resolution"),
    [(timedelta(hours=3), "PT15M"), (timedelta(days=3), "PT15M"), (timedelta(days=10), "PT1H"),
     (timedelta(days=100), "P1D"), (timedelta(days=400), "P1M")],
)  # fmt: skip
async def test_auto_chooses_a_resolution_that_a_chart_can_show_and_tells_which(
    client: httpx.AsyncClient, seed: Seed, span: timedelta, resolution: str
) -> None:
    seed.device("air", "air-station")
    query = {"from": ago(seconds=span.total_seconds()).isoformat()}

    body = checked(history_schemas.Statistics, await client.get("/v1/datastreams/air:pm25/statistics", params=query))

    assert body["resolution"] == resolution
    assert len(body["items"]) <= 301
    assert body["next"] is None


async def test_without_a_span_the_last_day_is_shown(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    seed.observe("air", ago(hours=23), {"pm25": 4.0})
    seed.observe("air", ago(hours=26), {"pm25": 5.0})

    body = checked(history_schemas.Statistics, await client.get("/v1/datastreams/air:pm25/statistics"))

    assert body["resolution"] == "PT15M"
    assert len(body["items"]) == 97
    assert sum(item["count"] for item in body["items"]) == 1


async def test_bad_parameters_of_statistics_are_refused(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    for query, name in (
        ("resolution=PT5M", "resolution"),
        ("resolution=auto&resolution=P1D", "resolution"),
        ("from=2000-01-01T00:00:00Z", "from"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z", "to"),
        ("order=desc", "order"),
        ("cursor=WzFd", "cursor"),
        ("limit=0", "limit"),
    ):
        response = await client.get(f"/v1/datastreams/air:pm25/statistics?{query}")

        assert response.status_code == 400, (query, response.text)
        assert response.json()["errors"][0]["name"] == name


async def test_a_datastream_answers_with_the_reductions_it_keeps_and_no_other(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    for device, profile in (
        ("noise", "noise-meter"),
        ("lamp", "lamp-controller"),
        ("wind", "weather-station"),
        ("count", "traffic-counter"),
    ):
        seed.device(device, profile)
    minutes = [BASE + timedelta(minutes=number) for number in range(1, 6)]
    seed.history(
        "noise", "laeq", [(at, value, 0) for at, value in zip(minutes, (60.0, 71.0, 72.0, 69.0, 80.0), strict=True)]
    )
    seed.history(
        "lamp", "energy", [(at, value, 0) for at, value in zip(minutes, (9.0, 10.0, 0.5, 1.0, 2.0), strict=True)]
    )
    seed.history(
        "lamp", "state", [(at + HOUR, value, 0) for at, value in zip(minutes, (0.0, 0.0, 1.0, 1.0, 0.0), strict=True)]
    )
    seed.history("wind", "wind-direction", [(at, value, 0) for at, value in zip(minutes[:2], (0.0, 90.0), strict=True)])
    seed.history("count", "speed", [(at, value, 0) for at, value in zip(minutes[:2], (20.0, 60.0), strict=True)])
    query = {"from": BASE.isoformat(), "to": (BASE + 2 * HOUR).isoformat(), "resolution": "P1D"}

    async def day(datastream: str) -> tuple[dict[str, Any], dict[str, Any]]:
        body = checked(
            history_schemas.Statistics, await client.get(f"/v1/datastreams/{datastream}/statistics", params=query)
        )
        return body, body["items"][0]

    body, levels = await day("noise:laeq")
    assert (set(body["keeps"]), body["limit"]) == ({"energetic-mean", "sketch", "exceedance"}, 70.0)
    assert (levels["above"], levels["longest_run"]) == (3, 2)
    assert levels["p50"] == levels["l50"] == pytest.approx(71, rel=1 / 257)
    assert levels["l90"] == pytest.approx(60, rel=1 / 257)
    assert "increase" not in levels
    _, energy = await day("lamp:energy")
    assert (energy["increase"], energy["resets"]) == (3.0, 1)
    _, state = await day("lamp:state")
    assert state["transitions"] == 2
    assert state["state_s"].keys() == {"off", "on"}
    _, wind = await day("wind:wind-direction")
    assert wind["circular_mean"] == pytest.approx(45)
    assert wind["resultant_length"] == pytest.approx(math.sqrt(0.5))
    _, speed = await day("count:speed")
    assert {"harmonic_mean", "p95"} <= speed.keys()


async def test_a_year_ends_at_local_midnight(client: httpx.AsyncClient, seed: Seed) -> None:
    seed.device("air", "air-station")
    midnight = datetime(2025, 12, 31, 17, 0, tzinfo=UTC)
    times = (midnight, midnight + timedelta(seconds=1), midnight + timedelta(minutes=5))
    seed.history("air", "pm25", [(at, float(number), 0) for number, at in enumerate(times)])
    query = {"from": (midnight - timedelta(hours=1)).isoformat(), "to": (midnight + timedelta(hours=1)).isoformat()}

    for resolution, following in (("P1M", datetime(2026, 1, 31, 17, tzinfo=UTC)), ("P1D", midnight + 24 * HOUR)):
        old, new = await all_windows(client, "air:pm25", **query, resolution=resolution)

        assert (old["end"], old["count"], old["last"]) == ("2025-12-31T17:00:00Z", 2, 1.0)
        assert (new["start"], new["count"], new["first"]) == ("2025-12-31T17:00:00Z", 1, 2.0)
        assert datetime.fromisoformat(new["end"]) == following
