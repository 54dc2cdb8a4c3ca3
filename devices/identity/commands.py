"""The commands `python -m devices broker keep|status` and `credentials issue|rotate|revoke|register|list`."""

from __future__ import annotations

import csv
import logging
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import psycopg

from devices.commands import actor
from devices.identity import credentials
from devices.identity.certificates import CertificateError, read_certificate
from devices.identity.keeper import keep, keep_once
from devices.queries import load_query
from devices.settings import read_broker_settings
from devices.steps import ask, run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from devices.identity.credentials import IssuedPassword

IDENTITY_COMMANDS = frozenset({"broker", "credentials"})
_SHOWN_PENDING = 1_000
_AT_A_TIME: Final = 500
_PAUSE_S: Final = 0.5


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `broker` and `credentials` to the commands of `python -m devices`."""
    broker = commands.add_parser("broker", help="keep the broker's accounts what the registry says")
    actions = broker.add_subparsers(dest="action", required=True)
    keeping = actions.add_parser("keep", help="until ended: write changes, wait for the broker, repair what differs")
    keeping.add_argument("--once", action="store_true", help="one repair; status 1 where the broker does not confirm")
    actions.add_parser("status", help="accounts the broker does not hold yet; status 1 where there are any")

    keys = commands.add_parser("credentials", help="passwords and certificates of devices")
    actions = keys.add_subparsers(dest="action", required=True)
    issuing = actions.add_parser("issue", help="one more password for each device, shown this once")
    issuing.add_argument("device", nargs="*", help="none: with --missing, all without a credential in force")
    issuing.add_argument("--missing", action="store_true", help="only where there is no credential in force")
    issuing.add_argument("--out", type=Path, help="into this new file instead of standard output")
    rotating = actions.add_parser("rotate", help="a new password; those before end after the overlap")
    rotating.add_argument("device", nargs="+")
    hours = credentials.OVERLAP / timedelta(hours=1)
    rotating.add_argument("--overlap-hours", type=float, default=hours, help=f"default {hours:g}")
    rotating.add_argument("--out", type=Path, help="into this new file instead of standard output")
    revoking = actions.add_parser("revoke", help="end credentials at once; who came with them is disconnected")
    revoking.add_argument("device")
    revoking.add_argument("--credential", type=UUID, help="this one instead of all")
    registering = actions.add_parser("register", help="let devices in with these certificates")
    registering.add_argument("file", nargs="+", type=Path, metavar="CERTIFICATE.pem")
    listing = actions.add_parser("list", help="the credentials of a device, without secrets")
    listing.add_argument("device")


def keep_command(options: argparse.Namespace) -> bool:
    """Run `broker keep`: until SIGTERM or SIGINT, or once.

    Returns:
        Whether registry and broker agree; after the end of the lasting one: True.

    Raises:
        pydantic.ValidationError: a setting is missing or wrong.
        psycopg.Error: with --once, the database is away.
        BlockingIOError: with --once, another one works.
    """
    settings = read_broker_settings()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if options.once:
        return keep_once(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    keep(settings, stopping)
    return True


def run_identity_command(connection: psycopg.Connection[Any], options: argparse.Namespace) -> bool:
    """Run any other command.

    Returns:
        Whether all is done or well; False: the status is 1.

    Raises:
        NotIssuedError, CertificateError, OSError: nothing was changed.
    """
    if options.command == "broker":
        return _status(connection)
    by = actor()
    match options.action:
        case "issue":
            device_ids = options.device
            if options.missing:
                rows = run(connection, ask("devices_without_credential", device_ids=options.device or None))
                device_ids = [row["device_id"] for row in rows]
            issued = _issue(connection, device_ids, by=by)
            hand_over(connection, issued, options.out, action="credential.issue")
        case "rotate":
            overlap = timedelta(hours=options.overlap_hours)
            if not timedelta() <= overlap <= credentials.OVERLAP_MAX:
                raise credentials.NotIssuedError(f"an overlap lasts 0 to {credentials.OVERLAP_MAX.days} days")
            issued = _issue(connection, options.device, by=by, overlap=overlap)
            hand_over(connection, issued, options.out, action="credential.rotate")
        case "revoke":
            ended = run(connection, credentials.revoke(options.device, options.credential, by=by))
            _audit(connection, "credential.revoke", [options.device] if ended else [])
            connection.commit()
            _say(f"{options.device}: {len(ended)} credentials revoked")
            return bool(ended)
        case "register":
            _register(connection, options.file, by)
        case _:
            _list(connection, options.device)
    return True


def _issue(
    connection: psycopg.Connection[Any], device_ids: Sequence[str], *, by: str, overlap: timedelta | None = None
) -> list[IssuedPassword]:
    """Issue passwords in one transaction, some hundreds at a time with pauses between.

    Database and broker work for this as readily as for what devices send: ten thousand accounts at once would slow
    ingest down for some seconds, a thousand a second do so hardly.

    Raises:
        NotIssuedError: see `issue_passwords`; nothing was committed.
    """
    issued: list[IssuedPassword] = []
    for first in range(0, len(device_ids), _AT_A_TIME):
        if first:
            time.sleep(_PAUSE_S)
        some = device_ids[first : first + _AT_A_TIME]
        issued += run(connection, credentials.issue_passwords(some, by=by, overlap=overlap))
    return issued


def hand_over(
    connection: psycopg.Connection[Any], issued: Iterable[IssuedPassword], out: Path | None, *, action: str
) -> None:
    """Commit with a note in the audit, and write the passwords as CSV; a file is made for us alone, never overwritten.

    The file is made before the commit: passwords that nobody could be shown must not come into force.

    Raises:
        OSError: the file cannot be made; nothing was committed.
    """
    rows = [(each.device_id, each.device_id, each.password) for each in issued]
    _audit(connection, action, [row[0] for row in rows])
    if out is None:
        connection.commit()
        csv.writer(sys.stdout, lineterminator="\n").writerows([("device", "username", "password"), *rows])
        return
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("device", "username", "password"), *rows])
        file.flush()
        os.fsync(file.fileno())
    connection.commit()
    _say(f"credentials: {len(rows)} issued, in {out}")


def _audit(connection: psycopg.Connection[Any], action: str, device_ids: Iterable[str]) -> None:
    run(connection, ask("audit_credentials", actor=actor(), action=action, device_ids=list(device_ids)))


def _register(connection: psycopg.Connection[Any], files: Iterable[Path], by: str) -> None:
    for file in files:
        try:
            certificate = read_certificate(file.read_bytes(), now=datetime.now(UTC))
        except CertificateError as error:
            raise CertificateError(f"{file}: {error}") from error
        run(connection, credentials.register_certificate(certificate, by=by))
        _audit(connection, "credential.register", [certificate.device_id])
        _say(f"{certificate.device_id}: certificate {certificate.serial}, until {certificate.ends.isoformat()}")
    connection.commit()


def _list(connection: psycopg.Connection[Any], device_id: str) -> None:
    _say("credential\tkind\tstate\tissued\tby\texpires\trevoked\tserial")
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        for row in cursor.execute(load_query("list_credentials"), {"device_id": device_id}):
            names = (
                "credential_id",
                "kind",
                "state",
                "issued_time",
                "issued_by",
                "expires_time",
                "revoked_time",
                "serial",
            )
            _say("\t".join(_cell(row[name]) for name in names))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return "" if value is None else str(value)


def _status(connection: psycopg.Connection[Any]) -> bool:
    check = connection.execute(load_query("account_check")).fetchone()
    pending = connection.execute(load_query("pending_accounts"), {"limit": _SHOWN_PENDING}).fetchall()
    for device_id, change in pending:
        _say(f"{device_id}\t{change}")
    if check is None:
        _say("broker: never compared; is `python -m devices broker keep` running?")
        return False
    checked, agreed, trouble = check
    _say(f"pending: {len(pending)}{' or more' if len(pending) == _SHOWN_PENDING else ''}")
    _say(f"broker: compared {_cell(checked)}, agreed {_cell(agreed) or 'never'}{f', {trouble}' if trouble else ''}")
    return not pending and trouble is None
