"""What the API answers about people and programs. See `api.schemas`."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from api.grants import RoleName
from api.schemas import NextCursor

GrantWords = Annotated[
    dict[str, RoleName], Field(description="town, or `*` for all of them -> role", examples=[{"hoi-an": "operator"}])
]


class SessionState(TypedDict):
    """Who asks."""

    role: Annotated[RoleName | None, Field(description="highest role anywhere; null: not logged in")]
    name: Annotated[str | None, Field(description="as the audit has it", examples=["an.nguyen"])]
    grants: GrantWords
    expires_time: Annotated[datetime | None, Field(description="when this ends by itself")]
    csrf: Annotated[str | None, Field(description="what a page sends as X-CSRF-Token with a change")]
    open: Annotated[bool, Field(description="everybody on this machine may read without login")]
    openid: Annotated[bool, Field(description="whether one can log in at a provider, GET /v1/session/openid")]


class User(TypedDict):
    """A local account."""

    name: Annotated[str, Field(examples=["an.nguyen"])]
    display_name: Annotated[str, Field(examples=["Nguyễn Văn An"])]
    grants: GrantWords
    created_time: datetime
    password_time: Annotated[datetime, Field(description="when its password was set")]
    last_login_time: datetime | None
    disabled_time: Annotated[datetime | None, Field(description="since when it may not log in")]


class Users(TypedDict):
    """Accounts by name."""

    items: list[User]
    next: NextCursor


class ApiKey(TypedDict):
    """A program's key; the key itself was told once."""

    id: UUID
    name: Annotated[str, Field(examples=["school-42"])]
    beginning: Annotated[str, Field(description="its first characters", examples=["thubon_Zk3pQa"])]
    grants: GrantWords
    created_by: str
    created_time: datetime
    expires_time: datetime
    revoked_time: datetime | None
    last_used_time: Annotated[datetime | None, Field(description="to the minute")]
    last_used_address: str | None


class NewApiKey(ApiKey):
    """A key, the one time it is told."""

    key: Annotated[str, Field(description="send it as `Authorization: Bearer <key>`; it is kept nowhere")]


class ApiKeys(TypedDict):
    """Keys, newest first."""

    items: list[ApiKey]
    next: NextCursor


class AuditEntry(TypedDict):
    """A change, or attempts that were refused."""

    time: datetime
    actor: Annotated[
        str, Field(description="account, `key:` or `cli:` and name, `openid:<sub>:<name>`; `-`: not proved")
    ]
    address: str | None
    action: Annotated[str, Field(examples=["user.change"])]
    outcome: Literal["done", "refused"]
    town: Annotated[str | None, Field(description="null: of no town or of all")]
    subject: Annotated[str, Field(examples=["an.nguyen"])]
    detail: Annotated[str | None, Field(description="why it was refused")]
    attempts: Annotated[int, Field(description="refusals of one moment that it stands for", ge=1)]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditPage(TypedDict):
    """One page of the audit, newest first."""

    items: list[AuditEntry]
    next: NextCursor
