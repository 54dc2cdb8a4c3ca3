"""Every file of named queries can be loaded and says what each query is for."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from sql import load_queries

if TYPE_CHECKING:
    from pathlib import Path

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
