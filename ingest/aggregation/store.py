"""Observations and windows of blocks of devices, from the database into columns and back. Methods block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.quality import LEFT_OUT, Quality
from ingest.aggregation import copy_out
from ingest.aggregation.sketch_rows import encode_sketches, read_sketches
from ingest.parameters import array_text
from sql import copy_stream as stream
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from numpy.typing import NDArray

    from devices.reductions.rows import Partials
    from ingest.aggregation.fleet import Kind

QUERIES: Final = load_queries("aggregation")

BASIC: Final = ("count", "sum", "min-with-time", "max-with-time", "first", "last", "variance")
"""The reductions that every datastream keeps."""

_IN_VAIN: Final = 1.5
"""Rows read for each row wanted, at most, when devices are read in one span."""

FLAGS: Final = len(Quality)
"""Flags that are counted, bit 1 first."""

_OBSERVATION: Final = (stream.INT4, stream.TIME, stream.TIME, stream.FLOAT8S, stream.INT2S)
_QUALITY: Final = 4  # its place there
_KEY: Final = (stream.INT4, stream.INT4, stream.TIME, stream.TIME, stream.TIME)
_COLUMNS: Final[tuple[tuple[str, stream.FieldType], ...]] = (
    ("count", stream.INT4S),
    ("flagged", stream.INT4S),
    ("sum", stream.FLOAT8S),
    ("second_moment", stream.FLOAT8S),
    ("min", stream.FLOAT8S),
    ("min_time", stream.TIMES),
    ("max", stream.FLOAT8S),
    ("max_time", stream.TIMES),
    ("first", stream.FLOAT8S),
    ("first_time", stream.TIMES),
    ("last", stream.FLOAT8S),
    ("last_time", stream.TIMES),
    ("energy", stream.FLOAT8S),
    ("east", stream.FLOAT8S),
    ("north", stream.FLOAT8S),
    ("weight", stream.FLOAT8S),
    ("weight_by_value", stream.FLOAT8S),
    ("held_value_s", stream.FLOAT8S),
    ("held_s", stream.FLOAT8S),
    ("increase", stream.FLOAT8S),
    ("resets", stream.INT4S),
    ("state_s", stream.FLOAT8S),
    ("transitions", stream.INT4S),
    ("flags", stream.INT4S),
    ("above", stream.INT4S),
    ("longest_run", stream.INT4S),
    ("run_at_start", stream.INT4S),
    ("run_at_end", stream.INT4S),
)
_WINDOW: Final = (*_KEY, *(field for _, field in _COLUMNS))


@dataclass(frozen=True, slots=True)
class Observations:
    """Rows of devices of one kind."""

    device_key: NDArray[np.int32]  # shape (n,)
    time_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    value: NDArray[np.float64]  # shape (n, slots); NaN: no reading
    flagged: NDArray[np.bool_]  # shape (n, slots); has a quality that statistics leave out
    quality: NDArray[np.int16] | None  # shape (n, slots); None: no reading bears a flag

    def __len__(self) -> int:
        """How many rows."""
        return len(self.device_key)

    def taken(self, wanted: NDArray[np.bool_]) -> Observations:
        """Some of these rows."""
        return Observations(
            self.device_key[wanted],
            self.time_us[wanted],
            self.received_us[wanted],
            self.value[wanted],
            self.flagged[wanted],
            None if self.quality is None else self.quality[wanted],
        )


@dataclass(slots=True)
class Windows:
    """Windows of one length of devices of one kind, sorted by (device, start)."""

    device_key: NDArray[np.int32]  # shape (n,)
    start_us: NDArray[np.int64]
    changed_us: NDArray[np.int64]
    flagged: NDArray[np.int64]  # shape (n * slots,), window by window, like the partials
    partials: Partials
    flags: NDArray[np.int64] | None = None  # shape (n * slots, FLAGS): readings by flag; None: none bears one

    def __len__(self) -> int:
        """How many windows."""
        return len(self.device_key)


def read_observations(
    connection: psycopg.Connection[dict[str, Any]],
    kind: Kind,
    device_keys: NDArray[np.int32],
    after_us: NDArray[np.int64],
    until_us: NDArray[np.int64],
) -> Observations:
    """Rows of some devices, each in its own span (after, until], sorted by device and time where devices ascend."""
    first_us, last_us = int(after_us.min()), int(until_us.max())
    # All in one go where that reads few rows in vain: asking for each device by itself costs several rows' time.
    alike = (last_us - first_us) * len(device_keys) <= _IN_VAIN * int((until_us - after_us).sum())
    if alike and (device_keys[1:] > device_keys[:-1]).all():
        asked = {
            "device_keys": array_text(device_keys.tolist()),
            "first_us": first_us,
            "last_us": last_us,
        }
        data = b"".join(copy_out.rows(connection, QUERIES["read_span"], asked))
        found = _observations_of(kind, data)
        place = np.searchsorted(device_keys, found.device_key)
        wanted = (found.time_us > after_us[place]) & (found.time_us <= until_us[place])
        return found if wanted.all() else found.taken(wanted)
    parameters = {
        "device_keys": array_text(device_keys.tolist()),
        "after_us": array_text(after_us.tolist()),
        "until_us": array_text(until_us.tolist()),
        "first_us": first_us,
        "last_us": last_us,
    }
    return _observations_of(kind, b"".join(copy_out.rows(connection, QUERIES["read_observations"], parameters)))


def _observations_of(kind: Kind, data: bytes) -> Observations:
    slots = len(kind.slots)
    parts: list[Observations] = []
    for size, columns in stream.decode(data, _OBSERVATION):
        value = np.full((size, slots), np.nan)
        known = columns[3][:, :slots]  # a row may be shorter, or, registered since, longer than we know its device
        value[:, : known.shape[1]] = known
        quality = None
        flagged = np.zeros((size, slots), dtype=np.bool_)
        if _QUALITY in columns:
            quality = np.zeros((size, slots), dtype=np.int16)
            stored = columns[_QUALITY][:, :slots]
            quality[:, : stored.shape[1]] = stored
            quality[np.isnan(value)] = 0
            flagged = (quality & np.int16(LEFT_OUT)) != 0
        parts.append(Observations(columns[0], columns[1], columns[2], value, flagged, quality))
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return Observations(
            nothing.astype(np.int32), nothing, nothing, np.zeros((0, slots)), np.zeros((0, slots), dtype=np.bool_), None
        )
    if len(parts) == 1:
        return parts[0]
    return Observations(
        device_key=np.concatenate([part.device_key for part in parts]),
        time_us=np.concatenate([part.time_us for part in parts]),
        received_us=np.concatenate([part.received_us for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        flagged=np.concatenate([part.flagged for part in parts]),
        quality=_together([(part.quality, part.flagged.shape) for part in parts], np.int16),
    )


def _together(parts: Sequence[tuple[NDArray[Any] | None, tuple[int, ...]]], dtype: type[np.integer]) -> Any:
    """Columns one after the other, each with the shape it would have where it is None; None where all are."""
    if all(part is None for part, _ in parts):
        return None
    return np.concatenate([np.zeros(shape, dtype=dtype) if part is None else part for part, shape in parts])


def read_windows(
    connection: psycopg.Connection[dict[str, Any]],
    kind: Kind,
    empty: Partials,
    length_s: int,
    device_keys: NDArray[np.int32],
    from_us: NDArray[np.int64],
    until_us: NDArray[np.int64],
) -> Windows:
    """Windows of some devices, each in its own span [from, until).

    Args:
        connection: to read over.
        kind: of the devices.
        empty: partials of one window's groups without readings, for what a stored window does not hold.
        length_s: of the windows.
        device_keys: ascending, shape (n,).
        from_us: shape (n,).
        until_us: shape (n,).
    """
    parts: list[Windows] = []
    if len(device_keys):
        parameters = {
            "device_keys": array_text(device_keys.tolist()),
            "from_us": array_text(from_us.tolist()),
            "until_us": array_text(until_us.tolist()),
            "first_us": int(from_us.min()),
            "last_us": int(until_us.max()),
            "length_s": length_s,
        }
        data = b"".join(copy_out.rows(connection, QUERIES["read_windows"], parameters))
        parts = [_windows_of(kind, empty, size, columns) for size, columns in stream.decode(data, _WINDOW)]
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        none = {name: column[:0] for name, column in empty.items() if name != "sketch"}
        windows = Windows(nothing.astype(np.int32), nothing, nothing, nothing, none)
    else:
        windows = Windows(
            np.concatenate([part.device_key for part in parts]),
            np.concatenate([part.start_us for part in parts]),
            np.concatenate([part.changed_us for part in parts]),
            np.concatenate([part.flagged for part in parts]),
            {name: np.concatenate([part.partials[name] for part in parts]) for name in parts[0].partials},
            _together([(part.flags, (len(part.flagged), FLAGS)) for part in parts], np.int64),
        )
        # They come device by device, and no query promises that.
        order = np.lexsort((windows.start_us, windows.device_key))
        if (order[1:] < order[:-1]).any():
            windows = _in_order(windows, order, len(kind.slots))
    if "sketch" in empty:
        windows.partials["sketch"] = read_sketches(connection, kind, length_s, windows)
    return windows


def _in_order(windows: Windows, order: NDArray[np.intp], slots: int) -> Windows:
    cells = (order[:, None] * slots + np.arange(slots)).ravel()
    return Windows(
        windows.device_key[order],
        windows.start_us[order],
        windows.changed_us[order],
        windows.flagged[cells],
        {name: column[cells] for name, column in windows.partials.items()},
        None if windows.flags is None else windows.flags[cells],
    )


def _windows_of(kind: Kind, empty: Partials, size: int, columns: Any) -> Windows:
    slots = len(kind.slots)
    partials: Partials = {}
    flagged = np.zeros(size * slots, dtype=np.int64)
    flags = None
    for at, (name, _) in enumerate(_COLUMNS, start=len(_KEY)):
        if name == "flags":
            if at in columns:
                flags = np.zeros((size, slots * FLAGS), dtype=np.int64)
                known = columns[at][:, : slots * FLAGS]
                flags[:, : known.shape[1]] = known
                flags = flags.reshape(-1, FLAGS)
            continue
        wanted = empty.get(name)
        if name != "flagged" and wanted is None:
            continue
        items = 1 if wanted is None or wanted.ndim == 1 else wanted.shape[1]
        whole = np.zeros((size, slots), dtype=np.int64) if wanted is None else np.tile(wanted.reshape(1, -1), (size, 1))
        if at in columns:
            known = columns[at][:, : slots * items]
            whole[:, : known.shape[1]] = known
        if wanted is None:
            flagged = whole.reshape(-1)
        else:
            partials[name] = whole.reshape(size * slots, *wanted.shape[1:])
    if "second_moment" in partials:
        partials["count_of_moment"] = partials["count"].copy()
        partials["mean_of_moment"] = np.divide(
            partials["sum"], partials["count"], out=np.zeros(size * slots), where=partials["count"] > 0
        )
    return Windows(columns[0], columns[2], columns[3], flagged, partials, flags)


def write_windows(
    connection: psycopg.Connection[dict[str, Any]],
    kind: Kind,
    length_s: int,
    windows: Windows,
    *,
    computed_us: int,
    standing: NDArray[np.bool_],
) -> None:
    """Write windows in the place of those that stand.

    Args:
        connection: in a transaction.
        kind: of the devices.
        length_s: of the windows.
        windows: what to write.
        computed_us: the time of computing.
        standing: which of them may stand already, shape (n,).
    """
    size, slots = len(windows), len(kind.slots)
    if not size:
        return
    old = np.flatnonzero(standing)
    if len(old):
        keys = {
            "device_keys": array_text(windows.device_key[old].tolist()),
            "starts_us": array_text(windows.start_us[old].tolist()),
            "length_s": length_s,
            "first_us": int(windows.start_us[old].min()),
            "last_us": int(windows.start_us[old].max()),
        }
        connection.execute(QUERIES["delete_windows"], keys, prepare=True)
        if "sketch" in windows.partials:
            connection.execute(QUERIES["delete_sketches"], keys, prepare=True)
    with connection.cursor().copy(QUERIES["write_windows"]) as copy:
        copy.write(encode_windows(length_s, windows, computed_us))
    if "sketch" in windows.partials and len(windows.partials["sketch"].group):
        with connection.cursor().copy(QUERIES["write_sketches"]) as copy:
            copy.write(encode_sketches(slots, length_s, windows))


def encode_windows(length_s: int, windows: Windows, computed_us: int) -> bytes:
    """The rows of windows; those without any flag first, with a null there, which costs no space."""
    size = len(windows)
    columns: list[NDArray[Any] | None] = [
        windows.device_key,
        np.full(size, length_s),
        windows.start_us,
        windows.changed_us,
        np.full(size, computed_us),
    ]
    columns_by_name = {**windows.partials, "flagged": windows.flagged, "flags": windows.flags}
    for name, _ in _COLUMNS:
        column = columns_by_name.get(name)
        columns.append(None if column is None else column.reshape(size, -1))
    if windows.flags is None:
        return stream.encode(_WINDOW, columns)
    flagged = np.any(windows.flags.reshape(size, -1), axis=1)
    at = len(_KEY) + [name for name, _ in _COLUMNS].index("flags")
    parts = [stream.HEADER]
    for rows in (np.flatnonzero(~flagged), np.flatnonzero(flagged)):
        chosen = [None if column is None else column[rows] for column in columns]
        if not flagged[rows].any():
            chosen[at] = None
        if len(rows):
            parts.append(stream.encode(_WINDOW, chosen)[len(stream.HEADER) : -len(stream.TRAILER)])
    return b"".join((*parts, stream.TRAILER))
