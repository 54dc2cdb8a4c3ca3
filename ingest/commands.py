"""`python -m ingest ledger` and `python -m ingest rejections`: what people ask of the account."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from devices.models import IDENTIFIER_PATTERN
from devices.reasons import REASON_TEXTS, Reason
from ingest.errors import IngestError
from ingest.ledger import KINDS
from ingest.ledger_check import LEDGER_QUERIES, check, describe, describe_brokers, whole_hours
from ingest.replay import Choice, Replay
from ingest.storage import connect, named_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingest.settings import StorageSettings

_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN)
_LISTED: Final = 100


def add_parsers(programs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two programs to the command line."""
    ledger = programs.add_parser("ledger", help="what came in and what became of it").add_subparsers(
        dest="command", required=True
    )
    proof = ledger.add_parser("check", help="prove the ledger against the tables; exit 1 where they differ")
    _add_span(proof)
    show = ledger.add_parser("show", help="print the ledger by hour, town, source and family")
    show.add_argument("--town", type=_identifier)
    _add_span(show)

    rejections = programs.add_parser("rejections", help="what was refused and why").add_subparsers(
        dest="command", required=True
    )
    listing = rejections.add_parser("list", help="the newest refusals")
    listing.add_argument("--limit", type=int, default=_LISTED, choices=range(1, 10_001), metavar="N")
    why = rejections.add_parser("why", help="why a device was refused, and what mends it")
    why.add_argument("device", type=_identifier)
    _add_span(why)
    replay = rejections.add_parser(
        "replay", help="send refused messages the way again, once, after the cause is mended"
    )
    replay.add_argument("--dry-run", action="store_true", help="do it and roll it back")
    for parser in (listing, replay):
        parser.add_argument("--reason", choices=[reason.value for reason in Reason], metavar="REASON")
        parser.add_argument("--device", type=_identifier)
        parser.add_argument("--town", type=_identifier)
        _add_span(parser)


def run(options: argparse.Namespace, settings: StorageSettings) -> int:
    """Do what was asked; returns the exit status: 0 done or equal, 1 failed or different."""
    commands = {
        ("ledger", "check"): _check,
        ("ledger", "show"): _show,
        ("rejections", "list"): _list,
        ("rejections", "why"): _why,
        ("rejections", "replay"): _replay,
    }
    try:
        return commands[options.program, options.command](options, settings)
    except IngestError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _check(options: argparse.Namespace, settings: StorageSettings) -> int:
    first, last = whole_hours(options.first, options.last)
    with _connection(settings) as connection:
        proof = check(connection, first, last)
        reports = connection.execute(LEDGER_QUERIES["broker_reports"]).fetchall()
    _say(describe(proof, reports))
    return 1 if proof.differences else 0


def _show(options: argparse.Namespace, settings: StorageSettings) -> int:
    first, last = whole_hours(options.first, options.last)
    with _connection(settings) as connection, named_errors():
        entries = connection.execute(
            LEDGER_QUERIES["ledger_entries"], {"first": first, "last": last, "town": options.town}
        ).fetchall()
        reports = connection.execute(LEDGER_QUERIES["broker_reports"]).fetchall()
    names = ("hour", "town_id", "source", "family", *KINDS)
    table = [[name.removesuffix("_id") for name in names]]
    table += [[_shown(entry[name]) for name in names] for entry in entries]
    _say([*_aligned(table), *describe_brokers(reports)])
    return 0


def _list(options: argparse.Namespace, settings: StorageSettings) -> int:
    with _connection(settings) as connection, named_errors():
        rows = connection.execute(LEDGER_QUERIES["list_rejections"], {**_filter(options), "limit": options.limit})
        _say([_line(row) for row in rows])
    return 0


def _why(options: argparse.Namespace, settings: StorageSettings) -> int:
    with _connection(settings) as connection, named_errors():
        rows = connection.execute(LEDGER_QUERIES["why_refused"], _filter(options)).fetchall()
    if not rows:
        _say([f"nothing of {options.device} was refused"])
    for row in rows:
        text = REASON_TEXTS[Reason(row["reason"])]
        span = f"{_shown(row['first_time'])} to {_shown(row['last_time'])}"
        counts = f"{row['readings']} readings in {row['messages']} refusals, {row['replayed']} of them replayed since"
        _say(
            [
                f"{row['reason']}: {counts}; {span}",
                f"  vi  {text.meaning.vi} {text.cure.vi}",
                f"  en  {text.meaning.en} {text.cure.en}",
                f"  newest: {row['detail']}",
                f"  {row['topic']} {row['payload']}",
            ]
        )
    return 0


def _replay(options: argparse.Namespace, settings: StorageSettings) -> int:
    choice = Choice(
        asked=datetime.now(UTC),
        last=options.last,
        first=options.first,
        reason=options.reason,
        device=options.device,
        town=options.town,
    )
    replay = Replay(dsn=settings.database_url.get_secret_value(), worker="replay", settings=settings)
    try:
        outcome = replay.run(choice, dry_run=options.dry_run)
    finally:
        replay.close()
    figures = " ".join(f"{each.name}={getattr(outcome, each.name)}" for each in fields(outcome))
    _say([f"{'would be replayed' if options.dry_run else 'replayed'}: {figures}"])
    return 0


def _connection(settings: StorageSettings) -> Any:
    connection = connect(settings.database_url.get_secret_value(), application="thubon account")
    connection.execute(LEDGER_QUERIES["be_patient"])
    return connection


def _filter(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name, None) for name in ("reason", "device", "town", "first", "last")}


def _line(row: Mapping[str, Any]) -> str:
    replayed = f" ({row['replayed']} replayed)" if row["replayed"] else ""
    about = row["device_id"] or row["source"]
    return f"{_shown(row['received_time'])} {about} {row['reason']} {row['readings']}{replayed} {row['detail']}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _shown(value: object) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else str(value)


def _say(lines: Sequence[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _add_span(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="first", type=_time, metavar="TIME", help="received at or after; RFC 3339")
    parser.add_argument("--to", dest="last", type=_time, metavar="TIME", help="received before; RFC 3339")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise argparse.ArgumentTypeError("needs an offset, such as 2026-11-23T08:00:00Z or ...+07:00")
    return time


def _identifier(text: str) -> str:
    if _IDENTIFIER.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("ids are lower-case letters, digits and hyphens")
    return text
