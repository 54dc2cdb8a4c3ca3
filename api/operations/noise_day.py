"""The noise of a local day: equivalent levels of its bands against their limits, and the levels exceeded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.columns import newest, number
from api.operations.figures import FigureKind, figure, level
from api.operations.fleet import QUERIES
from api.operations.noise import Band, band_of, local_hours
from devices.environment import limits, noise, sites
from devices.environment.averaging import averaging_on
from devices.models import Bilingual
from devices.reductions.sketch import Sketch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Stream
    from api.operations.history import History
    from api.operations.summary import Day
    from api.schemas import Figure

EXCEEDED_PERCENTS: Final = (10, 50, 90)
NOISE_DAY: Final = FigureKind(
    "noise-day",
    Bilingual("Mức ồn ban ngày", "Noise by day"),
    "dB[SPL]",
    "index",
    noise.LAEQ_FORMULA,
    "energetic mean over the band of the day against its limit",
)
NOISE_NIGHT: Final = FigureKind(
    "noise-night",
    Bilingual("Mức ồn ban đêm", "Noise by night"),
    "dB[SPL]",
    "index",
    noise.LAEQ_FORMULA,
    "energetic mean over the hours of the local day in the band of the night against its limit",
)
LEVELS_EXCEEDED: Final = FigureKind(
    "noise-exceeded-day",
    Bilingual("Mức ồn phân vị trong ngày", "Noise levels exceeded on the day"),
    "dB[SPL]",
    "index",
    noise.EXCEEDED_FORMULA,
    "L50 of the local day, L10 and L90 in `detail`, out of sketches at rest that keep each level to 0.4 %",
)
_KEPT: Final = level("kept", Bilingual("Trong giới hạn", "Within limits"), 0)
_EXCEEDED: Final = level("exceeded", Bilingual("Vượt giới hạn", "Above the limit"), 1)


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Levels exceeded by one stream's devices; n of them."""

    stream: Stream
    levels: NDArray[np.float64]  # dB of `EXCEEDED_PERCENTS`, NaN: none; shape (n, 3)


async def read_exceeded(asked: Day, stream: Stream) -> Exceeded:
    """Read the sketches of a day."""
    levels = np.full((len(stream.at), len(EXCEEDED_PERCENTS)), np.nan)
    parameters = {
        "device_keys": asked.fleet.keys[stream.at].tolist(),
        "slot": stream.slot + 1,
        "first": asked.start,
        "last": asked.end,
    }
    for row in await asked.database.rows(QUERIES["operations_sketches"], parameters):
        place = int(np.searchsorted(asked.fleet.keys[stream.at], row["device_key"]))
        bins, counts = np.array(row["bins"], np.int32), np.array(row["counts"], np.int64)
        sketch = Sketch(np.zeros(len(bins), np.intp), bins, counts, 1)
        levels[place] = sketch.quantiles([1.0 - percent / 100.0 for percent in EXCEEDED_PERCENTS])[0]
    return Exceeded(stream, levels)


def add_noise(figures: Figures, asked: Day, hours: History, first: int, exceeded: Exceeded) -> None:
    """Levels of each meter.

    Args:
        figures: to add to.
        asked: the day.
        hours: hours of it, and some before.
        first: place of its first hour in these.
        exceeded: levels exceeded.
    """
    fleet, stream, ruling = asked.fleet, exceeded.stream, averaging_on(asked.day).noise
    rows = hours.rows(stream)
    energy = np.nan_to_num(hours.added["energy"][rows, first:, stream.slot])
    count = hours.count[rows, first:, stream.slot].astype(np.float64)
    share = hours.coverage(stream)[:, first:]
    by_day = noise.is_day(local_hours(hours.first_s + first * 3600, 24), ruling)
    bands = {
        name: band_of(energy, count, share, np.flatnonzero(there), ruling.band_coverage_min)
        for name, there in (("day", by_day), ("night", ~by_day))
    }
    for row, at in enumerate(stream.at.tolist()):
        device = fleet.devices[at]
        common: dict[str, Any] = {
            "now_us": asked.now_us,
            "time_us": newest(hours.last_us[rows[row], first:, stream.slot]),
            "flagged": int(hours.flagged[rows[row], first:, stream.slot].sum()),
        }
        of_day = {name: number(value) for name, value in zip(("l10", "l50", "l90"), exceeded.levels[row], strict=True)}
        figures.of_site[device.site] += [
            *(
                _band_line(fleet.sites[device.site].site_id, asked, name, bands[name], row, common)
                for name in ("day", "night")
            ),
            figure(
                LEVELS_EXCEEDED,
                of_day["l50"],
                coverage=asked.share(share[row]),
                detail=of_day,
                **common,
            ),
        ]


def _band_line(site_id: str, asked: Day, name: str, band: Band, row: int, common: Mapping[str, Any]) -> Figure:
    area = sites.noise_area(site_id)
    limit = limits.limit_for("sound-level-equivalent", "day" if name == "day" else "night", asked.day, area=area)
    value = float(band.laeq[row])
    above = bool(limit and limits.exceeds(np.array(value), limit))
    detail = {"limit": limit.limit, "regulation": limit.regulation, "grade": limit.grade} if limit else {}
    return figure(
        NOISE_DAY if name == "day" else NOISE_NIGHT,
        value,
        level=_EXCEEDED if above else _KEPT,
        reason=band.reason(row),
        coverage=float(band.coverage[row]),
        detail={"area": area, **detail},
        **common,
    )
