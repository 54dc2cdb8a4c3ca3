"""What the views work with, made once by `api.main`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.accounts import Logins
    from api.audit import Refusals
    from api.changes import Changes
    from api.database import Database
    from api.live import LiveHub
    from api.metrics import Metrics
    from api.openid import OpenId
    from api.operations.service import Operations
    from api.overview import Overviews
    from api.principals import Principals
    from api.readiness import ReadinessChecks
    from api.registry import Registry
    from api.settings import ApiSettings
    from api.throttle import Allowance


@dataclass(frozen=True, slots=True)
class Services:
    """The parts one application is composed of."""

    settings: ApiSettings
    database: Database
    changes: Changes
    principals: Principals
    logins: Logins
    openid: OpenId | None
    openid_logins: Allowance  # begun at the provider, by address: each is kept until it comes back or takes too long
    audit: Refusals
    registry: Registry
    overviews: Overviews
    operations: Operations
    live: LiveHub
    metrics: Metrics
    readiness: ReadinessChecks
