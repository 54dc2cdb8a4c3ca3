"""Wrong scenarios and wrong usage are refused with what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devices.yaml_file import DataFileError
from simulators.__main__ import main
from simulators.scenario import load_scenario, scenario_names

if TYPE_CHECKING:
    from pathlib import Path


def test_every_scenario_of_the_package_loads() -> None:
    assert "demo" in scenario_names()
    for name in scenario_names():
        load_scenario(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: -1\ndevices: {}\n", r"own\.yaml:1: seed: .*greater than or equal to 0"),
        ("seed: 1\n", r"own\.yaml:1: devices: Field required"),
        (
            "seed: 1\ndevices:\n  da-nang: {}\n",
            r"own\.yaml:3: devices\.da-nang: Input should be 'tam-ky', 'hoi-an' or 'dien-ban'",
        ),
        (
            "seed: 1\ndevices:\n  hoi-an:\n    air-station: many\n",
            r"own\.yaml:4: devices\.hoi-an\.air-station: .*integer",
        ),
        ("seed: 1\ndevices: {}\nreadings_per_message: 0\n", r"own\.yaml:3: readings_per_message: "),
        ("seed: 1\ndevices: {}\nsize: 3\n", r"own\.yaml:3: size: unknown key; allowed: seed, devices, scale, .*faults"),
        (
            "seed: 1\ndevices:\n  hoi-an: {camera: 2}\n",
            r"own\.yaml:3: devices\.hoi-an\.camera: Input should be .*'camera-counter'",
        ),
        (
            "seed: 1\ndevices:\n  hoi-an: {traffic-counter: 90000}\nscale: 3\n",
            r"270,000 devices are too many; at most 200,000",
        ),
        (
            'seed: 1\ndevices: {}\nevents:\n  power_cuts:\n    - {town: hoi-an, ward: hoa-cuong, from: "19:00"}\n',
            r"own\.yaml:5: events\.power_cuts\.0: hoi-an has no ward 'hoa-cuong' .*minh-an",
        ),
        (
            'seed: 1\ndevices: {}\nevents:\n  floods: [{at: "25:00", severity: 1}]\n',
            r"own\.yaml:4: events\.floods\.0\.at: .*pattern",
        ),
        (
            "seed: 1\ndevices: {}\nevents:\n  feasts: [{till: 3}]\n",
            r"own\.yaml:4: events\.feasts\.0\.till: unknown key; allowed: day, from, hours",
        ),
        (
            "seed: 1\ndevices: {}\nfaults:\n  - {fault: losst}\n",
            r"own\.yaml:4: faults\.0\.fault: Input should be 'lost', 'duplicated'",
        ),
        (
            "seed: 1\ndevices: {}\nfaults:\n  - {fault: lost, minutes: 3}\n",
            r"own\.yaml:4: faults\.0: 'lost' takes no minutes; allowed: chance, count",
        ),
        (
            "seed: 1\ndevices: {}\nevents:\n  dark_cabinets: [{town: hoi-an}, {town: hoi-an, day: -1}]\n",
            r"own\.yaml:3: events: at most one entry of dark_cabinets a town \(twice: hoi-an\)",
        ),
        ("seed: 1\nseed: 2\n", r"own\.yaml:2: key 'seed' stands twice"),
        ("seed: 1\ndevices:\n  hoi-an: [1\n", r"own\.yaml:4: expected ',' or '\]'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(DataFileError, match=said):
        load_scenario(str(file))


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DataFileError, match=r"there is no scenario 'nowhere'; there are .*demo"):
        load_scenario("nowhere")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"gone\.yaml: No such file"):
        load_scenario(str(tmp_path / "gone.yaml"))


def test_wrong_usage_and_wrong_settings_end_with_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("THUBON_BROKER_URL", raising=False)
    assert main(["run"]) == 2
    assert "THUBON_BROKER_URL" in capsys.readouterr().err
    monkeypatch.setenv("THUBON_BROKER_URL", "http://user:hidden@broker")
    assert main(["run"]) == 2
    said = capsys.readouterr().err
    assert "mqtt://" in said
    assert "hidden" not in said
    assert main(["fleet", "--scenario", "nowhere"]) == 2
    with pytest.raises(SystemExit) as ended:
        main(["run", "--backfill", "yesterday"])
    assert ended.value.code == 2


def test_the_fleet_is_printed_as_a_registry_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["fleet"]) == 0
    text = capsys.readouterr().out
    assert main(["fleet", "--out", str(tmp_path / "fleet.csv")]) == 0
    assert (tmp_path / "fleet.csv").read_text() == text
    assert text.startswith("device,town,site,")
