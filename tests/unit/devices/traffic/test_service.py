"""Free flow, levels of service, travel time, comparison, bans and suspicions, against plain references."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.figures import UNKNOWN
from devices.traffic.calendars import FLOW_STATES, SUSPICIOUS_USUAL, Calendar, calendar_at, judge_zero, load_calendars
from devices.traffic.comparison import compare, same_hours
from devices.traffic.incidents import KINDS, suspicion
from devices.traffic.service import (
    LEVELS,
    STATES,
    ServiceTable,
    buffer_index,
    free_flow_speed,
    level_of_service,
    planning_time_index,
    service_table,
    travel_time_index,
)

DAY = date(2025, 11, 23)
TABLE = service_table(DAY)
NONE = math.nan
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
speeds = st.one_of(st.just(NONE), st.floats(1, 120))


def array(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, np.float64)


def words(codes: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], known: tuple[str, ...] | str) -> list[str]:
    return ["?" if code == UNKNOWN else known[code] for code in codes.tolist()]


@pytest.mark.parametrize(
    ("speed", "level", "state"),
    [
        (40, "A", "free"),
        (34.1, "A", "free"),
        (34, "B", "free"),
        (30, "B", "slow"),
        (26.8, "C", "slow"),
        (24, "C", "congested"),
        (20, "D", "congested"),
        (16, "E", "congested"),
        (12, "F", "jammed"),
        (0, "F", "jammed"),
    ],
)
def test_levels_and_states_are_by_speed_against_free_flow(speed: float, level: str, state: str) -> None:
    found = level_of_service(array(speed), array(40), TABLE)
    assert (words(found.level, LEVELS), words(found.state, STATES)) == ([level], [state])
    assert found.share.at(0) == (pytest.approx(speed * 2.5), None)


def test_without_a_speed_or_a_free_flow_speed_there_is_no_level() -> None:
    found = level_of_service(array(NONE, 30), array(40, NONE), TABLE)
    assert words(found.level, LEVELS) == words(found.state, STATES) == ["?", "?"]
    assert [found.share.at(at)[1] for at in (0, 1)] == ["no-reading", "no-free-flow-speed"]


@given(speed=st.floats(0, 150), free=st.floats(5, 120))
def test_a_level_is_the_first_whose_limit_is_exceeded(speed: float, free: float) -> None:
    share = speed / free * 100
    level = next((letter for letter, limit in zip("ABCDE", (85, 67, 50, 40, 30), strict=True) if share > limit), "F")
    found = words(level_of_service(array(speed), array(free), TABLE).level, LEVELS)[0]
    assert found == level or min(abs(share - limit) for limit in (85, 67, 50, 40, 30)) < 1e-6


@given(
    rows=st.lists(st.tuples(speeds, st.one_of(st.just(NONE), st.integers(0, 9).map(float))), min_size=0, max_size=30),
    least=st.integers(1, 5),
)
def test_the_free_flow_speed_is_a_percentile_of_the_windows_that_count(
    rows: list[tuple[float, float]], least: int
) -> None:
    rule = TABLE.free_flow.model_copy(update={"windows_min": least})
    found = free_flow_speed(np.array([[v for v, _ in rows]]), np.array([[n for _, n in rows]]), rule) if rows else None
    usable = sorted(v for v, n in rows if not math.isnan(v) and n >= rule.vehicles_min)
    if found is None or len(usable) < least:
        assert found is None or found.at(0)[1] == ("too-few-readings" if usable else "no-reading")
    else:
        assert found.value[0] == pytest.approx(float(np.percentile(usable, rule.percentile)), rel=1e-12)


def test_travel_time_indices() -> None:
    assert travel_time_index(array(20, 0, NONE, 20), array(40, 40, 40, NONE)).value.tolist()[:1] == [2]
    assert [travel_time_index(array(20, 0, NONE, 20), array(40, 40, 40, NONE)).at(at)[1] for at in (1, 2, 3)] == [
        "no-reading", "no-reading", "no-free-flow-speed",
    ]  # fmt: skip
    steady = np.full(20, 25.0)
    assert planning_time_index(steady, array(50)[0]).at() == (pytest.approx(2), None)
    assert buffer_index(steady).at() == (pytest.approx(0, abs=1e-12), None)
    assert buffer_index(array(NONE)).at() == (None, "no-reading")


@given(rows=st.lists(speeds, min_size=1, max_size=30), free=st.floats(10, 100))
def test_planning_time_and_buffer_equal_their_definitions(rows: list[float], free: float) -> None:
    times = [1 / v for v in rows if not math.isnan(v)]
    planned, buffered = planning_time_index(np.array(rows), np.float64(free)), buffer_index(np.array(rows))
    if not times:
        assert (planned.at()[1], buffered.at()[1]) == ("no-reading", "no-reading")
        return
    late = float(np.percentile(times, 95))
    assert planned.value == pytest.approx(late * free, rel=1e-9)
    assert buffered.value == pytest.approx(late / statistics.fmean(times) - 1, rel=1e-9, abs=1e-9)


def test_limits_that_do_not_fall_are_refused() -> None:
    row = TABLE.model_dump(by_alias=True)
    with pytest.raises(ValueError, match="limits must fall"):
        ServiceTable.model_validate(row | {"state_above_percent": (60, 75, 30)})
    with pytest.raises(ValueError, match="before_min must not be above"):
        ServiceTable.model_validate(row | {"drop": row["drop"] | {"before_min": 99}})


def test_the_same_hour_of_the_past_weeks_has_the_same_local_clock_and_weekday() -> None:
    now = datetime(2025, 11, 23, 17, 0, tzinfo=LOCAL)
    past = same_hours(now)
    assert [(t.astimezone(LOCAL).strftime("%m-%d %H:%M"), t.astimezone(LOCAL).weekday()) for t in past] == [
        ("11-16 17:00", 6), ("11-09 17:00", 6), ("11-02 17:00", 6), ("10-26 17:00", 6),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="aware"):
        same_hours(now.replace(tzinfo=None))


def test_a_comparison_takes_the_weeks_that_are_there() -> None:
    past = np.array([[100, NONE, 0], [120, NONE, 0], [NONE, NONE, NONE], [80, NONE, 0]])
    found = compare(array(150, 10, 5), past, "/h")
    assert found.usual.value[0] == 100
    assert found.difference.at(0) == (pytest.approx(50), None)
    assert found.weeks.tolist() == [3, 0, 3]
    assert [found.difference.at(at)[1] for at in (1, 2)] == ["no-history", "no-history"]
    assert found.usual.at(2) == (0, None)
    assert compare(array(NONE), np.array([[3.0]]), "/h").difference.at(0) == (None, "no-reading")


@given(
    now=st.floats(0, 1e4),
    past=st.lists(st.one_of(st.just(NONE), st.just(0.0), st.floats(1e-3, 1e4)), min_size=4, max_size=4),
)
def test_a_comparison_equals_the_plain_mean(now: float, past: list[float]) -> None:
    found = compare(array(now), np.array(past)[:, None], "/h")
    there = [value for value in past if not math.isnan(value)]
    if there and (usual := statistics.fmean(there)) > 0:
        assert found.usual.value[0] == pytest.approx(usual, rel=1e-9)
        assert found.difference.value[0] == pytest.approx((now - usual) / usual * 100, rel=1e-9, abs=1e-9)
    else:
        assert found.difference.at(0)[0] is None


OLD_TOWN = (15.8774, 108.3290)


def test_the_old_town_has_its_calendar_and_the_street_next_to_it_has_none() -> None:
    calendar = calendar_at("site-1", *OLD_TOWN, DAY)
    assert calendar is not None
    assert calendar.id == "hoi-an-old-town"
    assert calendar_at("site-1", 15.8799, 108.3285, DAY) is None
    assert calendar_at("site-1", *OLD_TOWN, date(2019, 1, 1)) is None


@pytest.mark.parametrize(
    ("clock", "banned"),
    [
        ("08:59", False), ("09:00", True), ("10:59", True), ("11:00", False),
        ("17:59", False), ("18:00", True), ("21:29", True), ("21:30", False), ("00:00", False),
    ],
)  # fmt: skip
def test_motor_vehicles_are_banned_from_9_to_11_and_from_18_to_half_past_21(clock: str, banned: bool) -> None:
    time_s = array(datetime.fromisoformat(f"2025-11-23T{clock}:00+07:00").timestamp())
    (calendar,) = (c for c in load_calendars() if c.id == "hoi-an-old-town")
    assert calendar.banned(time_s, "motorcycle").tolist() == [banned]
    assert calendar.banned(time_s, "bicycle").tolist() == [False]


@given(
    time=st.datetimes(
        datetime.fromisoformat("2019-06-01"), datetime.fromisoformat("2027-01-01"), timezones=st.just(UTC)
    ),
    until=st.none() | st.dates(date(2020, 1, 2), date(2027, 1, 1)),
)
def test_a_ban_holds_where_the_local_clock_says(time: datetime, until: date | None) -> None:
    row = load_calendars()[0].model_dump(by_alias=True)
    calendar = Calendar.model_validate(row | {"hours": [{"from": "09:00", "to": "11:00"}], "until": until})
    local = time.astimezone(LOCAL)
    holds = calendar.first <= local.date() and (until is None or local.date() < until)
    plain = holds and 9 <= local.hour < 11
    assert calendar.banned(array(time.timestamp()), "car").tolist() == [plain]


def test_hours_that_end_before_they_begin_are_refused() -> None:
    row = load_calendars()[0].model_dump(by_alias=True)
    with pytest.raises(ValueError, match="a span over midnight takes two"):
        Calendar.model_validate(row | {"hours": [{"from": "22:00", "to": "05:00"}]})
    with pytest.raises(ValueError, match="valid integer"):
        Calendar.model_validate(row | {"hours": [{"from": "9h", "to": "11:00"}]})


def test_no_traffic_during_the_ban_is_expected_and_traffic_is_not() -> None:
    count = array(0, 3, 0, 3, 0, NONE)
    banned = np.array([True, True, False, False, False, True])
    usual = array(40, 40, 40, 40, 2, 40)
    assert words(judge_zero(count, banned, usual), FLOW_STATES) == [
        "expected-zero", "against-ban", "suspicious-zero", "flowing", "zero", "?",
    ]  # fmt: skip


def road(*newest: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    speed = array(*[40.0] * 12, *(v for v, _ in newest))
    count = array(*[50.0] * 12, *(n for _, n in newest))
    return speed[None], count[None]


@pytest.mark.parametrize(
    ("newest", "free", "kind"),
    [
        ([(39, 50), (41, 52), (40, 49)], 45, "none"),
        ([(12, 45), (10, 44), (11, 46)], 45, "queue"),
        ([(12, 9), (6, 3), (5, 2)], 45, "incident"),
        ([(39, 50), (10, 44), (11, 46)], 45, "none"),  # too short
        ([(23, 50), (23, 50), (23, 50)], 30, "none"),  # far below the usual, and yet near free flow
        ([(23, 50), (23, 50), (23, 50)], NONE, "queue"),
        ([(12, 9), (NONE, 0), (5, 2)], 45, "incident"),
        ([(NONE, 0), (NONE, 0), (NONE, 0)], 45, "?"),  # an empty road is not suspicious
        ([(NONE, 0), (NONE, 0), (5, 1)], 45, "none"),  # one slow vehicle is no queue
        ([(12, NONE), (10, NONE), (11, NONE)], 45, "?"),  # without counts a queue and an incident look the same
    ],
)
def test_a_lasting_fall_of_the_speed_is_suspicious(newest: list[tuple[float, float]], free: float, kind: str) -> None:
    speed, count = road(*newest)
    found = suspicion(speed, count, array(free), TABLE.drop)
    assert words(found.kind, KINDS) == [kind]


def test_a_short_history_tells_nothing() -> None:
    found = suspicion(array(40, 40, 10, 10, 10)[None], array(5, 5, 5, 5, 5)[None], array(45), TABLE.drop)
    assert words(found.kind, KINDS) == ["?"]
    assert found.drop.at(0) == (None, "too-few-readings")
    found = suspicion(array(10, 10)[None], array(5, 5)[None], array(45), TABLE.drop)
    assert words(found.kind, KINDS) == ["?"]


@given(
    rows=st.lists(st.tuples(speeds, st.one_of(st.just(NONE), st.integers(0, 60).map(float))), min_size=1, max_size=20),
    free=st.one_of(st.just(NONE), st.floats(20, 80)),
)
def test_a_suspicion_equals_its_plain_reading(rows: list[tuple[float, float]], free: float) -> None:
    rule = TABLE.drop
    found = suspicion(np.array([[v for v, _ in rows]]), np.array([[n for _, n in rows]]), array(free), rule)
    assert words(found.kind, KINDS) == [_plainly(rows, free)]


def _plainly(rows: list[tuple[float, float]], free: float) -> str:
    rule = TABLE.drop
    newest, before = rows[-rule.periods :], rows[: -rule.periods][-rule.before_periods :]
    usual = [v for v, _ in before if not math.isnan(v)]
    seen = [v for v, _ in newest if not math.isnan(v)]
    if len(usual) < rule.before_min or len(newest) < rule.periods or math.isnan(newest[-1][0]):
        return "?"
    limit = statistics.median(usual) * (1 - rule.drop_percent / 100)
    if not math.isnan(free):
        limit = min(limit, free * (rule.free_flow_percent / 100))
    if max(seen) > limit or len(seen) * 2 <= rule.periods:
        return "none"
    flow_before = [n for _, n in before if not math.isnan(n)]
    came = [n for _, n in newest if not math.isnan(n)]
    if len(flow_before) < rule.before_min or not came:
        return "?"
    held = statistics.fmean(came) < statistics.median(flow_before) * (rule.flow_kept_percent / 100)
    return "incident" if held else "queue"


def test_the_past_weeks_are_whole_weeks_ago() -> None:
    now = datetime(2025, 11, 23, 10, 0, tzinfo=UTC)
    assert [now - past for past in same_hours(now, 2)] == [timedelta(days=7), timedelta(days=14)]


@given(
    count=st.one_of(st.just(NONE), st.integers(0, 5).map(float)),
    banned=st.booleans(),
    usual=st.one_of(st.just(NONE), st.floats(0, 100)),
)
def test_what_a_count_means_equals_its_plain_reading(count: float, banned: bool, usual: float) -> None:
    if math.isnan(count):
        plain = "?"
    elif banned:
        plain = "against-ban" if count > 0 else "expected-zero"
    elif count > 0:
        plain = "flowing"
    else:
        plain = "suspicious-zero" if usual >= SUSPICIOUS_USUAL else "zero"
    assert words(judge_zero(array(count), np.array([banned]), array(usual)), FLOW_STATES) == [plain]
