"""Latencies as HDR histograms: microseconds to a minute, three digits."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 100.0)
_LONGEST_US: Final = 60_000_000
_DIGITS: Final = 3


class MissingExtraError(ValueError):
    """A library of the extra `load` is missing."""


def load_extra(module: str) -> Any:
    """A module of the extra `load`.

    Raises:
        MissingExtraError: it is not installed; says what to do.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError("a load report needs the extra `load` (pip install thubon[load])") from error


class Latencies:
    """How long something took, again and again."""

    def __init__(self, what: str) -> None:
        """Begin; `what` names it for people."""
        self.what = what
        self._histogram = load_extra("hdrh.histogram").HdrHistogram(1, _LONGEST_US, _DIGITS)

    def add(self, seconds: float) -> None:
        """Note one; what is longer than a minute counts as a minute, and below nothing as nothing."""
        self._histogram.record_value(min(max(int(seconds * 1e6), 1), _LONGEST_US))

    @property
    def count(self) -> int:
        """How many."""
        return int(self._histogram.get_total_count())

    def ms(self, percentile: float) -> float:
        """The value below which so many per cent lie, milliseconds."""
        return float(self._histogram.get_value_at_percentile(percentile)) / 1_000.0

    def percentiles(self) -> dict[str, float]:
        """Milliseconds by percentile, the usual ones."""
        return {f"p{percentile:g}": self.ms(percentile) for percentile in PERCENTILES}

    def curve(self) -> tuple[list[float], list[float]]:
        """(percentiles, milliseconds), for a plot."""
        shares = [100.0 - 100.0 / 10.0 ** (step / 10.0) for step in range(41)]
        return shares, [self.ms(share) for share in shares]

    def save(self, file: Path) -> None:
        """Write the percentile distribution as HDR tools plot it, in milliseconds."""
        with file.open("wb") as out:
            self._histogram.output_percentile_distribution(out, 1_000.0)
