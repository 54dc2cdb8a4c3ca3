"""Why messages of a device were refused."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.dependencies import DevicePath, RejectionsQuery, ServicesDep
from api.openapi import refusals
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from api.schemas import Rejection, Rejections
from api.views.devices import find_device
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["devices"])
_QUERIES = load_queries("api_observations")
_KEY_MAX = 2**63 - 1


@router.get(
    "/devices/{device}/rejections",
    response_model=Rejections,
    responses=refusals(400, 401, 404, 503),
    summary="Why messages of a device were refused",
)
async def list_rejections(
    device: DevicePath, query: Annotated[RejectionsQuery, Query()], services: ServicesDep
) -> JsonResponse:
    """What was refused of this device or of what it sent for others, newest first, with the bytes as they came."""
    first, last = query.span()
    await find_device(services, device)
    micros, key = from_cursor(query.cursor, tuple[int, int]) if query.cursor else (None, _KEY_MAX)
    rows = await services.database.rows(
        _QUERIES["rejections"],
        {
            "device": device,
            "first": first,
            "last": last,
            "cursor_time": last if micros is None else from_micros(micros),
            "cursor_key": key,
            "limit": query.limit + 1,
        },
    )
    page = rows[: query.limit]
    answer: Rejections = {
        "items": [_rejection(row) for row in page],
        "next": to_cursor(to_micros(page[-1]["received_time"]), page[-1]["rejection_key"])
        if len(rows) > query.limit
        else None,
    }
    return JsonResponse(answer)


def _rejection(row: dict[str, Any]) -> Rejection:
    payload: bytes = row["payload"]
    return {
        "received_time": row["received_time"],
        "reason": row["reason"],
        "detail": row["detail"],
        "topic": row["topic"],
        "readings": row["readings"],
        "subjects": row["subjects"],
        "payload_text": _text(payload),
        "payload_base64": base64.b64encode(payload).decode(),
    }


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
