"""What every MQTT connection of a run shares, and what a client has to be able to do."""

from __future__ import annotations

import csv
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from pathlib import Path

    from simulators.certificates import Certificates
    from simulators.messages import Message
    from simulators.settings import Broker

KEEP_ALIVE_S: Final = 60
CONNECT_TIMEOUT_S: Final = 10.0
ACK_TIMEOUT_S: Final = 30.0
DISCONNECT_TIMEOUT_S: Final = 2.0
CREDENTIALS_COLUMNS: Final = ("device", "username", "password")

Version = Literal["3.1.1", "5"]
QoS = Literal[0, 1, 2]


class LostError(Exception):
    """There is no connection: it was refused, or it is gone. Connect anew, later."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who a device says that it is."""

    username: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class Door:
    """Where at the broker a device connects to."""

    port: int
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Link:
    """How devices reach the broker."""

    broker: Broker
    tls: ssl.SSLContext | None = None
    version: Version = "3.1.1"
    qos: QoS = 1
    accounts: Mapping[str, Account] = field(default_factory=dict)  # by device; others use the broker URL's account
    certificates: Certificates | None = None
    beside: bool = False  # further connections of devices that are connected already

    def client_id(self, device_id: str) -> str:
        """MQTT client id of a device's connection: its id, for a further one its id, a colon and more."""
        return f"{device_id}:history" if self.beside else device_id

    def has_certificate(self, device_id: str) -> bool:
        """Whether a device logs in with a certificate, and so with no account."""
        return self.certificates is not None and device_id in self.certificates.devices

    def account(self, device_id: str) -> Account:
        """The account of a device."""
        if self.has_certificate(device_id):
            return Account(None, None)
        return self.accounts.get(device_id, Account(self.broker.user, self.broker.password))

    def door(self, device_id: str) -> Door:
        """Where a device connects to. May read files: not on the event loop.

        Raises:
            OSError: its certificate cannot be used.
        """
        if self.certificates is not None and self.has_certificate(device_id):
            return Door(self.certificates.port, self.certificates.context(device_id))
        return Door(self.broker.port, self.tls)


class Client(Protocol):
    """One device's MQTT connection with a last will; not to be used again after it is lost."""

    lost: asyncio.Future[str]  # done as soon as the connection is gone: why

    async def connect(self) -> None:
        """Connect and log in.

        Raises:
            LostError: the broker cannot be reached, refuses, or does not answer in time.
        """

    async def publish(self, message: Message, qos: QoS) -> int:
        """Publish; returns when the broker has acknowledged, at QoS 0 when it is handed over.

        Calls go out in the order they are made.

        Returns:
            The reason code of the acknowledgement; from 0x80 on the broker did not take the message (MQTT 5).

        Raises:
            LostError: the connection is gone, or the acknowledgement did not come in time.
        """

    async def disconnect(self) -> None:
        """Take leave of the broker, which then does not publish the will; safe on a connection that is gone."""

    def abort(self) -> None:
        """Let the connection go at once, without a word: the broker publishes the will."""


def tls_context(broker: Broker, ca_file: Path | None) -> ssl.SSLContext | None:
    """How to check the broker; None for mqtt://.

    Raises:
        OSError: the file of the authority cannot be read.
    """
    return ssl.create_default_context(cafile=ca_file) if broker.tls else None


def read_accounts(file: Path) -> dict[str, Account]:
    """The accounts of devices from a CSV file with the columns device, username, password.

    Raises:
        ValueError: the file is no such file; says which line, never a password.
        OSError: it cannot be read.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = [name for name in CREDENTIALS_COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise ValueError(f"{file}:1: no column {', '.join(missing)}; needed: {', '.join(CREDENTIALS_COLUMNS)}")
        accounts = {}
        for row in reader:
            if not all(row[name] for name in CREDENTIALS_COLUMNS):
                raise ValueError(f"{file}:{reader.line_num}: device, username and password must all be given")
            accounts[row["device"]] = Account(row["username"], row["password"])
    return accounts
