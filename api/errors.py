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

from api.invalid import worded_error
from devices.change import NO_SUCH
from devices.wording import worded

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from devices.wording import Wording

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 2


class Problem(HTTPException):
    """A request is refused, with words a client's author can act on."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str | Wording,
        *,
        name: str | None = None,
        where: str = "query",
        headers: Mapping[str, str] | None = None,
        prefix: str = "",
    ) -> None:
        """Refuse.

        Args:
            status: the HTTP status.
            detail: what is wrong and what is allowed; in both languages and with its code wherever there is a wording.
            name: the parameter at fault, if one is.
            where: `query`, `path` or `body`.
            headers: further headers of the answer.
            prefix: what stands before the English text in `detail`.
        """
        english = f"{prefix}{detail}"
        super().__init__(status_code=status, detail=english, headers=headers)
        self.told = {} if isinstance(detail, str) else detail.told()
        self.errors = [{"in": where, "name": name, "detail": english, **self.told}] if name else None


def bad_parameter(name: str, detail: str | Wording, *, where: str = "query") -> Problem:
    """A 400 that names the parameter."""
    return Problem(HTTPStatus.BAD_REQUEST, detail, name=name, where=where)


def not_found(what: str, identifier: str) -> Problem:
    """A 404 that names what was looked for."""
    code = NO_SUCH.get(what)
    return Problem(HTTPStatus.NOT_FOUND, worded(code, id=identifier) if code else f"there is no {what} '{identifier}'")


def problem_response(
    status: HTTPStatus,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
    told: Mapping[str, Any] | None = None,
) -> Response:
    """The answer of a refusal; `title` is the status's own phrase, as `about:blank` asks.

    Args:
        status: the HTTP status.
        detail: what is wrong and what is allowed.
        errors: the parameters at fault.
        headers: further headers of the answer.
        told: code, parameters and text in both languages, where the refusal has them.
    """
    body: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    body.update(told or {})
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
    listed, told = (refusal.errors, refusal.told) if isinstance(refusal, Problem) else (None, None)
    request.app.state.note_refusal(request, status, detail, listed)
    return problem_response(status, detail, errors=listed, headers=refusal.headers, told=told)


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


def _describe(request: Request, error: Mapping[str, Any]) -> dict[str, Any]:
    where, *path = [str(part) for part in error["loc"]]
    name = ".".join(path) or where
    allowed = allowed_parameters(request) if error["type"] == "extra_forbidden" and where == "query" else None
    wording = worded_error(error, allowed)
    detail = wording.en if allowed is not None else str(error["msg"]).removeprefix("Value error, ")
    return {"in": where, "name": name, "detail": detail, **wording.told()}


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
