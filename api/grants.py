"""Roles, who asks and what they were granted, and for whom the database is asked at this moment."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, Self, cast

from api.errors import Problem, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

EVERY_TOWN: Final = "*"
"""In grants: every town, those to come too."""

RoleName = Literal["viewer", "operator", "engineer", "administrator"]


class Role(IntEnum):
    """What somebody may do in a town; each may do what those before it may."""

    VIEWER = 1  # read
    OPERATOR = 2  # send refused messages again, handle alarms
    ENGINEER = 3  # keep the registry
    ADMINISTRATOR = 4  # people, keys, audit

    @classmethod
    def named(cls, name: str) -> Self:
        """The role of a name in small letters.

        Raises:
            KeyError: there is none.
        """
        return cls[name.upper()]

    @property
    def word(self) -> RoleName:
        """Its name in small letters."""
        return cast("RoleName", self.name.lower())


Grants = dict[str, Role]
"""Town, or `EVERY_TOWN` -> role."""


def only_town(grants: Iterable[str]) -> str | None:
    """Whose administrators may read of it: the one town's; None where there are several, or all."""
    towns = set(grants)
    return towns.pop() if len(towns) == 1 and EVERY_TOWN not in towns else None


def read_grants(words: Mapping[str, str]) -> Grants:
    """Grants out of the database's words.

    Raises:
        KeyError: one names no role.
    """
    return {town: Role.named(role) for town, role in words.items()}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, or a program, that proved who it is."""

    name: str  # as the audit has it
    kind: Literal["account", "openid", "key", "service", "open"]
    grants: Mapping[str, Role]
    expires_s: float | None = None  # Unix seconds; None: no end
    account_id: UUID | None = None
    proof: bytes | None = None  # hash of the cookie, key or token it came with; None: the open viewer
    by_cookie: bool = False  # a browser sends it by itself, so a change needs more

    def towns(self, role: Role = Role.VIEWER) -> frozenset[str] | None:
        """Towns in which it has a role or a higher one; None: all of them."""
        if self.grants.get(EVERY_TOWN, 0) >= role:
            return None
        return frozenset(town for town, granted in self.grants.items() if granted >= role and town != EVERY_TOWN)

    def may(self, role: Role, town: str | None) -> bool:
        """Whether it has a role in a town; None: in all of them."""
        towns = self.towns(role)
        return towns is None or (town is not None and town in towns)

    def check(self, role: Role, town: str | None) -> None:
        """Let pass who has a role in a town; None: in all of them.

        Raises:
            Problem: 404, the town was not granted at all, so it is as if there were none; 403, not in this role.
        """
        if self.may(role, town):
            return
        if town is not None and not self.may(Role.VIEWER, town):
            raise not_found("town", town)
        raise Problem(HTTPStatus.FORBIDDEN, f"this takes the role '{role.word}' {'there' if town else 'in all towns'}")

    def may_anywhere(self, role: Role) -> bool:
        """Whether it has a role in some town."""
        return any(granted >= role for granted in self.grants.values())

    @property
    def only_town(self) -> str | None:
        """The one town it was granted anything in; None where there are several, or all."""
        return only_town(self.grants)

    @property
    def expires_time(self) -> datetime | None:
        """When it ends by itself."""
        return None if self.expires_s is None else datetime.fromtimestamp(self.expires_s, UTC)

    @property
    def highest(self) -> Role | None:
        """The highest role it has anywhere; None: it was granted nothing."""
        return max(self.grants.values(), default=None)


_scope: ContextVar[str] = ContextVar("thubon_towns", default="")
"""Towns for which the database is asked, as it reads the setting `thubon.towns`. Nothing was said: no town."""
_asking: ContextVar[tuple[Role, str | None]] = ContextVar("thubon_asking", default=(Role.ADMINISTRATOR, None))
"""Nothing was said: the strictest role, from nowhere."""


def towns_setting(towns: frozenset[str] | None) -> str:
    """Towns as the setting `thubon.towns` has them; None: all."""
    return EVERY_TOWN if towns is None else ",".join(sorted(towns))


def present_scope() -> str:
    """The setting `thubon.towns` of whoever is served now."""
    return _scope.get()


def in_scope(town: str) -> bool:
    """Whether a town may be shown to whoever is served now."""
    scope = _scope.get()
    return scope == EVERY_TOWN or town in scope.split(",")


def ask_for(towns: frozenset[str] | None, role: Role, address: str) -> None:
    """Until this task ends ask the database for these towns (None: all), on behalf of this role, from this address."""
    _scope.set(towns_setting(towns))
    _asking.set((role, address))


def asking() -> tuple[Role, str | None]:
    """The role that what is done now needs, and where it was asked from."""
    return _asking.get()


@contextmanager
def everywhere() -> Iterator[None]:
    """Ask the database for every town inside a block: for what nobody in particular is shown.

    A cache filled so must be handed out by town.
    """
    token = _scope.set(EVERY_TOWN)
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def only(town: str) -> Iterator[None]:
    """Ask the database for one town inside a block: for what is kept for all who may see it.

    What a device observed in another town, where it stood before, stays out.
    """
    token = _scope.set(town)
    try:
        yield
    finally:
        _scope.reset(token)


def grant_words(grants: Mapping[str, Role]) -> dict[str, Any]:
    """Grants as JSON has them."""
    return {town: role.word for town, role in sorted(grants.items())}
