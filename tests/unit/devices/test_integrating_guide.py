"""The installer's guide: what it shows works as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devices.codecs.thubon_json import PayloadLimits, decode_telemetry
from devices.models import DOMAINS
from devices.observed_properties import load_observed_properties
from devices.profiles import load_catalogue, read_catalogue
from devices.reasons import REASON_TEXTS, Reason
from devices.registry_file import COLUMNS, read_registry_file
from devices.units import UNITS

GUIDE = (Path(__file__).parents[3] / "docs" / "integrating.md").read_text(encoding="utf-8")
CATALOGUE = load_catalogue()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("payload", _blocks("json"))
def test_its_payloads_decode_without_a_refusal(payload: str) -> None:
    streams = {stream.name: stream for stream in CATALOGUE["air-station"].datastreams}
    decoded = decode_telemetry(payload.encode(), "air-1", streams)
    assert decoded.readings
    assert decoded.refusals == []


def test_its_profile_is_a_profile_whose_examples_hold(tmp_path: Path) -> None:
    for domain in DOMAINS:
        (tmp_path / domain).mkdir()
    (text,) = _blocks("yaml")
    (tmp_path / "environment" / "example-thermometer.yaml").write_text(text, encoding="utf-8")
    (profile,) = read_catalogue(tmp_path, load_observed_properties()).values()
    streams = {stream.name: stream for stream in profile.datastreams}
    for example in profile.examples:
        decoded = decode_telemetry(example.payload, example.topic.split("/")[3], streams)
        assert [reading.value for reading in decoded.readings] == pytest.approx([r.value for r in example.readings])
        assert [refusal.reason for refusal in decoded.refusals] == list(example.rejections)


def test_its_registry_file_is_one() -> None:
    (text,) = _blocks("csv")
    file = read_registry_file(text.encode(), CATALOGUE)
    assert file.faults == ()
    assert len(file.entries) == 2


def test_it_names_every_profile_with_its_datastreams_and_every_column() -> None:
    for profile in CATALOGUE.values():
        (row,) = re.findall(rf"^\| `{profile.profile_id}` \|.*$", GUIDE, re.MULTILINE)
        assert re.findall(r"`([^`]+)`", row)[1:] == [stream.name for stream in profile.datastreams]
    assert all(f"`{column}`" in GUIDE for column in COLUMNS)


def test_it_states_the_limits_that_hold() -> None:
    limits = PayloadLimits()
    assert f"at most {limits.payload_bytes:,} bytes and {limits.readings:,} readings".replace(",", " ") in GUIDE


def test_the_units_it_lists_are_known() -> None:
    section = GUIDE.split("## Units")[1].split("The whole list")[0]
    assert set(re.findall(r"`([^`]+)`", section)) <= set(UNITS)


@pytest.mark.parametrize("reason", Reason)
def test_it_explains_every_reason_in_the_words_of_the_platform(reason: Reason) -> None:
    text = REASON_TEXTS[reason]
    assert f"| `{reason}` | {text.meaning.en} | {text.cure.en} |" in GUIDE
