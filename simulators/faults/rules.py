"""Faults as a scenario file names them: which, how likely, on which devices, when."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulators.moments import DaySpan  # noqa: TC001 - pydantic reads the annotation at run time

FaultName = Literal[
    "lost", "duplicated", "late", "out-of-order", "wrong-clock", "stuck", "drifting", "spiking", "garbage",
    "reconnect-storm", "retained-replay", "flooding", "silent", "absent", "offline",
]  # fmt: skip

OPTIONS_BY_FAULT: Final = {
    "lost": {"chance"},
    "duplicated": {"chance"},
    "late": {"chance", "minutes"},
    "out-of-order": {"chance"},
    "wrong-clock": {"chance", "clock", "minutes"},
    "stuck": {"chance", "minutes", "datastreams"},
    "drifting": {"chance", "minutes", "size", "datastreams"},
    "spiking": {"chance", "size", "datastreams"},
    "garbage": {"chance"},
    "reconnect-storm": {"minutes"},
    "retained-replay": {"chance"},
    "flooding": {"chance", "messages"},
    "silent": set[str](),
    "absent": set[str](),
    "offline": set[str](),
}
"""Which of the options chance, minutes, size, clock, messages and datastreams each fault takes."""
OPTIONS: Final = frozenset[str]().union(*OPTIONS_BY_FAULT.values())


_EVERYWHERE: Final = {"towns", "profiles", "devices", "share", "count", "during"}


class FaultRule(BaseModel):
    """One fault of a scenario."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: FaultName
    during: DaySpan | None = None  # none: always
    towns: tuple[str, ...] = ()  # none: all
    profiles: tuple[str, ...] = ()  # none: all
    devices: tuple[str, ...] = ()  # patterns such as ha-lamp-*; none: all
    share: float = Field(default=1.0, gt=0, le=1)  # of the devices so named
    count: int | None = Field(default=None, ge=1, le=100_000)  # or so many of them
    chance: float = Field(default=1.0, gt=0, le=1)
    minutes: float = Field(default=60.0, gt=0, le=60 * 24 * 400)
    size: float = Field(default=5.0, gt=0, le=1_000)
    messages: int = Field(default=20, ge=1, le=10_000)
    clock: Literal["ahead", "behind", "local-time", "reset", "in-seconds"] = "ahead"
    datastreams: tuple[Annotated[str, Field(max_length=63)], ...] = ()  # none: the first of the profile

    @model_validator(mode="after")
    def _options_fit(self) -> FaultRule:
        extra = (self.model_fields_set & OPTIONS) - OPTIONS_BY_FAULT[self.fault]
        if extra:
            allowed = sorted(
                OPTIONS_BY_FAULT[self.fault] | {"towns", "profiles", "devices", "share", "count", "during"}
            )
            raise ValueError(f"'{self.fault}' takes no {', '.join(sorted(extra))}; allowed: {', '.join(allowed)}")
        return self
