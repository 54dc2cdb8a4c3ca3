"""Credentials of devices in the registry: issued, rotated, registered, revoked.

Steps, as `devices.steps` describes them; whoever drives them commits, as thubon_owner or thubon_api, and the broker
follows the commit within two seconds by itself (`devices.identity.keeper`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from devices.identity.passwords import make_password
from devices.steps import Steps, ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from devices.identity.certificates import Certificate

OVERLAP: Final = timedelta(days=1)
"""How long a password is still good after the next one was issued, unless told otherwise."""
OVERLAP_MAX: Final = timedelta(days=30)


class NotIssuedError(Exception):
    """No credential was made; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class IssuedPassword:
    """A password to hand over; it is shown this once."""

    device_id: str  # also the user name, and the client id or its beginning
    credential_id: UUID
    password: str = field(repr=False)


def issue_passwords(
    device_ids: Sequence[str], *, by: str, overlap: timedelta | None = None
) -> Steps[list[IssuedPassword]]:
    """Issue a password to each device, all or none.

    Args:
        device_ids: each once.
        by: who issues, for the record.
        overlap: None adds a password; else the device's other passwords end after it, which is a rotation.

    Raises:
        NotIssuedError: a device is unknown, retired, has a reserved name or eight credentials in force already.
    """
    passwords = [make_password() for _ in device_ids]
    rows = yield from ask(
        "issue_passwords",
        device_ids=list(device_ids),
        salts=[each.salt for each in passwords],
        digests=[each.digest for each in passwords],
        by=by,
        overlap_s=None if overlap is None else overlap.total_seconds(),
    )
    made = {row["device_id"]: row["credential_id"] for row in rows}
    for device_id in device_ids:
        if device_id not in made:
            raise NotIssuedError(refusal(device_id))
    return [
        IssuedPassword(device_id, made[device_id], password.text)
        for device_id, password in zip(device_ids, passwords, strict=True)
    ]


def issue_missing(device_ids: Iterable[str] | None, *, by: str) -> Steps[list[IssuedPassword]]:
    """Issue a password to each of these devices (None: of all) that is in service and has no credential in force."""
    rows = yield from ask("devices_without_credential", device_ids=None if device_ids is None else list(device_ids))
    return (yield from issue_passwords([row["device_id"] for row in rows], by=by)) if rows else []


def register_certificate(certificate: Certificate, *, by: str) -> Steps[UUID]:
    """Let a device in with this certificate.

    Raises:
        NotIssuedError: as for passwords, or the certificate was registered before (perhaps it is revoked).
    """
    rows = yield from ask(
        "register_certificate",
        device_id=certificate.device_id,
        digest=certificate.digest,
        serial=certificate.serial,
        ends=certificate.ends,
        by=by,
    )
    if not rows:
        raise NotIssuedError(f"{refusal(certificate.device_id)}, or this certificate was registered before")
    credential_id: UUID = rows[0]["credential_id"]
    return credential_id


def revoke(device_id: str, credential_id: UUID | None = None, *, by: str) -> Steps[list[UUID]]:
    """End one credential of a device, or all, at once; the broker disconnects who came with it.

    Returns:
        The credentials that were in force or expired, and are revoked now.
    """
    rows = yield from ask("revoke_credentials", device_id=device_id, credential_id=credential_id, by=by)
    return [row["credential_id"] for row in rows]


def refusal(device_id: str) -> str:
    """Why a device gets no credential, as far as it is known to whoever may ask."""
    return f"{device_id} is not in service, bears a name reserved for programs, or has eight credentials in force"
