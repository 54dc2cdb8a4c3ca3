"""Refusals of the registry: every one has a code, and every code words in both languages that its parameters fill."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import pytest

from devices.change import ChangeError
from devices.models import Bilingual
from devices.refusal_texts import REFUSAL_TEXTS, RefusalCode
from devices.registry import RegistryError
from devices.registry_file import Fault
from devices.sheets import FileFault
from devices.wording import MAX_PARAMETER_CHARACTERS, worded

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
WORDED = {ChangeError: 2, Fault: 2, FileFault: 1, RegistryError: 0}
"""What refuses, and where among its arguments the wording stands."""
VIEWS = ("registry_files", "sites", "kept_towns", "keeping", "installation", "knocks", "users")


def gaps(text: str) -> set[str]:
    """Names of the parameters that a text takes."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in the programs of the registry and of the API: where, the function's name, the call."""
    for folder in ("devices", "api"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", name, node


def code_of(call: ast.Call) -> RefusalCode | None:
    """The code that a call names among its arguments."""
    for argument in call.args:
        if isinstance(argument, ast.Attribute) and getattr(argument.value, "id", "") == "RefusalCode":
            return RefusalCode[argument.attr]
    return None


@pytest.mark.parametrize("code", RefusalCode)
def test_a_code_has_words_in_both_languages_with_the_same_gaps(code: RefusalCode) -> None:
    text = REFUSAL_TEXTS[code]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert text.vi
    assert text.en
    assert text.vi != text.en
    # What a database says of slots, and when in UTC, is for engineers.
    assert gaps(text.en) - gaps(text.vi) <= {"shown"}
    assert gaps(text.vi) <= gaps(text.en)


def test_no_refusal_of_the_registry_comes_without_a_code() -> None:
    refusing = {kind.__name__: place for kind, place in WORDED.items()}
    found = [(where, name, call) for where, name, call in calls() if name in refusing]
    assert {name for _, name, _ in found} == set(refusing)
    plain = [where for where, name, call in found
             if isinstance(call.args[refusing[name]], ast.Constant | ast.JoinedStr | ast.BinOp)]  # fmt: skip
    assert plain == []
    for kind in WORDED:
        assert "Wording" in {parameter.annotation for parameter in inspect.signature(kind).parameters.values()}


def test_no_view_of_the_registry_and_no_check_of_a_parameter_refuses_in_english_alone() -> None:
    views = {f"api/views/{name}.py" for name in VIEWS} | {"api/registry_requests.py", "api/keeping.py"}
    found = [(where, call) for where, name, call in calls()
             if name == "bad_parameter" or (where.partition(":")[0] in views and name == "Problem")]  # fmt: skip
    assert found
    assert [where for where, call in found if isinstance(call.args[1], ast.Constant | ast.JoinedStr)] == []


def test_every_code_is_told_by_somebody_with_what_fills_its_gaps() -> None:
    told = [(where, code, call) for where, _, call in calls() if (code := code_of(call))]
    wrong = [
        (where, code.value)
        for where, code, call in told
        if all(keyword.arg for keyword in call.keywords)
        and {keyword.arg for keyword in call.keywords} != gaps(REFUSAL_TEXTS[code].en)
    ]
    assert wrong == []
    named = {
        node.attr
        for folder in ("devices", "api")
        for file in (ROOT / folder).rglob("*.py")
        if file.name != "refusal_texts.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "RefusalCode"
    }
    assert named == set(RefusalCode.__members__)


def test_a_wording_tells_its_code_its_parameters_and_both_texts() -> None:
    assert worded(RefusalCode.SITE_TAKEN, site="ha-pole").told() == {
        "code": "site-taken",
        "parameters": {"site": "ha-pole"},
        "text": {
            "vi": "mã 'ha-pole' đã có; hãy đặt mã khác cho vị trí",
            "en": "'ha-pole' is taken; give the site another id",
        },
    }


def test_a_bilingual_parameter_is_told_in_the_language_of_the_text() -> None:
    box = {"latitude": 1.0, "longitude": 2.0, "south": 15.0, "north": 16.0, "west": 108.0, "east": 109.0}
    wording = worded(RefusalCode.SITE_OUTSIDE_TOWN, town=Bilingual("Hội An", "Hoi An"), **box)
    assert "Hội An" in wording.vi
    assert "Hoi An" in wording.en
    assert wording.told()["parameters"]["town"] == {"vi": "Hội An", "en": "Hoi An"}


def test_what_somebody_sent_is_never_taken_for_a_gap_and_is_cut() -> None:
    wording = worded(RefusalCode.SITE_TAKEN, site="{site.__class__}")
    assert wording.en == "'{site.__class__}' is taken; give the site another id"
    long = worded(RefusalCode.SITE_TAKEN, site="x" * 10 * MAX_PARAMETER_CHARACTERS)
    assert len(long.parameters["site"]) == MAX_PARAMETER_CHARACTERS  # type: ignore[arg-type]
    assert len(long.vi) < MAX_PARAMETER_CHARACTERS + 100
