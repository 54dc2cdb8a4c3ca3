"""How the API describes itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from api.access import routes_of, rule_of
from api.openapi_examples import EXAMPLES
from api.schemas import Change, ProblemDetail

if TYPE_CHECKING:
    from fastapi import FastAPI

DESCRIPTION: Final = """
Smart-city telemetry of Tam Kỳ, Hội An and Điện Bàn: devices, what they observe, and how they stand.

* Times are RFC 3339 in UTC; `from` is inclusive, `to` exclusive.
* Lists come in pages: `limit` up to 1,000, and `next` is the `cursor` of the following page.
* Every figure stands beside its UCUM `unit`; percentages run from 0 to 100.
* An unknown or repeated query parameter is refused. Every error is a problem detail (RFC 9457).
* Version 1 only grows: clients ignore members they do not know.
"""

TAGS: Final[list[dict[str, str]]] = [
    {"name": "towns", "description": "The towns, and one at a glance."},
    {"name": "operations", "description": "A domain of a town now, on the map, ranked, and its day; a site in full."},
    {"name": "devices", "description": "Installed units: how they stand, what they said last, why they were refused."},
    {"name": "registry", "description": "What people keep: sites, wards, devices, their installation, and who knocks."},
    {"name": "datastreams", "description": "History and window statistics of one observed property of one device."},
    {"name": "account", "description": "What came in, what became of it, what was refused, and sending it again."},
    {"name": "live", "description": "What changes, pushed."},
    {"name": "people", "description": "Accounts, programs' keys, and who did what."},
    {"name": "session", "description": "The page's login."},
    {"name": "health", "description": "For machines; without login."},
]

_REFUSALS: Final[dict[int, str]] = {
    400: "limit: Input should be less than or equal to 1000",
    401: "send 'Authorization: Bearer <token or key>', or log in by POST /v1/session",
    403: "this takes the role 'operator'",
    404: "there is no device 'hoi-an-air-99'",
    408: "the file did not arrive within 60 s",
    409: "id: 'hoi-an-air-01' is taken or was; ids are never reused",
    412: "device: 'hoi-an-air-01' was changed since (version 4, not 3); read it again",
    413: "the body may have at most 16384 bytes",
    415: "send text/csv or an XLSX with its media type",
    428: "send If-Match with the ETag you read, or * to change whatever stands",
    429: "too many requests from this address; wait",
    503: "the database cannot be reached right now; try again",
}
_SECURITY_SCHEMES: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "a key from POST /v1/api-keys, an access token of the OpenID provider, or the token of this "
        "installation, THUBON_API_TOKEN",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": "thubon_session", "description": "from POST /v1/session"},
}
_REFERENCE: Final = "#/components/schemas/{model}"

LIVE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "An endless stream of events; the data of a `change` is a `Change`",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem details an operation may answer with, as OpenAPI has them."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": _REFERENCE.format(model="ProblemDetail")},
                    "example": {
                        "type": "about:blank",
                        "title": HTTPStatus(status).phrase,
                        "status": status,
                        "detail": _REFUSALS[status],
                    },
                }
            },
        }
        for status in statuses
    }


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole description: what the routes say, with examples, problem details and who may ask."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, tags=TAGS, routes=app.routes
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SECURITY_SCHEMES
    schemas = components.setdefault("schemas", {})
    for model in (ProblemDetail, Change):
        schema = TypeAdapter(model).json_schema(ref_template=_REFERENCE)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    # Ours are problem details with status 400; the library describes its own, which nobody ever gets.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    rules = {(path, method.lower()): rule_of(route) for path, route in routes_of(app) for method in route.methods or ()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)
            rule = rules.get((path, method))
            if rule is not None:
                operation["x-thubon-role"] = rule
            if rule not in {None, "anybody"}:
                operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
            _add_example(operation["responses"], EXAMPLES.get((method, path)))
    return document


def _add_example(responses: dict[str, Any], example: Any) -> None:
    if example is None:
        return
    good = next(answer for status, answer in responses.items() if status in {"200", "201", "202"})
    for content in good["content"].values():
        content["example"] = example
