"""The registry as a file: import and export."""

import asyncio
import hashlib
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.access import PersonDep, Role, need
from api.changes import Change
from api.dependencies import ServicesDep
from api.errors import Problem, problem_response
from api.keeping import drive
from api.openapi import refusals
from api.registry_requests import ExportQuery, ImportQuery
from api.registry_schemas import Import, ImportFault
from api.responses import JsonResponse
from api.views.devices import check_town
from devices.profiles import load_catalogue
from devices.refusal_texts import RefusalCode
from devices.registry import ImportReport, RegistryError, import_steps
from devices.registry_file import COLUMNS, Fault, read_registry_file
from devices.sheets import MAX_ROWS, XLSX_TYPE, write_csv, write_xlsx
from devices.wording import worded
from sql import load_queries

router = APIRouter(prefix="/v1/registry", tags=["registry"])
_QUERIES = load_queries("api_registry")
IMPORT_PATH = "/v1/registry/import"
FILE_BYTES_MAX = 16 * 1024 * 1024
_SHOWN = 1_000
_TYPES = ("text/csv", XLSX_TYPE, "application/octet-stream")
_FILE = {"schema": {"type": "string", "format": "binary"}}
_one_at_a_time = asyncio.Semaphore(1)
_UPLOADS_MAX = 4
"""Files on their way at a time: each is kept in memory."""
_UPLOAD_S = 60.0
_uploads = asyncio.Semaphore(_UPLOADS_MAX)


class _RehearsedError(Exception):
    """Rolls a dry run back."""


@router.post(
    "/import",
    response_model=Import,
    responses=refusals(400, 401, 403, 408, 413, 415, 429, 503),
    openapi_extra={
        "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}, XLSX_TYPE: _FILE}}
    },
    dependencies=[need(Role.ENGINEER)],
    summary="Import devices from a file",
)
async def import_registry(
    request: Request, query: Annotated[ImportQuery, Query()], services: ServicesDep, person: PersonDep
) -> Response:
    """Add and change sites and devices from a CSV or XLSX, all or none; the file is the body, at most 16 MiB.

    With `dry_run=true` it says what it would do, or names every bad row with line, column, reason and what is allowed;
    without, a bad row refuses the whole file, and `errors` names the rows.
    """
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() not in _TYPES:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, worded(RefusalCode.FILE_TYPE, other=XLSX_TYPE))
    if _one_at_a_time.locked():
        detail = worded(RefusalCode.IMPORT_RUNS)
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "10"})
    content = await _upload(request)
    async with _one_at_a_time:
        report = await _import(services, person, content, dry_run=query.dry_run)
    columns = [{"name": fault.column} for fault in report.faults]
    services.audit.note_answer(request, HTTPStatus.BAD_REQUEST, "a file names another town", columns)
    if report.faults and not query.dry_run:
        errors = [
            {"in": "body", "name": f"line {fault.line}" + (f", {fault.column}" if fault.column else ""),
             "detail": fault.wording.en, **fault.wording.told()}
            for fault in report.faults[:_SHOWN]
        ]  # fmt: skip
        rows = len({fault.line for fault in report.faults})
        detail = worded(RefusalCode.NOTHING_IMPORTED, faults=len(report.faults), rows=rows)
        return problem_response(HTTPStatus.BAD_REQUEST, detail.en, errors=errors, told=detail.told())
    return JsonResponse(_told(report, dry_run=query.dry_run))


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {"description": "The file", "content": {"text/csv": {"schema": {"type": "string"}}, XLSX_TYPE: _FILE}},
        **refusals(400, 401, 503),
    },
    dependencies=[need(Role.VIEWER)],
    summary="The registry as a file",
)
async def export_registry(query: Annotated[ExportQuery, Query()], services: ServicesDep) -> Response:
    """The devices in service, in the columns of an import; at most 100,000 rows.

    A text that a spreadsheet would take for a formula stands after an apostrophe, which the import takes off again.
    """
    await check_town(services, query.town)
    rows = await services.database.rows(_QUERIES["export_devices"], {"town": query.town, "limit": MAX_ROWS})
    table: list[Any] = [COLUMNS, *(list(row.values()) for row in rows)]
    if query.format == "xlsx":
        content, kind = await asyncio.to_thread(write_xlsx, table), XLSX_TYPE
    else:
        content, kind = await asyncio.to_thread(lambda: "".join(write_csv(table)).encode()), "text/csv"
    name = f"thubon-devices.{query.format}"
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)


async def _upload(request: Request) -> bytes:
    """The file, before anything is locked: a sender may stop in the middle of it."""
    if _uploads.locked():
        detail = worded(RefusalCode.UPLOADS_BUSY)
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "10"})
    async with _uploads:
        try:
            async with asyncio.timeout(_UPLOAD_S):
                return await _body(request)
        except TimeoutError:
            detail = worded(RefusalCode.UPLOAD_SLOW, seconds=round(_UPLOAD_S))
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, detail, headers={"Connection": "close"}) from None


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > FILE_BYTES_MAX:
            detail = worded(RefusalCode.UPLOAD_TOO_LARGE, limit=FILE_BYTES_MAX)
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers={"Connection": "close"})
    return bytes(content)


async def _import(services: Any, person: Any, content: bytes, *, dry_run: bool) -> ImportReport:
    catalogue = load_catalogue()
    file = await asyncio.to_thread(read_registry_file, content, catalogue)
    report = ImportReport()
    try:
        async with services.changes.transaction(person) as transaction:
            await transaction.execute(_QUERIES["be_patient"])
            report = await drive(transaction, import_steps(file, catalogue))
            await _note(transaction, report, hashlib.sha256(content).hexdigest(), dry_run=dry_run)
    except _RehearsedError:
        return report
    except RegistryError as error:
        report.faults.append(Fault(1, "", error.wording))
    return report


async def _note(transaction: Change, report: ImportReport, digest: str, *, dry_run: bool) -> None:
    if dry_run or report.faults:
        raise _RehearsedError
    for town, devices in sorted(report.devices_by_town.items()):
        after = {"devices": devices, "sha256": digest}
        await transaction.audit("registry.import", subject="file", town=town, after=after)
    await transaction.audit_all(report.notes)


def _told(report: ImportReport, *, dry_run: bool) -> Import:
    return {
        "dry_run": dry_run,
        "devices": {
            "created": report.new_devices,
            "changed": report.changed_devices,
            "unchanged": report.unchanged_devices,
        },
        "sites": {"created": report.new_sites, "changed": report.changed_sites, "unchanged": report.unchanged_sites},
        "datastreams": {"created": report.datastreams.appended, "changed": report.datastreams.updated, "unchanged": 0},
        "changes": [change.en for change in report.changes[:_SHOWN]],
        "change_texts": [{"vi": change.vi, "en": change.en} for change in report.changes[:_SHOWN]],
        "warnings": [_fault(fault) for fault in report.warnings[:_SHOWN]],
        "faults": [_fault(fault) for fault in report.faults[:_SHOWN]],
        "fault_count": len(report.faults),
    }


def _fault(fault: Fault) -> ImportFault:
    told = fault.wording.told()
    return {
        "line": fault.line,
        "column": fault.column,
        "detail": fault.wording.en,
        "code": told["code"],
        "parameters": told["parameters"],
        "text": told["text"],
    }
