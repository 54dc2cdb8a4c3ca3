"""Every file of named queries can be loaded and says what each query is for."""

from __future__ import annotations

import ast
from importlib.resources import files
from pathlib import Path

import pytest

from sql import load_queries

_ROOT = Path(__file__).parents[3]
_PACKAGES = ("api", "devices", "ingest", "simulators", "sql", "tools")
_FILES = sorted(
    file.name.removesuffix(".sql") for file in (files("sql") / "queries").iterdir() if file.name.endswith(".sql")
)


@pytest.mark.parametrize("file", _FILES)
def test_every_query_has_a_description_and_a_statement(file: str) -> None:
    for name, text in load_queries(file).items():
        lines = text.splitlines()
        assert lines[0].startswith("-- "), f"{name} has no line that says what it is for"
        code = "\n".join(line for line in lines if not line.lstrip().startswith("--")).strip()
        assert code, f"{name} has no statement"
        # With parameters the server takes one statement at a time.
        assert "%(" not in code or ";" not in code.removesuffix(";"), f"{name} holds more than one statement"


def test_the_folder_holds_query_files_alone() -> None:
    assert [file.name for file in (files("sql") / "queries").iterdir() if not file.name.endswith(".sql")] == []


def test_no_query_lies_about_that_no_code_names() -> None:
    modules = [
        module
        for package in _PACKAGES
        for module in (_ROOT / package).rglob("*.py")
        if "node_modules" not in module.parts
    ]
    named = {
        node.value
        for module in modules
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    queries = {(file, name) for file in _FILES for name in load_queries(file)}
    queries |= {("devices", file.stem) for file in (_ROOT / "devices" / "queries").glob("*.sql")}
    assert len(queries) > 100
    assert sorted((file, name) for file, name in queries if name not in named) == []


def test_an_unknown_file_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        load_queries("no_such_file")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("select 1;", "must start"),
        ("select 1;\n-- name: a\n-- One.\nselect 1;", "must start"),
        ("-- name: a\n-- One.\nselect 1;\n-- name: a\n-- Two.\nselect 2;", "twice"),
    ],
)
def test_a_file_without_order_is_refused(
    text: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "odd.sql").write_text(text)
    monkeypatch.setattr("sql.files", lambda _: tmp_path)
    with pytest.raises(ValueError, match=complaint):
        load_queries("odd")
