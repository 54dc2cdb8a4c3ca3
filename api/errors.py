"""Every refusal as a problem detail (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi.exceptions import RequestValidationError
from psycopg import OperationalError, errors
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 2


class Problem(HTTPException):
    """A request is refused, with words a client's author can act on."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        name: str | None = None,
        where: str = "query",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse.

        Args:
            status: the HTTP status.
            detail: what is wrong and what is allowed.
            name: the parameter at fault, if one is.
            where: `query`, `path` or `body`.
            headers: further headers of the answer.
        """
        super().__init__(status_code=status, detail=detail, headers=headers)
        self.errors = [{"in": where, "name": name, "detail": detail}] if name else None


def bad_parameter(name: str, detail: str, *, where: str = "query") -> Problem:
    """A 400 that names the parameter."""
    return Problem(HTTPStatus.BAD_REQUEST, detail, name=name, where=where)


def not_found(what: str, identifier: str) -> Problem:
    """A 404 that names what was looked for."""
    return Problem(HTTPStatus.NOT_FOUND, f"there is no {what} '{identifier}'")


def problem_response(
    status: HTTPStatus,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer of a refusal; `title` is the status's own phrase, as `about:blank` asks."""
    body: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    if errors:
        body["errors"] = errors
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type=PROBLEM_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def _on_http_exception(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, HTTPException)  # noqa: S101 the table below binds it to this class
    status = HTTPStatus(refusal.status_code)
    detail = refusal.detail if refusal.detail != status.phrase else status.description or status.phrase
    listed = refusal.errors if isinstance(refusal, Problem) else None
    request.app.state.note_refusal(request, status, detail, listed)
    return problem_response(status, detail, errors=listed, headers=refusal.headers)


async def _on_missing_right(request: Request, _fault: Exception) -> Response:
    """The database refused what the API let pass: the second wall held."""
    status = HTTPStatus.FORBIDDEN
    request.app.state.note_refusal(request, status, "refused by the database", None)
    return problem_response(status, "this takes a role that was not granted")


async def _on_invalid_request(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, RequestValidationError)  # noqa: S101 the table below binds it to this class
    listed = [_describe(request, error) for error in refusal.errors()]
    detail = "; ".join(f"{error['name']}: {error['detail']}" for error in listed)
    return problem_response(HTTPStatus.BAD_REQUEST, detail, errors=listed)


def _describe(request: Request, error: Mapping[str, Any]) -> dict[str, str]:
    where, *path = [str(part) for part in error["loc"]]
    name = ".".join(path) or where
    if error["type"] == "extra_forbidden" and where == "query":
        allowed = allowed_parameters(request)
        detail = "unknown parameter; allowed: " + (", ".join(allowed) if allowed else "none")
    else:
        detail = str(error["msg"]).removeprefix("Value error, ")
    return {"in": where, "name": name, "detail": detail}


def allowed_parameters(request: Request) -> list[str]:
    """The query parameters of the route that a request met."""
    names: list[str] = []
    dependant = getattr(request.scope.get("route"), "dependant", None)
    for field in dependant.query_params if dependant else ():
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names += [f.alias or name for name, f in model.model_fields.items()]
    return names


async def _on_database_away(_request: Request, _fault: Exception) -> Response:
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the database cannot be reached right now; try again",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


async def _on_query_timeout(_request: Request, _fault: Exception) -> Response:
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the query took longer than the limit; ask for a shorter span or try again",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


async def _on_fault(_request: Request, _fault: Exception) -> Response:
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed on this request; it is logged")


NoteRefusal = Callable[["Request", HTTPStatus, str, Sequence[Mapping[str, Any]] | None], None]
"""Notes a refusal: request, status, detail, parameters at fault."""


def install_error_handlers(app: FastAPI, note_refusal: NoteRefusal) -> None:
    """Answer every error with a problem detail.

    Args:
        app: the application.
        note_refusal: told of every refusal of a known path.
    """
    app.state.note_refusal = note_refusal
    for kind, handler in (
        (HTTPException, _on_http_exception),
        (RequestValidationError, _on_invalid_request),
        (errors.QueryCanceled, _on_query_timeout),
        (errors.InsufficientPrivilege, _on_missing_right),
        (OperationalError, _on_database_away),
        (PoolTimeout, _on_database_away),
        (PoolClosed, _on_database_away),
        (TooManyRequests, _on_database_away),
        (Exception, _on_fault),
    ):
        app.add_exception_handler(kind, handler)
