"""Wrong addresses with a password in them: every program says which setting is wrong and repeats nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import api.__main__ as api_program
import devices.__main__ as devices_program
import ingest.__main__ as ingest_program
import simulators.__main__ as simulators_program
import sql.migrate as migrate_program

if TYPE_CHECKING:
    from collections.abc import Callable

# What people do: a password as it is, in the middle of an address. These make an address that cannot be read.
DATABASE_PASSWORDS = ("s3sa%zzme", "s3sa/me")
BROKER_PASSWORDS = ("s3sa/me", "s3sa[me", "s3sa\u2100me", "s3sa#me")
WITH_A_DATABASE: dict[str, Callable[[], int]] = {
    "worker": lambda: ingest_program.main(["worker"]),
    "aggregator": lambda: ingest_program.main(["aggregator"]),
    "ledger": lambda: ingest_program.main(["ledger", "show"]),
    "devices": lambda: devices_program.main(["list"]),
    "migrate": lambda: migrate_program.main(["plan"]),
    "judge": lambda: simulators_program.main(["judge", "--journal", "/nowhere"]),
    "api": api_program.main,
}
WITH_A_BROKER: dict[str, Callable[[], int]] = {
    "worker": lambda: ingest_program.main(["worker"]),
    "simulators": lambda: simulators_program.main(["run"]),
}


@pytest.mark.parametrize("password", DATABASE_PASSWORDS)
@pytest.mark.parametrize("program", WITH_A_DATABASE)
def test_no_error_repeats_the_password_of_a_database(
    program: str, password: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("THUBON_DATABASE_URL", "THUBON_READ_DATABASE_URL"):
        monkeypatch.setenv(name, f"postgresql://u:{password}@127.0.0.1:1/x")
    monkeypatch.setenv("THUBON_BROKER_URL", "mqtt://127.0.0.1:1")
    monkeypatch.setenv("THUBON_API_TOKEN", "s3same" * 8)
    monkeypatch.setattr("sys.argv", ["program"])
    assert WITH_A_DATABASE[program]() in {1, 2}
    output = capsys.readouterr()
    assert "s3sa" not in output.out + output.err
    assert output.err


@pytest.mark.parametrize("password", BROKER_PASSWORDS)
@pytest.mark.parametrize("program", WITH_A_BROKER)
def test_no_error_repeats_the_password_of_a_broker(
    program: str, password: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THUBON_DATABASE_URL", "postgresql://127.0.0.1:1/x")
    monkeypatch.setenv("THUBON_BROKER_URL", f"mqtt://u:{password}@127.0.0.1:1")
    assert WITH_A_BROKER[program]() == 2
    output = capsys.readouterr()
    assert "s3sa" not in output.out + output.err
    assert "THUBON_BROKER_URL: " in output.err
