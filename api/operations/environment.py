"""The environment of a town now: what is read, and which figures follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.operations import air, noise, observed, water, weather
from api.operations.board import Figures
from api.operations.history import read_history, read_recent

if TYPE_CHECKING:
    from api.database import Database
    from api.operations.fleet import Fleet
    from api.operations.history import History, Recent
    from api.operations.present import Present

HOURS: Final = 25
"""24 whole hours and the present one."""
QUARTERS: Final = 97
NOISE_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Inputs:
    """What of the past is needed."""

    hours: History  # air, wind
    sound_hours: History
    quarters: History  # water, rain
    sound: Recent  # levels of the last hour, as observed


async def read_inputs(database: Database, fleet: Fleet, now_us: int) -> Inputs:
    """Read windows of the last day and the sound levels of the last hour."""
    now_s = now_us // 1_000_000
    hour_s, quarter_s = now_s // 3600 * 3600, now_s // 900 * 900
    return Inputs(
        await read_history(
            database,
            fleet,
            fleet.keys_of(fleet.observing(*air.PROPERTIES, *weather.WIND_PROPERTIES)),
            first_s=hour_s - (HOURS - 1) * 3600,
            steps=HOURS,
            step_s=3600,
            wanted=("max", "last", "east", "north"),
            tail=True,
        ),
        await read_history(
            database,
            fleet,
            fleet.keys_of(fleet.observing(*noise.PROPERTIES)),
            first_s=hour_s - noise.HOURS * 3600,
            steps=noise.HOURS + 1,
            step_s=3600,
            wanted=("last", "energy"),
            tail=True,
        ),
        await read_history(
            database,
            fleet,
            fleet.keys_of(fleet.observing(*water.PROPERTIES, weather.RAIN)),
            first_s=quarter_s - (QUARTERS - 1) * 900,
            steps=QUARTERS,
            step_s=900,
            wanted=("last",),
            tail=True,
        ),
        await read_recent(
            database, fleet, fleet.keys_of(fleet.observing(*noise.PROPERTIES)), first_s=now_s - NOISE_S, last_s=now_s
        ),
    )


def environment_figures(fleet: Fleet, present: Present, inputs: Inputs) -> Figures:
    """Every figure of the domain; pure.

    Args:
        fleet: the devices.
        present: what they said last.
        inputs: of `read_inputs`.
    """
    figures = Figures()
    air.add(figures, fleet, present.now_us, inputs.hours)
    water.add(figures, fleet, present, inputs.quarters)
    weather.add(figures, fleet, present.now_us, inputs.quarters, inputs.hours)
    noise.add(figures, fleet, present.now_us, inputs.sound_hours, inputs.sound)
    observed.add_environment(figures, fleet, present)
    return figures


RANKED_BY: Final = (
    air.HOUR.figure_id,
    air.HOUR_INDICATIVE.figure_id,
    air.LIMITS.figure_id,
    water.ALARM.figure_id,
    water.LEVEL.figure_id,
    water.STREET.figure_id,
    weather.RAIN_24H.figure_id,
    weather.GUST.figure_id,
    noise.LAEQ.figure_id,
)
"""Figures a ranking may go by."""
