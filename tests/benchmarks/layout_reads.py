"""Reads the same questions out of each layout, and through the view as a person would write them."""

from __future__ import annotations

import re
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg import sql

from tests.benchmarks.layout_copy import HEADER, TRAILER
from tests.benchmarks.layout_fleet import MINUTE_US
from tests.benchmarks.layout_store import at

if TYPE_CHECKING:
    from tests.benchmarks.layout_cases import Bench, Table
    from tests.benchmarks.layout_store import Layout

VIEW_HEAD = ("question", "ms", "scans", "ms with security_barrier", "scans")
_QUESTIONS = ("day_of_one", "last_minutes", "town_day")


def reads(bench: Bench, times: int) -> Table:
    """Milliseconds of each question for each layout: medians, layouts in turn; also checks that all answer alike."""
    layouts = list(bench.layouts.values())
    table: Table = []
    for question in _QUESTIONS:
        spent: dict[str, list[float]] = {layout.name: [] for layout in layouts}
        answers = {}
        for turn in range(times):
            for layout in bench.in_turn(layouts, turn):
                query = sql.SQL(bench.queries[f"{question}_{layout.kind}"]).format(table=sql.Identifier(layout.table))
                ms, rows = _ask(bench, query)
                spent[layout.name].append(ms)
                answers[layout.name] = sorted(rows)
        _compare(question, answers)
        table.append((question, *(f"{median(spent[layout.name]):.1f}" for layout in layouts)))
    spent = {layout.name: [] for layout in layouts}
    for turn in range(times):
        for layout in bench.in_turn(layouts, turn):
            start = time.perf_counter()
            count = _hour_into_numpy(bench, layout)
            spent[layout.name].append((time.perf_counter() - start) * 1e3)
            if count != 1_000 * 60 * 6:
                raise AssertionError(f"an hour of {layout.name} has {count} readings")
    table.append(("hour_of_all", *(f"{median(spent[layout.name]):.1f}" for layout in layouts)))
    return table


def view_reads(bench: Bench, times: int) -> Table:
    """Milliseconds of questions put to the view, with how many chunks the plan touches and whether by the index."""
    ((chunks,),) = bench.store.connection.execute("select count(*) from show_chunks('observation_set')")
    table: Table = []
    for name in ("view_day_of_one", "view_town_day", "view_one_device", "view_last_minutes"):
        cells = []
        for view in ("observation_plain", "observation_barrier"):
            query = sql.SQL(bench.queries[name]).format(view=sql.Identifier(view))
            spent = [_ask(bench, query)[0] for _ in range(times)]
            plan = "\n".join(line for (line,) in _ask(bench, sql.SQL("explain {}").format(query))[1])
            scanned = len(set(re.findall(r"_hyper_\d+_(\d+)_chunk", plan)))
            how = "index" if "observation_set_device_time_idx" in plan else "whole chunks"
            cells += [f"{median(spent):.1f}", f"{scanned} of {chunks}, {how}"]
        table.append((name, *cells))
    return table


def _parameters(bench: Bench) -> dict[str, object]:
    end = bench.end_us
    return {"day": at(end - 1_440 * MINUTE_US), "day_end": at(end), "recent": at(end - 15 * MINUTE_US)}


def _ask(bench: Bench, query: sql.SQL | sql.Composed) -> tuple[float, list[tuple[Any, ...]]]:
    """Milliseconds, and the rows as Python objects."""
    parameters = _parameters(bench)
    start = time.perf_counter()
    rows = bench.store.connection.execute(query, parameters).fetchall()
    return (time.perf_counter() - start) * 1e3, rows


def _compare(question: str, answers: dict[str, list[tuple[Any, ...]]]) -> None:
    """The numbers of two layouts agree, but for what float4 rounds away."""
    numbers = {name: np.array([[float(x) for x in row[1:]] for row in rows]) for name, rows in answers.items()}
    first = numbers["narrow"]
    for name, given in numbers.items():
        if given.shape != first.shape or not np.allclose(given, first, rtol=1e-6 if name == "float4[]" else 1e-12):
            raise AssertionError(f"{question}: {name} answers something else than narrow")


def _hour_into_numpy(bench: Bench, layout: Layout) -> int:
    """Fetches the last hour of the steady fleet as COPY BINARY and takes its columns; answers how many readings."""
    query = sql.SQL(bench.queries[f"hour_of_all_{layout.kind}"]).format(
        hour=sql.Literal(at(bench.end_us - 60 * MINUTE_US)), table=sql.Identifier(layout.table)
    )
    with bench.store.connection.cursor().copy(sql.SQL("copy ({}) to stdout (format binary)").format(query)) as copy:
        raw = b"".join(bytes(part) for part in copy)[len(HEADER) : -len(TRAILER)]
    head: list[Any] = [("fields", ">i2"), ("a", ">i4"), ("key", ">i4"), ("b", ">i4"), ("time", ">i8")]
    if layout.kind == "narrow":
        values: list[Any] = [("values", [("bytes", ">i4"), ("value", ">f8")], (1,))]
    elif layout.kind == "wide":
        values = [("values", [("bytes", ">i4"), ("value", ">f8")], (6,))]
    else:
        number = ">f4" if layout.table == "array_float4" else ">f8"
        values = [("array", "V24"), ("values", [("bytes", ">i4"), ("value", number)], (6,))]
    rows = np.frombuffer(raw, np.dtype(head + values))
    columns = rows["key"].astype(np.int32), rows["time"].astype(np.int64), rows["values"]["value"].astype(np.float64)
    return int(columns[2].size)
