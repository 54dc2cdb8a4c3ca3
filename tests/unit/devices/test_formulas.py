"""The formulas, their table in the documents and the code agree."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import devices.environment
import devices.lighting
import devices.traffic
from devices.formulas import FORMULAS, Formula
from devices.units import UNITS

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "docs" / "indices.md").read_text(encoding="utf-8")
PER = {"/h", "/km", "m/h"}
"""Units of figures that no device sends."""


def test_every_formula_that_code_names_is_described_and_no_other() -> None:
    named = set()
    for package in (devices.traffic, devices.lighting, devices.environment):
        for found in iter_modules(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            named |= {value for name, value in vars(module).items() if name.endswith("FORMULA")}
    assert named == set(FORMULAS)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=list(FORMULAS))
def test_a_formula_names_code_that_exists_and_stands_in_the_table(formula: Formula) -> None:
    module, function = formula.code.split(":")
    assert callable(getattr(import_module(module), function))
    assert formula.unit in set(UNITS) | PER
    path = f"{module.replace('.', '/')}.py"
    row = f"| {formula.name.en} | `{formula.formula_id}` | {formula.unit} | {formula.expression} | {formula.source} |"
    assert f"{row} `{path}`, `{function}` |" in TABLE.replace("\\|", "|")


def test_the_table_has_no_row_too_many() -> None:
    assert set(re.findall(r"`((?:traffic|lighting|environment)\.[a-z0-9-]+/\d+)`", TABLE)) == set(FORMULAS)
