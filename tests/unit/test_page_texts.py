"""The page tells people why readings were refused in the words that devices.reasons has."""

import json
from dataclasses import asdict
from pathlib import Path

from devices.reasons import REASON_TEXTS

PAGE_TEXTS = Path(__file__).parents[2] / "api" / "dashboard" / "src" / "assets" / "reasons.json"


def test_the_page_knows_every_reason_in_the_words_of_the_catalogue() -> None:
    expected = {reason.value: asdict(text) for reason, text in REASON_TEXTS.items()}

    assert json.loads(PAGE_TEXTS.read_text(encoding="utf-8")) == expected, "run python tools/page_reasons.py"
