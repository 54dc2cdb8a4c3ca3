"""What the API takes and answers about devices' credentials. See `api.schemas`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from api.schemas import NextCursor
from devices.identity.certificates import CERTIFICATE_MAX_BYTES
from devices.identity.credentials import OVERLAP, OVERLAP_MAX

Kind = Literal["password", "certificate"]
Pending = Literal["add", "change", "remove"]


class NewCredential(BaseModel):
    """What to issue or register."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="`password`: one is made here; `certificate`: the one sent is registered")
    certificate: str | None = Field(
        default=None,
        max_length=CERTIFICATE_MAX_BYTES,
        description="PEM; the subject's common name is the device id; with kind `certificate` alone",
    )


class Rotation(BaseModel):
    """How a rotation goes."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: float = Field(
        default=OVERLAP.total_seconds(),
        ge=0,
        le=OVERLAP_MAX.total_seconds(),
        description="how long the passwords before are still good",
    )


class Credential(TypedDict):
    """A credential without its secret."""

    id: UUID
    kind: Kind
    state: Literal["valid", "expired", "revoked"]
    serial: Annotated[str | None, Field(description="of a certificate, hexadecimal")]
    issued_time: datetime
    issued_by: str
    expires_time: Annotated[datetime | None, Field(description="end of the overlap, or of the certificate")]
    revoked_time: datetime | None
    revoked_by: str | None


class DeviceCredentials(TypedDict):
    """A device's credentials, newest first, 100 at most."""

    device: str
    user_name: Annotated[str, Field(description="also the client id, or its beginning before a colon")]
    broker: Annotated[Pending | None, Field(description="what the broker has yet to do; null: it holds all of this")]
    items: list[Credential]


class IssuedCredential(TypedDict):
    """A new credential; the password is told this once."""

    id: UUID
    kind: Kind
    device: str
    user_name: str
    password: Annotated[str | None, Field(description="null: a certificate was registered")]
    expires_time: datetime | None


class PendingAccount(TypedDict):
    """An account in which the broker differs from the registry."""

    device: str
    change: Pending


class BrokerAccounts(TypedDict):
    """Whether registry and broker agree."""

    agrees: Annotated[bool, Field(description="no account is pending, and the broker confirmed it within a minute")]
    checked_time: Annotated[datetime | None, Field(description="when they were last compared; null: never")]
    agreed_time: Annotated[datetime | None, Field(description="when the broker last confirmed all accounts")]
    trouble: Annotated[str | None, Field(description="what is wrong, for people")]
    items: list[PendingAccount]
    next: NextCursor
