"""Wrong settings and wrong usage of the migrator end with status 2 and name the setting, never its secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sql.migrate import main

if TYPE_CHECKING:
    from pathlib import Path

_NOBODY = "postgresql://nobody:sesame@127.0.0.1:9/nothing?connect_timeout=2"


def test_a_missing_database_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up"]) == 2
    assert capsys.readouterr().err == "THUBON_DATABASE_URL: Field required\n"


def test_an_address_that_is_none_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", "postgresql://thubon:sesame@[host/x")
    assert main(["verify"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("THUBON_DATABASE_URL: is not a PostgreSQL address")
    assert "sesame" not in error


def test_a_bound_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", _NOBODY)
    monkeypatch.setenv("THUBON_MIGRATE_LOCK_WAIT_S", "0")
    assert main(["up"]) == 2
    assert "THUBON_MIGRATE_LOCK_WAIT_S" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["sideways"], ["up", "--to", "last"], ["plan", "--to", "1"]])
def test_wrong_usage_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_a_version_that_does_not_exist_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", _NOBODY)
    assert main(["up", "--to", "9999"]) == 2
    assert "9999" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_a_failure_and_its_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", _NOBODY)
    assert main(["up"]) == 1
    error = capsys.readouterr().err
    assert "127.0.0.1" in error
    assert "sesame" not in error


def test_the_address_may_stand_in_a_file_of_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thubon_database_url").write_text(_NOBODY)
    monkeypatch.setenv("THUBON_SECRETS_DIR", str(tmp_path))
    assert main(["up"]) == 1
    assert "127.0.0.1" in capsys.readouterr().err
