"""The rules file, and what a profile's datastream may change of it."""

from pathlib import Path

import pytest

from devices.observed_properties import load_observed_properties
from devices.profiles import load_catalogue
from devices.quality_rules import NO_RULES, QualityEntry, load_quality_rules, read_quality_rules
from devices.yaml_file import DataFileError, read_yaml


def test_every_rule_speaks_of_an_observed_property_within_its_bounds() -> None:
    properties = load_observed_properties()
    for property_id, rules in load_quality_rules().items():
        of = properties[property_id]
        if rules.expected_upper < float("inf"):
            assert of.lower_bound <= rules.expected_lower < rules.expected_upper <= of.upper_bound, property_id
            assert (rules.expected_lower, rules.expected_upper) != (of.lower_bound, of.upper_bound), property_id


def test_rain_and_the_states_of_lamps_may_rest_for_ever() -> None:
    rules = load_quality_rules()
    assert rules["rainfall"].stuck_s is rules["rainfall"].flat_s is rules["rainfall"].spike is None
    for profile in load_catalogue().values():
        for stream in profile.datastreams:
            if stream.words:
                assert stream.rules == NO_RULES, stream.name


def test_a_datastream_changes_what_it_names_and_null_switches_off() -> None:
    rules = load_quality_rules()["pm25"]
    changed = QualityEntry.model_validate({"expected": [0, 90], "spike": None}).over(rules)
    assert (changed.expected_upper, changed.spike, changed.stuck_s) == (90, None, rules.stuck_s)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pm25: {expected: [9, 1]}", "lower <= upper"),
        ("pm25: {spike: 0}", "greater than 0"),
        ("pm25: {stuck_s: 999999}", "less than or equal to 172800"),
        ("pm25: {hampel: 3}", "hampel"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(DataFileError, match=fault):
        read_quality_rules(read_yaml(file))
