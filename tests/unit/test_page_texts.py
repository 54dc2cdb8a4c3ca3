"""The page tells people reasons of refusals and device profiles in the words that the catalogue has."""

import json
from pathlib import Path

import pytest

from tools.page_texts import texts

ASSETS = Path(__file__).parents[2] / "api" / "dashboard" / "src" / "assets"


@pytest.mark.parametrize("name", sorted(texts()))
def test_the_page_knows_the_words_of_the_catalogue(name: str) -> None:
    assert json.loads((ASSETS / name).read_text(encoding="utf-8")) == texts()[name], "run python tools/page_texts.py"
