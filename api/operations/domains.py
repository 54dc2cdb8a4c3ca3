"""Which indices each domain has: what they read of the past, and how figures follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.operations import environment, environment_day, lighting, lighting_day, traffic, traffic_day

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from api.database import Database
    from api.operations.board import Figures
    from api.operations.fleet import Fleet
    from api.operations.present import Present
    from api.operations.summary import Day, Summary
    from devices.models import Domain


@dataclass(frozen=True, slots=True)
class DomainIndices:
    """One domain's part of the operations views."""

    read: Callable[[Database, Fleet, int], Awaitable[Any]]  # what of the past is needed, by the time in microseconds
    figures: Callable[[Fleet, Present, Any], Figures]  # pure
    summary: Callable[[Day], Awaitable[Summary]]  # a local day
    ranked_by: tuple[str, ...]  # figures a ranking may go by


INDICES: Final[Mapping[Domain, DomainIndices]] = {
    "traffic": DomainIndices(traffic.read_inputs, traffic.traffic_figures, traffic_day.read_day, traffic.RANKED_BY),
    "lighting": DomainIndices(
        lighting.read_inputs, lighting.lighting_figures, lighting_day.read_day, lighting.RANKED_BY
    ),
    "environment": DomainIndices(
        environment.read_inputs, environment.environment_figures, environment_day.read_day, environment.RANKED_BY
    ),
}
