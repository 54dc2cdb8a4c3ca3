"""What the views work with, made once by `api.main`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.database import Database
    from api.live import LiveHub
    from api.metrics import Metrics
    from api.operations.service import Operations
    from api.overview import Overviews
    from api.readiness import ReadinessChecks
    from api.registry import Registry
    from api.security import LoginBrake, TokenGuard
    from api.settings import ApiSettings


@dataclass(frozen=True, slots=True)
class Services:
    """The parts one application is composed of."""

    settings: ApiSettings
    database: Database
    guard: TokenGuard
    brake: LoginBrake
    registry: Registry
    overviews: Overviews
    operations: Operations
    live: LiveHub
    metrics: Metrics
    readiness: ReadinessChecks
