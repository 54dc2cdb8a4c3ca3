"""Settings of the ingest programs, from the environment (prefix THUBON_) or from files of the same names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from devices.address import check_address
from devices.models import IDENTIFIER_PATTERN

_RECEIVE_MAXIMUM = 65_535


def _secrets_dir() -> str | None:
    folder = os.environ.get("THUBON_SECRETS_DIR", "/run/secrets")
    return folder if Path(folder).is_dir() else None


class StorageSettings(BaseSettings):
    """What every program of the ingest room needs to know: the database, and what is taken."""

    model_config = SettingsConfigDict(
        env_prefix="THUBON_",
        secrets_dir=_secrets_dir(),
        extra="ignore",
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    database_url: SecretStr
    payload_bytes: Annotated[int, Field(ge=1_024, le=1_048_576, alias="THUBON_INGEST_PAYLOAD_BYTES")] = 262_144
    message_readings: Annotated[int, Field(ge=1, le=100_000, alias="THUBON_INGEST_MESSAGE_READINGS")] = 10_000
    clock_ahead_s: Annotated[float, Field(ge=0, le=86_400, alias="THUBON_INGEST_CLOCK_AHEAD_S")] = 300.0
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 400

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgres://", "host=", "dbname=")):
            raise ValueError("must be a PostgreSQL address such as postgresql://user@host/database")
        return check_address(value)


class WorkerSettings(StorageSettings):
    """What `python -m ingest worker` needs to know."""

    broker_url: SecretStr
    broker_username: str | None = None
    broker_password: SecretStr | None = None
    broker_ca_file: FilePath | None = None  # trust this CA instead of the system's; mqtts alone
    broker_certificate_file: FilePath | None = None  # client certificate, with its key
    broker_key_file: FilePath | None = None
    worker: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", alias="THUBON_INGEST_WORKER")] = "worker-1"
    share: Annotated[
        str | None,
        Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", alias="THUBON_INGEST_SHARE"),
    ] = None  # shared subscription group; all workers of one group share the messages
    towns: Annotated[tuple[str, ...] | None, NoDecode, Field(alias="THUBON_INGEST_TOWNS")] = None  # None: all
    receive_maximum: Annotated[int, Field(ge=10, le=_RECEIVE_MAXIMUM, alias="THUBON_INGEST_RECEIVE_MAXIMUM")] = 16_000
    batch_messages: Annotated[int, Field(ge=1, le=_RECEIVE_MAXIMUM, alias="THUBON_INGEST_BATCH_MESSAGES")] = 8_000
    batch_readings: Annotated[int, Field(ge=1, le=1_000_000, alias="THUBON_INGEST_BATCH_READINGS")] = 60_000
    batch_bytes: Annotated[int, Field(ge=1_024, le=268_435_456, alias="THUBON_INGEST_BATCH_BYTES")] = 16_777_216
    linger_ms: Annotated[float, Field(ge=0, le=1_000, alias="THUBON_INGEST_LINGER_MS")] = 10.0
    fold_ms: Annotated[float, Field(ge=20, le=1_000, alias="THUBON_INGEST_FOLD_MS")] = 50.0
    device_readings_a_minute: Annotated[
        int, Field(ge=1, le=1_000_000_000, alias="THUBON_INGEST_DEVICE_READINGS_A_MINUTE")
    ] = 6_000  # of phenomenon time, so that a back-fill is no flood
    sample_after: Annotated[int, Field(ge=1, le=1_000_000, alias="THUBON_INGEST_SAMPLE_AFTER")] = 60
    session_expiry_s: Annotated[int, Field(ge=60, le=4_294_967_295, alias="THUBON_INGEST_SESSION_EXPIRY_S")] = 604_800
    keep_alive_s: Annotated[int, Field(ge=2, le=3_600, alias="THUBON_INGEST_KEEP_ALIVE_S")] = 20
    rejection_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    live_minutes: Annotated[int, Field(ge=1, le=1_440)] = 15
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 2_147_483_648
    http_host: str = Field("127.0.0.1", alias="THUBON_METRICS_HOST")
    http_port: Annotated[int, Field(ge=0, le=65_535, alias="THUBON_METRICS_PORT")] = 9_108

    @field_validator("broker_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value())
            known = parts.scheme in ("mqtt", "mqtts") and parts.hostname and parts.port != 0
        except ValueError:
            known = False  # its own text may repeat a part of the password
        if not known:
            raise ValueError("must be mqtt://host[:port] or mqtts://host[:port]")
        return value

    @field_validator("towns", mode="before")
    @classmethod
    def _are_towns(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        towns = tuple(value.replace(",", " ").split()) or None
        for town in towns or ():
            if re.fullmatch(IDENTIFIER_PATTERN, town) is None:
                raise ValueError(f"{town!r} is not a town's id; write them as hoi-an,tam-ky")
        return towns

    @model_validator(mode="after")
    def _batches_can_fill(self) -> Self:
        # The broker sends no more than receive_maximum before it sees an acknowledgement. A batch that waited for more
        # messages than that could only be closed by its age, and half of the window has to stay free while one is
        # written.
        if self.batch_messages * 2 > self.receive_maximum:
            raise ValueError(
                f"THUBON_INGEST_BATCH_MESSAGES ({self.batch_messages}) must be at most half of"
                f" THUBON_INGEST_RECEIVE_MAXIMUM ({self.receive_maximum})"
            )
        if (self.broker_certificate_file is None) != (self.broker_key_file is None):
            raise ValueError("THUBON_BROKER_CERTIFICATE_FILE and THUBON_BROKER_KEY_FILE belong together")
        return self

    def broker(self) -> BrokerAddress:
        """Where the broker is and who we are there; names of their own win over those in the address."""
        parts = urlsplit(self.broker_url.get_secret_value())
        tls = parts.scheme == "mqtts"
        password = self.broker_password.get_secret_value() if self.broker_password else None
        if password is None and parts.password is not None:
            password = unquote(parts.password)
        return BrokerAddress(
            host=parts.hostname or "",
            port=parts.port or (8_883 if tls else 1_883),
            tls=tls,
            username=self.broker_username or (unquote(parts.username) if parts.username else None),
            password=password,
            ca_file=self.broker_ca_file,
            certificate_file=self.broker_certificate_file,
            key_file=self.broker_key_file,
        )


class BrokerAddress:
    """Where the broker is and how we log in; its text never shows the password."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tls: bool = False,
        username: str | None = None,
        password: str | None = None,
        ca_file: Path | None = None,
        certificate_file: Path | None = None,
        key_file: Path | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.username = username
        self.password = password
        self.ca_file = ca_file
        self.certificate_file = certificate_file
        self.key_file = key_file

    def __str__(self) -> str:
        """The address without the login."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def client_id(settings: WorkerSettings) -> str:
    """The worker's MQTT client id: fixed, so that the broker keeps its session over restarts."""
    return f"thubon-ingest-{settings.worker}"
