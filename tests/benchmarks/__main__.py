"""`make bench`: one line a target of docs/measurements.md. Exit status 0 whether or not they are met."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.benchmarks import targets_fleet, targets_ingest, targets_live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.report import Line

TARGETS: Final[dict[str, Callable[[float], Iterator[Line] | Iterator[str]]]] = {
    "T1": targets_ingest.t1,
    "T2": targets_ingest.t2,  # T3 and T4 come with it
    "T5": targets_ingest.t5,
    "T6": targets_ingest.t6,
    "T12": targets_live.t12,
    "load": targets_live.load,  # the report of `simulators load`
    "fleet": targets_fleet.fleet,  # 10,000 simulated devices connected at once
}
PROGRAMS: Final = {
    "T2b": "aggregation_live",
    "soak": "soak",  # memory over ten minutes of T2b's load
    "T7": "aggregation_core",  # T8 comes with it; needs polars, duckdb, pandas and pyarrow, which `make setup` installs
    "T9": "aggregation_rest",  # T11 comes with it
    "T10": "views",  # and a line for each other operations view
    "identity": "identity",
    "registry": "registry",
    "authorisation": "authorisation",
    "layout": "layout",
    "T7-quarters": "aggregation_core --window-s 900",
    "T7-threads": "aggregation_core --threads all",
    "T9-sketches": "aggregation_rest --sketches --hours 6 --only-keep",
    "T9-slow": "aggregation_rest --interval-s 300 --hours 24 --only-keep",
}
"""Benchmarks that print their lines themselves, as modules beside this one with their arguments."""
_BY_NAME_ALONE: Final = frozenset({"T7-quarters", "T7-threads", "T9-sketches", "T9-slow"})
_COMES_WITH: Final = {"T3": "T2", "T4": "T2", "T8": "T7", "T11": "T9"}


def main() -> None:
    """Run the targets asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--targets", default="", help="as T1,T2; all when empty")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each ingest run")
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.targets.split(",") if name.strip()] or [
        name for name in (*TARGETS, *PROGRAMS) if name not in _BY_NAME_ALONE
    ]
    chosen = dict.fromkeys(_COMES_WITH.get(name, name) for name in names)
    unknown = [name for name in chosen if name not in TARGETS and name not in PROGRAMS]
    if unknown:
        parser.error(f"{', '.join(unknown)}: allowed are {', '.join([*TARGETS, *PROGRAMS, *_COMES_WITH])}")
    print(f"{platform.platform()}, Python {platform.python_version()}", flush=True)
    for name in chosen:
        if name in PROGRAMS:
            module, *options = PROGRAMS[name].split()
            subprocess.run([sys.executable, "-m", f"tests.benchmarks.{module}", *options], check=True)
            continue
        for line in TARGETS[name](arguments.seconds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
