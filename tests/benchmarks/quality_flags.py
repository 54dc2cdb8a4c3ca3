"""What flagging costs: CPU-seconds a million readings of the judge alone, without the database.

`python -m tests.benchmarks.quality_flags [--devices 1000] [--rows 8] [--batches 200]`

Batches of `rows` rows of every device, six datastreams each, all of them judged against what stood before; calm values
with a spike in a thousand, so that the dear part of the test is paid as often as a city pays it.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from ingest.registry import build_snapshot
from ingest.series import Before, against

PROPERTIES = ("pm25", "pm10", "no2", "air-temperature", "relative-humidity", "o3")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=8, help="of a device in a batch")
    parser.add_argument("--batches", type=int, default=200)
    arguments = parser.parse_args()
    device = {"device_key": 1, "device_id": "d", "town_id": "hoi-an", "gateway_id": None, "commissioned_us": 0}
    streams = [
        {
            "device_key": 1,
            "slot": slot,
            "name": name,
            "property": name,
            "profile": "bench",
            "lower_bound": 0.0,
            "upper_bound": 2_000.0,
            "factor": 1.0,
            "addend": 0.0,
            "words": None,
        }
        for slot, name in enumerate(PROPERTIES, start=1)
    ]
    rules = build_snapshot(1, [{**device, "retired": False, "former_towns": None}], streams).layouts[0].rules
    random = np.random.default_rng(1)
    rows = arguments.devices * arguments.rows
    starts = np.arange(arguments.devices) * arguments.rows
    before = Before.nothing(arguments.devices, len(PROPERTIES))
    spent, marked = 0.0, 0
    for batch in range(arguments.batches):
        value = np.round(random.normal(25, 2, (rows, len(PROPERTIES))), 2)
        value[random.random(value.shape) < 0.001] += 400
        time_us = np.tile(np.arange(arguments.rows) * 10_000_000, arguments.devices) + batch * 1_000_000_000
        started = time.process_time()
        flags, before = against(before, rules, value, time_us, starts)
        spent += time.process_time() - started
        marked += int(np.count_nonzero(flags))
    readings = rows * len(PROPERTIES) * arguments.batches
    print(f"flags {spent / readings * 1e6:.3f} s/M, {readings:,} readings, {marked:,} marked")


if __name__ == "__main__":
    main()
