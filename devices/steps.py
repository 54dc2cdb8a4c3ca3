"""Work on the registry as steps: a generator that asks for statements and is given their rows.

It knows no connection, so the commands drive it over a blocking one and the HTTP API over its own, in a transaction
that belongs to whoever drives; the checks stand once.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

from psycopg.rows import dict_row

from devices.queries import load_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

T = TypeVar("T")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement to run; the generator is sent its rows, an empty list where it answers none."""

    query: LiteralString
    parameters: Mapping[str, Any] = field(default_factory=dict)


Steps = Generator[Statement, list[Row], T]


def ask(name: str, **parameters: Any) -> Steps[list[Row]]:
    """One step: the statement of `devices/queries/<name>.sql`; answers its rows."""
    return (yield Statement(load_query(name), parameters))


def run(connection: psycopg.Connection[Any], steps: Steps[T]) -> T:
    """Drive steps over a connection; the caller commits.

    Raises:
        psycopg.Error: of a statement.
        Exception: whatever the steps refuse with.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        try:
            statement = next(steps)
            while True:
                cursor.execute(statement.query, statement.parameters)
                statement = steps.send(cursor.fetchall() if cursor.description else [])
        except StopIteration as end:
            result: T = end.value
            return result
