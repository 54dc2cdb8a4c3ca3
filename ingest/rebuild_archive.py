"""`python -m ingest rebuild --from parquet`: windows from an archive, by the functions of the live path.

A task is a local day of some devices, and knows nothing of other tasks: here one after the other, on a Dask cluster as
many at once as it has threads. Writes `<folder>/day=2026-11-23/devices-1.parquet`, a row a device and window, with the
columns of `window_set`, and `sketches-1.parquet` with those of `window_sketch`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from tqdm import tqdm

from ingest.aggregation.partial_windows import Work
from ingest.aggregation.windows import DAY, HOUR, QUARTER, SECOND_US
from ingest.archive import Archive, blocks_of
from ingest.rebuild import day_text, microseconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from ingest.aggregation.fleet import Kind
    from ingest.aggregation.store import Windows

_DAY_US: Final = DAY * SECOND_US
_MOMENT: Final = pa.timestamp("us", tz="UTC")
_ENDLESS: Final = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
_DERIVED: Final = ("count_of_moment", "mean_of_moment", "sketch")


def rebuild_archive(options: argparse.Namespace, first: datetime | None) -> int:
    """Do what was asked; returns the exit status."""
    archive, into = Archive(Path(options.archive)), Path(options.into)
    if not archive.days_us():
        sys.stderr.write(f"{options.archive} holds no archive\n")
        return 1
    low = microseconds(first) if first else _ENDLESS[0]
    high = microseconds(options.last) if options.last else _ENDLESS[1]
    days = [day for day in archive.days_us() if low <= day < high]
    fleet = archive.fleet()
    blocks = [(fleet.kinds[number], keys) for number, keys in blocks_of(fleet)]
    tasks = [(str(archive.folder), str(into), kind, keys, day) for day in days for kind, keys in blocks]
    windows = sum(tqdm(_answers(tasks, options.scheduler), total=len(tasks), unit="block", disable=None))
    sys.stderr.write(f"Folded {windows} windows of {len(days)} days\n")
    return 0


def _answers(tasks: Sequence[tuple[str, str, Kind, NDArray[np.int32], int]], scheduler: str | None) -> Iterator[int]:
    if scheduler is None:
        yield from (fold_day(*task) for task in tasks)
        return
    from distributed import Client, as_completed  # noqa: PLC0415  # needed with a cluster alone

    with Client(scheduler, timeout="20s") as client:  # type: ignore[no-untyped-call]
        futures = client.map(lambda task: fold_day(*task), tasks, retries=2, pure=False)
        for _, answer in as_completed(futures, with_results=True):  # type: ignore[no-untyped-call]
            yield answer


def fold_day(folder: str, into: str, kind: Kind, keys: NDArray[np.int32], day_us: int) -> int:
    """Fold a local day of some devices and write its windows; answers how many. The same task writes the same bytes."""
    windows, sketches = day_tables(folder, kind, keys, day_us)
    target = Path(into) / f"day={day_text(day_us)}"
    target.mkdir(parents=True, exist_ok=True)
    for name, table in (("devices", windows), ("sketches", sketches)):
        if len(table):
            path = target / f"{name}-{int(keys[0])}.parquet"
            unfinished = path.with_suffix(f".{time.monotonic_ns()}")
            parquet.write_table(table, unfinished, compression="zstd")
            unfinished.replace(path)
    return len(windows)


def day_tables(folder: str, kind: Kind, keys: NDArray[np.int32], day_us: int) -> tuple[pa.Table, pa.Table]:
    """Windows of 15 minutes, hours and the day, and their sketches."""
    work = Work(kind)
    # What is stamped at the end of its period lies behind the end of the day it belongs to.
    until_us = day_us + _DAY_US + int(kind.shift_us.max())
    observations = Archive(Path(folder)).observations(work.slots, keys, day_us, until_us)
    quarters = work.quarters(observations)
    inside = (quarters.start_us >= day_us) & (quarters.start_us < day_us + _DAY_US)
    quarters = work.take(quarters, np.flatnonzero(inside))
    hours = work.roll_up(quarters, HOUR)
    lengths = ((QUARTER, quarters), (HOUR, hours), (DAY, work.roll_up(hours, DAY)))
    tables = [_window_table(work.slots, length_s, windows) for length_s, windows in lengths]
    sketches = [_sketch_table(work.slots, length_s, windows) for length_s, windows in lengths]
    return pa.concat_tables(tables), pa.concat_tables(sketches)


def _window_table(slots: int, length_s: int, windows: Windows) -> pa.Table:
    size = len(windows)
    columns: dict[str, Any] = {
        "device_key": pa.array(windows.device_key),
        "length_s": pa.array(np.full(size, length_s, dtype=np.int32)),
        "start_time": pa.array(windows.start_us).cast(_MOMENT),
        "changed_time": pa.array(windows.changed_us).cast(_MOMENT),
        "flagged": _lists(windows.flagged, size),
    }
    for name, column in windows.partials.items():
        if name not in _DERIVED:
            columns[name] = _lists(column, size)
    flags = np.zeros((size * slots, 7), dtype=np.int64) if windows.flags is None else windows.flags
    columns["flags"] = _lists(flags, size)
    return pa.table(columns)


def _lists(column: NDArray[Any], size: int) -> pa.Array:
    width = column.size // size if size else 0
    return pa.ListArray.from_arrays(np.arange(size + 1, dtype=np.int32) * width, pa.array(column.ravel()))


def _sketch_table(slots: int, length_s: int, windows: Windows) -> pa.Table:
    sketch = windows.partials.get("sketch")
    group = np.zeros(0, dtype=np.intp) if sketch is None else sketch.group
    bins = np.zeros(0, dtype=np.int16) if sketch is None else sketch.bin.astype(np.int16)
    counts = np.zeros(0, dtype=np.int64) if sketch is None else sketch.count
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else group
    window, slot = np.divmod(group[starts], slots)
    offsets = pa.array(np.r_[starts, len(group)].astype(np.int32))
    return pa.table(
        {
            "device_key": pa.array(windows.device_key[window]),
            "length_s": pa.array(np.full(len(starts), length_s, dtype=np.int32)),
            "start_time": pa.array(windows.start_us[window]).cast(_MOMENT),
            "slot": pa.array((slot + 1).astype(np.int16)),
            "bins": pa.ListArray.from_arrays(offsets, pa.array(bins)),
            "counts": pa.ListArray.from_arrays(offsets, pa.array(counts)),
        }
    )
