"""The aggregation core against the libraries, in one run on the same columns in memory.

`python -m tests.benchmarks.aggregation_core [--readings 10000000] [--datastreams 10000] [--window-s 60]
[--repeats 3] [--threads 1|all]`

An hour of readings in random device order, 5 % of them late by up to ten minutes. Every rival finds the window from the
phenomenon time and answers count, sum, sum of squares, min, max, first and last of each datastream and window; then the
same with p50 and p95; TimescaleDB, whose rows stand in a table, by GROUP BY time_bucket. Results are compared before
any time is printed. Each rival runs in a process of its own, so that its peak memory is its own; of the repeats the
median counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from devices.reductions.sketch import RELATIVE_ERROR
from devices.reductions.table import BASIC, Aggregation, add_by_windows
from tests.benchmarks import machine
from tests.benchmarks.aggregation_timescale import TimescaleDB

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN_US = 1_763_856_000_000_000
HOUR_US = 3_600_000_000
MICRO_BATCH = 50_000
RIVALS = ("thubon", "duckdb", "polars", "pandas", "pyarrow", "timescaledb")
COLUMNS = ("count", "sum", "sum_of_squares", "min", "max", "first", "last")

Answer = dict[str, np.ndarray]


def readings(size: int, datastreams: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Datastream, time and value of each reading, in order of arrival."""
    random = np.random.default_rng(20_261_123)
    sent = np.sort(random.integers(0, HOUR_US, size))
    late = random.random(size) < 0.05
    time_us = np.maximum(sent - np.where(late, random.integers(0, 600_000_000, size), 0), 0)
    datastream = random.integers(0, datastreams, size).astype(np.int32)
    # Times of one datastream are distinct, as the unique key has it.
    order = np.lexsort((time_us, datastream))
    while True:
        same = np.flatnonzero(
            (datastream[order][1:] == datastream[order][:-1]) & (time_us[order][1:] == time_us[order][:-1])
        )
        if not len(same):
            break
        time_us[order[same + 1]] += 1
        order = np.lexsort((time_us, datastream))
    time_us = np.minimum(time_us, HOUR_US - 1)
    return datastream, ORIGIN_US + time_us, np.round(random.normal(20, 5, size), 3)


class Case:
    """One rival's work, prepared outside of the clock."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.datastream, self.time_us, self.value = readings(arguments.readings, arguments.datastreams)
        self.datastreams: int = arguments.datastreams
        self.window_us: int = arguments.window_s * 1_000_000
        self.windows = -(-HOUR_US // self.window_us)
        self.groups = self.windows * self.datastreams
        self.threads: str = arguments.threads

    def thubon(self) -> dict[str, Callable[[], Answer]]:
        def run(names: tuple[str, ...], size: int) -> dict[str, Any]:
            aggregation = Aggregation(names)
            state = aggregation.empty(self.groups)
            for start in range(0, len(self.value), size):
                part = slice(start, start + size)
                add_by_windows(
                    aggregation,
                    state,
                    datastream=self.datastream[part],
                    time_us=self.time_us[part],
                    value=self.value[part],
                    datastreams=self.datastreams,
                    origin_us=ORIGIN_US,
                    window_us=self.window_us,
                )
            return state

        def basic(size: int) -> Answer:
            state = run(BASIC, size)
            return {name: state[name] for name in COLUMNS}

        def sketch() -> Answer:
            state = run((*BASIC, "sketch"), len(self.value))
            p50, p95 = state["sketch"].quantiles((0.5, 0.95)).T
            return {**{name: state[name] for name in COLUMNS}, "p50": p50, "p95": p95}

        return {
            "basic": lambda: basic(len(self.value)),
            "quantiles": sketch,
            "micro": lambda: basic(MICRO_BATCH),
        }

    def duckdb(self) -> dict[str, Callable[[], Answer]]:
        import duckdb  # noqa: PLC0415  # a rival loads its own library alone, so that its memory is its own
        import pyarrow as pa  # noqa: PLC0415

        table = pa.table({"d": self.datastream, "t": self.time_us, "v": self.value})
        connection = duckdb.connect()
        if self.threads == "1":
            connection.execute("set threads = 1")
        connection.register("arrow_table", table)
        connection.execute("create table reading as select * from arrow_table")

        def run(more: str, where: str = "reading") -> Answer:
            answer = connection.execute(
                f"""select ((t - {ORIGIN_US}) // {self.window_us}) * {self.datastreams} + d as g, count(*) as count,
                sum(v) as sum, sum(v * v) as sum_of_squares, min(v) as min, max(v) as max, arg_min(v, t) as first,
                arg_max(v, t) as last {more} from {where} group by g"""
            ).fetchnumpy()
            return self._placed(answer)

        def micro() -> Answer:
            for start in range(0, len(self.value), MICRO_BATCH):
                part = table.slice(start, MICRO_BATCH)
                connection.register("part", part)
                run("", "part")
            return {}

        return {
            "basic": lambda: run(""),
            "quantiles": lambda: run(", quantile_disc(v, 0.5) as p50, quantile_disc(v, 0.95) as p95"),
            "micro": micro,
        }

    def polars(self) -> dict[str, Callable[[], Answer]]:
        import polars as pl  # noqa: PLC0415

        frame = pl.DataFrame({"d": self.datastream, "t": self.time_us, "v": self.value})
        group = ((pl.col("t") - ORIGIN_US) // self.window_us * self.datastreams + pl.col("d")).alias("g")
        v = pl.col("v")
        basic = [
            pl.len().alias("count"),
            v.sum().alias("sum"),
            (v * v).sum().alias("sum_of_squares"),
            v.min().alias("min"),
            v.max().alias("max"),
            v.get(pl.col("t").arg_min()).alias("first"),
            v.get(pl.col("t").arg_max()).alias("last"),
        ]
        more = [v.quantile(q, "equiprobable").alias(name) for name, q in (("p50", 0.5), ("p95", 0.95))]

        def run(what: list[Any], rows: Any) -> Answer:
            answer = rows.lazy().group_by(group).agg(what).collect()
            return self._placed({name: answer[name].to_numpy() for name in answer.columns})

        def micro() -> Answer:
            for start in range(0, len(self.value), MICRO_BATCH):
                run(basic, frame.slice(start, MICRO_BATCH))
            return {}

        return {"basic": lambda: run(basic, frame), "quantiles": lambda: run([*basic, *more], frame), "micro": micro}

    def pandas(self) -> dict[str, Callable[[], Answer]]:
        import pandas as pd  # noqa: PLC0415

        frame = pd.DataFrame({"d": self.datastream, "t": self.time_us, "v": self.value})

        def run(rows: Any, *, quantiles: bool = False) -> Answer:
            rows = rows.sort_values("t")  # its first and last go by the order of the rows
            group = ((rows["t"] - ORIGIN_US) // self.window_us * self.datastreams + rows["d"]).rename("g")
            by = rows.assign(s=rows["v"] * rows["v"]).groupby(group.to_numpy())
            values = by["v"]
            answer = {
                "count": values.count(),
                "sum": values.sum(),
                "sum_of_squares": by["s"].sum(),
                "min": values.min(),
                "max": values.max(),
                "first": values.first(),
                "last": values.last(),
            }
            if quantiles:
                answer["p50"] = values.quantile(0.5, interpolation="lower")
                answer["p95"] = values.quantile(0.95, interpolation="lower")
            index = answer["count"].index.to_numpy()
            return self._placed({"g": index, **{name: column.to_numpy() for name, column in answer.items()}})

        def micro() -> Answer:
            for start in range(0, len(self.value), MICRO_BATCH):
                run(frame.iloc[start : start + MICRO_BATCH])
            return {}

        return {"basic": lambda: run(frame), "quantiles": lambda: run(frame, quantiles=True), "micro": micro}

    def pyarrow(self) -> dict[str, Callable[[], Answer]]:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.compute as pc  # noqa: PLC0415

        table = pa.table({"d": self.datastream, "t": self.time_us, "v": self.value})
        wanted = [("v", "count"), ("v", "sum"), ("s", "sum"), ("v", "min"), ("v", "max")]
        names = {"v_count": "count", "v_sum": "sum", "s_sum": "sum_of_squares", "v_min": "min", "v_max": "max"}

        def run(rows: Any) -> Answer:  # without first and last: in a group-by it knows them in order of rows alone
            window = pc.divide(pc.subtract(rows["t"], ORIGIN_US), self.window_us)
            group = pc.add(pc.multiply(window, self.datastreams), rows["d"])
            together = pa.table({"g": group, "v": rows["v"], "s": pc.multiply(rows["v"], rows["v"])})
            answer = together.group_by("g", use_threads=self.threads != "1").aggregate(wanted)
            return self._placed({names.get(name, name): answer[name].to_numpy() for name in answer.column_names})

        def micro() -> Answer:
            for start in range(0, len(self.value), MICRO_BATCH):
                run(table.slice(start, MICRO_BATCH))
            return {}

        return {"basic": lambda: run(table), "micro": micro}

    def placed_rows(self, answer: dict[str, Any]) -> Answer:
        """An answer whose rows bear time and datastream, by group."""
        window = (answer.pop("t") - ORIGIN_US) // self.window_us
        return self._placed({"g": window * self.datastreams + answer.pop("d"), **answer})

    def _placed(self, answer: dict[str, Any]) -> Answer:
        group = answer.pop("g")
        result = {}
        for name, column in answer.items():
            result[name] = np.zeros(self.groups, dtype=np.int64 if name == "count" else np.float64)
            result[name][group] = column
        return result


def _memory_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def work(arguments: argparse.Namespace) -> None:
    """Run one rival and print, as JSON, its times, peak memory and a digest of its answers."""
    case = Case(arguments)
    if arguments.rival == "timescaledb":
        with machine.database() as (container, url):
            server = TimescaleDB(container, url, threads=case.threads, window_us=case.window_us)
            server.fill(case.datastream, case.time_us, case.value)
            print(json.dumps(measure(arguments, server.runs(case.placed_rows), server.begin_peak, server.peak_bytes)))
        return

    def begin_peak() -> int:
        Path("/proc/self/clear_refs").write_text("5")
        return _memory_bytes("VmRSS")

    runs = getattr(case, arguments.rival)()
    print(json.dumps(measure(arguments, runs, begin_peak, lambda: _memory_bytes("VmHWM"))))


def measure(
    arguments: argparse.Namespace,
    runs: dict[str, Callable[[], Answer]],
    begin_peak: Callable[[], int],
    peak_bytes: Callable[[], int],
) -> dict[str, Any]:
    """Median time, peak memory above the data and, in a file, the answer of each run."""
    report: dict[str, Any] = {}
    for name, run in runs.items():
        seconds = []
        before = begin_peak()
        for _ in range(arguments.repeats):
            started = time.perf_counter()
            answer = run()
            seconds.append(time.perf_counter() - started)
        if answer:
            np.savez(f"{arguments.answers}/{arguments.rival}-{name}.npz", **answer)
        report[name] = {
            "seconds": statistics.median(seconds),
            "peak_bytes": peak_bytes() - before,
        }
    return report


def compare(folder: str, rival: str, name: str) -> None:
    """Hold a rival's answers against ours."""
    with np.load(f"{folder}/thubon-{name}.npz") as ours, np.load(f"{folder}/{rival}-{name}.npz") as theirs:
        seen = ours["count"] > 0
        for column in theirs.files:
            tolerance = 0.0
            if column in ("sum", "sum_of_squares"):
                tolerance = 1e-12
            elif column in ("p50", "p95"):
                if rival == "pandas":
                    continue  # it has no quantile of this definition, ceil(q * n), SQL's percentile_disc
                tolerance = RELATIVE_ERROR * 1.000_001
            np.testing.assert_allclose(
                ours[column][seen], theirs[column][seen], rtol=tolerance, atol=0, err_msg=f"{rival} {name} {column}"
            )


def verdict(target: str, ratios: dict[str, float], wanted: dict[str, float]) -> str:
    """The line of one target."""
    text = ", ".join(f"{ratio:.1f}x {rival}" for rival, ratio in ratios.items())
    ok = all(ratios[rival] >= wanted[rival] for rival in wanted)
    return f"{target} {text} (target {', '.join(f'{value:g}x' for value in wanted.values())}) {'ok' if ok else 'short'}"


def run_rival(arguments: argparse.Namespace, rival: str, folder: str) -> dict[str, Any]:
    """Measure one rival in a process of its own."""
    environment = dict(os.environ)
    if arguments.threads == "1":
        names = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS")
        environment |= dict.fromkeys(names, "1")
    command = [sys.executable, "-m", "tests.benchmarks.aggregation_core", "--rival", rival, "--answers", folder]
    for name in ("readings", "datastreams", "window_s", "repeats", "threads"):
        command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--datastreams", type=int, default=10_000)
    parser.add_argument("--window-s", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", choices=("1", "all"), default="1")
    parser.add_argument("--rival", choices=RIVALS, help=argparse.SUPPRESS)
    parser.add_argument("--answers", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rival:
        work(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        reports = {rival: run_rival(arguments, rival, folder) for rival in RIVALS}
        # Other work on the machine comes and goes: of ours, measured before and after the rivals, the slower counts.
        for name, again in run_rival(arguments, "thubon", folder).items():
            reports["thubon"][name] = max(reports["thubon"][name], again, key=lambda one: float(one["seconds"]))
        for rival in RIVALS[1:]:
            for name in reports[rival]:
                if name != "micro":
                    compare(folder, rival, name)
        compare_micro = np.load(f"{folder}/thubon-micro.npz")
        with np.load(f"{folder}/thubon-basic.npz") as basic:
            for column in COLUMNS:
                np.testing.assert_allclose(compare_micro[column], basic[column], rtol=1e-12)
    windows = arguments.datastreams * (3600 // arguments.window_s)
    print(f"{arguments.readings} readings, {windows} windows, threads: {arguments.threads}; answers agree")
    print(f"{'':10}{'basic':>18}{'with p50, p95':>20}{'micro-batches':>20}   (M readings/s, MiB above the data)")
    for rival, report in reports.items():
        cells = [
            f"{arguments.readings / report[name]['seconds'] / 1e6:.1f}, {report[name]['peak_bytes'] / 2**20:.0f} MiB"
            if name in report
            else "-"
            for name in ("basic", "quantiles", "micro")
        ]
        print(f"{rival:10}{cells[0]:>18}{cells[1]:>20}{cells[2]:>20}")

    def ratio(rival: str, name: str) -> float:
        return float(reports[rival][name]["seconds"] / reports["thubon"][name]["seconds"])

    print(
        verdict("T7", {rival: ratio(rival, "basic") for rival in ("duckdb", "polars")}, {"duckdb": 2.0, "polars": 6.0})
    )
    rate = arguments.readings / reports["thubon"]["micro"]["seconds"] / 1e6
    print(f"T7 {rate:.1f} M readings/s in micro-batches of {MICRO_BATCH} (target 40) {'ok' if rate >= 40 else 'short'}")
    print(verdict("T8", {"duckdb": ratio("duckdb", "quantiles")}, {"duckdb": 1.0}))


if __name__ == "__main__":
    main()
