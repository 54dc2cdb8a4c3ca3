"""Sketches of windows, from the database and into it: rows of different lengths. Methods block."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.reductions.sketch import Sketch
from ingest.aggregation import copy_out
from ingest.parameters import array_text
from sql import copy_stream as stream
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from ingest.aggregation.fleet import Kind
    from ingest.aggregation.store import Windows

_QUERY: Final = load_queries("aggregation")["read_sketches"]
_SKETCH_START: Final = struct.Struct(">2x4xi4xh4x4x4x4xi")
"""Tuple of place, slot and the head of the array of bins, up to how many there are."""
_INT2_ITEM: Final = np.dtype([("length", ">i4"), ("value", ">i2")])
_INT4_ITEM: Final = np.dtype([("length", ">i4"), ("value", ">i4")])
_SKETCH_HEAD: Final = struct.Struct(">hiiiiiqih")
_ARRAY_HEAD: Final = struct.Struct(">iiiiii")


def read_sketches(
    connection: psycopg.Connection[dict[str, Any]], kind: Kind, length_s: int, windows: Windows
) -> Sketch:
    """Sketches of the slots that keep them, of windows of one length."""
    slots = len(kind.slots)
    groups = len(windows) * slots
    if not groups:
        return Sketch.empty(0)
    tuples = copy_out.rows(
        connection,
        _QUERY,
        {
            "device_keys": array_text(windows.device_key.tolist()),
            "starts_us": array_text(windows.start_us.tolist()),
            "length_s": length_s,
            "slots": array_text((np.flatnonzero(kind.keeps["sketch"]) + 1).tolist()),
        },
    )
    tuples[0] = tuples[0][len(stream.HEADER) :]
    group, sizes, bins, counts = [], [], [], []
    for row in tuples:
        if len(row) <= len(stream.TRAILER):
            continue
        at, slot, size = _SKETCH_START.unpack_from(row)
        group.append(at * slots + slot - 1)
        sizes.append(size)
        second = _SKETCH_START.size + 4 + 6 * size
        bins.append(row[_SKETCH_START.size + 4 : second])
        counts.append(row[second + 24 : second + 24 + 8 * size])
    if not group:
        return Sketch.empty(groups)
    return Sketch(
        np.repeat(np.array(group, dtype=np.intp), sizes),
        np.frombuffer(b"".join(bins), dtype=_INT2_ITEM)["value"].astype(np.int32),
        np.frombuffer(b"".join(counts), dtype=_INT4_ITEM)["value"].astype(np.int64),
        groups,
    )


def encode_sketches(slots: int, length_s: int, windows: Windows) -> bytes:
    """Rows of different lengths, one by one: few datastreams keep a sketch."""
    sketch: Sketch = windows.partials["sketch"]
    starts = np.flatnonzero(np.r_[True, sketch.group[1:] != sketch.group[:-1]])
    ends: Sequence[int] = [*starts[1:].tolist(), len(sketch.group)]
    bins = np.zeros(len(sketch.bin), dtype=_INT2_ITEM)
    bins["length"], bins["value"] = 2, sketch.bin
    counts = np.zeros(len(sketch.bin), dtype=_INT4_ITEM)
    counts["length"], counts["value"] = 4, sketch.count
    bin_bytes, count_bytes = bins.tobytes(), counts.tobytes()
    groups = sketch.group[starts]
    device_key = windows.device_key[groups // slots].tolist()
    start_us = stream.to_postgres(windows.start_us[groups // slots]).tolist()
    slot = (groups % slots + 1).tolist()
    out = [stream.HEADER]
    for at, (low, high) in enumerate(zip(starts.tolist(), ends, strict=True)):
        n = high - low
        out += (
            _SKETCH_HEAD.pack(6, 4, device_key[at], 4, length_s, 8, start_us[at], 2, slot[at]),
            _ARRAY_HEAD.pack(20 + 6 * n, 1, 0, stream.INT2.oid, n, 1),
            bin_bytes[6 * low : 6 * high],
            _ARRAY_HEAD.pack(20 + 8 * n, 1, 0, stream.INT4.oid, n, 1),
            count_bytes[8 * low : 8 * high],
        )
    out.append(stream.TRAILER)
    return b"".join(out)
