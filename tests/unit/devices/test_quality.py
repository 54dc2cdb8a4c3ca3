"""The stored bits and their words."""

from devices.quality import FLAG_NAMES, LEFT_OUT, Quality, admits, flag_id, flags_of


def test_the_stored_numbers_stay_what_they_are() -> None:
    stored = {flag_id(flag): int(flag) for flag in Quality}
    assert stored == {
        "calibrating": 1,
        "fault": 2,
        "outside-expected-range": 4,
        "spike": 8,
        "stuck": 16,
        "flat-at-bound": 32,
        "clock-skew": 64,
    }


def test_every_flag_has_words_in_both_languages() -> None:
    assert set(FLAG_NAMES) == set(Quality)
    assert all(name.vi and name.en for name in FLAG_NAMES.values())


def test_a_bit_set_is_read_lowest_first_and_unknown_bits_are_passed_over() -> None:
    assert flags_of(0) == ()
    assert flags_of(64 | 8 | 4096) == (Quality.SPIKE, Quality.CLOCK_SKEW)


def test_an_unexpected_value_and_a_fast_clock_stay_in_statistics() -> None:
    assert int(LEFT_OUT) == 59
    assert [flag_id(flag) for flag in Quality if admits(flag)] == ["outside-expected-range", "clock-skew"]
