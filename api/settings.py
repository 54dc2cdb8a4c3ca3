"""Settings of the API, read once at the start and passed down."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PostgresDsn, SecretStr, UrlConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.grants import RoleName
from devices.address import check_address

TOKEN_LENGTH_MIN = 24
"""Shortest bearer token taken, in characters: 24 of base64 are 144 bits."""

OpenIdGrants = dict[str, dict[str, RoleName]]
"""Group -> town or `*` -> role."""


DatabaseUrl = Annotated[PostgresDsn, UrlConstraints(host_required=False), AfterValidator(check_address)]


class ApiSettings(BaseSettings):
    """What `python -m api` may be told; every name stands in the environment with the prefix `THUBON_`.

    A secret may also stand in a file of that name (small letters) in `THUBON_SECRETS_DIR` or `/run/secrets`.
    """

    model_config = SettingsConfigDict(env_prefix="THUBON_", extra="ignore", frozen=True, hide_input_in_errors=True)

    read_database_url: DatabaseUrl = Field(description="PostgreSQL URL of a login that is a member of thubon_read")
    database_url: DatabaseUrl | None = Field(
        default=None,
        description="PostgreSQL URL of a login that is a member of thubon_api; without it nothing can be changed",
    )
    http_host: str = Field(default="127.0.0.1", description="address to listen on")
    http_port: int = Field(default=8000, ge=1, le=65535, description="port to listen on")
    api_token: SecretStr | None = Field(
        default=None,
        description=f"bearer token of an administrator of all towns; at least {TOKEN_LENGTH_MIN} characters",
    )
    open_viewer: bool = Field(default=False, description="page and /v1 without login; loopback addresses only")
    disk_reserve_bytes: int = Field(
        default=2 * 1024**3, ge=0, description="free space of the database below which /readyz degrades"
    )
    http_connections: int = Field(default=8, ge=1, le=100, description="database connections held at most")
    http_query_timeout_ms: int = Field(default=10_000, ge=100, le=60_000, description="longest one query may take")
    http_live_clients: int = Field(default=500, ge=1, le=10_000, description="clients of /v1/live at a time")
    http_session_hours: int = Field(default=12, ge=1, le=24 * 30, description="life of a page's login")
    http_requests_a_minute: int = Field(
        default=12_000, ge=10, le=1_000_000, description="requests of one address; further ones are answered with 429"
    )
    http_cors_origins: str | None = Field(
        default=None, description="origins whose pages may ask with a token, by comma; without it none"
    )
    openid_issuer: str | None = Field(
        default=None, max_length=500, description="address of the OpenID provider; https, or http on loopback"
    )
    openid_client_id: str | None = Field(default=None, max_length=500, description="our name at the provider")
    openid_client_secret: SecretStr | None = Field(default=None, description="our secret there, where it gave one")
    openid_audience: str | None = Field(
        default=None, max_length=500, description="audience of programs' access tokens; without it they are not taken"
    )
    openid_groups_claim: str = Field(
        default="groups", max_length=100, description="claim that names a person's groups; dots lead inwards"
    )
    openid_grants: OpenIdGrants = Field(
        default={}, description='what groups are granted, as {"<group>": {"<town or *>": "<role>"}}'
    )
    openid_redirect_url: str | None = Field(
        default=None,
        max_length=500,
        description="where the provider sends people back to: <page>/v1/session/openid/done",
    )
    http_trusted_proxies: str = Field(
        default="127.0.0.1", description="addresses whose X-Forwarded-For and -Proto are believed, by comma"
    )

    @model_validator(mode="after")
    def _no_open_door(self) -> Self:
        if self.api_token is not None and len(self.api_token.get_secret_value()) < TOKEN_LENGTH_MIN:
            raise ValueError(f"THUBON_API_TOKEN: must have at least {TOKEN_LENGTH_MIN} characters")
        if self.open_viewer and not is_loopback(self.http_host):
            raise ValueError("THUBON_OPEN_VIEWER: serves without login, so THUBON_HTTP_HOST must be a loopback address")
        if not self.open_viewer and self.api_token is None and self.database_url is None:
            raise ValueError(
                "THUBON_DATABASE_URL: must be set for people to log in, or THUBON_API_TOKEN, or THUBON_OPEN_VIEWER=yes "
                "on a loopback address"
            )
        return self

    @model_validator(mode="after")
    def _whole_provider(self) -> Self:
        for origin in self.cors_origins:
            if not re.fullmatch(r"https?://[^/\s*]+", origin):
                raise ValueError(f"THUBON_HTTP_CORS_ORIGINS: {origin!r} is no origin, such as https://map.example")
        if self.openid_issuer is None:
            return self
        for name, value in (("CLIENT_ID", self.openid_client_id), ("REDIRECT_URL", self.openid_redirect_url)):
            if not value:
                raise ValueError(f"THUBON_OPENID_{name}: must be set together with THUBON_OPENID_ISSUER")
        if self.database_url is None:
            raise ValueError("THUBON_DATABASE_URL: must be set together with THUBON_OPENID_ISSUER")
        for name, value in (("ISSUER", self.openid_issuer), ("REDIRECT_URL", self.openid_redirect_url or "")):
            parts = urlsplit(value)
            plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
            if not (plain or (parts.scheme == "https" and parts.hostname)):
                raise ValueError(f"THUBON_OPENID_{name}: must be an https address (http on loopback alone)")
        return self

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Origins whose pages may ask with a token."""
        return tuple(part.strip() for part in (self.http_cors_origins or "").split(",") if part.strip())


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_settings() -> ApiSettings:
    """Read the settings from the environment and the secret files.

    Raises:
        pydantic.ValidationError: a setting is missing or out of its bounds; `wrong_settings` puts it in words.
    """
    secrets_dir = Path(os.environ.get("THUBON_SECRETS_DIR", "/run/secrets"))
    sources: dict[str, Any] = {"_secrets_dir": secrets_dir} if secrets_dir.is_dir() else {}
    return ApiSettings(**sources)


def wrong_settings(error: ValidationError) -> str:
    """One line for each wrong setting: its name and what is allowed, never its value."""
    lines = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        message = fault["msg"].removeprefix("Value error, ")
        path = ".".join(str(part) for part in fault["loc"])
        lines.append(f"THUBON_{path.upper()}: {message}" if path else message)
    return "\n".join(lines)


def describe_settings() -> str:
    """Every setting with its meaning and default, a line each."""
    return "\n".join(
        f"  THUBON_{name.upper()}  {field.description}"
        + ("" if field.is_required() or field.default is None else f" (default {field.default})")
        for name, field in ApiSettings.model_fields.items()
    )
