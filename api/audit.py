"""Refused attempts on their way into the audit: noted without holding up the answer, bounded against floods."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from psycopg import DatabaseError
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from devices.models import IDENTIFIER_PATTERN
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import Request

    from api.changes import Changes
    from api.grants import Person
    from api.metrics import Metrics

_QUERIES = load_queries("api_audit")
_log = logging.getLogger("api")

WAITING_MAX: Final = 1_000
"""Different refusals that wait to be written; above it they are counted and said in the log."""
WRITE_EVERY_S: Final = 0.5
TEXT_MAX: Final = 500

_Key = tuple[str, str, str, str, str, str | None]


class Refusals:
    """Notes what was tried and refused. Like attempts of one moment become one row that counts them.

    Args:
        changes: where the audit is; without a database to change they go to the log alone.
        metrics: counts.
    """

    def __init__(self, changes: Changes, metrics: Metrics) -> None:
        self._changes = changes
        self._metrics = metrics
        self._waiting: OrderedDict[_Key, int] = OrderedDict()
        self._left_out = 0
        self._writing = asyncio.Lock()

    def refused(
        self, actor: str, address: str, action: str, subject: str, reason: str, *, town: str | None = None
    ) -> None:
        """Note one attempt.

        Args:
            actor: who it was, as far as it was proved; `-`: not at all.
            address: where from.
            action: what was tried.
            subject: on what.
            reason: precisely why it was refused.
            town: whose administrators may read it; None: those of all towns alone.
        """
        self._metrics.refused_attempts.inc()
        key = (actor[:TEXT_MAX], address, action, _plain(subject), _plain(reason), town)
        if key not in self._waiting and len(self._waiting) >= WAITING_MAX:
            self._left_out += 1
            return
        self._waiting[key] = self._waiting.get(key, 0) + 1

    def note_answer(
        self, request: Request, status: HTTPStatus, detail: str, errors: Sequence[Mapping[str, Any]] | None
    ) -> None:
        """Note an answer that tells somebody we know that it may not: 403, and what looks as if it did not exist."""
        person: Person | None = getattr(request.state, "person", None)
        if person is None:
            return
        # Who asked is known, so the path is one of ours: what was not found is what it names, or what the body does.
        of_a_town = status == HTTPStatus.NOT_FOUND or any(error["name"] == "town" for error in errors or ())
        if of_a_town and person.towns() is not None:
            detail = "it does not exist, or is of a town that was not granted"
        elif status != HTTPStatus.FORBIDDEN:
            return
        address = request.client.host if request.client else "unknown"
        town = request.path_params.get("town") or request.query_params.get("town")
        asked = "" if town is None or "town" in request.path_params else f"?town={town}"
        subject = f"{request.method} {request.url.path}{asked}"
        # A town that somebody made up has no administrator, and a text that is no id is none.
        known = town if town and re.fullmatch(IDENTIFIER_PATTERN, town) else person.only_town
        self.refused(person.name, address, "access", subject, detail, town=known)

    async def run(self) -> None:
        """Write what waits until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write what waits; where the database is away it goes on waiting."""
        async with self._writing:
            await self._write()

    async def _write(self) -> None:
        if self._left_out:
            _log.warning("%d refused attempts are not in the audit: too many at once", self._left_out)
            self._left_out = 0
        while self._waiting:
            key, attempts = self._waiting.popitem(last=False)
            actor, address, action, subject, reason, town = key
            if not self._changes.possible:
                _log.warning("refused: %s from %s: %s %r: %s", actor, address, action, subject, reason)
                continue
            try:
                await self._changes.execute(
                    _QUERIES["add_audit"],
                    {
                        "actor": actor,
                        "address": address,
                        "action": action,
                        "outcome": "refused",
                        "town": town,
                        "subject": subject,
                        "detail": reason,
                        "attempts": attempts,
                        "before": None,
                        "after": None,
                    },
                )
            except (DatabaseError, PoolTimeout, PoolClosed, TooManyRequests):
                self._waiting[key] = self._waiting.get(key, 0) + attempts
                return


def _plain(text: str) -> str:
    """Text a database takes: no NUL, no lone surrogate, of a bounded length."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()[:TEXT_MAX]
