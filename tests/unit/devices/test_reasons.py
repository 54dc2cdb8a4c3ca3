"""Reason codes and their texts."""

from __future__ import annotations

import re

import pytest

from devices.reasons import REASON_TEXTS, Reason


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_says_in_both_languages_what_it_means_and_how_it_is_mended(reason: Reason) -> None:
    text = REASON_TEXTS[reason]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", reason)
    assert all((text.meaning.vi, text.meaning.en, text.cure.vi, text.cure.en))
    assert text.meaning.vi != text.meaning.en
