"""What the API answers about history: observations, statistics of windows, what was refused. See `api.schemas`."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from api.schemas import (
    ChosenResolution,
    Datastream,
    FlagId,
    Flags,
    MeanKind,
    Name,
    NextCursor,
    PhenomenonTime,
    Quality,
    ReceivedTime,
)


class Rejection(TypedDict):
    """A message, or some of its readings, that was refused."""

    received_time: ReceivedTime
    device: Annotated[str | None, Field(description="whom the readings speak of; null where they do not tell")]
    source: Annotated[str, Field(description="who sent it, by its topic; `-`: it does not tell")]
    reason: Annotated[str, Field(examples=["unknown-datastream"])]
    meaning: Annotated[Name | None, Field(description="what the reason means, for people")]
    cure: Annotated[Name | None, Field(description="what mends it")]
    detail: Annotated[str, Field(description="what was wrong and what is allowed, English")]
    topic: Annotated[str, Field(examples=["thubon/v1/hoi-an/hoi-an-air-01/telemetry"])]
    readings: Annotated[int, Field(description="how many readings were refused", ge=1, examples=[1])]
    unkept: Annotated[int, Field(description="of them: of further messages of a flood, bytes not kept", ge=0)]
    replayed: Annotated[int, Field(description="of them: refused no more since a replay", ge=0)]
    replayed_time: Annotated[datetime | None, Field(description="of the last replay that changed this")]
    subjects: Annotated[Any, Field(description="the refused readings, as far as they could be told apart")]
    payload_text: Annotated[str | None, Field(description="the message as text; null where it is none")]
    payload_base64: Annotated[str, Field(description="the message's bytes", examples=["eyJwbTI1IjogMzEuMn0="])]


class Rejections(TypedDict):
    """One page of rejections, newest first."""

    items: list[Rejection]
    next: NextCursor


class Observation(TypedDict):
    """One accepted value."""

    phenomenon_time: PhenomenonTime
    period_start: Annotated[datetime | None, Field(description="inclusive; null where the value holds at an instant")]
    period_end: Annotated[datetime | None, Field(description="exclusive; null where the value holds at an instant")]
    received_time: ReceivedTime
    value: Annotated[float, Field(examples=[31.2])]
    value_sent: Annotated[float, Field(description="as the device sent it, in `unit_sent` of the datastream")]
    quality: Quality
    flags: Flags
    late: Annotated[bool, Field(description="received more than 3 intervals after it was known to the device")]


class Observations(TypedDict):
    """One page of raw history."""

    datastream: Datastream
    items: list[Observation]
    next: NextCursor


class _WindowStatistics(TypedDict):
    """What every window has."""

    start: Annotated[datetime, Field(description="inclusive", examples=["2026-11-22T17:00:00Z"])]
    end: Annotated[datetime, Field(description="exclusive", examples=["2026-11-23T17:00:00Z"])]
    count: Annotated[int, Field(description="observations that statistics take", ge=0, examples=[1438])]
    expected: Annotated[int, Field(description="due in the part of the window that has passed", ge=0, examples=[1440])]
    coverage: Annotated[
        float | None,
        Field(description="count / expected, at most 1; null where none was due yet", ge=0, le=1, examples=[0.9986]),
    ]
    flagged: Annotated[int, Field(description="observations left out for their quality", ge=0, examples=[2])]
    flags: Annotated[
        dict[FlagId, int],
        Field(description="observations that bear each flag, left out or not", examples=[{"spike": 2}]),
    ]
    mean: float | None
    min: float | None
    min_time: Annotated[datetime | None, Field(description="when `min` was seen first")]
    max: float | None
    max_time: Annotated[datetime | None, Field(description="when `max` was seen first")]
    sum: float | None
    standard_deviation: Annotated[float | None, Field(description="of the observations, as a population")]
    first: Annotated[float | None, Field(description="value at `first_phenomenon_time`")]
    first_phenomenon_time: datetime | None
    last: Annotated[float | None, Field(description="value at `last_phenomenon_time`")]
    last_phenomenon_time: datetime | None


class WindowStatistics(_WindowStatistics, total=False):
    """A datastream in one window; figures are null where nothing was observed that statistics take.

    The figures from `p50` on stand there only where the datastream keeps their reduction (`keeps`).
    """

    p50: Annotated[float | None, Field(description="`sketch`: median, within 0.39 %", examples=[31.1])]
    p90: Annotated[float | None, Field(description="`sketch`: 90th percentile, within 0.39 %")]
    p95: Annotated[float | None, Field(description="`sketch`: 95th percentile, within 0.39 %")]
    p99: Annotated[float | None, Field(description="`sketch`: 99th percentile, within 0.39 %")]
    l10: Annotated[float | None, Field(description="`sketch`: level exceeded 10 % of the time, that is p90")]
    l50: Annotated[float | None, Field(description="`sketch`: level exceeded 50 % of the time")]
    l90: Annotated[float | None, Field(description="`sketch`: level exceeded 90 % of the time, that is p10")]
    time_weighted_mean: Annotated[
        float | None,
        Field(description="`time-weighted-mean`: each value weighs as long as it held, at most 3 intervals"),
    ]
    energetic_mean: Annotated[float | None, Field(description="`energetic-mean`: LAeq, levels added as energies")]
    circular_mean: Annotated[float | None, Field(description="`circular-mean`: direction, degrees; null: they cancel")]
    resultant_length: Annotated[float | None, Field(description="`circular-mean`: 1 all the same, 0 they cancel")]
    harmonic_mean: Annotated[float | None, Field(description="`harmonic-mean`: weighed by the vehicles counted")]
    increase: Annotated[float | None, Field(description="`increase`: how far the counter went up, over resets")]
    resets: Annotated[int | None, Field(description="`increase`: how often the counter began anew")]
    state_s: Annotated[
        dict[str, float] | None,
        Field(description="`states`: seconds in each state, by word", examples=[{"on": 41_400, "off": 45_000}]),
    ]
    transitions: Annotated[int | None, Field(description="`states`: how often the state changed")]
    above: Annotated[int | None, Field(description="`exceedance`: observations above `limit`")]
    longest_run: Annotated[int | None, Field(description="`exceedance`: most observations above `limit` in a row")]


class Statistics(TypedDict):
    """One page of windows, oldest first; windows without observations are listed too."""

    datastream: Datastream
    resolution: Annotated[ChosenResolution, Field(description="the one used")]
    mean: Annotated[
        MeanKind,
        Field(
            description="how `mean` is made; energetic for sound levels, circular (null where opposite) for directions"
        ),
    ]
    keeps: Annotated[
        list[str], Field(description="reductions kept beside the basic ones", examples=[["energetic-mean", "sketch"]])
    ]
    limit: Annotated[
        float | None, Field(description="of `above` and `longest_run` at the end of the span, in `unit`; null: none")
    ]
    items: list[WindowStatistics]
    next: NextCursor
