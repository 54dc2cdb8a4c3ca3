"""Noise: equivalent levels of the hour and of the bands of day and night, levels exceeded, and their limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.columns import newest, number
from api.operations.figures import FigureKind, figure, level
from api.windows import LOCAL_ZONE
from devices.environment import limits, noise, sites
from devices.environment.averaging import averaging_on
from devices.models import Bilingual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Fleet, Stream
    from api.operations.history import History, Recent
    from devices.environment.averaging import NoiseBands

PROPERTIES: Final = ("sound-level-equivalent",)
LAEQ: Final = FigureKind(
    "noise-laeq",
    Bilingual("Mức ồn LAeq của giờ", "LAeq of the hour"),
    "dB[SPL]",
    "index",
    noise.LAEQ_FORMULA,
    "energetic mean of the newest whole hour; the newest whole bands of day and night with their limits in `detail`,"
    " and the class by these",
)
HOURS: Final = 39
"""So many hold a whole band of the day and one of the night at any time: 24 and the 15 of the longer one."""
_KEPT: Final = level("kept", Bilingual("Trong giới hạn", "Within limits"), 0)
_EXCEEDED: Final = level("exceeded", Bilingual("Vượt giới hạn", "Above the limit"), 1)


def add(figures: Figures, fleet: Fleet, now_us: int, hours: History, sound: Recent) -> None:
    """Levels of each meter.

    Args:
        figures: to add to.
        fleet: the devices.
        now_us: Unix microseconds.
        hours: `HOURS` whole hours and the present one.
        sound: levels of the last hour as observed.
    """
    ruling = averaging_on(datetime.fromtimestamp(now_us / 1e6, LOCAL_ZONE).date()).noise
    places = last_bands(hours.first_s, hours.count.shape[1] - 1, ruling)
    starts = {
        name: datetime.fromtimestamp(hours.first_s + 3600 * int(place[0]), LOCAL_ZONE) for name, place in places.items()
    }
    for stream in fleet.observing(*PROPERTIES):
        rows = hours.rows(stream)
        energy, count = _energy(hours, stream, rows)
        of_hour = noise.laeq_of_energy(energy[:, -2], count[:, -2])
        share = hours.coverage(stream)
        bands = {name: band_of(energy, count, share, place, ruling.band_coverage_min) for name, place in places.items()}
        for row, at in enumerate(stream.at.tolist()):
            site = fleet.sites[fleet.devices[at].site]
            compared = {name: _against(band, row, name, starts[name], site.site_id) for name, band in bands.items()}
            judged = [band["exceeded"] for band in compared.values() if band["exceeded"] is not None]
            observed = sound.values(stream, at)
            figures.of_site[fleet.devices[at].site].append(
                figure(
                    LAEQ,
                    float(of_hour[row]),
                    now_us=now_us,
                    time_us=newest(hours.last_us[rows[row], :-1, stream.slot]),
                    coverage=float(share[row, -2]),
                    flagged=int(hours.flagged[rows[row], -2:, stream.slot].sum()),
                    level=(_EXCEEDED if any(judged) else _KEPT) if judged else None,
                    detail={
                        "bands": compared,
                        "exceeded_of_the_last_hour": {
                            f"l{percent}": number(noise.level_exceeded(observed, percent)) for percent in (10, 50, 90)
                        },
                        "exceeded_formula": noise.EXCEEDED_FORMULA,
                        "area": sites.noise_area(site.site_id),
                    },
                )
            )


def _energy(hours: History, stream: Stream, rows: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count = hours.count[rows, :, stream.slot].astype(np.float64)
    return np.nan_to_num(hours.added["energy"][rows, :, stream.slot]), count


@dataclass(frozen=True, slots=True)
class Band:
    """The equivalent level of one band of some meters; n of them."""

    laeq: NDArray[np.float64]  # dB, NaN: observed too little; shape (n,)
    coverage: NDArray[np.float64]  # 0..1 of the band's hours; shape (n,)

    def reason(self, row: int) -> str | None:
        """Why a meter has no level; None where it has one."""
        if not np.isnan(self.laeq[row]):
            return None
        return "too-few-readings" if self.coverage[row] > 0 else "no-reading"


def band_of(
    energy: NDArray[np.float64],
    count: NDArray[np.float64],
    share: NDArray[np.float64],
    hours: NDArray[np.intp],
    coverage_min: float,
) -> Band:
    """The level of a band.

    Args:
        energy: sums of 10^(L/10) of each hour; shape (n, t); the next two, too.
        count: how many levels made them.
        share: observed share of each hour, 0..1.
        hours: places of the band's hours, at least one.
        coverage_min: of the band; observed less it has no level.
    """
    coverage = share[:, hours].mean(axis=1)
    laeq = noise.laeq_of_energy(energy[:, hours].sum(axis=1), count[:, hours].sum(axis=1))
    return Band(np.where(coverage >= coverage_min, laeq, np.nan), coverage)


def local_hours(first_s: int, steps: int) -> NDArray[np.intp]:
    """Hour of the local day of each step; Asia/Ho_Chi_Minh has had no daylight saving since 1975."""
    return (first_s // 3600 + np.arange(steps) + 7) % 24


def last_bands(first_s: int, steps: int, ruling: NoiseBands) -> dict[str, NDArray[np.intp]]:
    """Places of the hours of the newest whole band of the day and of the night, in steps of an hour that are over.

    Args:
        first_s: start of the first step, Unix seconds.
        steps: how many; 39 hold one of each at any time.
        ruling: the hours of the bands.
    """
    begins = local_hours(first_s, steps)
    found = {}
    for name, (begin, end) in (("day", ruling.day), ("night", ruling.night)):
        length = (end - begin) % 24
        starts = np.flatnonzero(begins == begin)
        found[name] = int(starts[starts + length <= steps][-1]) + np.arange(length)
    return found


def _against(band: Band, row: int, name: str, start: datetime, site_id: str) -> dict[str, Any]:
    limit = limits.limit_for(
        "sound-level-equivalent", "day" if name == "day" else "night", start.date(), area=sites.noise_area(site_id)
    )
    laeq = number(band.laeq[row])
    return {
        "start": start,
        "laeq": laeq,
        "reason": band.reason(row),
        "coverage": float(band.coverage[row]),
        "limit": limit.limit if limit else None,
        "exceeded": bool(limits.exceeds(np.array(laeq), limit)) if limit and laeq is not None else None,
        "regulation": limit.regulation if limit else None,
        "grade": limit.grade if limit else None,
    }
