"""Topic -> what kind of payload it bears, and whose it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from devices.models import IDENTIFIER_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

Family = Literal["telemetry", "gateway", "status", "unknown"]

_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN)
_TOPIC: Final = re.compile(
    rf"thubon/v1/(?P<town>{IDENTIFIER_PATTERN})/(?P<source>{IDENTIFIER_PATTERN})/(?P<family>telemetry|gateway|status)"
)
_KEPT_ROUTES: Final = 200_000
"""Bound of the cache: topics of registered fleets fit, an attacker's invented ones only empty it."""

_FAMILIES: Final = ("telemetry", "gateway", "status")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message belongs."""

    family: Family
    town_id: str  # '-' when the topic says nothing usable
    source: str  # device or gateway that publishes; '-' likewise


UNROUTABLE: Final = Route(family="unknown", town_id="-", source="-")


class Router:
    """Parses topics once and remembers them, within a bound."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    def route(self, topic: str) -> Route:
        """The route of a topic; `UNROUTABLE` where it does not have the contract's form."""
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= _KEPT_ROUTES:
                self._routes.clear()
            route = self._routes[topic] = _parse(topic)
        return route


def subscriptions(towns: Iterable[str] = ("+",), *, share: str | None = None) -> list[str]:
    """Topic filters of everything that `route` understands.

    Args:
        towns: whose messages are wanted; `+` stands for all.
        share: name of a shared subscription, whose subscribers share the messages.
    """
    prefix = f"$share/{share}/" if share else ""
    return [f"{prefix}thubon/v1/{town}/+/{family}" for town in towns for family in _FAMILIES]


def is_identifier(text: str) -> bool:
    """Whether a text has the form of a device or town id."""
    return _IDENTIFIER.fullmatch(text) is not None


def _parse(topic: str) -> Route:
    match = _TOPIC.fullmatch(topic)
    if match is None:
        return UNROUTABLE
    family: Family = match["family"]  # type: ignore[assignment]
    return Route(family=family, town_id=match["town"], source=match["source"])
