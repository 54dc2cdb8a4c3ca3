"""Makes a certificate authority for development, and certificates of broker and devices signed by it.

    development_ca.py authority FOLDER                        ca.crt, ca.key
    development_ca.py server FOLDER [NAME ...] [--days N]     server.crt, server.key for these host names and addresses
    development_ca.py device FOLDER DEVICE ... [--days N]     DEVICE.crt, DEVICE.key; the subject is the device id

What stands there already stays; --again makes it anew. A city with an authority of its own takes that one: the broker
wants nothing but the same files. Exit status: 0 done, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
SERVER_NAMES = ("broker", "localhost", "127.0.0.1", "::1")


def make_authority(folder: Path, days: float = AUTHORITY_DAYS) -> None:
    """Write ca.crt and ca.key; the key signs certificates and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder("Thu Bon development CA", key, days)
        .issuer_name(_name("Thu Bon development CA"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _write(folder, "ca", key, builder.sign(key, SHA256()))


def make_server(folder: Path, names: list[str], days: float) -> None:
    """Write server.crt and server.key for host names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    builder = _leaf(names[0], key, days, ExtendedKeyUsageOID.SERVER_AUTH).add_extension(alternatives, critical=False)
    _write(folder, "server", key, _signed(folder, builder))


def make_device(folder: Path, device_id: str, days: float) -> None:
    """Write <device>.crt and <device>.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    _write(folder, device_id, key, _signed(folder, _leaf(device_id, key, days, ExtendedKeyUsageOID.CLIENT_AUTH)))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(common_name: str, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    ends = now + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour back, for devices whose clock is late; a certificate made to have ended begins before its end.
        .not_valid_before(min(now, ends) - timedelta(hours=1))
        .not_valid_after(ends)
    )


def _leaf(
    common_name: str, key: ec.EllipticCurvePrivateKey, days: float, purpose: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    return (
        _builder(common_name, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )


def _signed(folder: Path, builder: x509.CertificateBuilder) -> x509.Certificate:
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return builder.issuer_name(authority.subject).add_extension(identifier, critical=False).sign(key, SHA256())


def _write(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))


def main(arguments: list[str] | None = None) -> int:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(
        description="A certificate authority for development.", epilog="What stands already stays."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, days in (("authority", AUTHORITY_DAYS), ("server", 365), ("device", 365)):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        if name != "authority":
            command.add_argument("names", nargs="*" if name == "server" else "+", default=[])
        command.add_argument("--days", type=float, default=days, help=f"how long it is good, default {days}")
        command.add_argument("--again", action="store_true", help="make it anew")
    options = parser.parse_args(arguments)
    folder: Path = options.folder
    names = {"authority": ["ca"], "server": ["server"]}.get(options.command) or options.names
    if options.command != "authority" and not (folder / "ca.key").exists():
        parser.error(f"{folder} has no ca.key: make the authority first")
    for name in names:
        if (folder / f"{name}.crt").exists() and not options.again:
            continue
        if options.command == "authority":
            make_authority(folder, options.days)
        elif options.command == "server":
            make_server(folder, options.names or [*SERVER_NAMES], options.days)
        else:
            make_device(folder, name, options.days)
        print(folder / f"{name}.crt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
