"""What a run of the simulators is told from outside: where the broker is and how the run goes."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, DirectoryPath, Field, FilePath, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _broker_url(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        known = parts.scheme in {"mqtt", "mqtts"} and parts.hostname
        _ = parts.port
    except ValueError:
        # Not its text: it may repeat a part of the password.
        raise ValueError("is not an address with a port up to 65535; percent-encode the password") from None
    if not known:
        raise ValueError("must be mqtt://[user:password@]host[:port] or mqtts://[user:password@]host[:port]")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("must end after the port")
    return value


class SimulatorSettings(BaseSettings):
    """Settings from the environment, or from files named after them in the secrets folder."""

    model_config = SettingsConfigDict(env_prefix="THUBON_", frozen=True, extra="ignore", hide_input_in_errors=True)

    broker_url: Annotated[SecretStr, AfterValidator(_broker_url)] = Field(
        description="broker as a URL, with the user and password of devices that have no account of their own"
    )
    broker_ca_file: FilePath | None = Field(default=None, description="authority of the broker's certificate (mqtts)")
    simulators_credentials_file: FilePath | None = Field(
        default=None, description="CSV with device, username and password: the accounts of the devices"
    )
    simulators_certificates_dir: DirectoryPath | None = Field(
        default=None, description="folder with <device>.crt and <device>.key of devices that log in with certificates"
    )
    simulators_certificates_port: int = Field(
        default=8884, ge=1, le=65_535, description="port of the broker where it asks for certificates"
    )


def read_settings() -> SimulatorSettings:
    """Read the settings.

    Raises:
        pydantic.ValidationError: a setting is missing or wrong.
    """
    folder = Path(os.environ.get("THUBON_SECRETS_DIR", "/run/secrets"))
    # Under mypy the class wants its fields by name, the environment gives them.
    return SimulatorSettings(_secrets_dir=folder if folder.is_dir() else None)  # type: ignore[call-arg]


class Broker:
    """Where devices connect to."""

    def __init__(self, url: SecretStr) -> None:
        """Take the parts of a checked `mqtt://` or `mqtts://` URL."""
        parts = urlsplit(url.get_secret_value())
        self.tls = parts.scheme == "mqtts"
        self.host = parts.hostname or ""
        self.port = parts.port or (8883 if self.tls else 1883)
        self.user = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password) if parts.password else None

    def client_id(self, program: str) -> str:
        """A client id of its own for one connection, beginning with the user: the broker lets nobody else's in."""
        return f"{self.user or 'thubon'}:{program}-{token_hex(6)}"

    def __str__(self) -> str:
        """Address without credentials, for messages."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"
