"""Long arrays as parameters of a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def array_text(values: Sequence[int] | Sequence[str]) -> str:
    """A list as PostgreSQL writes an array, for a parameter that the statement casts.

    The driver converts a list element by element in Python, which at full rate costs more than decoding the messages.

    Args:
        values: integers or booleans; or texts without spaces, quotes, commas, braces and backslashes, such as
            identifiers and times. The word null is taken for none.
    """
    if values and isinstance(values[0], str):
        return "{" + ",".join(values) + "}"  # type: ignore[arg-type]
    return "{" + str(values)[1:-1] + "}"
