"""Suspicion of a queue or an incident: the speed falls far below what it was, and stays there.

The speed is judged against itself, so that a slow street is not suspicious for being slow; the flow then tells a queue,
from which vehicles still leave, from an incident that holds them back. A suspicion asks for a look at the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from devices.figures import UNKNOWN, BoolArray, CodeArray, Figures, FloatArray, Missing, figures, ratio
from devices.models import Bilingual

if TYPE_CHECKING:
    from devices.traffic.service import Drop

FORMULA: Final = "traffic.speed-drop/1"
KINDS: Final = ("none", "queue", "incident")
KIND_NAMES: Final = (
    Bilingual("Bình thường", "Nothing"),
    Bilingual("Nghi ngờ ùn xe", "A queue is suspected"),
    Bilingual("Nghi ngờ sự cố", "An incident is suspected"),
)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What the newest periods of each road look like."""

    kind: CodeArray  # place in KINDS; UNKNOWN where it cannot be told
    drop: Figures  # percent below the usual speed of the periods before; below 0: faster


def suspicion(speed_km_h: FloatArray, count: FloatArray, free_flow_km_h: FloatArray, rule: Drop) -> Suspicion:
    """Judge the newest `rule.periods` against the `rule.before_periods` before them.

    All newest periods that have a speed must be slow, more than half of them must have one, and the newest must: an
    empty road has none and is not suspicious.

    Args:
        speed_km_h: of equal periods, oldest first, the newest last, NaN: none; shape (..., t).
        count: vehicles of each period, NaN: not observed; shape (..., t). Without counts of the newest periods and of
            enough before them, a queue and an incident cannot be told apart.
        free_flow_km_h: of the site, NaN: not known, the drop alone decides then; shape (...).
        rule: the thresholds.
    """
    newest, before = speed_km_h[..., -rule.periods :], speed_km_h[..., : -rule.periods][..., -rule.before_periods :]
    usual, enough = _median(before, rule.before_min)
    seen = ~np.isnan(newest)
    known = enough & seen[..., -1] & (newest.shape[-1] == rule.periods)
    limit = usual * (1 - rule.drop_percent / 100)
    free = np.asarray(free_flow_km_h, np.float64)
    limit = np.where(free > 0, np.fmin(limit, free * (rule.free_flow_percent / 100)), limit)
    slow = (~seen | (newest <= limit[..., None])).all(axis=-1) & (seen.sum(axis=-1) * 2 > rule.periods)

    flow_before, flow_known = _median(count[..., : -rule.periods][..., -rule.before_periods :], rule.before_min)
    came = _mean(count[..., -rule.periods :])
    held_back = came < flow_before * (rule.flow_kept_percent / 100)
    told_apart = flow_known & ~np.isnan(came)
    kind = np.where(slow, np.where(told_apart, np.where(held_back, 2, 1), UNKNOWN), 0)
    kind = np.where(known, kind, UNKNOWN).astype(np.uint8)
    with np.errstate(invalid="ignore", divide="ignore"):
        drop = (usual - newest[..., -1]) / usual * 100.0
    return Suspicion(
        kind=kind,
        drop=figures(
            FORMULA,
            "%",
            drop,
            (Missing.NO_READING, ~seen[..., -1]),
            (Missing.TOO_FEW_READINGS, ~(enough & (usual > 0))),
        ),
    )


def _median(values: FloatArray, least: int) -> tuple[FloatArray, BoolArray]:
    """Median along the last axis of what is there, and whether at least `least` are."""
    enough = (~np.isnan(values)).sum(axis=-1) >= least
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan), np.zeros(values.shape[:-1], np.bool_)
    return np.where(enough, np.nanmedian(np.where(enough[..., None], values, 0.0), axis=-1), np.nan), enough


def _mean(values: FloatArray) -> FloatArray:
    there = ~np.isnan(values)
    number = there.sum(axis=-1)
    total = np.where(there, values, 0.0).sum(axis=-1)
    return ratio(total, number)
