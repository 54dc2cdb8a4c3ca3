"""Settings of the registry's commands, read once at the start and passed down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PostgresDsn, UrlConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from devices.address import check_address


class RegistrySettings(BaseSettings):
    """What `python -m devices` may be told; every name stands in the environment with the prefix `THUBON_`.

    A secret may also stand in a file of that name (small letters) in `THUBON_SECRETS_DIR` or `/run/secrets`.
    """

    model_config = SettingsConfigDict(env_prefix="THUBON_", extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[PostgresDsn, UrlConstraints(host_required=False), AfterValidator(check_address)] = Field(
        description="PostgreSQL URL of a login that is a member of thubon_owner"
    )


class BrokerSettings(BaseSettings):
    """What `python -m devices broker` may be told, in the same way."""

    model_config = SettingsConfigDict(env_prefix="THUBON_", extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[PostgresDsn, UrlConstraints(host_required=False), AfterValidator(check_address)] = Field(
        description="PostgreSQL URL of a login in thubon_identity"
    )
    broker_accounts_file: Path = Field(description="written for the broker; its folder is ours alone to write")
    broker_state_file: Path = Field(description="written by the broker: what it holds")
    broker_ca_file: Path | None = Field(None, description="the authority of broker and devices, to watch its end")
    broker_certificate_file: Path | None = Field(None, description="the broker's certificate, to watch its end")
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9_110


def read_settings() -> RegistrySettings:
    """Read the environment for the registry's commands.

    Raises:
        pydantic.ValidationError: a setting is missing or wrong.
    """
    # Under mypy the class wants its fields by name, the environment gives them.
    return RegistrySettings(_secrets_dir=_secrets())  # type: ignore[call-arg]


def read_broker_settings() -> BrokerSettings:
    """Read the environment for the keeper of the broker's accounts.

    Raises:
        pydantic.ValidationError: a setting is missing or wrong.
    """
    return BrokerSettings(_secrets_dir=_secrets())  # type: ignore[call-arg]


def _secrets() -> Path | None:
    folder = Path(os.environ.get("THUBON_SECRETS_DIR", "/run/secrets"))
    return folder if folder.is_dir() else None
