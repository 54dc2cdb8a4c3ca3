"""How the API describes itself."""

from http import HTTPStatus
from typing import Any, Final

from api.schemas import ProblemDetail

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
    {"name": "devices", "description": "Installed units: how they stand, what they said last, why they were refused."},
    {"name": "datastreams", "description": "History and window statistics of one observed property of one device."},
    {"name": "live", "description": "What changes, pushed."},
    {"name": "session", "description": "The page's login."},
    {"name": "health", "description": "For machines; without login."},
]

_REFUSALS: Final[dict[int, str]] = {
    400: "limit: Input should be less than or equal to 1000",
    401: "send 'Authorization: Bearer <token>', or log in by POST /v1/session",
    404: "there is no device 'hoi-an-air-99'",
    413: "the body may have at most 16384 bytes",
    429: "too many failed logins from this address; wait",
    503: "the database cannot be reached right now; try again",
}

LIVE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "An endless stream of events; the data of a `change` is a `Change`",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": (
                    'event: hello\nid: WyJhYyIsNzQyXQ\ndata: {"id":"WyJhYyIsNzQyXQ"}\n\n'
                    'event: change\nid: WyJhYyIsNzQzXQ\ndata: {"devices":[{"id":"hoi-an-air-01","town":"hoi-an",'
                    '"domain":"environment","state":"online","phenomenon_time":"2026-11-23T02:15:00Z",'
                    '"received_time":"2026-11-23T02:15:00.412Z","latest":[]}]}\n\n'
                ),
            }
        },
    }
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem details an operation may answer with, as OpenAPI has them."""
    return {
        status: {
            "model": ProblemDetail,
            "description": HTTPStatus(status).phrase,
            "content": {
                "application/problem+json": {
                    "example": {
                        "type": "about:blank",
                        "title": HTTPStatus(status).phrase,
                        "status": status,
                        "detail": _REFUSALS[status],
                    }
                }
            },
        }
        for status in statuses
    }
