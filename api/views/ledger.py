"""What came in and what became of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.access import Role, need
from api.account_queries import LedgerQuery
from api.account_schemas import Ledger, LedgerEntry
from api.dependencies import ServicesDep
from api.openapi import refusals
from api.responses import JsonResponse, from_cursor, from_micros, to_cursor, to_micros
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["account"], dependencies=[need(Role.VIEWER)])
_QUERIES = load_queries("api_ledger")


@router.get(
    "/ledger", response_model=Ledger, responses=refusals(400, 401, 503), summary="What became of everything received"
)
async def read_ledger(query: Annotated[LedgerQuery, Query()], services: ServicesDep) -> JsonResponse:
    """Counts of readings by hour of receipt, town, source and family, newest hour first; the last day by default.

    In every entry received = stored + duplicate + conflict + rejected + missing. What a broker dropped at its own
    bounds never reached the ledger; it stands beside it.
    """
    first, last = query.span()
    micros, town, source, family = (
        from_cursor(query.cursor, tuple[int, str, str, str]) if query.cursor else (None, "", "", "")
    )
    rows = await services.database.rows(
        _QUERIES["ledger_page"],
        {
            "first": first,
            "last": last,
            "town": query.town,
            "source": query.source,
            "family": query.family,
            "cursor_hour": last if micros is None else from_micros(micros),
            "cursor_town": town,
            "cursor_source": source,
            "cursor_family": family,
            "limit": query.limit + 1,
        },
    )
    page = rows[: query.limit]
    end = page[-1] if len(rows) > query.limit else None
    answer: Ledger = {
        "items": [_entry(row) for row in page],
        "next": to_cursor(to_micros(end["hour"]), end["town_id"], end["source"], end["family"]) if end else None,
        "broker_dropped": await services.database.rows(_QUERIES["broker_reports"]),  # type: ignore[typeddict-item]
    }
    return JsonResponse(answer)


def _entry(row: dict[str, Any]) -> LedgerEntry:
    return {
        "hour": row["hour"],
        "town": row["town_id"],
        "source": row["source"],
        "family": row["family"],
        "received": row["received"],
        "stored": row["stored"],
        "duplicate": row["duplicate"],
        "conflict": row["conflict"],
        "rejected": row["rejected"],
        "missing": row["missing"],
    }
