"""Who changed what, and who tried."""

import csv
import io
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from psycopg.rows import DictRow
from starlette.responses import Response

from api.access import PersonDep, Role, need
from api.dependencies import TIME_MAX, TIME_MIN, ServicesDep
from api.errors import bad_parameter
from api.invalid import InvalidCode, invalid_words
from api.openapi import refusals
from api.people_queries import AuditQuery
from api.people_schemas import AuditEntry, AuditPage
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["people"], dependencies=[need(Role.ADMINISTRATOR)])
_QUERIES = load_queries("api_audit")
_KEY_MAX = 2**63 - 1
_COLUMNS = tuple(AuditEntry.__annotations__)


@router.get(
    "/audit",
    response_model=AuditPage,
    responses=refusals(400, 401, 403, 503),
    summary="Who changed what, and who tried",
)
async def read_audit(query: Annotated[AuditQuery, Query()], person: PersonDep, services: ServicesDep) -> Response:
    """Changes and refused attempts, newest first, of the towns one administers."""
    first, last = query.first or TIME_MIN, query.last or TIME_MAX
    if first >= last:
        raise bad_parameter("to", invalid_words(InvalidCode.SPAN_ORDER))
    micros, key = from_cursor(query.cursor, tuple[int, int]) if query.cursor else (None, _KEY_MAX)
    async with services.changes.transaction(person) as change:
        rows = await change.rows(
            _QUERIES["audit_page"],
            {
                "first": first,
                "last": last,
                "cursor_time": last if micros is None else from_micros(micros),
                "cursor_key": key,
                "town": query.town,
                "actor": query.actor,
                "action": query.action,
                "outcome": query.outcome,
                "text": query.text,
                "limit": query.limit + 1,
            },
        )
    page = rows[: query.limit]
    end = page[-1] if len(rows) > query.limit else None
    following = to_cursor(to_micros(end["audit_time"]), end["audit_key"]) if end else None
    items = [_entry(row) for row in page]
    if query.format == "csv":
        return _file(items, following)
    answer: AuditPage = {"items": items, "next": following}
    return JsonResponse(answer)


def _entry(row: DictRow) -> AuditEntry:
    return {
        "time": row["audit_time"],
        "actor": row["actor"],
        "address": row["address"],
        "action": row["action"],
        "outcome": row["outcome"],
        "town": row["town_id"],
        "subject": row["subject"],
        "detail": row["detail"],
        "attempts": row["attempts"],
        "before": row["before"],
        "after": row["after"],
    }


def _file(items: list[AuditEntry], following: str | None) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for item in items:
        writer.writerow([_cell(value) for value in item.values()])
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="thubon-audit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv"',
    }
    if following:
        headers["X-Next-Cursor"] = following
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> str:
    """A value that no spreadsheet takes for a formula: attempts hold what strangers wrote."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and text != "-" else text
