"""Certificates of devices and of the broker: what their files say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from devices.models import IDENTIFIER_PATTERN

if TYPE_CHECKING:
    from datetime import datetime

CERTIFICATE_MAX_BYTES: Final = 16_384


class CertificateError(ValueError):
    """This certificate cannot be a device's; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What we keep of a certificate."""

    device_id: str  # common name of the subject
    serial: str  # hexadecimal
    digest: bytes  # SHA-256 of its DER
    begins: datetime  # aware UTC
    ends: datetime


def read_certificate(pem: bytes, *, now: datetime) -> Certificate:
    """Read a device's certificate.

    That our authority signed it is the broker's to check at every connection; refused here is what would never work.

    Args:
        pem: one certificate, PEM, at most CERTIFICATE_MAX_BYTES.
        now: aware.

    Raises:
        CertificateError: it is none, has ended, or its subject is no device id.
    """
    if len(pem) > CERTIFICATE_MAX_BYTES:
        raise CertificateError(f"longer than {CERTIFICATE_MAX_BYTES} bytes")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateError("not a certificate in PEM") from error
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or not re.fullmatch(IDENTIFIER_PATTERN, str(names[0].value)):
        raise CertificateError("the subject's common name must be the device id")
    if certificate.not_valid_after_utc <= now:
        raise CertificateError(f"it ended at {certificate.not_valid_after_utc.isoformat()}")
    return Certificate(
        str(names[0].value),
        f"{certificate.serial_number:x}",
        certificate.fingerprint(SHA256()),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def read_ends(pem: bytes) -> list[datetime]:
    """When each certificate of a PEM file ends, aware UTC; for those of the authority and of the broker.

    Raises:
        CertificateError: it holds none.
    """
    try:
        return [each.not_valid_after_utc for each in x509.load_pem_x509_certificates(pem)]
    except ValueError as error:
        raise CertificateError("no certificate in PEM") from error
