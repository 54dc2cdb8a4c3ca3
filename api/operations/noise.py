"""Noise: equivalent levels of the hour and of the bands of day and night, levels exceeded, and their limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations.columns import newest, number
from api.operations.figures import FigureKind, figure, level
from api.windows import LOCAL_ZONE
from devices.environment import limits, noise, sites
from devices.models import Bilingual

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from api.operations.board import Figures
    from api.operations.fleet import Fleet, Stream
    from api.operations.history import History, Recent

PROPERTIES: Final = ("sound-level-equivalent",)
LAEQ: Final = FigureKind(
    "noise-laeq",
    Bilingual("Mức ồn LAeq của giờ", "LAeq of the hour"),
    "dB[SPL]",
    "index",
    noise.LAEQ_FORMULA,
    "energetic mean of the newest whole hour; the bands of day and night with their limits in `detail`",
)
_KEPT: Final = level("kept", Bilingual("Trong giới hạn", "Within limits"), 0)
_EXCEEDED: Final = level("exceeded", Bilingual("Vượt giới hạn", "Above the limit"), 1)


def add(figures: Figures, fleet: Fleet, now_us: int, hours: History, sound: Recent) -> None:
    """Levels of each meter.

    Args:
        figures: to add to.
        fleet: the devices.
        now_us: Unix microseconds.
        hours: 24 whole hours and the present one.
        sound: levels of the last hour as observed.
    """
    day = datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(LOCAL_ZONE).date()
    for stream in fleet.observing(*PROPERTIES):
        rows = hours.rows(stream)
        energy, count = _energy(hours, stream, rows)
        of_hour = noise.laeq_of_energy(energy[:, -2], count[:, -2])
        bands = band_levels(hours.first_s, energy, count)
        for row, at in enumerate(stream.at.tolist()):
            site = fleet.sites[fleet.devices[at].site]
            compared = {name: _against(float(levels[row]), name, site.site_id, day) for name, levels in bands.items()}
            exceeded = any(band["exceeded"] for band in compared.values())
            observed = sound.values(stream, at)
            figures.of_site[fleet.devices[at].site].append(
                figure(
                    LAEQ,
                    float(of_hour[row]),
                    now_us=now_us,
                    time_us=newest(hours.last_us[rows[row], :-1, stream.slot]),
                    coverage=float(hours.coverage(stream)[row, -2]),
                    flagged=int(hours.flagged[rows[row], -2:, stream.slot].sum()),
                    level=_EXCEEDED if exceeded else _KEPT,
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


def band_levels(
    first_s: int, energy: NDArray[np.float64], count: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Equivalent levels of day and night over the hours given; NaN where none was observed; each of shape (n,)."""
    starts = first_s + 3600 * np.arange(energy.shape[1])
    # Asia/Ho_Chi_Minh has had no daylight saving since 1975.
    local_hour = (starts // 3600 + 7) % 24
    day = noise.is_day(local_hour)
    return {
        name: noise.laeq_of_energy(energy[:, band].sum(axis=1), count[:, band].sum(axis=1))
        for name, band in (("day", day), ("night", ~day))
    }


def _against(laeq: float, band: str, site_id: str, day: date) -> dict[str, Any]:
    limit = limits.limit_for(
        "sound-level-equivalent", "day" if band == "day" else "night", day, area=sites.noise_area(site_id)
    )
    return {
        "laeq": number(laeq),
        "limit": limit.limit if limit else None,
        "exceeded": bool(limit and limits.exceeds(np.array(laeq), limit)),
        "regulation": limit.regulation if limit else None,
        "grade": limit.grade if limit else None,
    }
