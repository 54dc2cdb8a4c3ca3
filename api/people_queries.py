"""What a request about people, keys and the audit may say. See `api.dependencies`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from api.accounts import PASSWORD_MAX, PASSWORD_MIN, RESERVED_NAMES
from api.dependencies import Cursor, Identifier, Limit, Time
from api.errors import bad_parameter
from api.grants import EVERY_TOWN, Grants, Role, RoleName
from api.invalid import USER_NAME_PATTERN, InvalidCode, invalid, invalid_words
from devices.models import IDENTIFIER_PATTERN

KEY_LIFE_MAX = timedelta(days=731)
_TOWNS_MAX = 100

UserPath = Annotated[str, Path(pattern=USER_NAME_PATTERN, description="name of an account", examples=["an.nguyen"])]


def _towns(words: dict[str, RoleName]) -> dict[str, RoleName]:
    for town in words:
        if town != EVERY_TOWN and not re.fullmatch(IDENTIFIER_PATTERN, town):
            raise invalid(InvalidCode.GRANT_TOWN)
    return words


def _plain(text: str) -> str:
    if not text.isprintable():
        raise invalid(InvalidCode.NOT_PRINTABLE)
    return text


GrantWish = Annotated[
    dict[str, RoleName],
    AfterValidator(_towns),
    Field(max_length=_TOWNS_MAX, description="town, or `*` for all -> role", examples=[{"hoi-an": "operator"}]),
]
Password = Annotated[
    str, Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, description=f"at least {PASSWORD_MIN} characters")
]
DisplayName = Annotated[str, AfterValidator(_plain), Field(min_length=1, max_length=100, description="for people")]


def roles_of(words: dict[str, RoleName]) -> Grants:
    """Grants out of a request's words."""
    return {town: Role.named(word) for town, word in words.items()}


class NewUser(BaseModel):
    """An account to make."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(
        pattern=USER_NAME_PATTERN, description="small letters, digits and . _ @ -", examples=["an.nguyen"]
    )
    display_name: DisplayName
    password: Password
    grants: GrantWish

    @field_validator("name")
    @classmethod
    def _nobodys(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise invalid(InvalidCode.NAME_KEPT)
        return name


class UserChange(BaseModel):
    """What is to be different; what is left out stays."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    display_name: DisplayName | None = None
    password: Password | None = None
    grants: GrantWish | None = None
    disabled: bool | None = Field(default=None, description="whether it may not log in any more")


class NewKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: DisplayName = Field(description="whose program it is for", examples=["school-42"])
    grants: GrantWish
    expires_time: Time = Field(description=f"when it ends; at most {KEY_LIFE_MAX.days} days from now")

    def end(self) -> datetime:
        """When it ends.

        Raises:
            Problem: 400, that is past or too far away.
        """
        if not datetime.now(UTC) < self.expires_time <= datetime.now(UTC) + KEY_LIFE_MAX:
            raise bad_parameter("expires_time", invalid_words(InvalidCode.EXPIRY, days=KEY_LIFE_MAX.days), where="body")
        return self.expires_time


class PageQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 100
    cursor: Cursor = None


class AuditQuery(PageQuery):
    """Which entries; newest first."""

    first: Time | None = Field(default=None, alias="from", description="inclusive")
    last: Time | None = Field(default=None, alias="to", description="exclusive")
    town: Identifier | None = Field(default=None, description="only of this town")
    actor: str | None = Field(default=None, max_length=200, description="only by this one", examples=["an.nguyen"])
    action: str | None = Field(default=None, max_length=100, description="only this, or what begins with it and a dot")
    outcome: Literal["done", "refused"] | None = Field(default=None, description="only what was done, or refused")
    text: str | None = Field(default=None, min_length=2, max_length=200, description="only where this occurs")
    format: Literal["json", "csv"] = Field(
        default="json", description="`csv`: the page as a file; the cursor of the next in `X-Next-Cursor`"
    )
