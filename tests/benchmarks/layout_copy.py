"""Builds COPY BINARY streams for each layout with numpy, a whole batch at once.

Every row is first laid out with all its fields in one fixed stride; where something is absent (a null, a shorter array)
the bytes are then dropped by a mask. Batches with nothing absent skip the mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.layout_fleet import Rows

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
FLOAT4, FLOAT8, INT2 = 700, 701, 21


def narrow(rows: Rows, datastream_key: NDArray[np.int32]) -> bytes:
    """(phenomenon_time, received_time, value, datastream_key, quality), one row a value.

    Args:
        rows: The batch in order of (device, time).
        datastream_key: int32[device, slot], key of each datastream; increasing with device, then slot.
    """
    row, slot = np.nonzero(~np.isnan(rows.value))
    key = datastream_key[rows.device_key[row], slot]
    # All of one datastream's times side by side: the order of the unique key.
    order = np.lexsort((rows.time_us[row], key))
    row, slot, key = row[order], slot[order], key[order]
    fields = [("fields", ">i2")]
    for name, kind in (("time", ">i8"), ("received", ">i8"), ("value", ">f8"), ("key", ">i4"), ("quality", ">i2")):
        fields += [(f"{name}_bytes", ">i4"), (name, kind)]
    out = np.empty(len(row), fields)
    _sizes(out, 5)
    out["time"], out["received"], out["value"] = rows.time_us[row], rows.received_us[row], rows.value[row, slot]
    out["key"] = key
    out["quality"] = 0 if rows.quality is None else rows.quality[row, slot]
    return HEADER + out.tobytes() + TRAILER


def wide(rows: Rows, columns: int = 8) -> bytes:
    """(phenomenon_time, received_time, v1 .. v8, device_key, quality_by_slot); a missing value is null."""
    slots = rows.value.shape[1]
    fields: list[Any] = [("fields", ">i2")]
    for name, kind in (("time", ">i8"), ("received", ">i8")):
        fields += [(f"{name}_bytes", ">i4"), (name, kind)]
    fields += [("values", [("bytes", ">i4"), ("value", ">f8")], (columns,)), ("key_bytes", ">i4"), ("key", ">i4")]
    fields += _quality_fields(slots, rows.quality is not None)
    out = np.empty(len(rows), fields)
    _sizes(out, 3 + columns + 1)
    out["time"], out["received"], out["key"] = rows.time_us, rows.received_us, rows.device_key
    present = np.zeros((len(rows), columns), bool)
    present[:, :slots] = ~np.isnan(rows.value)
    out["values"]["bytes"] = np.where(present, 8, -1)
    out["values"]["value"][:, :slots] = rows.value
    keep = np.ones((len(rows), out.dtype.itemsize), bool)
    start = _field(out, "values")[1]
    at = keep[:, start : start + 12 * columns].reshape(len(rows), columns, 12)
    at[:, :, 4:] = present[:, :, None]
    _put_quality(out, keep, rows)
    return HEADER + _kept(out, keep) + TRAILER


def array(
    rows: Rows,
    element: int = FLOAT8,
    *,
    delay: bool = False,
    staged: bool = False,
    before: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None,
) -> bytes:
    """(phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot[, row_number][, before]).

    Args:
        rows: The batch in the order it shall be written in.
        element: FLOAT8 or FLOAT4, the type of the array's elements.
        delay: Write received minus phenomenon time as a float4 of seconds in place of the received time.
        staged: Append the row's number in the batch, int4.
        before: Append another float8 array a row: float64[rows, slots], and how many of its slots each row has.
    """
    slots = rows.value.shape[1]
    kind, width = (">f8", 8) if element == FLOAT8 else (">f4", 4)
    received = ("received", ">f4" if delay else ">i8")
    fields: list[Any] = [("fields", ">i2")]
    for name, type_ in (("time", ">i8"), received, ("key", ">i4")):
        fields += [(f"{name}_bytes", ">i4"), (name, type_)]
    fields += [("array", _array_head()), ("elements", [("bytes", ">i4"), ("value", kind)], (slots,))]
    fields += _quality_fields(slots, rows.quality is not None)
    if staged:
        fields += [("row_bytes", ">i4"), ("row", ">i4")]
    if before is not None:
        fields += [("old", _array_head()), ("olds", [("bytes", ">i4"), ("value", ">f8")], (slots,))]
    out = np.empty(len(rows), fields)
    _sizes(out, 5 + staged + (before is not None))
    out["time"], out["key"] = rows.time_us, rows.device_key
    out["received"] = (rows.received_us - rows.time_us) / 1e6 if delay else rows.received_us
    _put_head(out["array"], element, 4 + width, rows.slots)
    out["elements"]["bytes"], out["elements"]["value"] = width, rows.value
    keep = np.ones((len(rows), out.dtype.itemsize), bool)
    _drop_beyond(out, keep, "elements", rows.slots)
    _put_quality(out, keep, rows)
    if staged:
        out["row"] = np.arange(len(rows))
    if before is not None:
        _put_head(out["old"], FLOAT8, 12, before[1])
        out["olds"]["bytes"], out["olds"]["value"] = 8, before[0]
        _drop_beyond(out, keep, "olds", before[1])
    return HEADER + _kept(out, keep) + TRAILER


def _array_head() -> list[tuple[str, str]]:
    return [(name, ">i4") for name in ("bytes", "dimensions", "has_null", "element", "length", "lower")]


def _put_head(head: NDArray[np.void], element: int, stride: int, slots: NDArray[np.int64]) -> None:
    head["bytes"] = 20 + stride * slots
    head["dimensions"], head["has_null"], head["element"], head["length"], head["lower"] = 1, 0, element, slots, 1


def _sizes(out: NDArray[np.void], fields: int) -> None:
    out["fields"] = fields
    for name in out.dtype.names or ():
        if f"{name}_bytes" in (out.dtype.names or ()):
            out[f"{name}_bytes"] = out.dtype[name].itemsize


def _quality_fields(slots: int, any_flag: bool) -> list[Any]:
    if not any_flag:
        return [("no_quality", ">i4")]
    return [("quality_head", _array_head()), ("quality", [("bytes", ">i4"), ("value", ">i2")], (slots,))]


def _put_quality(out: NDArray[np.void], keep: NDArray[np.bool_], rows: Rows) -> None:
    if rows.quality is None:
        out["no_quality"] = -1
        return
    flagged = np.asarray(rows.quality.any(axis=1))
    _put_head(out["quality_head"], INT2, 6, rows.slots)
    out["quality_head"]["bytes"][~flagged] = -1
    out["quality"]["bytes"], out["quality"]["value"] = 2, rows.quality
    _drop_beyond(out, keep, "quality", np.where(flagged, rows.slots, 0))
    start = _field(out, "quality_head")[1]
    keep[:, start + 4 : start + 24] = flagged[:, None]


def _drop_beyond(out: NDArray[np.void], keep: NDArray[np.bool_], name: str, slots: NDArray[np.int64]) -> None:
    type_, start = _field(out, name)
    most = type_.shape[0]
    at = keep[:, start : start + type_.itemsize].reshape(len(out), most, type_.itemsize // most)
    at[...] = (np.arange(most)[None, :] < slots[:, None])[:, :, None]


def _field(out: NDArray[np.void], name: str) -> tuple[Any, int]:
    """Type of one field and its place in the row, bytes."""
    type_ = out.dtype[name]
    start = cast("Any", out.dtype.fields)[name][1]
    return type_, int(start)


def _kept(out: NDArray[np.void], keep: NDArray[np.bool_]) -> bytes:
    if keep.all():
        return out.tobytes()
    return out.view(np.uint8).reshape(len(out), -1)[keep].tobytes()
