"""Claim codes are told from mistyped ones; an unknown device's model is guessed by what it sends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.claims import new_code, read_code, shown_code
from devices.knocks import guess_profiles, sent_names
from devices.profiles import load_catalogue

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CATALOGUE = load_catalogue()


@given(st.integers(0, 9), st.sampled_from(ALPHABET))
def test_one_misread_character_is_noticed(at: int, other: str) -> None:
    code = new_code()
    wrong = code[:at] + other + code[at + 1 :]
    assert (read_code(wrong) == code) == (wrong == code)
    assert read_code(wrong) is None or wrong == code


@given(st.integers(0, 8))
def test_two_exchanged_neighbours_are_noticed(at: int) -> None:
    code = new_code()
    wrong = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
    assert wrong == code or read_code(wrong) is None


@given(st.text(max_size=20))
def test_any_text_is_a_code_or_none(text: str) -> None:
    code = read_code(text)
    assert code is None or read_code(code) == code


def test_a_code_is_read_as_people_write_it() -> None:
    code = "7K3M9PQX"
    code = next(code + a + b for a in ALPHABET for b in ALPHABET if read_code(code + a + b))
    for text in (shown_code(code), code.lower(), f"THUBON:{code}", f" {shown_code(code).replace('-', ' ')} "):
        assert read_code(text) == code
    assert read_code(code[:9]) is None
    ones = next("00000111" + a + b for a in ALPHABET for b in ALPHABET if read_code("00000111" + a + b))
    assert read_code(ones.replace("0", "O").replace("1", "l")) == ones


@pytest.mark.parametrize("profile", sorted(CATALOGUE))
def test_a_device_that_sends_all_its_datastreams_is_recognised(profile: str) -> None:
    names = {stream.name for stream in CATALOGUE[profile].datastreams}
    best = guess_profiles(names, CATALOGUE)[0]
    assert (best.profile_id, best.unknown, best.share) == (profile, (), 1.0)


def test_names_that_no_profile_has_are_no_guess_and_few_names_give_the_smallest_profile() -> None:
    assert guess_profiles({"glow"}, CATALOGUE) == []
    (best, *_) = guess_profiles({"pm25", "pm10", "glow"}, CATALOGUE)
    assert best.matching == ("pm10", "pm25")
    assert best.unknown == ("glow",)


@pytest.mark.parametrize(
    ("sample", "names"),
    [
        ({"pm25": 1}, {"pm25"}),
        ({"ts": 1, "values": {"a": 1, "b": 2}}, {"a", "b"}),
        ([{"ts": 1, "values": {"a": 1}}, {"ts": 2, "values": {"b": 1}}], {"a", "b"}),
        ({"dev": [{"ts": 1, "values": {"a": 1}}], "other": [{"ts": 1, "values": {"b": 1}}]}, {"a"}),
        ("text", set()),
        ([[[[[[{"a": 1}]]]]]], set()),
    ],
)
def test_the_names_of_a_sample_are_read_in_every_form(sample: object, names: set[str]) -> None:
    assert sent_names(json.dumps(sample).encode(), "dev") == names


@given(st.binary(max_size=200))
def test_any_sample_is_read_without_failing(sample: bytes) -> None:
    sent_names(sample, "dev")
