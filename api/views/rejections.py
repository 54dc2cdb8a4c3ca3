"""What was refused, why, and what mends it."""

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query

from api.access import Role, need
from api.account_queries import AllRejectionsQuery
from api.dependencies import DevicePath, RejectionsQuery, ServicesDep
from api.history_schemas import Rejection, Rejections
from api.openapi import refusals
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from api.schemas import Name
from api.views.devices import find_device
from devices.reasons import REASON_TEXTS, Reason
from sql import load_queries

if TYPE_CHECKING:
    from devices.models import Bilingual

router = APIRouter(prefix="/v1", tags=["devices"], dependencies=[need(Role.VIEWER)])
_QUERIES = load_queries("api_observations")
_ALL_QUERIES = load_queries("api_ledger")
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
    rows = await services.database.rows(
        _QUERIES["rejections"],
        {"device": device, "first": first, "last": last, **_place(query, last), "limit": query.limit + 1},
    )
    return _page(rows, query.limit)


@router.get(
    "/rejections", response_model=Rejections, responses=refusals(400, 401, 503), tags=["account"],
    summary="What was refused anywhere",
)  # fmt: skip
async def list_all_rejections(query: Annotated[AllRejectionsQuery, Query()], services: ServicesDep) -> JsonResponse:
    """Refusals of all sources, known or not, newest first, with reason, cure and the bytes as they came."""
    first, last = query.span()
    rows = await services.database.rows(
        _ALL_QUERIES["rejection_page"],
        {
            "town": query.town,
            "device": query.device,
            "reason": query.reason,
            "first": first,
            "last": last,
            **_place(query, last),
            "limit": query.limit + 1,
        },
    )
    return _page(rows, query.limit)


def _place(query: RejectionsQuery, last: datetime) -> dict[str, Any]:
    micros, key = from_cursor(query.cursor, tuple[int, int]) if query.cursor else (None, _KEY_MAX)
    return {"cursor_time": last if micros is None else from_micros(micros), "cursor_key": key}


def _page(rows: list[dict[str, Any]], limit: int) -> JsonResponse:
    page = rows[:limit]
    answer: Rejections = {
        "items": [_rejection(row) for row in page],
        "next": to_cursor(to_micros(page[-1]["received_time"]), page[-1]["rejection_key"])
        if len(rows) > limit
        else None,
    }
    return JsonResponse(answer)


def _rejection(row: dict[str, Any]) -> Rejection:
    payload: bytes = row["payload"]
    return {
        "received_time": row["received_time"],
        "device": row["device_id"],
        "source": row["source"],
        "reason": row["reason"],
        "meaning": _text_of(row["reason"], "meaning"),
        "cure": _text_of(row["reason"], "cure"),
        "detail": row["detail"],
        "topic": row["topic"],
        "readings": row["readings"],
        "unkept": row["unkept"],
        "replayed": row["replayed"],
        "replayed_time": row["replayed_time"],
        "subjects": row["subjects"],
        "payload_text": _text(payload),
        "payload_base64": base64.b64encode(payload).decode(),
    }


def _text_of(reason: str, part: str) -> Name | None:
    """What a reason means or what mends it; None for one this release does not know."""
    try:
        text: Bilingual = getattr(REASON_TEXTS[Reason(reason)], part)
    except ValueError:
        return None
    return {"vi": text.vi, "en": text.en}


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
