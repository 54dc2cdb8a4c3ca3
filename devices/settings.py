"""Settings of the registry's commands, read once at the start and passed down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, PostgresDsn, UrlConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict


class RegistrySettings(BaseSettings):
    """What `python -m devices` may be told; every name stands in the environment with the prefix `THUBON_`.

    A secret may also stand in a file of that name (small letters) in `THUBON_SECRETS_DIR` or `/run/secrets`.
    """

    model_config = SettingsConfigDict(env_prefix="THUBON_", extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[PostgresDsn, UrlConstraints(host_required=False)] = Field(
        description="PostgreSQL URL of a login that is a member of thubon_owner"
    )


def read_settings() -> RegistrySettings:
    """Read the environment.

    Raises:
        pydantic.ValidationError: a setting is missing or wrong.
    """
    secrets = Path(os.environ.get("THUBON_SECRETS_DIR", "/run/secrets"))
    # Under mypy the class wants its fields by name, the environment gives them.
    return RegistrySettings(_secrets_dir=secrets if secrets.is_dir() else None)  # type: ignore[call-arg]
