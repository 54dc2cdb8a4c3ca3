"""TimescaleDB's own GROUP BY time_bucket, as a rival of the aggregation core: the same columns, in a table of its own.

Rows stand in a hypertable with chunks of a day, filled and analysed before the clock starts; the session has a GiB to
work in. Answers come as COPY BINARY and are read by columns, which is the quickest way out of the server.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from sql import copy_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks import machine

_BASIC = (
    "count(*), sum(v), sum(v * v), min(v), max(v), first(v, t), last(v, t)",
    ("count", "sum", "sum_of_squares", "min", "max", "first", "last"),
)
_QUANTILES = (
    "percentile_disc(0.5) within group (order by v), percentile_disc(0.95) within group (order by v)",
    ("p50", "p95"),
)
_INT8 = copy_stream.FieldType(">i8", 20)
_COPIED = 500_000


class TimescaleDB:
    """A server with the readings in it."""

    def __init__(self, container: machine.Container, url: str, *, threads: str, window_us: int) -> None:
        self._window_us = window_us
        self._connection = psycopg.connect(url, autocommit=True)
        workers = "0" if threads == "1" else "2"
        for name, value in (
            ("max_parallel_workers_per_gather", workers),
            ("work_mem", "1GB"),
            ("jit", "off"),
            ("timezone", "UTC"),
        ):
            self._connection.execute("select set_config(%s, %s, false)", [name, value])
        self._connection.execute("create table bench (t timestamptz not null, d integer not null, v float8 not null)")
        self._connection.execute(
            "select create_hypertable('bench', 't', chunk_time_interval => interval '1 day',"
            " create_default_indexes => false)"
        )
        self._backend = container.host_pid(self._connection.info.backend_pid)

    def fill(self, datastream: np.ndarray, time_us: np.ndarray, value: np.ndarray) -> None:
        """Load the readings, in the order in which they came."""
        fields = (copy_stream.TIME, copy_stream.INT4, copy_stream.FLOAT8)
        with self._connection.cursor().copy("copy bench from stdin (format binary)") as copy:
            copy.write(copy_stream.HEADER)
            for start in range(0, len(value), _COPIED):
                part = slice(start, start + _COPIED)
                rows = copy_stream.encode(fields, (time_us[part], datastream[part], value[part]))
                copy.write(rows[len(copy_stream.HEADER) : -len(copy_stream.TRAILER)])
            copy.write(copy_stream.TRAILER)
        self._connection.execute("vacuum analyze bench")

    def begin_peak(self) -> int:
        """Begin the session's peak of memory anew; answers what it holds now, bytes."""
        Path(f"/proc/{self._backend}/clear_refs").write_text("5")
        return self._memory_bytes("VmRSS")

    def peak_bytes(self) -> int:
        """The session's peak of memory since then, bytes; buffers it shares with others count, once touched."""
        return self._memory_bytes("VmHWM")

    def _memory_bytes(self, name: str) -> int:
        lines = Path(f"/proc/{self._backend}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    def runs(self, place: Callable[[dict[str, Any]], dict[str, np.ndarray]]) -> dict[str, Callable[[], Any]]:
        """What is measured: group and figures of every datastream and window, placed."""

        def run(*asked: tuple[str, tuple[str, ...]]) -> dict[str, np.ndarray]:
            names = [name for _, each in asked for name in each]
            data = bytearray()
            figures = ", ".join(sql for sql, _ in asked)
            with self._connection.cursor().copy(
                f"copy (select time_bucket('{self._window_us} microseconds', t), d, {figures}"
                " from bench group by 1, 2) to stdout (format binary)".encode()
            ) as copy:
                for block in copy:
                    data += block
            types = [_INT8 if name == "count" else copy_stream.FLOAT8 for name in names]
            fields = (copy_stream.TIME, copy_stream.INT4, *types)
            parts = [columns for _, columns in copy_stream.decode(bytes(data), fields)]
            whole = [np.concatenate([part[at] for part in parts]) for at in range(len(fields))]
            answer: dict[str, Any] = dict(zip(names, whole[2:], strict=True))
            return place({"t": whole[0], "d": whole[1], **answer})

        return {"basic": lambda: run(_BASIC), "quantiles": lambda: run(_BASIC, _QUANTILES)}
