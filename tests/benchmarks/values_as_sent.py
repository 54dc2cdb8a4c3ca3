"""What it costs that values sent in another unit can be had back: `python -m tests.benchmarks.values_as_sent`."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np

from devices.profiles import load_catalogue
from ingest.sent import convert

_ROWS = 20_000
_ROUNDS = 50


def _layout() -> Any:
    """Conversion of a lamp controller, as the worker holds it."""
    streams = load_catalogue()["lamp-controller"].datastreams
    factor = np.array([stream.factor for stream in streams])
    addend = np.array([stream.addend for stream in streams])
    return SimpleNamespace(factor=factor, addend=addend, converting=np.flatnonzero((factor != 1) | (addend != 0)))


def _whole(value: Any, layout: Any) -> None:
    value *= layout.factor
    value += layout.addend


def _nanoseconds(way: Any, value: Any, layout: Any, readings: int) -> float:
    batches = [value.copy() for _ in range(_ROUNDS)]
    started = time.perf_counter()
    for batch in batches:
        way(batch, layout)
    return (time.perf_counter() - started) / _ROUNDS / readings * 1e9


def main() -> None:
    """Print nanoseconds a reading."""
    layout = _layout()
    decimals = np.random.default_rng(1).integers(0, 100_000, (_ROWS, len(layout.factor))) / 10
    print(f"whole matrix {_nanoseconds(_whole, decimals, layout, decimals.size):.1f} ns a reading")
    print(f"decimals     {_nanoseconds(convert, decimals, layout, decimals.size):.1f} ns a reading")
    odd = _nanoseconds(convert, decimals / 3, layout, _ROWS * len(layout.converting))
    print(f"odd doubles  {odd:.0f} ns each")


if __name__ == "__main__":
    main()
