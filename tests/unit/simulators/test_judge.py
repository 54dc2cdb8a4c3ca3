"""The judge's own reading of the contract, its verdicts on single readings, and its plain windows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.codecs.thubon_json import decode_telemetry
from devices.profiles import load_catalogue
from simulators.__main__ import main
from simulators.journal import Journal, Sent
from simulators.judge.claims import Claims, claims_of
from simulators.judge.findings import Findings
from simulators.judge.outcomes import Row, Rows, settle
from simulators.judge.payloads import Bounds, Registered, Stream, tell
from simulators.judge.refusals import Refusal, Standing, settle_refusals
from simulators.judge.report import Report
from simulators.judge.windows import Window, differences, fold, start_of

if TYPE_CHECKING:
    from pathlib import Path

    from devices.models import DeviceProfile

SECOND = 1_000_000
NOW_US = 1_763_876_700 * SECOND
TOPIC = "thubon/v1/hoi-an/air-1/telemetry"
PROFILES = load_catalogue()


def registered(profile: DeviceProfile, device: str = "air-1", gateway: str | None = None) -> Registered:
    streams = {
        each.name: Stream(
            each.name,
            each.property_id,
            each.factor,
            each.addend,
            each.lower_bound,
            each.upper_bound,
            each.words,
            each.interval_s,
            each.period_s if each.period_s and each.stamp == "end" else 0,
        )
        for each in profile.datastreams
    }
    return Registered(device, "hoi-an", profile.profile_id, gateway, 0, False, 60, (15.88, 108.33), streams, "site-1")


DEVICES = {"air-1": registered(PROFILES["air-station"])}


def sent(payload: object, *, number: int = 1, acknowledged: bool = True, topic: str = TOPIC, **about: Any) -> Sent:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    fields = {"qos": 1, "retain": False, "device": "air-1", "faults": (), "device_faults": {}, "lost": False}
    sent_us = NOW_US + number
    fields |= {"expect": None, "acknowledged_us": sent_us if acknowledged else None, **about}
    return Sent(number=number, sent_us=sent_us, topic=topic, payload=data, **fields)  # type: ignore[arg-type]


def judged(messages: list[Sent], rows: Rows, refusals: list[Refusal] | None = None) -> tuple[Claims, Findings]:
    claims, findings = claims_of(messages, DEVICES, Bounds()), Findings()
    bounds, began_us = Bounds(), NOW_US - SECOND
    for device, ours in claims.by_device.items():
        claims.refused += settle(ours, rows, findings, bounds=bounds, began_us=began_us, device=device)
    settle_refusals(claims.refused, Standing.of(refusals or []), findings, complete=True)
    return claims, findings


def fates(claims: Claims) -> list[str]:
    return [claim.fate for claim in {id(each): each for each in claims.all()}.values()]


def item(pm25: float, *, ts: int = NOW_US // 1_000, **about: object) -> dict[str, object]:
    return {"ts": ts, "values": {"pm25": pm25}, **about}


def row(value: float, quality: int = 0) -> Rows:
    return {("pm25", NOW_US): Row(value, quality, NOW_US)}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_it_reads_every_example_of_the_catalogue_as_the_contract_says(profile: DeviceProfile) -> None:
    for example in profile.examples:
        _, _, town, source, kind = example.topic.split("/")
        if kind != "telemetry":
            continue
        device = registered(profile, source)
        device = replace(device, town_id=town)
        told = tell(example.topic, example.payload, retained=False, devices={source: device}, bounds=Bounds())
        inside = [
            each
            for each in told
            if each.value is not None
            and device.streams[each.name].lower <= each.value <= device.streams[each.name].upper
        ]
        assert {(each.name, each.time_us, each.quality) for each in inside} == {
            (reading.name, reading.time_us, reading.quality) for reading in example.readings
        }
        value_of = {(reading.name, reading.time_us): reading.value for reading in example.readings}
        for each in inside:
            assert each.value == pytest.approx(value_of[each.name, each.time_us], rel=1e-12)
        assert sum(each.value is None and each.reason is None for each in told) == example.missing


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**13), 10**13)
    | st.floats(allow_nan=False)
    | st.sampled_from(["low", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["ts", "values", "quality", "pm25", "no2", "other"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(body=_JSON)
def test_it_agrees_with_the_plain_codec_on_any_json(body: object) -> None:
    payload = json.dumps(body).encode()
    profile = PROFILES["air-station"]
    told = tell(TOPIC, payload, retained=False, devices=DEVICES, bounds=Bounds())
    decoded = decode_telemetry(payload, "air-1", {each.name: each for each in profile.datastreams})
    streams = DEVICES["air-1"].streams
    mine = sorted(
        each.reason or "out-of-bounds"
        for each in told
        if each.reason
        or (each.value is not None and not streams[each.name].lower <= each.value <= streams[each.name].upper)
        for _ in range(each.readings)
    )
    assert mine == sorted(refusal.reason.value for refusal in decoded.refusals for _ in range(refusal.readings))
    assert sum(each.value is None and each.reason is None for each in told) == decoded.missing


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("2024-02-29T23:59:59.1234567+07:00", 1_709_225_999_123_456),
        ("2025-11-23t05:45:00z", NOW_US),
        ("2023-02-29T00:00:00Z", None),
        ("2024-13-01T00:00:00Z", None),
        ("2024-01-01T00:00:00", None),
    ],
)
def test_it_reads_rfc_3339(text: str, time_us: int | None) -> None:
    (told,) = tell(TOPIC, json.dumps(item(1.0, ts=text)).encode(), retained=False, devices=DEVICES, bounds=Bounds())  # type: ignore[arg-type]
    assert (told.time_us, told.reason) == (time_us, None if time_us else "bad-timestamp")


@pytest.mark.parametrize(
    ("messages", "rows", "expected", "kinds"),
    [
        ([sent(item(5))], row(5.0), ["stored"], set()),
        ([sent(item(5)), sent(item(5), number=2)], row(5.0), ["stored", "duplicate"], set()),
        ([sent(item(5))], {}, ["missing"], {"missing"}),
        ([sent(item(5), acknowledged=False)], {}, ["unsure"], set()),
        ([sent(item(5), qos=0)], {}, ["unsure"], set()),
        ([sent(item(5), lost=True)], {}, ["lost"], set()),
        ([sent(item(5), lost=True)], row(5.0), ["wrong"], {"never-sent"}),
        ([sent(item(5), expect="dropped-by-broker")], {}, ["lost"], set()),
        ([sent(item(5))], row(6.0), ["wrong"], {"value"}),
        ([sent(item(5))], row(5.0, 1), ["wrong"], {"quality"}),
        ([sent(item(5, quality="01"))], row(5.0, 1 + 64), ["stored"], set()),
        ([sent(item(5)), sent(item(6), number=2)], row(6.0), ["wrong", "stored"], {"value"}),
        ([sent(item(5))], row(5.0) | {("no2", NOW_US): Row(3.0, 0, NOW_US)}, ["stored"], {"never-sent"}),
        ([sent(item(5))], row(5.0) | {("no2", 5): Row(3.0, 0, NOW_US - 9 * SECOND)}, ["stored"], set()),
        ([sent({"pm25": 5})], {("pm25", NOW_US + SECOND): Row(5.0, 0, NOW_US + SECOND)}, ["stored"], set()),
        ([sent({"pm25": 5})], {}, ["missing"], {"missing"}),
        ([sent(item(-5))], {}, ["missing"], {"refusal-missing"}),
    ],
)
def test_what_becomes_of_a_reading(messages: list[Sent], rows: Rows, expected: list[str], kinds: set[str]) -> None:
    claims, findings = judged(messages, rows)
    assert fates(claims) == expected
    assert set(findings.count) == kinds


def test_refusals_are_matched_by_bytes_and_reason() -> None:
    garbage, future = b"\xff", json.dumps(item(1, ts=NOW_US // 1_000 + 86_400_000)).encode()
    messages = [sent(garbage), sent(future, number=2), sent(item(5), number=3), sent(item(6), number=4)]
    right = [
        Refusal("air-1", TOPIC, garbage, "not-utf8", 1, 0),
        Refusal("air-1", TOPIC, future, "clock-ahead", 1, 0),
        Refusal("air-1", TOPIC, messages[3].payload, "conflict", 1, 0),
    ]
    claims, findings = judged(messages, row(5.0), right)
    assert sorted(fates(claims)) == ["refused", "refused", "refused", "stored"]
    assert not findings.count
    claims, findings = judged(messages, row(5.0), [right[0]._replace(reason="not-json"), *right[1:]])
    assert findings.count == {"refusal-reason": 1}
    claims, findings = judged(messages, row(5.0), right[:-1])
    assert findings.count == {"refusal-missing": 1}


def test_the_rest_of_a_flood_is_covered_by_the_row_that_stands_for_it() -> None:
    messages = [sent(bytes([255, number]), number=number + 1) for number in range(5)]
    kept = [Refusal("air-1", TOPIC, messages[0].payload, "not-utf8", 5, 4)]
    claims, findings = judged(messages, {}, kept)
    assert fates(claims) == ["refused"] * 5
    assert not findings.count


def test_above_a_devices_share_a_reading_is_stored_or_refused_and_nothing_else() -> None:
    messages = [sent([item(5, ts=NOW_US // 1_000 + at) for at in range(10)])]
    claims = claims_of(messages, DEVICES, Bounds(readings_a_minute=8))
    rows = {("pm25", NOW_US + at * 1_000): Row(5.0, 0, NOW_US) for at in range(8)}
    refused = settle(
        claims.by_device["air-1"], rows, findings := Findings(), bounds=Bounds(), began_us=0, device="air-1"
    )
    assert len(refused) == 2
    settle_refusals(
        refused,
        Standing.of([Refusal("air-1", TOPIC, messages[0].payload, "rate-limited", 1, 0)]),
        findings,
        complete=True,
    )
    assert findings.count == {"refusal-missing": 1}


def test_windows_are_placed_by_the_start_of_the_period_and_days_are_local() -> None:
    assert start_of(1_763_917_200 - 1, 86_400) == 1_763_830_800  # 23:59:59 in Hoi An
    assert start_of(1_763_917_200, 86_400) == 1_763_917_200
    day_us = 1_763_917_200 * SECOND
    rows = {("pm25", day_us): Row(4.0, 0, 0), ("pm25", day_us + 300 * SECOND): Row(8.0, 4, 0)}
    rows |= {("pm25", day_us + 600 * SECOND): Row(90.0, 2, 0)}
    windows = fold(rows, DEVICES["air-1"])
    assert windows["pm25", 86_400, 1_763_917_200 - 86_400].values == [4.0]
    today = windows["pm25", 86_400, 1_763_917_200]
    assert (today.count, today.flagged, today.sum) == (1, 1, 8.0)


def test_a_window_differs_in_what_is_named() -> None:
    window = Window()
    for at, value in ((2, 4.0), (1, 1.0), (3, 2.5)):
        window.add(at, value, 0)
    right = {"count": 3, "flagged": 0, "sum": 7.5 * (1 + 1e-12), "mean": 2.5, "min": 1.0, "max": 4.0, "first": 1.0}
    right |= {"last": 2.5, "first_us": 1, "last_us": 3}
    assert differences(window, right) == []
    for name in right:
        assert differences(window, right | {name: right[name] + 1e-3})[0].startswith(name)


def test_the_means_of_levels_and_directions_are_their_own() -> None:
    window = Window(2, 0, [350.0, 20.0])
    assert window.mean_of("wind-direction") == pytest.approx(5.0)
    assert Window(2, 0, [90.0, 270.0]).mean_of("wind-direction") is None
    assert Window(2, 0, [60.0, 60.0]).mean_of("sound-level-equivalent") == pytest.approx(60.0)
    assert window.mean_of("pm25") == 185.0


def test_a_report_says_by_fault_what_became_of_readings() -> None:
    claims, findings = judged([sent(item(5), faults=("late", "duplicated"))], row(5.0))
    report = Report(1, 1, complete=True, findings=findings)
    report.count(claims.all())
    assert report.good
    assert report.as_json()["readings_by_fault"]["late"]["stored"] == 1
    assert report.fates == {"stored": 1}
    findings.add("missing", "it is not there")
    assert report.lines()[-1] == "judgement: it deviates"
    assert "  it is not there" in report.lines()


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--journal", "none.jsonl.gz", "--database-url", "postgresql://127.0.0.1/x"], 2, "none.jsonl.gz"),
        (["--journal", "bad.jsonl.gz", "--database-url", "postgresql://127.0.0.1/x"], 2, "bad.jsonl.gz: damaged"),
        (["--journal", "good.jsonl.gz"], 2, "THUBON_DATABASE_URL"),
        (["--journal", "good.jsonl.gz", "--database-url", "postgresql://127.0.0.1:9/x"], 1, "cannot judge"),
    ],
)
def test_what_it_cannot_judge_it_says_with_its_status(
    arguments: list[str],
    status: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THUBON_DATABASE_URL", raising=False)
    (tmp_path / "bad.jsonl.gz").write_bytes(b"no journal")
    Journal(tmp_path / "good.jsonl.gz", header={}).close()
    assert main(["judge", *arguments]) == status
    assert says in capsys.readouterr().err
