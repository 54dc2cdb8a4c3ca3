"""Recordings come back as they were, times move and nothing else does, and bad files are refused with their line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.yaml_file import DataFileError
from simulators.__main__ import main
from simulators.replaying.recordings import Recorded, RecordingError, open_writer, read_recording
from simulators.replaying.series import load_map, read_series
from simulators.replaying.shifting import shifted

CASES = Path(__file__).parents[2] / "cases" / "series"
MESSAGES = [
    Recorded(1_763_876_700_000_000, "thubon/v1/hoi-an/air-1/telemetry", b'{"ts": 1763876700000}', 1, False),
    Recorded(1_763_876_701_000_000, "thubon/v1/hoi-an/air-1/status", b"online", 0, True),
    Recorded(1_763_876_702_000_000, "a/b", b"\xff\x00", 2, False),
]
HEAD = b'{"recording": 1}\n'


def write(path: Path) -> Path:
    writer = open_writer(path)
    for message in MESSAGES:
        writer.write(message)
    writer.close()
    return path


@pytest.mark.parametrize("ending", [".jsonl.gz", ".parquet"])
def test_a_recording_comes_back_as_it_was_and_the_same_messages_make_the_same_bytes(
    tmp_path: Path, ending: str
) -> None:
    one, two = write(tmp_path / f"one{ending}"), write(tmp_path / f"two{ending}")
    assert list(read_recording(one)) == MESSAGES
    assert one.read_bytes() == two.read_bytes()
    with pytest.raises(FileExistsError):
        open_writer(one)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"x", r":1: damaged, or no gzip"),
        (gzip.compress(b""), r":1: holds nothing"),
        (gzip.compress(b'{"recording": 2}\n'), r":1: not the head of a recording; allowed: \{"),
        (gzip.compress(HEAD + b"{}\n"), r":2: .*allowed: \{"),
        (gzip.compress(HEAD + b'{"t": 1, "topic": "a", "qos": 1, "b": "%"}\n'), r":2: .*allowed"),
        (gzip.compress(HEAD + b'{"t": 1, "topic": "a/#", "qos": 1, "p": ""}\n'), r":2: topic 'a/#'; allowed"),
        (gzip.compress(HEAD + b'{"t": 1, "topic": "a", "qos": 3, "p": ""}\n'), r":2: qos 3; allowed: 0, 1, 2"),
        (gzip.compress(HEAD + b'{"t": -1, "topic": "a", "qos": 1, "p": ""}\n'), r":2: t is -1; allowed"),
        (gzip.compress(HEAD + b'{"t": 1, "topic": "a", "qos": 1, "p": "", "retain": 1}\n'), r":2: retain 1; allowed"),
        (gzip.compress(HEAD)[:-9], r":\d: damaged"),
    ],
)
def test_a_bad_recording_is_refused_with_its_line_and_what_is_allowed(
    tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "bad.jsonl.gz"
    file.write_bytes(content)
    with pytest.raises(RecordingError, match=says):
        list(read_recording(file))


def test_a_bad_parquet_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.parquet"
    file.write_bytes(b"PAR1")
    with pytest.raises(RecordingError, match="no Parquet"):
        list(read_recording(file))
    with pytest.raises(RecordingError, match="ends in"):
        open_writer(tmp_path / "recording.txt")


@pytest.mark.parametrize(
    ("payload", "after"),
    [
        (b'{"ts": 1763876700000, "values": {"pm25": 1.10}}', b'{"ts": 1763880300000, "values": {"pm25": 1.10}}'),
        (b'[{"ts":1763876700000},{"ts":1763876700001}]', b'[{"ts":1763880300000},{"ts":1763880300001}]'),
        (b'{"ts": "2025-11-23T12:45:00+07:00"}', b'{"ts": "2025-11-23T06:45:00.000000+00:00"}'),
        (b'{"ts": "23/11/2025 12:45 or so"}', b'{"ts": "23/11/2025 12:45 or so"}'),
        (b'{"ts": 12}', b'{"ts": 12}'),
        (b"\xff\x00", b"\xff\x00"),
        (b'{"note": "\\"ts\\": 1763876700000"}', b'{"note": "\\"ts\\": 1763876700000"}'),
    ],
)
def test_an_hour_later_every_time_moves_and_no_other_byte(payload: bytes, after: bytes) -> None:
    assert shifted(payload, 3_600_000_000) == after


@given(stamps=st.lists(st.integers(10**11, 4 * 10**12), max_size=5), shift_ms=st.integers(-(10**10), 10**12))
def test_a_shift_there_and_back_leaves_the_bytes_as_they_were(stamps: list[int], shift_ms: int) -> None:
    payload = json.dumps([{"ts": stamp, "values": {"pm25": 1.5}} for stamp in stamps]).encode()
    assert shifted(shifted(payload, shift_ms * 1_000), -shift_ms * 1_000) == payload


def test_a_series_becomes_messages_by_its_map() -> None:
    messages = list(read_series(CASES / "air.csv", load_map(CASES / "air.yaml")))
    bodies = [json.loads(message.payload) for message in messages]
    assert {message.topic for message in messages} == {"thubon/v1/hoi-an/air-1/telemetry"}
    assert bodies[0] == {"ts": 1_795_305_600_000, "values": {"pm25": 31.2, "co": 0.812}}
    assert [body["values"] for body in bodies[1:3]] == [{"pm25": None, "co": 0.79}, {"pm25": 28.4, "co": None}]
    assert [message.received_us // 3_600_000_000 for message in messages] == [498696, 498697, 498698, 498699]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("31.2", "31,2"), r"air\.csv:2: PM2\.5 \(ug/m3\) is '31,2'; allowed: a number, or one of"),
        (("22/11/2026 08:00", "2026-11-22"), r"air\.csv:3: time '2026-11-22'; allowed: %d/%m/%Y"),
        (("CO (ug/m3)", "CO"), r"air\.csv:1: no column CO \(ug/m3\); the file has Time, PM2\.5 \(ug/m3\), CO"),
    ],
)
def test_a_bad_series_is_refused_with_its_line_and_what_is_allowed(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    file = tmp_path / "air.csv"
    file.write_text((CASES / "air.csv").read_text().replace(*change, 1))
    with pytest.raises(RecordingError, match=says):
        list(read_series(file, load_map(CASES / "air.yaml")))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("town: hoi-an", "town: Hoi An"), r"map\.yaml:2: town: .*pattern"),
        (("device: air-1\n", ""), r"map\.yaml:\d+: file: .*give either device or device-column"),
        (("zone: Asia/Ho_Chi_Minh", "zone: Hoi An"), r"map\.yaml:\d+: .*no time zone 'Hoi An'; allowed"),
        (
            ("factor: 0.001", "times: 0.001"),
            r"map\.yaml:7: values\.co\.times: unknown key; allowed: column, factor",
        ),
    ],
)
def test_a_bad_map_is_refused_with_its_line_and_what_is_allowed(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    file = tmp_path / "map.yaml"
    file.write_text((CASES / "air.yaml").read_text().replace(*change, 1))
    with pytest.raises(DataFileError, match=says):
        load_map(file)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "x.csv", "--broker", "mqtt://127.0.0.1:1"], "needs --map"),
        (["replay", "x.txt", "--broker", "mqtt://127.0.0.1:1"], "ends in"),
        (["record", "--out", "x.txt", "--broker", "mqtt://127.0.0.1:1"], "ends in"),
        (["replay", "x.csv", "--broker", "http://127.0.0.1"], "THUBON_BROKER_URL"),
    ],
)
def test_wrong_usage_ends_with_two_and_says_what_is_allowed(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THUBON_BROKER_URL", "")
    assert main(arguments) == 2
    assert says in capsys.readouterr().err
