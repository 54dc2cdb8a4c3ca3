"""`python -m ingest rebuild`: fold windows anew, after reductions or data changed; from the database or from Parquet.

From the database: a day and a block of devices at a time, several at once in processes of their own, each in one
transaction on one snapshot by the functions of the live path, and beside it: whichever of two that write the same
window comes second is done again. What is done is noted in the same transaction, so an interrupted rebuild goes on
where it was. Sealed windows stay; what is not folded yet is left to the aggregator.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg
from tqdm import tqdm

from ingest.aggregation.keeper import Keeper
from ingest.aggregation.store import QUERIES
from ingest.aggregation.windows import DAY, start_of
from ingest.errors import StorageAwayError
from ingest.settings import StorageSettings
from ingest.storage import connect, named_errors

if TYPE_CHECKING:
    from collections.abc import Sequence


_DAY_US: Final = DAY * 1_000_000
_LOCAL: Final = timedelta(hours=7)
_BLOCK_DEVICES: Final = 500
_TRIES: Final = 10
PARQUET: Final = "parquet"


@dataclass(frozen=True, slots=True)
class Task:
    """A local day of some devices."""

    rebuild: str  # what was asked for, as it is noted
    day_us: int
    device_keys: tuple[int, ...]


def add_parser(programs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the program to the command line."""
    parser = programs.add_parser("rebuild", help="fold windows anew from their observations")
    parser.add_argument(
        "--from",
        dest="source",
        action="append",
        default=[],
        type=_source,
        metavar="DAY|parquet",
        help="first local day, as 2026-11-23 (default: all); or parquet: an archive that `export` wrote",
    )
    parser.add_argument("--to", dest="last", type=local_day, help="local day to end before; default: all")
    parser.add_argument("--town")
    parser.add_argument("--device")
    parser.add_argument("--property", help="devices that observe it")
    parser.add_argument("--workers", type=_workers, default=os.cpu_count() or 1, help="processes; default: processors")
    parser.add_argument("--anew", action="store_true", help="forget what an interrupted rebuild of the same has done")
    parser.add_argument("--archive", help="folder of the archive; with --from parquet")
    parser.add_argument("--into", help="folder for windows as Parquet; with --from parquet")
    parser.add_argument("--scheduler", help="a Dask cluster, as tcp://host:8786; with --from parquet")


def local_day(text: str) -> datetime:
    """The start of a day of Asia/Ho_Chi_Minh.

    Raises:
        argparse.ArgumentTypeError: it is no day.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) - _LOCAL
    except ValueError as error:
        raise argparse.ArgumentTypeError("a day such as 2026-11-23") from error


def _source(text: str) -> datetime | str:
    return PARQUET if text == PARQUET else local_day(text)


def _workers(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:  # noqa: PLR2004  # more than one machine's
        raise argparse.ArgumentTypeError("1 to 64")
    return int(text)


def first_day(options: argparse.Namespace) -> datetime | None:
    """The first day asked for."""
    return next((source for source in options.source if isinstance(source, datetime)), None)


def rebuild(options: argparse.Namespace) -> int:
    """Do what was asked; returns the exit status."""
    from_parquet = PARQUET in options.source
    if from_parquet != bool(options.archive and options.into) or (options.scheduler and not from_parquet):
        sys.stderr.write("--archive, --into and --scheduler go with --from parquet, which needs the first two\n")
        return 2
    if from_parquet:
        # The packages for Parquet and clusters are an extra, and heavy.
        from ingest.rebuild_archive import rebuild_archive  # noqa: PLC0415

        return rebuild_archive(options, first_day(options))
    settings = StorageSettings()  # type: ignore[call-arg]  # from the environment; Parquet needs no database
    try:
        return _rebuild(options, settings.database_url.get_secret_value())
    except StorageAwayError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _rebuild(options: argparse.Namespace, dsn: str) -> int:
    with connect(dsn, application="thubon rebuild") as connection, named_errors():
        choice = {name: getattr(options, name) for name in ("town", "device", "property")}
        devices = [row["device_key"] for row in connection.execute(QUERIES["rebuilt_devices"], choice).fetchall()]
        span = connection.execute(QUERIES["observed_span"]).fetchone()
        if not devices or not span or span["first"] is None:
            sys.stderr.write("There is nothing to rebuild\n")
            return 0
        first = max(filter(None, (first_day(options), span["first"])))
        last = min(filter(None, (options.last, span["last"] + timedelta(microseconds=1))))
        name = " ".join(f"{key}={value}" for key, value in choice.items() if value) or "all"
        if options.anew:
            connection.execute(QUERIES["forget_rebuild"], {"rebuild": name})
        rows = connection.execute(QUERIES["rebuild_done"], {"rebuild": name}).fetchall()
        done = {(row["day_us"], row["first_device"]) for row in rows}
        blocks = [tuple(devices[at : at + _BLOCK_DEVICES]) for at in range(0, len(devices), _BLOCK_DEVICES)]
        days = range(start_of(microseconds(first), DAY), microseconds(last), _DAY_US)
        tasks = [Task(name, day, block) for day in days for block in blocks]
        left = [task for task in tasks if (task.day_us, task.device_keys[0]) not in done]
        before = len(tasks) - len(left)
        if before:
            sys.stderr.write(f"{before} of {len(tasks)} blocks were done before; --anew does them again\n")
        if not _fold_all(left, dsn, options.workers, known=before):
            return 1
        connection.execute(QUERIES["forget_rebuild"], {"rebuild": name})
    return 0


def microseconds(moment: datetime) -> int:
    """Aware time -> Unix microseconds."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def day_text(day_us: int) -> str:
    """A local midnight -> its day, as 2026-11-23."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=day_us) + _LOCAL).date().isoformat()


def _fold_all(tasks: Sequence[Task], dsn: str, workers: int, *, known: int) -> bool:
    """Fold every block; False when it was interrupted."""
    pool = ProcessPoolExecutor(
        min(workers, max(1, len(tasks))), mp_context=get_context("spawn"), initializer=_leave_interrupts_to_the_parent
    )
    windows = 0
    try:
        futures = [pool.submit(fold, dsn, task) for task in tasks]
        with tqdm(total=known + len(tasks), initial=known, unit="block", disable=None) as bar:
            for future in as_completed(futures):
                windows += future.result()
                bar.update()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; the same command goes on\n")
        return False
    finally:
        pool.shutdown(cancel_futures=True)
    sys.stderr.write(f"Folded {windows} quarter hours anew\n")
    return True


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_sessions: dict[str, tuple[psycopg.Connection[dict[str, Any]], Keeper]] = {}
"""Of this process: a session for each database, kept from task to task."""


def fold(dsn: str, task: Task) -> int:
    """Fold one block and note it; answers how many quarter hours it had.

    Raises:
        StorageAwayError: the database is away, or others kept writing the same windows.
    """
    error: Exception | None = None
    for _ in range(_TRIES):
        if dsn not in _sessions or _sessions[dsn][0].closed:
            connection = connect(dsn, application="thubon rebuild")
            keeper = Keeper(connection)
            keeper.prepare()
            _sessions[dsn] = connection, keeper
        try:
            with named_errors():
                return _sessions[dsn][1].refold(
                    np.array(task.device_keys, dtype=np.int32),
                    task.day_us,
                    task.day_us + _DAY_US,
                    note={"rebuild": task.rebuild, "day_us": task.day_us, "first_device": task.device_keys[0]},
                )
        except (psycopg.errors.UniqueViolation, StorageAwayError) as met:
            error = met  # a conflict with who wrote the same window: what it wrote is seen the next time
            _sessions.pop(dsn)[0].close()
    raise StorageAwayError(f"(tried {_TRIES} times: {error})")
