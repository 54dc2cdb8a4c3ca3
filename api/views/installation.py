"""The installer's way: claim codes, labels, claiming, and how far an installation is."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import PersonDep, Role, need
from api.dependencies import DevicePath, NoParameters, ServicesDep
from api.errors import Problem, not_found
from api.keeping import check_device, drive, problem_of
from api.openapi import refusals
from api.registry_requests import ClaimWish, LabelSheet
from api.registry_schemas import Claim, ClaimCode, Installation
from api.responses import JsonResponse
from devices.change import ChangeError
from devices.claims import claim, give_new_code, installation_step, shown_code
from devices.label_sheet import STYLE_HASH, label_sheet, labels_steps
from devices.refusal_texts import RefusalCode
from devices.wording import worded
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["registry"])
_QUERIES = load_queries("api_registry")
_SHEET_POLICY = f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"


@router.get(
    "/devices/{device}/installation",
    response_model=Installation,
    responses=refusals(400, 401, 404, 503),
    dependencies=[need(Role.VIEWER)],
    summary="How far an installation is",
)
async def read_installation(
    device: DevicePath, _query: Annotated[NoParameters, Query()], services: ServicesDep
) -> JsonResponse:
    """The step a device has reached, and where it stops, why: the newest refusal of a day."""
    row = await services.database.row(_QUERIES["installation"], {"device": device})
    if row is None:
        raise not_found("device", device)
    heard = [time for name in ("received_time", "word_time", "refused_time") if (time := row[name]) is not None]
    answer: Installation = {
        "device": row["device_id"],
        "step": installation_step(row),
        "labelled_time": row["code_time"],
        "claimed_time": row["claimed_time"],
        "claimed_by": row["claimed_by"],
        "heard_time": max(heard, default=None),
        "stored_time": row["received_time"],
        "refused_time": row["refused_time"],
        "refused_reason": row["refused_reason"],
        "refused_detail": row["refused_detail"],
    }
    return JsonResponse(answer)


@router.post(
    "/devices/{device}/claim-code",
    response_model=ClaimCode,
    responses=refusals(400, 401, 403, 404, 503),
    dependencies=[need(Role.ENGINEER)],
    summary="Give a device a new claim code",
)
async def renew_code(
    device: DevicePath, _query: Annotated[NoParameters, Query()], services: ServicesDep, person: PersonDep
) -> JsonResponse:
    """Void a device's claim code and give it a new one, to be claimed anew: for a lost label, or new hardware."""
    town = await check_device(services, person, device)
    async with services.changes.transaction(person) as transaction:
        code = await drive(transaction, give_new_code(device))
        await transaction.audit("device.claim-code", subject=device, town=town)
    answer: ClaimCode = {"device": device, "code": shown_code(code)}
    return JsonResponse(answer)


@router.post(
    "/claims",
    response_model=Claim,
    responses=refusals(400, 401, 403, 404, 409, 413, 503),
    dependencies=[need(Role.ENGINEER)],
    summary="Claim a device by the code on its label",
)
async def claim_device(
    wish: ClaimWish, _query: Annotated[NoParameters, Query()], services: ServicesDep, person: PersonDep
) -> JsonResponse:
    """Say that the installer stands before the device of this label; a code is claimed once.

    A device without a credential in force gets a password, shown this once.
    """
    try:
        async with services.changes.transaction(person) as transaction:
            claimed = await drive(transaction, claim(wish.code, person.name))
            await transaction.audit(
                "device.claim", subject=claimed.device_id, town=claimed.town_id, after=claimed.noted
            )
    except ChangeError as refusal:
        raise problem_of(refusal) from None
    issued = claimed.issued
    answer: Claim = {
        "device": claimed.device_id,
        "town": claimed.town_id,
        "credential": {"user_name": issued.device_id, "password": issued.password} if issued else None,
    }
    return JsonResponse(answer)


@router.post(
    "/registry/labels",
    response_class=Response,
    responses={
        200: {"description": "A page to print", "content": {"text/html": {"schema": {"type": "string"}}}},
        **refusals(400, 401, 403, 404, 413, 503),
    },
    dependencies=[need(Role.ENGINEER)],
    summary="Labels to print",
)
async def print_labels(
    which: LabelSheet, _query: Annotated[NoParameters, Query()], services: ServicesDep, person: PersonDep
) -> Response:
    """Labels of devices in service, with claim code and QR code, on pages of A4; who has no code yet gets one."""
    async with services.changes.transaction(person) as transaction:
        rows = await drive(transaction, labels_steps(which.town, which.site, which.devices))
        for town in sorted({row["town_id"] for row in rows}):
            count = sum(row["town_id"] == town for row in rows)
            await transaction.audit("device.labels", subject="labels", town=town, after={"labels": count})
    if not rows:
        raise Problem(HTTPStatus.NOT_FOUND, worded(RefusalCode.NONE_IN_SERVICE))
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": _SHEET_POLICY}
    return Response(label_sheet(rows), media_type="text/html", headers=headers)
