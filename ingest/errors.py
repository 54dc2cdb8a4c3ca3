"""Errors, named by what the caller does about them; the docstring is the message."""

from __future__ import annotations


class IngestError(Exception):
    """Ingest failed."""

    def __init__(self, detail: str = "") -> None:
        text = (self.__doc__ or "").splitlines()[0]
        super().__init__(f"{text} {detail}".strip())


class ConnectionRefusedByBrokerError(IngestError):
    """The broker refused us; it is asked again after a pause."""


class StorageAwayError(IngestError):
    """The database cannot be written to at the moment; the same batch is tried again after a pause."""


class OutdatedError(IngestError):
    """What a replay has read was changed meanwhile; it is read anew."""
