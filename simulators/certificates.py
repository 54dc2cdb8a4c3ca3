"""Client certificates of devices: a folder with a certificate and its key for each device that logs in with one."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Who logs in with a certificate, and where."""

    folder: Path  # holds <device>.crt and <device>.key, PEM
    devices: frozenset[str]  # those that have both
    port: int  # of the broker, where it asks for them
    ca_file: Path | None  # authority of the broker; None: those of the system

    def context(self, device_id: str) -> ssl.SSLContext:
        """TLS as one device; read anew at each call, so that a device that comes back uses what lies there by then.

        Reads files and so blocks for about a millisecond.

        Args:
            device_id: one of `devices`.

        Raises:
            OSError: certificate or key cannot be read, or they do not belong together; says which.
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        certificate, key = self.folder / f"{device_id}.crt", self.folder / f"{device_id}.key"
        try:
            context.load_cert_chain(certificate, key)
        except ssl.SSLError as error:
            raise OSError(f"{certificate} and {key.name} are no certificate with its key: {error.reason}") from error
        except OSError as error:
            raise OSError(f"{certificate} or {key.name}: {error.strerror}") from error
        return context


def find_certificates(folder: Path, devices: Iterable[str], port: int, ca_file: Path | None) -> Certificates:
    """The certificates of a fleet.

    Args:
        folder: where `<device>.crt` and `<device>.key` lie; other files in it do not matter.
        devices: ids of the fleet; those without a certificate log in with an account.
        port: of the broker, for certificates.
        ca_file: authority of the broker.

    Raises:
        ValueError: a certificate without its key, or none of any device.
    """
    found = frozenset(device for device in devices if (folder / f"{device}.crt").is_file())
    if not found:
        raise ValueError(f"{folder} holds no certificate of a device of this fleet; wanted: <device>.crt, <device>.key")
    for device in sorted(found):
        if not (folder / f"{device}.key").is_file():
            raise ValueError(f"{folder / device}.crt has no key beside it; wanted: {device}.key")
    return Certificates(folder, found, port, ca_file)
