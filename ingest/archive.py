"""`python -m ingest export`: observations as Parquet, for history beyond retention and for clusters.

    <folder>/datastreams.parquet                     a row a datastream, as registered when it was written
    <folder>/observations/day=2026-11-23.parquet     a row a device and time, a day of Asia/Ho_Chi_Minh a file

A file appears under its name when it is whole. Rows are sorted by device and time, a row group a block of devices.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tqdm import tqdm

from devices.quality import LEFT_OUT
from ingest.aggregation import store
from ingest.aggregation.fleet import Fleet
from ingest.aggregation.store import QUERIES, Observations
from ingest.aggregation.windows import DAY, start_of
from ingest.errors import StorageAwayError
from ingest.rebuild import day_text, first_day, local_day, microseconds
from ingest.storage import connect, named_errors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import psycopg
    import pyarrow as pa
    from numpy.typing import NDArray

    from ingest.settings import StorageSettings

_DAY_US: Final = DAY * 1_000_000
_BLOCK_DEVICES: Final = 500
OBSERVATIONS: Final = "observations"
DATASTREAMS: Final = "datastreams.parquet"


def add_parser(programs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the program to the command line."""
    parser = programs.add_parser("export", help="write observations as Parquet")
    parser.add_argument("--into", required=True, help="folder; days that are there already are written anew")
    parser.add_argument("--from", dest="source", action="append", default=[], type=local_day, help="first local day")
    parser.add_argument("--to", dest="last", type=local_day, help="local day to end before; default: all")
    parser.add_argument("--town")


def export(options: argparse.Namespace, settings: StorageSettings) -> int:
    """Write what was asked for; returns the exit status."""
    try:
        return _export(options, settings.database_url.get_secret_value())
    except StorageAwayError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _export(options: argparse.Namespace, dsn: str) -> int:
    import pyarrow as pa  # noqa: PLC0415  # an extra
    from pyarrow import parquet  # noqa: PLC0415

    folder = Path(options.into)
    (folder / OBSERVATIONS).mkdir(parents=True, exist_ok=True)
    with connect(dsn, application="thubon export") as connection, named_errors():
        connection.execute(QUERIES["plan"])
        rows = connection.execute(QUERIES["archived_datastreams"], {"town": options.town}).fetchall()
        span = connection.execute(QUERIES["observed_span"]).fetchone()
        if not rows or not span or span["first"] is None:
            sys.stderr.write("There is nothing to write\n")
            return 0
        parquet.write_table(pa.Table.from_pylist(rows), folder / DATASTREAMS)
        first = max(filter(None, (first_day(options), span["first"])))
        last = min(filter(None, (options.last, span["last"] + timedelta(microseconds=1))))
        fleet = Fleet.of(0, rows)
        days = range(start_of(microseconds(first), DAY), microseconds(last), _DAY_US)
        written = 0
        for day_us in tqdm(days, unit="day", disable=None):
            written += _write_day(connection, fleet, folder, day_us)
    sys.stderr.write(f"Wrote {written} rows of {len(days)} days\n")
    return 0


def _write_day(connection: psycopg.Connection[dict[str, Any]], fleet: Fleet, folder: Path, day_us: int) -> int:
    from pyarrow import parquet  # noqa: PLC0415

    path = file_of(folder, day_us)
    unfinished = path.with_suffix(".unfinished")
    rows = 0
    with parquet.ParquetWriter(unfinished, _schema(), compression="zstd") as writer:
        for number, block in blocks_of(fleet):
            after = np.full(len(block), day_us - 1)
            until = np.full(len(block), day_us + _DAY_US - 1)
            found = store.read_observations(connection, fleet.kinds[number], block, after, until)
            if len(found):
                writer.write_table(_table(found))
                rows += len(found)
    unfinished.replace(path)
    return rows


def blocks_of(fleet: Fleet) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Devices whose slots are alike, some hundred at a time: number of their kind, keys ascending."""
    for number in range(len(fleet.kinds)):
        keys = np.flatnonzero(fleet.kind_of == number).astype(np.int32)
        for at in range(0, len(keys), _BLOCK_DEVICES):
            yield number, keys[at : at + _BLOCK_DEVICES]


def file_of(folder: Path, day_us: int) -> Path:
    """Where a local day's observations lie."""
    return folder / OBSERVATIONS / f"day={day_text(day_us)}.parquet"


def _schema() -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415

    moment = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            ("device_key", pa.int32()),
            ("phenomenon_time", moment),
            ("received_time", moment),
            ("value_by_slot", pa.list_(pa.float64())),
            ("quality_by_slot", pa.list_(pa.int16())),
        ]
    )


def _table(found: Observations) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415

    size, slots = found.value.shape
    offsets = pa.array(np.arange(size + 1, dtype=np.int32) * slots)
    quality = np.zeros((size, slots), dtype=np.int16) if found.quality is None else found.quality
    schema = _schema()
    columns = [
        pa.array(found.device_key),
        pa.array(found.time_us).cast(schema.field(1).type),
        pa.array(found.received_us).cast(schema.field(2).type),
        pa.ListArray.from_arrays(offsets, pa.array(found.value.ravel())),
        pa.ListArray.from_arrays(offsets, pa.array(quality.ravel())),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that `export` wrote."""

    folder: Path

    def fleet(self) -> Fleet:
        """The devices, as they were registered."""
        from pyarrow import parquet  # noqa: PLC0415

        return Fleet.of(0, parquet.read_table(self.folder / DATASTREAMS).to_pylist())

    def days_us(self) -> Sequence[int]:
        """Starts of the local days that are there."""
        names = sorted(path.stem.removeprefix("day=") for path in (self.folder / OBSERVATIONS).glob("day=*.parquet"))
        return [microseconds(local_day(name)) for name in names]

    def observations(self, slots: int, keys: NDArray[np.int32], first_us: int, last_us: int) -> Observations:
        """Rows of some devices of one kind in [first, last), sorted by device and time.

        Args:
            slots: of the kind.
            keys: of the devices.
            first_us: at the earliest.
            last_us: before this time.
        """
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415

        days = range(start_of(first_us, DAY), last_us, _DAY_US)
        files = [path for path in (file_of(self.folder, day) for day in days) if path.exists()]
        moment = pa.timestamp("us", tz="UTC")
        chosen = [
            ("device_key", "in", keys.tolist()),
            ("phenomenon_time", ">=", pa.scalar(first_us, moment)),
            ("phenomenon_time", "<", pa.scalar(last_us, moment)),
        ]
        tables = [parquet.read_table(path, filters=chosen, partitioning=None) for path in files]
        rows = pa.concat_tables(tables) if tables else _schema().empty_table()
        rows = rows.sort_by([("device_key", "ascending"), ("phenomenon_time", "ascending")])
        value = _matrix(rows["value_by_slot"], slots, np.nan)
        quality = _matrix(rows["quality_by_slot"], slots, 0).astype(np.int16)
        quality[np.isnan(value)] = 0
        return Observations(
            device_key=rows["device_key"].to_numpy(),
            time_us=rows["phenomenon_time"].cast(pa.int64()).to_numpy(),
            received_us=rows["received_time"].cast(pa.int64()).to_numpy(),
            value=value,
            flagged=(quality & np.int16(LEFT_OUT)) != 0,
            quality=quality if quality.any() else None,
        )


def _matrix(lists: pa.ChunkedArray, slots: int, absent: float) -> NDArray[np.float64]:
    """Lists as rows; a row may be shorter than its device is known to be now."""
    whole = lists.combine_chunks()
    size = np.diff(whole.offsets.to_numpy())
    flat = whole.flatten().to_numpy(zero_copy_only=False)
    matrix = np.full((len(whole), slots), absent, dtype=np.float64)
    row = np.repeat(np.arange(len(whole)), size)
    column = np.arange(len(flat)) - np.repeat(np.cumsum(size) - size, size)
    known = column < slots
    matrix[row[known], column[known]] = flat[known]
    return matrix
