"""COPY to us, over libpq: psycopg's own way costs several times as much for rows as short as ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import pq

if TYPE_CHECKING:
    from collections.abc import Mapping


def rows(
    connection: psycopg.Connection[Any], statement: LiteralString, parameters: Mapping[str, object]
) -> list[bytes]:
    """What a COPY ... TO STDOUT sends, as it comes: each row of a binary one, the first behind the stream's header.

    Blocks until everything is here, at most for the session's statement_timeout.

    Raises:
        psycopg.OperationalError: the connection is lost.
        psycopg.Error: as the server says.
    """
    text = psycopg.ClientCursor(connection).mogrify(statement, parameters)
    libpq = connection.pgconn
    answer = libpq.exec_(text.encode())
    if answer.status != pq.ExecStatus.COPY_OUT:
        raise _error(libpq, answer)
    received: list[bytes] = []
    while True:
        size, data = libpq.get_copy_data(0)
        if size < 0:
            break
        received.append(bytes(data))
    while (last := libpq.get_result()) is not None:
        if last.status != pq.ExecStatus.COMMAND_OK:
            raise _error(libpq, last)
    return received


def _error(libpq: pq.abc.PGconn, result: pq.abc.PGresult) -> psycopg.Error:
    error = psycopg.errors.error_from_result(result)
    if libpq.status == pq.ConnStatus.BAD:
        return psycopg.OperationalError(str(error))  # a lost connection has no error code that would tell
    return error
