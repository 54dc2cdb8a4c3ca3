"""Loading device profiles: defaults, and errors that say where and what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from devices.observed_properties import load_observed_properties, read_observed_properties
from devices.profiles import read_catalogue, read_profile
from devices.yaml_file import DataFileError, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from devices.models import DeviceProfile

GOOD = """\
id: thermometer
domain: environment
name: {vi: Nhiệt kế, en: Thermometer}
description: {vi: Nhiệt kế, en: Thermometer}
reporting_interval_s: 60
datastreams:
  - name: temperature
    property: air-temperature
    unit: "[degF]"
    bounds: [-10, 50]
  - {name: state, property: lamp-state, interval_s: 3600, period_s: 60, stamp: start}
examples:
  - {description: good, topic: thubon/v1/hoi-an/t-1/telemetry, payload: '{"temperature": 212}'}
  - {description: bad, topic: thubon/v1/hoi-an/t-1/telemetry, payload: '{"state": 9}', rejections: [out-of-bounds]}
"""


def _read(folder: Path, text: str) -> DeviceProfile:
    file = folder / "thermometer.yaml"
    file.write_text(text, encoding="utf-8")
    return read_profile(read_yaml(file), load_observed_properties())


def test_what_a_profile_leaves_open_comes_from_property_and_device(tmp_path: Path) -> None:
    temperature, state = _read(tmp_path, GOOD).datastreams

    assert temperature.unit == "Cel"
    assert 212 * temperature.factor + temperature.addend == pytest.approx(100)
    assert (temperature.lower_bound, temperature.upper_bound) == (-10, 50)
    assert (temperature.interval_s, temperature.period_s, temperature.stamp) == (60, None, "end")
    assert temperature.label.vi == "Nhiệt độ không khí"
    assert state.words == {"off": 0, "on": 1, "low": 2, "booting-up": 3}
    assert (state.interval_s, state.period_s, state.stamp) == (3600, 60, "start")
    assert (temperature.keep, state.keep) == ((), ("states",))


def test_a_datastream_may_keep_other_statistics_than_its_property(tmp_path: Path) -> None:
    text = GOOD.replace("bounds: [-10, 50]", "bounds: [-10, 50]\n    keep: [sketch, time-weighted-mean]")
    text = text.replace("stamp: start}", "stamp: start, keep: []}")

    temperature, state = _read(tmp_path, text).datastreams

    assert (temperature.keep, state.keep) == (("sketch", "time-weighted-mean"), ())
    with pytest.raises(DataFileError, match=r"keep: .*reductions that may be kept: circular-mean"):
        _read(tmp_path, text.replace("[sketch,", "[median,"))


@pytest.mark.parametrize(
    ("good", "bad", "error"),
    [
        ("domain: environment", "domain: weather", r"yaml:2: domain: .*'traffic', 'lighting' or 'environment'"),
        (
            "reporting_interval_s: 60",
            "reporting_interval_s: 0",
            "yaml:5: reporting_interval_s: .*greater than or equal",
        ),
        ("reporting_interval_s: 60", "interval_s: 60", "yaml:5: interval_s: Extra inputs are not permitted"),
        ("reporting_interval_s: 60\n", "", "yaml:1: reporting_interval_s: Field required"),
        (
            "air-temperature",
            "air-temprature",
            "yaml:8: .*'air-temprature' is not an observed property; allowed: vehicle",
        ),
        ('"[degF]"', "degF", "yaml:9: .*'temperature': unit 'degF' is not known; known UCUM codes"),
        ('"[degF]"', "hPa", "yaml:9: .*measures pressure, 'Cel' measures temperature; allowed: Cel, K"),
        (
            "[-10, 50]",
            "[50, -10]",
            r"yaml:10: .*bounds: .*must lie within those of 'air-temperature', \[-20\.0, 60\.0\]",
        ),
        ("[-10, 50]", "[-10, 61]", "yaml:10: .*bounds: .*must lie within"),
        ("[-10, 50]", "[-10]", "yaml:10: datastreams.0.bounds"),
        ("name: state", "name: temperature", "yaml:11: .*'temperature' stands twice"),
        ("name: state", "name: values", "yaml:11: .*name must not be one of quality, ts, values"),
        ("name: state", "name: Lamp State", "yaml:11: datastreams.1.name: String should match pattern"),
        ("stamp: start", "stamp: begin", "yaml:11: datastreams.1.stamp: Input should be 'end' or 'start'"),
        ("stamp: start", 'unit: "%"', "yaml:11: .*a datastream with words is sent in the property's unit '1'"),
        ("stamp: start", "words: {dark: 7}", r"yaml:11: .*numbers must lie within the bounds \[0\.0, 3\.0\]"),
        ("stamp: start", "limit: PT1H", r"yaml:11: .*limits\.yaml has none for 'lamp-state' over PT1H"),
        ("stamp: start", "limit: 7", r"yaml:11: .*limit: .*must lie within the bounds \[0\.0, 3\.0\]"),
        ("[out-of-bounds]", "[too-hot]", "yaml:14: examples.1.rejections.0: Input should be 'not-utf8'"),
        ("/telemetry,", "/status,", "yaml:13: examples.0.topic: String should match pattern"),
        ("id: thermometer", "id: thermometer\nid: other", "yaml:2: key 'id' stands twice"),
        ("id: thermometer", "id: [", r"thermometer.yaml:\d+: expected .*but got"),
    ],
)
def test_an_error_names_file_line_key_and_what_is_allowed(tmp_path: Path, good: str, bad: str, error: str) -> None:
    assert good in GOOD
    with pytest.raises(DataFileError, match=error):
        _read(tmp_path, GOOD.replace(good, bad, 1))


def test_all_faults_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataFileError) as caught:
        _read(tmp_path, GOOD.replace("domain: environment", "domain: x").replace("stamp: start", "stamp: x"))
    assert len(str(caught.value).splitlines()) == 2


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="the file is empty"):
        _read(tmp_path, "# nothing\n")


def test_words_of_yaml_1_1_stay_words(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text('a: [no, on, off, yes, y, 12:30, 2025-11-23, 0x1F, 017, 1_000, ~, true, 1e3, .5, "1"]', "utf-8")
    assert read_yaml(file).value == {
        "a": [
            "no", "on", "off", "yes", "y", "12:30", "2025-11-23", "0x1F", "017", "1_000", None, True, 1000.0, ".5", "1",
        ]
    }  # fmt: skip


def test_a_catalogue_keeps_files_where_their_domain_and_id_say(tmp_path: Path) -> None:
    for domain in ("traffic", "lighting", "environment"):
        (tmp_path / domain).mkdir()
    (tmp_path / "environment" / "thermometer.yaml").write_text(GOOD, encoding="utf-8")
    assert list(read_catalogue(tmp_path, load_observed_properties())) == ["thermometer"]

    (tmp_path / "traffic" / "thermometer.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(DataFileError, match=r"thermometer\.yaml:2: domain: the file lies in the folder 'traffic'"):
        read_catalogue(tmp_path, load_observed_properties())

    (tmp_path / "traffic" / "thermometer.yaml").rename(tmp_path / "environment" / "other.yaml")
    with pytest.raises(DataFileError, match=r"other\.yaml:1: id: a profile's file bears its id"):
        read_catalogue(tmp_path, load_observed_properties())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("unit: kWh", r"yaml:1: heat: .*unit 'kWh' is not known"),
        ("bounds: [1, 0]", r"yaml:1: heat: .*bounds must be \[lower, upper\]"),
        ("words: {a: 1, b: 1}", r"yaml:1: heat: .*every word needs a number of its own"),
        ("words: {a: 7}", r"yaml:1: heat: .*words \['a'\] lie outside the bounds"),
        ("definition: heat", r"yaml:\d+: heat\.definition: .*should match pattern"),
        ("fiware: heat", r"yaml:\d+: heat\.fiware: .*should match pattern"),
        ("molar_mass_g_mol: 0", r"yaml:\d+: heat\.molar_mass_g_mol: .*greater than 0"),
        ("decimals: 9", r"yaml:\d: heat\.decimals: .*less than or equal to 6"),
    ],
)
def test_an_observed_property_agrees_with_itself(tmp_path: Path, fault: str, error: str) -> None:
    entry = {"name": "{vi: Nhiệt, en: Heat}", "description": "Heat.", "unit": "J", "bounds": "[0, 5]", "decimals": "0"}
    entry |= {"sensorthings": "Heat", "definition": "urn:heat"}
    key, _, value = fault.partition(": ")
    lines = [f"  {name}: {text}" for name, text in (entry | {key: value}).items()]
    file = tmp_path / "properties.yaml"
    file.write_text("\n".join(["heat:", *lines]), encoding="utf-8")
    with pytest.raises(DataFileError, match=error):
        read_observed_properties(read_yaml(file))


def test_records_are_values(tmp_path: Path) -> None:
    profile = _read(tmp_path, GOOD)
    assert replace(profile) == profile
    assert profile.datastream("state") is profile.datastreams[1]
    assert profile.datastream("nothing") is None
