"""What devices log in with at the broker: issued, rotated, registered, revoked; what the broker has yet to take."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from api.access import PersonDep, Role, need
from api.changes import Change
from api.credential_schemas import (
    BrokerAccounts,
    DeviceCredentials,
    IssuedCredential,
    NewCredential,
    Rotation,
)
from api.dependencies import Cursor, DevicePath, Limit, NoParameters, ServicesDep
from api.errors import Problem, bad_parameter, not_found
from api.grants import Person
from api.invalid import InvalidCode, invalid_words
from api.keeping import drive
from api.openapi import refusals
from api.responses import JsonResponse, from_cursor, to_cursor
from api.services import Services
from api.views.devices import find_device
from devices.identity.certificates import Certificate, CertificateError, read_certificate
from devices.identity.credentials import NotIssuedError, issue_passwords, register_certificate, revoke
from devices.steps import Steps
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["devices"], dependencies=[need(Role.ENGINEER)])
_QUERIES = load_queries("api_credentials")
T = TypeVar("T")

CredentialPath = Annotated[UUID, Path(description="id of a credential")]


class BrokerQuery(BaseModel):
    """Which pending accounts."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 100
    cursor: Cursor = None


@router.get(
    "/devices/{device}/credentials",
    response_model=DeviceCredentials,
    responses=refusals(400, 401, 403, 404, 503),
    summary="What a device logs in with",
)
async def read_credentials(
    device: DevicePath, _query: Annotated[NoParameters, Query()], person: PersonDep, services: ServicesDep
) -> JsonResponse:
    """Passwords and certificates without their secrets, and whether the broker knows them already."""
    await find_device(services, device)
    async with services.changes.transaction(person) as change:
        rows = await change.rows(_QUERIES["credentials"], {"device": device})
        pending = await change.row(_QUERIES["pending_of_device"], {"device": device})
    return JsonResponse(
        {
            "device": device,
            "user_name": device,
            "broker": pending and pending["change"],
            "items": [{"id": row.pop("credential_id"), **row} for row in rows],
        }
    )


@router.post(
    "/devices/{device}/credentials",
    status_code=201,
    response_model=IssuedCredential,
    responses=refusals(400, 401, 403, 404, 409, 413, 429, 503),
    summary="Issue a password, or register a certificate",
)
async def issue_credential(
    device: DevicePath,
    wish: NewCredential,
    _query: Annotated[NoParameters, Query()],
    person: PersonDep,
    services: ServicesDep,
) -> JsonResponse:
    """One more credential, in force at the broker within two seconds; those the device has stay as they are."""
    if (wish.kind == "certificate") != (wish.certificate is not None):
        raise bad_parameter("certificate", invalid_words(InvalidCode.CERTIFICATE_KIND), where="body")
    if wish.certificate is None:
        return await _issue(services, person, device, None)
    certificate = _read(wish.certificate, device)
    town = await _town(services, person, device)
    async with services.changes.transaction(person) as change:
        credential = await _drive(change, register_certificate(certificate, by=person.name))
        after = {"credential": str(credential), "kind": "certificate", "serial": certificate.serial}
        await change.audit("credential.register", town=town, subject=device, after=after)
    return _issued(device, credential, "certificate", None, certificate.ends)


@router.post(
    "/devices/{device}/credentials/rotate",
    status_code=201,
    response_model=IssuedCredential,
    responses=refusals(400, 401, 403, 404, 409, 413, 429, 503),
    summary="Replace a device's passwords by a new one",
)
async def rotate_credentials(
    device: DevicePath,
    wish: Rotation,
    _query: Annotated[NoParameters, Query()],
    person: PersonDep,
    services: ServicesDep,
) -> JsonResponse:
    """A new password; those before end after the overlap, and who still uses one is disconnected then."""
    return await _issue(services, person, device, timedelta(seconds=wish.overlap_s))


@router.delete(
    "/devices/{device}/credentials/{credential}",
    response_model=DeviceCredentials,
    responses=refusals(400, 401, 403, 404, 429, 503),
    summary="Revoke a credential",
)
async def revoke_credential(
    device: DevicePath,
    credential: CredentialPath,
    _query: Annotated[NoParameters, Query()],
    person: PersonDep,
    services: ServicesDep,
) -> JsonResponse:
    """At once and for ever; the broker disconnects who came with it, within two seconds. Answers what is left."""
    town = await _town(services, person, device)
    async with services.changes.transaction(person) as change:
        if not await _drive(change, revoke(device, credential, by=person.name)):
            raise not_found("credential in force", str(credential))
        await change.audit("credential.revoke", town=town, subject=device, before={"credential": str(credential)})
    return await read_credentials(device, NoParameters(), person, services)


@router.get(
    "/broker-accounts",
    response_model=BrokerAccounts,
    responses=refusals(400, 401, 403, 503),
    summary="What the broker has yet to take over",
)
async def read_broker_accounts(
    query: Annotated[BrokerQuery, Query()], person: PersonDep, services: ServicesDep
) -> JsonResponse:
    """Accounts of devices that the broker does not hold as the registry has them: it is down, or was told just now."""
    after = from_cursor(query.cursor, tuple[str])[0] if query.cursor else ""
    async with services.changes.transaction(person) as change:
        check = await change.row(_QUERIES["account_check"])
        rows = await change.rows(_QUERIES["pending"], {"after": after, "limit": query.limit + 1})
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    agrees = check is not None and check["recent"] and check["trouble"] is None and not rows and not after
    return JsonResponse(
        {
            "agrees": agrees,
            **{name: check and check[name] for name in ("checked_time", "agreed_time", "trouble")},
            "items": [{"device": row["device_id"], "change": row["change"]} for row in rows],
            "next": to_cursor(rows[-1]["device_id"]) if more else None,
        }
    )


async def _issue(services: Services, person: Person, device: str, overlap: timedelta | None) -> JsonResponse:
    town = await _town(services, person, device)
    async with services.changes.transaction(person) as change:
        (issued,) = await _drive(change, issue_passwords([device], by=person.name, overlap=overlap))
        after: dict[str, Any] = {"credential": str(issued.credential_id), "kind": "password"}
        if overlap is not None:
            after["overlap_s"] = overlap.total_seconds()
        action = "credential.issue" if overlap is None else "credential.rotate"
        await change.audit(action, town=town, subject=device, after=after)
    return _issued(device, issued.credential_id, "password", issued.password, None)


def _issued(device: str, credential: UUID, kind: str, password: str | None, expires: datetime | None) -> JsonResponse:
    answer = {"id": credential, "kind": kind, "device": device, "user_name": device}
    return JsonResponse({**answer, "password": password, "expires_time": expires}, HTTPStatus.CREATED)


async def _town(services: Services, person: Person, device: str) -> str:
    """The device's town, where this person keeps devices."""
    row = await find_device(services, device)
    town: str = row["town_id"]
    person.check(Role.ENGINEER, town)
    return town


def _read(pem: str, device: str) -> Certificate:
    try:
        certificate = read_certificate(pem.encode(), now=datetime.now(UTC))
    except CertificateError as error:
        raise bad_parameter("certificate", str(error), where="body") from None
    if certificate.device_id != device:
        raise bad_parameter(
            "certificate", invalid_words(InvalidCode.CERTIFICATE_SUBJECT, subject=certificate.device_id), where="body"
        )
    return certificate


async def _drive(change: Change, steps: Steps[T]) -> T:
    """Run steps inside a change.

    Raises:
        Problem: 409, the registry does not allow it.
    """
    try:
        return await drive(change, steps)
    except NotIssuedError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from None
