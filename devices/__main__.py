"""The registry's commands: `python -m devices import FILE [--dry-run]`, `export`, `list`, `sync`, and one by one."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from pydantic import ValidationError

from devices.change import ChangeError
from devices.commands import COMMANDS, actor, add_parsers, audit_import, audit_sync, run_command
from devices.identity.certificates import CertificateError
from devices.identity.commands import (
    IDENTITY_COMMANDS,
    add_commands,
    hand_over,
    keep_command,
    run_identity_command,
)
from devices.identity.credentials import NotIssuedError, issue_missing
from devices.profiles import load_catalogue
from devices.registry import ImportReport, RegistryError, export_rows, import_devices, list_rows, sync_profiles
from devices.registry_file import COLUMNS, read_registry_file
from devices.settings import read_settings
from devices.sheets import cell_text, write_csv, write_xlsx
from devices.steps import run
from devices.yaml_file import DataFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devices.models import DeviceProfile

DONE, FAILED, USAGE = 0, 1, 2
# Thousands of devices at a time must not slow down what comes in meanwhile.
_BULK = frozenset({"import", "credentials", "sync"})
_NICENESS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done, 1 failed and nothing was changed, 2 wrong settings or usage.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.command == "broker" and options.action == "keep":
            return DONE if keep_command(options) else FAILED
        settings = read_settings()
        if options.command in _BULK:
            os.nice(_NICENESS)
        # Before any connection: a file that cannot be read is a wrong argument.
        content = _read_file(options.file) if options.command == "import" else b""
        # The commands on identity need none, and reading it takes longer than their work.
        catalogue = {} if options.command in IDENTITY_COMMANDS else load_catalogue()
        with psycopg.connect(str(settings.database_url), application_name="thubon devices") as connection:
            return _run(connection, options, content, catalogue)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            _complain(f"THUBON_{name}: {problem['msg']}")
        return USAGE
    except _ArgumentError as error:
        _complain(str(error))
        return USAGE
    except (RegistryError, DataFileError, ChangeError, NotIssuedError, CertificateError, OSError) as error:
        _complain(str(error))
    except psycopg.Error as error:
        _complain(f"database: {str(error).strip()}")
    return FAILED


class _ArgumentError(Exception):
    """An argument names what cannot be read."""


def _read_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _ArgumentError(f"{file}: {error.strerror}") from error


def _run(
    connection: psycopg.Connection[Any],
    options: argparse.Namespace,
    content: bytes,
    catalogue: Mapping[str, DeviceProfile],
) -> int:
    if options.command == "import":
        return _import(connection, options, content, catalogue)
    if options.command in IDENTITY_COMMANDS:
        return DONE if run_identity_command(connection, options) else FAILED
    if options.command == "sync":
        report = sync_profiles(connection, catalogue)
        audit_sync(connection, report)
        connection.commit()
        print(f"datastreams: {report.appended} appended, {report.updated} updated")
    elif options.command == "export":
        _export(connection, options.town, options.xlsx)
    elif options.command in COMMANDS:
        run_command(connection, options, catalogue)
    else:
        _list(connection, options.town)
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devices",
        description="The registry of devices in the database of THUBON_DATABASE_URL.",
        epilog="Exit status: 0 done, 1 failed and nothing was changed, 2 wrong settings or usage.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    importing = commands.add_parser("import", help="add and change devices from a CSV or XLSX file, all or none")
    importing.add_argument("file", type=Path, metavar="FILE", help=f"columns: {', '.join(COLUMNS)}")
    importing.add_argument("--dry-run", action="store_true", help="say what it would do, change nothing")
    importing.add_argument(
        "--credentials", type=Path, metavar="NEW.csv", help="issue passwords to devices of the file that have none"
    )
    exporting = commands.add_parser("export", help="write the registry as such a file to standard output")
    exporting.add_argument("--town", help="one town instead of all")
    exporting.add_argument("--xlsx", type=Path, metavar="FILE.xlsx", help="a spreadsheet instead")
    listing = commands.add_parser("list", help="one line a device")
    listing.add_argument("--town", help="one town instead of all")
    add_commands(commands)
    commands.add_parser("sync", help="append datastreams that device profiles gained, for all devices")
    add_parsers(commands)
    return parser


def _import(
    connection: psycopg.Connection[Any],
    options: argparse.Namespace,
    content: bytes,
    catalogue: Mapping[str, DeviceProfile],
) -> int:
    report = import_devices(connection, read_registry_file(content, catalogue), catalogue)
    for warning in report.warnings:
        _complain(f"{options.file}:{warning} (warning)")
    for fault in report.faults:
        _complain(f"{options.file}:{fault}")
    if report.faults:
        rows = len({fault.line for fault in report.faults})
        _complain(f"nothing imported: {len(report.faults)} faults in {rows} rows")
        return FAILED
    if not options.dry_run:
        audit_import(connection, report, content)
    if options.dry_run:
        connection.rollback()
        print("dry run, nothing was changed; it would be:")
    elif options.credentials:
        issued = run(connection, issue_missing(report.device_ids, by=actor()))
        hand_over(connection, issued, options.credentials, action="credential.issue")
    else:
        connection.commit()
    print("\n".join(_summary(report)))
    return DONE


def _summary(report: ImportReport) -> list[str]:
    return [
        *(change.en for change in report.changes),
        f"devices: {report.new_devices} new, {report.changed_devices} changed, {report.unchanged_devices} unchanged",
        f"sites: {report.new_sites} new, {report.changed_sites} changed",
        f"datastreams: {report.datastreams.appended} appended, {report.datastreams.updated} updated",
    ]


def _export(connection: psycopg.Connection[Any], town_id: str | None, xlsx: Path | None) -> None:
    rows = itertools.chain([COLUMNS], export_rows(connection, town_id))
    if xlsx is not None:
        xlsx.write_bytes(write_xlsx(rows))
        return
    for line in write_csv(rows):
        sys.stdout.write(line)


def _list(connection: psycopg.Connection[Any], town_id: str | None) -> None:
    print("device\ttown\tdomain\tprofile\tsite\tname\tdatastreams\tretired")
    for row in list_rows(connection, town_id):
        print("\t".join(cell_text(cell) for cell in row))


def _complain(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
