"""Carries out changes of the registry for the views: one transaction, its audit, and refusals as problem details."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from api.access import Role
from api.errors import Problem, not_found
from devices.change import Change, ChangeError
from sql import load_queries

if TYPE_CHECKING:
    from api import changes
    from api.grants import Person
    from api.services import Services
    from devices.steps import Steps

T = TypeVar("T")
_QUERIES: Final = load_queries("api_registry")
_STATUSES: Final = {
    "unknown": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "version": HTTPStatus.PRECONDITION_FAILED,
    "wrong": HTTPStatus.BAD_REQUEST,
}


async def drive(transaction: changes.Change, steps: Steps[T]) -> T:
    """Drive steps inside a transaction.

    They think in a thread of their own: an import of thousands of devices must not stop everybody else.
    """
    ended: list[T] = []

    def think(rows: list[Any] | None) -> Any:
        try:
            return next(steps) if rows is None else steps.send(rows)
        except StopIteration as end:  # a future cannot bear it
            ended.append(end.value)
            return None

    statement = await asyncio.to_thread(think, None)
    while not ended:
        rows = await transaction.rows(statement.query, statement.parameters)
        statement = await asyncio.to_thread(think, rows)
    return ended[0]


async def keep(services: Services, person: Person, steps: Steps[Change]) -> Change:
    """Carry out one change and leave it in the audit, of both towns where a device moved.

    Raises:
        Problem: 400, 404, 409 or 412: it is refused, and nothing was changed.
    """
    try:
        async with services.changes.transaction(person) as transaction:
            change = await drive(transaction, steps)
            if change.before != change.after:
                await note(transaction, change)
    except ChangeError as refusal:
        raise problem_of(refusal) from None
    return change


async def note(transaction: changes.Change, change: Change) -> None:
    """Leave a change in the audit, of both towns where a device moved."""
    for town in dict.fromkeys((change.former_town_id, change.town_id)):
        if town is not None:
            await transaction.audit(
                change.action, subject=change.subject, town=town, before=change.before, after=change.after
            )


def problem_of(refusal: ChangeError) -> Problem:
    """A refused change as a problem detail."""
    status = _STATUSES[refusal.kind]
    name = refusal.field if refusal.kind == "wrong" else None
    prefix = f"{refusal.field}: " if name is None else ""
    return Problem(status, refusal.wording, name=name, where="body", prefix=prefix)


async def check_device(services: Services, person: Person, device: str) -> str:
    """The town of a device that somebody wants to change.

    Raises:
        Problem: 404, there is none they may see; 403, they may see it and not change it.
    """
    row = await services.database.row(_QUERIES["town_of_device"], {"device": device})
    if row is None:
        raise not_found("device", device)
    person.check(Role.ENGINEER, row["town_id"])
    return str(row["town_id"])


async def check_site(services: Services, person: Person, site: str) -> str:
    """The town of a site that somebody wants to change, or to put a device on.

    Raises:
        Problem: 404, there is none they may see; 403, they may see it and not change it.
    """
    row = await services.database.row(_QUERIES["town_of_site"], {"site": site})
    if row is None:
        raise not_found("site", site)
    person.check(Role.ENGINEER, row["town_id"])
    return str(row["town_id"])
