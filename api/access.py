"""What a view asks of who asks: `need(Role.OPERATOR)`. See docs/security.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute, iter_route_contexts

from api.dependencies import ServicesDep
from api.errors import Problem
from api.grants import Person, Role, ask_for, everywhere, in_scope
from api.principals import NotBelievedError
from api.security import COOKIE_NAME, SAFE_METHODS, needs_csrf_token

__all__ = [
    "MaybePersonDep",
    "Need",
    "PersonDep",
    "Role",
    "client_address",
    "everywhere",
    "for_all",
    "in_scope",
    "need",
    "routes_of",
    "rule_of",
]


async def find_person(request: Request, services: ServicesDep) -> Person | None:
    """Who asks, by bearer token, key or cookie; everybody where the viewer is open; None: said nothing.

    Raises:
        Problem: 401, what it showed is nothing of ours, or no more; 403, a page of another site sent it; 429, it shows
            wrong things too often.
    """
    person = getattr(request.state, "person", None)
    if person is not None:
        return person  # type: ignore[no-any-return]
    address = client_address(request)
    try:
        person = await services.principals.find(
            request.headers.get("Authorization"), request.cookies.get(COOKIE_NAME), address
        )
    except NotBelievedError as refusal:
        services.audit.refused(refusal.actor, address, "access", request.url.path, refusal.reason, town=refusal.town)
        raise refusal.problem() from None
    if person is not None and person.by_cookie and request.method not in SAFE_METHODS:
        fault = needs_csrf_token(request)
        if fault:
            services.audit.refused(person.name, address, "access", request.url.path, fault, town=person.only_town)
            raise Problem(
                HTTPStatus.FORBIDDEN, "a change by a page needs its X-CSRF-Token, as GET /v1/session tells it"
            )
    request.state.person = person
    return person


async def need_person(person: Annotated[Person | None, Depends(find_person)]) -> Person:
    """Who asks.

    Raises:
        Problem: 401, nobody we know.
    """
    if person is None:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "send 'Authorization: Bearer <token or key>', or log in by POST /v1/session",
            headers={"WWW-Authenticate": 'Bearer realm="thubon"'},
        )
    return person


MaybePersonDep = Annotated[Person | None, Depends(find_person)]
PersonDep = Annotated[Person, Depends(need_person)]


@dataclass(frozen=True, slots=True)
class Need:
    """Lets pass who has a role in some town, and asks the database for the towns where they have it.

    A change first looks up what it is about, so for other methods than GET the database shows what the person may see;
    what it may change there, `Person.may` and the transaction of `api.changes` decide.
    """

    role: Role

    async def __call__(self, request: Request, person: PersonDep) -> None:
        """Let pass or refuse.

        Raises:
            Problem: 403, the person has this role nowhere.
        """
        strictest = max(self.role, getattr(request.state, "role", self.role))
        request.state.role = strictest
        if not person.may_anywhere(strictest):
            raise Problem(HTTPStatus.FORBIDDEN, f"this takes the role '{strictest.word}'")
        ask_for(person.towns(strictest if request.method == "GET" else Role.VIEWER), strictest, client_address(request))


def need(role: Role) -> Any:
    """What a router or a route puts among its dependencies; of several the strictest holds."""
    return Depends(Need(role))


async def _anybody() -> None:
    """Asks nothing: for what must be reached before anybody can be known."""


for_all: Dependency = Depends(_anybody)
"""For a route that everybody may reach, logged in or not."""


def routes_of(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    """Every operation of the application: its path, and its route."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            yield context.path or route.path, route


def rule_of(route: APIRoute) -> str | None:
    """The role a route needs, `anybody`, or None where it declares nothing."""
    calls = [dependency.call for dependency in route.dependant.dependencies]
    roles = [call.role for call in calls if isinstance(call, Need)]
    if roles:
        return max(roles).word
    return "anybody" if _anybody in calls else None


def client_address(request: Request) -> str:
    """Where a request comes from, proxies we trust seen through."""
    return request.client.host if request.client else "unknown"
