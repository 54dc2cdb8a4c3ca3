"""`python -m ingest rebuild`: have windows folded anew from their observations, after reductions or data changed.

It only names the windows, as a batch does; the aggregator folds them, beside what comes in and as exactly. So an
interrupted rebuild leaves nothing wrong, and goes on with the day it had come to. Sealed windows stay.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tqdm import tqdm

from ingest.aggregation.store import QUERIES
from ingest.changes import CHANGE
from ingest.errors import StorageAwayError
from ingest.parameters import array_text
from ingest.storage import connect, named_errors

if TYPE_CHECKING:
    import psycopg

    from ingest.settings import StorageSettings

_DAY: Final = timedelta(days=1)
_BLOCK_DEVICES: Final = 500
_WAITING: Final = 8
"""Blocks named ahead of the aggregator, so that what comes late meanwhile does not wait long."""
_POLL_S: Final = 0.2
_LAST_KEY: Final = np.iinfo(np.int64).max


def add_parser(programs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the program to the command line."""
    parser = programs.add_parser(
        "rebuild", help="fold windows anew from their observations; needs a running aggregator"
    )
    parser.add_argument("--from", dest="first", type=_time, help="first day, as 2026-11-23 (UTC); default: all")
    parser.add_argument("--to", dest="last", type=_time, help="day to end before; default: all")
    parser.add_argument("--town")
    parser.add_argument("--device")
    parser.add_argument("--property", help="devices that observe it")


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError("a day such as 2026-11-23") from error


def rebuild(options: argparse.Namespace, settings: StorageSettings) -> int:
    """Do what was asked; returns the exit status, 0 when the aggregator has folded all of it."""
    try:
        return _rebuild(options, settings)
    except StorageAwayError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _rebuild(options: argparse.Namespace, settings: StorageSettings) -> int:
    connection = connect(settings.database_url.get_secret_value(), application="thubon rebuild")
    with connection, named_errors():
        span = connection.execute(QUERIES["observed_span"]).fetchone()
        choice = {name: getattr(options, name) for name in ("town", "device", "property")}
        devices = [row["device_key"] for row in connection.execute(QUERIES["rebuilt_devices"], choice).fetchall()]
        if not devices or not span or span["first"] is None:
            sys.stderr.write("There is nothing to rebuild\n")
            return 0
        day = max(filter(None, (options.first, _midnight(span["first"]))))
        last = min(filter(None, (options.last, span["last"] + timedelta(microseconds=1))))
        blocks = [devices[at : at + _BLOCK_DEVICES] for at in range(0, len(devices), _BLOCK_DEVICES)]
        days = max(0, -((day - last) // _DAY))
        key = 0
        try:
            with tqdm(total=days * len(blocks), unit="block", disable=None) as bar:
                while day < last:
                    for block in blocks:
                        key = _name(connection, block, day, min(day + _DAY, last)) or key
                        _wait(connection, _LAST_KEY, _WAITING)
                        bar.update()
                    day += _DAY
            _wait(connection, key, 0)
        except KeyboardInterrupt:
            sys.stderr.write(f"Interrupted; go on with --from {day.date()}\n")
            return 1
    return 0


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _name(
    connection: psycopg.Connection[dict[str, Any]], block: list[int], first: datetime, last: datetime
) -> int | None:
    """Name the quarters of some devices in a span; answers the key of the change, None where there are none."""
    rows = connection.execute(
        QUERIES["observed_quarters"], {"device_keys": array_text(block), "first": first, "last": last}
    ).fetchall()
    if not rows:
        return None
    names = CHANGE.names or ()
    changes = np.array([tuple(row[name] for name in names) for row in rows], dtype=CHANGE)
    row = connection.execute(QUERIES["name_changes"], {"changes": changes.tobytes()}).fetchone()
    return int(row["change_key"]) if row else None


def _wait(connection: psycopg.Connection[dict[str, Any]], change_key: int, most: int) -> None:
    """Until at most so many changes wait to be looked at."""
    while True:
        row = connection.execute(QUERIES["waiting_changes"], {"change_key": change_key}).fetchone()
        if not row or row["waiting"] <= most:
            return
        time.sleep(_POLL_S)
