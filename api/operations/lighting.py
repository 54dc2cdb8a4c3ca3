"""Lighting of a town now: lamps as commanded, reported and measured; faults of lamps and of cabinets; energy gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from api.operations import observed
from api.operations.board import Figures
from api.operations.history import read_recent, read_slots
from api.operations.lighting_cabinets import CABINET, GAP, DayGap, add_cabinets, newest_of_cabinets
from api.operations.lighting_fleet import DAY_S, ENERGY, LEVEL, POWER, RATED_DAYS, SILENT, grid, installed, places
from api.operations.lighting_lamp_lines import LAMP
from api.operations.lighting_lamps import add_lamps, judge_lamps
from api.operations.summary import day_span
from api.windows import LOCAL_ZONE
from devices.figures import because
from devices.lighting import cabinets, energy, faults, lamps, rules, sun

if TYPE_CHECKING:
    from api.database import Database
    from api.operations.fleet import Fleet
    from api.operations.history import Recent, SlotWindows
    from api.operations.lighting_fleet import Installed
    from api.operations.present import Present
    from devices.lighting.rules import LightingRules

RECENT_S: Final = 2_700
"""So long a look back: six reports of a lamp in five minutes, and the half hour in which cycling is told."""
RANKED_BY: Final = (LAMP.figure_id, SILENT.figure_id, CABINET.figure_id, GAP.figure_id)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What of the past is needed."""

    recent: Recent
    days: SlotWindows  # highest power and level of `RATED_DAYS` whole days
    metered: SlotWindows  # increases of the last whole day
    hours: SlotWindows  # mean power and level of 24 hours
    day_s: int  # start of the last whole local day
    hour_s: int  # start of the present hour


async def read_inputs(database: Database, fleet: Fleet, now_us: int) -> Inputs:
    """Read the newest reports and windows of the last days."""
    now_s = now_us // 1_000_000
    now = datetime.fromtimestamp(now_s, UTC)
    today, _ = day_span(now.astimezone(LOCAL_ZONE).date())
    hour = datetime.fromtimestamp(now_s // 3600 * 3600, UTC)
    of_lamps = installed(fleet).lamp_profiles
    light = [stream for stream in fleet.observing(LEVEL, POWER) if stream.profile in of_lamps]
    return Inputs(
        await read_recent(database, fleet, fleet.keys.tolist(), first_s=now_s - RECENT_S, last_s=now_s),
        await read_slots(database, fleet, light, length_s=86_400, first=today - timedelta(days=RATED_DAYS), last=today),
        await read_slots(
            database,
            fleet,
            fleet.observing(ENERGY),
            length_s=86_400,
            first=today - timedelta(days=1),
            last=today,
        ),
        await read_slots(database, fleet, light, length_s=3600, first=hour - timedelta(hours=24), last=hour),
        int((today - timedelta(days=1)).timestamp()),
        int(hour.timestamp()),
    )


def lighting_figures(fleet: Fleet, present: Present, inputs: Inputs) -> Figures:
    """Every figure of the domain; pure.

    Args:
        fleet: the devices.
        present: what they said last.
        inputs: of `read_inputs`.
    """
    figures = Figures()
    now_us = present.now_us
    ruling = rules.rules_of(datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(LOCAL_ZONE).date())
    here = installed(fleet)
    gap = energy_gaps(fleet, inputs, here, ruling)
    boxes = newest_of_cabinets(fleet, inputs.recent, here.cabinet_at)
    judged = judge_lamps(fleet, inputs, here, boxes.mode, now_us, ruling)
    now_s = now_us / 1e6
    night = sun.is_night(np.full(len(here.cabinet_at), now_s), *places(fleet, here.cabinet_at))
    of_boxes = cabinets.cabinet_faults(
        boxes,
        judged.found,
        here.cabinet,
        lamps.newest(judged.reports.commanded),
        night=night,
        now_s=now_s,
        gap_percent=gap.percent.value,
        rules=ruling,
    )
    bits = faults.suppress(judged.found.bits, here.cabinet, of_boxes.out, judged.found.unfed, of_boxes.without_supply)
    add_lamps(figures, fleet, here, judged, bits, now_us)
    add_cabinets(figures, fleet, here.cabinet_at, of_boxes, boxes.time_s, gap, now_us)
    observed.add_lighting(figures, fleet, present)
    return figures


def energy_gaps(fleet: Fleet, inputs: Inputs, here: Installed, ruling: LightingRules) -> DayGap:
    """What each cabinet's meter counted on the last whole day and no lamp drew."""

    def of_day(column: str, of_lamps: bool) -> np.ndarray:
        at = here.lamp_at if of_lamps else here.cabinet_at
        return grid(fleet, inputs.metered, ENERGY, column, inputs.day_s, DAY_S, 1, at)[:, 0]

    total = energy.lamp_energy(
        of_day("increase", True), here.cabinet, len(here.cabinet_at), ruling.cabinet.silent_lamps_max_share
    )
    return DayGap(
        because(energy.energy_gap(of_day("increase", False), total.total.value), total.total.missing),
        of_day("count", False),
        total.lamps,
        total.silent,
        (inputs.day_s + DAY_S) * 1_000_000,
    )
