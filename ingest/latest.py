"""Which committed rows can move `latest`, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BITS: Final = 62
BEYOND: Final = 1 << _BITS
"""Stands for all slots above 62; a row that has it is never taken for superseded."""


def slot_bits(filled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The slots each row fills as one number: bit n for slot n + 1, bit 62 for any beyond.

    Args:
        filled: shape (n, slots).
    """
    known = filled[:, :_BITS]
    bits: NDArray[np.int64] = known @ (np.int64(1) << np.arange(known.shape[1], dtype=np.int64))
    if filled.shape[1] > _BITS:
        bits |= np.where(filled[:, _BITS:].any(axis=1), np.int64(BEYOND), np.int64(0))
    return bits


def passes(
    device_key: NDArray[np.int64], time_us: NDArray[np.int64], slots: NDArray[np.int64]
) -> Iterator[tuple[list[int], list[int], list[int]]]:
    """Arrange rows so that each pass holds at most one a device, and later passes hold later times.

    A row is left out when newer ones of its device fill every slot it fills.

    Args:
        device_key: of each row, shape (n,).
        time_us: phenomenon time of each row; a key may come more than once.
        slots: as `slot_bits` gives them.

    Yields:
        device keys, times and widths of one pass. A width of n says that the row fills slots 1 to n, and so is complete
        if it has n slots; 0 says nothing.
    """
    # Of the rows that fill the same slots only the newest can matter; that leaves few for the plain loop.
    order = np.lexsort((time_us, slots, device_key))
    device_key, time_us, slots = device_key[order], time_us[order], slots[order]
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = (device_key[1:] != device_key[:-1]) | (slots[1:] != slots[:-1])
    last |= (slots & BEYOND) != 0
    queues: dict[int, list[tuple[int, int]]] = {}
    covered: dict[int, int] = {}
    newest_first = np.flatnonzero(last)[np.argsort(time_us[last], kind="stable")[::-1]]
    rows: Any = zip(
        device_key[newest_first].tolist(), time_us[newest_first].tolist(), slots[newest_first].tolist(), strict=True
    )
    for key, time, bits in rows:
        known = covered.get(key, 0)
        if bits & ~known:
            queue = queues.setdefault(key, [])
            if not queue or queue[-1][0] != time:
                queue.append((time, _width(bits)))
            covered[key] = known | (bits & ~BEYOND)
    longest = max((len(queue) for queue in queues.values()), default=0)
    for at in range(longest, 0, -1):
        keys = [key for key, queue in queues.items() if len(queue) >= at]
        chosen = [queues[key][at - 1] for key in keys]
        yield keys, [time for time, _ in chosen], [width for _, width in chosen]


def _width(bits: int) -> int:
    """How many slots from the first on are filled, where no other is; else 0."""
    return bits.bit_length() if bits & (bits + 1) == 0 and bits < BEYOND else 0
