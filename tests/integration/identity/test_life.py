"""Credentials come, change and go: rotation, revocation, ends, moves; broker and registry differ and agree again."""

from __future__ import annotations

import csv
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import psycopg
import pytest

from devices.identity import commands, credentials
from devices.identity.certificates import CertificateError, read_certificate
from devices.steps import run
from tests.fix_worker import wait_until
from tools.development_ca import make_authority, make_device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.identity.conftest import City

_numbers = count(1)


@pytest.fixture
def device_id(city: City) -> str:
    return city.device(f"life-{next(_numbers)}")


def _topic(device_id: str, town: str = "hoi-an") -> str:
    return f"thubon/v1/{town}/{device_id}/telemetry"


def test_a_revoked_password_ends_the_connection_within_two_seconds_and_the_other_one_stays(
    city: City, device_id: str
) -> None:
    first, second = city.password(device_id), city.password(device_id)
    with city.client(device_id, first) as old, city.client(device_id, second, client_id=f"{device_id}:b") as new:
        with city.connection as connection:
            row = connection.execute("select credential_id from device_credential order by issued_time desc offset 1")
            assert len(run(connection, credentials.revoke(device_id, row.fetchone()[0], by="test"))) == 1
        assert old.ended.wait(2.0)
        assert old.reason == "Administrative action"
        assert city.client(device_id, first).refusal == "Not authorized"
        assert new.publish(_topic(device_id))
        with city.connection as connection:
            run(connection, credentials.revoke(device_id, by="test"))
        assert new.ended.wait(2.0)
    assert city.client(device_id, second).refusal == "Not authorized"


def test_a_revoked_certificate_ends_the_connection_and_never_comes_back(city: City, device_id: str) -> None:
    file = city.certificate(device_id)
    with city.by_certificate(file, device_id) as client:
        with city.connection as connection:
            run(connection, credentials.revoke(device_id, by="test"))
        assert client.ended.wait(2.0)
    city.settle()
    # It is still signed by our authority, and others may knock with that; this one is known and out.
    assert city.by_certificate(file, device_id).refusal == "Not authorized"
    with city.connection as connection, pytest.raises(credentials.NotIssuedError):
        run(
            connection,
            credentials.register_certificate(read_certificate(file.read_bytes(), now=datetime.now(UTC)), by="test"),
        )


def test_after_a_rotation_both_passwords_work_until_the_overlap_ends(city: City, device_id: str) -> None:
    first = city.password(device_id)
    second = city.password(device_id, overlap=timedelta(seconds=2))
    began = time.monotonic()
    with city.client(device_id, first) as old, city.client(device_id, second, client_id=f"{device_id}:new") as new:
        assert old.publish(_topic(device_id))
        assert old.ended.wait(5.0)
        assert 1.0 < time.monotonic() - began < 4.5
        assert new.publish(_topic(device_id))
    assert city.client(device_id, first).refusal == "Not authorized"


def test_two_certificates_overlap_and_one_that_ended_is_not_let_in(city: City, device_id: str, tmp_path: Path) -> None:
    first = city.certificate(device_id)
    kept = tmp_path / first.name
    for suffix in (".crt", ".key"):
        kept.with_suffix(suffix).write_bytes(first.with_suffix(suffix).read_bytes())
    second = city.certificate(device_id)
    for file in (kept, second):
        with city.by_certificate(file, device_id) as client:
            assert client.publish(_topic(device_id))
    ended = city.certificate(device_id, days=-0.5, registered=False)
    assert not _gets_in(city, ended, device_id)
    with pytest.raises(CertificateError, match="it ended at"):
        read_certificate(ended.read_bytes(), now=datetime.now(UTC))


def test_certificates_of_others_open_nothing(city: City, device_id: str, tmp_path: Path) -> None:
    own = city.certificate(device_id)
    make_authority(tmp_path)
    make_device(tmp_path, device_id, 30)
    assert not _gets_in(city, tmp_path / f"{device_id}.crt", device_id)  # a foreign authority
    other = city.device(f"other-{next(_numbers)}")
    city.certificate(other)
    assert city.by_certificate(own, other).refusal == "Not authorized"
    unknown = city.certificate(device_id, registered=False)  # ours signed it, nobody registered it
    assert city.by_certificate(unknown, device_id).refusal == "Not authorized"
    for name in ("ingest", "thubon-ingest-worker-1", "Health"):
        assert city.by_certificate(city.certificate(name, registered=False), name).refusal == "Not authorized"


def _gets_in(city: City, file: Path, client_id: str) -> bool:
    """Whether a certificate opens a connection; at TLS 1.3 a refusal may come only after the handshake."""
    client = city.by_certificate(file, client_id)
    return not client.refusal


def test_an_unregistered_device_knocks_with_a_certificate_under_its_own_name_alone(city: City) -> None:
    file = city.certificate("newcomer-1", registered=False)
    with city.by_certificate(file, "newcomer-1") as client:
        assert client.publish(_topic("newcomer-1"))
        assert not client.publish(_topic("life-1"))
        assert not client.subscribe("thubon/v1/#")
        # Once it has an account, its certificate must be one of the registered ones.
        city.device("newcomer")
        city.password("newcomer-1")
        assert client.ended.wait(2.0)


def test_a_moved_device_may_speak_in_the_old_town_until_its_grace_ends(city: City, device_id: str) -> None:
    word = city.password(device_id)
    with city.client(device_id, word) as client:
        with city.connection as connection:
            connection.execute("update device set town_id = 'tam-ky' where device_id = %s", [device_id])
            connection.execute(
                "update device_placement set accepted_until = now() + interval '3 seconds'"
                " where until_time <> 'infinity' and device_key = (select device_key from device where device_id = %s)",
                [device_id],
            )
        city.settle()
        assert client.publish(_topic(device_id, "tam-ky"))
        assert client.publish(_topic(device_id))
        wait_until(lambda: not client.publish(_topic(device_id)), within_s=5.0, what="the end of the grace")
        assert client.publish(_topic(device_id, "tam-ky"))


def test_a_retired_device_is_disconnected_and_gets_no_credential(city: City, device_id: str) -> None:
    word = city.password(device_id)
    with city.client(device_id, word) as client:
        with city.connection as connection:
            connection.execute("update device set retired_time = now() where device_id = %s", [device_id])
        assert client.ended.wait(2.0)
    with city.connection as connection, pytest.raises(credentials.NotIssuedError):
        run(connection, credentials.issue_passwords([device_id], by="test"))


def test_reserved_names_and_a_ninth_credential_are_refused(city: City) -> None:
    for name in ("thubon-ingest-worker",):
        with city.connection as connection, pytest.raises(credentials.NotIssuedError):
            run(connection, credentials.issue_passwords([city.device(name)], by="test"))
    device_id = city.device(f"many-{next(_numbers)}")
    with city.connection as connection:
        for _ in range(8):
            run(connection, credentials.issue_passwords([device_id], by="test"))
        with pytest.raises(credentials.NotIssuedError):
            run(connection, credentials.issue_passwords([device_id], by="test"))
    city.settle()


def test_accounts_survive_a_restart_of_the_broker_and_of_the_keeper(city: City, device_id: str) -> None:
    word = city.password(device_id)
    city.stop_keeper()
    city.broker.kill()
    city.broker.start()
    with city.client(device_id, word) as client:
        assert client.publish(_topic(device_id))
    city.start_keeper()
    city.settle()
    with city.client(device_id, word):
        pass


def test_with_the_broker_down_accounts_are_pending_and_shown(city: City, device_id: str) -> None:
    city.broker.stop()
    with city.connection as connection:
        (issued,) = run(connection, credentials.issue_passwords([device_id], by="test"))
    assert city.pending() == [(device_id, "add")]
    wait_until(lambda: _trouble(city) is not None, within_s=5.0, what="the trouble")
    shown = city.run("broker", "status", THUBON_DATABASE_URL=city.database.owner_url)
    assert shown.returncode == 1
    assert f"{device_id}\tadd" in shown.stdout
    assert "does not confirm" in shown.stdout
    city.broker.start()
    city.settle()
    with city.client(device_id, issued.password):
        pass
    wait_until(lambda: _trouble(city) is None, what="the end of the trouble")
    assert city.run("broker", "status", THUBON_DATABASE_URL=city.database.owner_url).returncode == 0


def _trouble(city: City) -> str | None:
    with city.connection as connection:
        return connection.execute("select trouble from broker_account_check").fetchone()[0]


@pytest.mark.parametrize("harm", ["emptied", "edited", "removed", "garbled"])
def test_a_broker_that_holds_something_else_is_repaired(city: City, device_id: str, harm: str) -> None:
    word = city.password(device_id)
    file = city.folder / "accounts" / "accounts"
    text = file.read_text()
    repairs = _metric(city, "thubon_identity_repairs_total")
    match harm:
        case "emptied":
            file.write_text("thubon-accounts 1\n= 00\n")
        case "edited":  # somebody lets an intruder in
            intruder = text.rsplit(f"+ {device_id} ")[-1].split("\n")[0]
            file.write_text(f"{text}+ intruder-1 {intruder}\n= 00\n")
        case "removed":
            file.unlink()
        case "garbled":
            file.write_text(text.replace("p:", "q:"))
    wait_until(lambda: _metric(city, "thubon_identity_repairs_total") > repairs, what="the repair")
    wait_until(lambda: _metric(city, "thubon_identity_agrees") == 1, what="the agreement")
    with city.client(device_id, word):
        pass
    assert city.client("intruder-1", word).refusal == "Not authorized"
    assert "intruder" not in file.read_text()


def test_one_repair_can_be_run_by_hand_while_no_keeper_runs(city: City, device_id: str) -> None:
    busy = city.run("broker", "keep", "--once")
    assert (busy.returncode, "another keeper works" in busy.stderr) == (1, True)
    city.stop_keeper()
    with city.connection as connection:
        (issued,) = run(connection, credentials.issue_passwords([device_id], by="test"))
    done = city.run("broker", "keep", "--once")
    assert done.returncode == 0, done.stderr
    with city.client(device_id, issued.password):
        pass
    city.start_keeper()


def test_what_ends_within_thirty_days_is_a_metric(city: City, device_id: str) -> None:
    city.stop_keeper()
    city.certificate_without_waiting(device_id, days=20)
    city.start_keeper()
    wait_until(lambda: _metric(city, 'thubon_certificates_ending{kind="client"}') >= 1, what="the metric")
    assert _metric(city, 'thubon_certificates_ending{kind="server"}') == 1
    assert _metric(city, 'thubon_certificates_ending{kind="ca"}') == 0
    end = _metric(city, 'thubon_certificate_end_timestamp_seconds{kind="server"}')
    assert end - time.time() == pytest.approx(30 * 86_400, abs=3_600)
    assert _metric(city, 'thubon_certificate_end_timestamp_seconds{kind="ca"}') > time.time() + 9 * 365 * 86_400


def _metric(city: City, name: str) -> float:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{city.metrics_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return float("nan")
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), float("nan"))


def test_the_commands_issue_rotate_list_and_revoke(city: City, device_id: str, tmp_path: Path) -> None:
    owner = {"THUBON_DATABASE_URL": city.database.owner_url}
    out = tmp_path / "secret.csv"
    done = city.run("credentials", "issue", device_id, "--out", str(out), **owner)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    (row,) = csv.DictReader(out.read_text().splitlines())
    assert (row["device"], row["username"], len(row["password"])) == (device_id, device_id, 27)
    assert row["password"] not in done.stdout + done.stderr
    again = city.run("credentials", "issue", device_id, "--out", str(out), **owner)
    assert again.returncode == 1  # it never overwrites a file of passwords
    rotated = city.run("credentials", "rotate", device_id, "--overlap-hours", "1", **owner)
    assert rotated.stdout.splitlines()[0] == "device,username,password"
    listed = city.run("credentials", "list", device_id, **owner).stdout.splitlines()
    assert [line.split("\t")[2] for line in listed[1:]] == ["valid", "valid"]
    city.settle()
    with city.client(device_id, row["password"]):
        pass
    assert "2 credentials revoked" in city.run("credentials", "revoke", device_id, **owner).stdout
    file = city.certificate(device_id, registered=False)
    assert city.run("credentials", "register", str(file), **owner).returncode == 0
    city.settle()
    with city.by_certificate(file, device_id):
        pass
    assert city.run("credentials", "issue", "nobody-at-all", **owner).returncode == 1
    with city.connection as connection:
        query = "select action from audit where subject = %s and town_id = 'hoi-an' order by audit_key"
        actions = [row[0] for row in connection.execute(query, [device_id])]
    assert actions == ["credential.issue", "credential.rotate", "credential.revoke", "credential.register"]
    assert city.run("credentials", "rotate", device_id, "--overlap-hours", "9999", **owner).returncode == 1


def test_many_passwords_are_issued_some_at_a_time_all_or_none(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_AT_A_TIME", 2)
    several = [city.device(f"many-{next(_numbers)}") for _ in range(3)]
    count = "select count(*) from device_credential join device using (device_key) where device_id = any(%s)"
    with city.connection as connection:
        with pytest.raises(credentials.NotIssuedError):
            commands._issue(connection, [*several, "nobody-at-all"], by="test")
        connection.rollback()
        assert connection.execute(count, [several]).fetchone() == (0,)
        issued = commands._issue(connection, several, by="test")
        assert connection.execute(count, [several]).fetchone() == (3,)
    assert [each.device_id for each in issued] == several
    city.settle()
    with city.client(several[2], issued[2].password):
        pass


def test_the_keeper_waits_for_a_database_that_is_away(city: City) -> None:
    with psycopg.connect(city.database.url, autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'thubon identity'"
        )
    device_id = city.device(f"after-{next(_numbers)}")
    with city.connection as connection:
        (issued,) = run(connection, credentials.issue_passwords([device_id], by="test"))
    wait_until(lambda: not city.pending(), what="the keeper's return")
    with city.client(device_id, issued.password):
        pass


@pytest.fixture(autouse=True)
def _keeper_runs(city: City) -> Iterator[None]:
    yield
    if city.keeper is None:
        city.start_keeper()
        city.settle()
