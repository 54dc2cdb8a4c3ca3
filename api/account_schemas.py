"""What the API answers about the account: the ledger, refusals everywhere, replays. See `api.schemas`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from api.schemas import NextCursor

Count = Annotated[int, Field(description="readings", ge=0, examples=[6])]


class LedgerEntry(TypedDict):
    """What came from one source within one hour, and what became of it; received is the sum of the others."""

    hour: Annotated[datetime, Field(description="start of the hour of receipt, UTC")]
    town: Annotated[str, Field(description="`-`: from nobody registered", examples=["hoi-an"])]
    source: Annotated[str, Field(description="device or gateway that sent it; `-`: nobody registered")]
    family: Annotated[str, Field(description="payload family; status words are counted in `status`")]
    received: Count
    stored: Count
    duplicate: Annotated[int, Field(description="readings that stood already", ge=0)]
    conflict: Annotated[int, Field(description="readings whose place held another value; the first stays", ge=0)]
    rejected: Annotated[int, Field(description="readings refused, and not replayed since", ge=0)]
    missing: Annotated[int, Field(description="readings sent as null", ge=0)]


class BrokerReport(TypedDict):
    """What a broker says of itself."""

    broker: Annotated[str, Field(examples=["mqtt://broker:1883"])]
    dropped: Annotated[int, Field(description="messages dropped at its bounds; they are in no entry", ge=0)]
    dropped_time: Annotated[datetime | None, Field(description="when that last grew")]
    reported_time: Annotated[datetime, Field(description="when it last changed")]


class Ledger(TypedDict):
    """One page of the ledger, newest hour first."""

    items: list[LedgerEntry]
    next: NextCursor
    broker_dropped: Annotated[list[BrokerReport], Field(description="a broker each; empty where none tells")]


class Replay(TypedDict):
    """A wish that refusals be sent through the way again, and how far it is."""

    id: UUID
    state: Literal["waiting", "running", "done", "failed"]
    reason: str | None
    device: str | None
    town: str | None
    requested_time: datetime
    started_time: datetime | None
    finished_time: datetime | None
    messages: Annotated[int, Field(description="messages sent through again", ge=0)]
    mended: Annotated[int, Field(description="readings that left their refusal", ge=0)]
    stored: Count
    duplicate: Count
    conflict: Count
    missing: Count
    refused: Annotated[int, Field(description="readings of these messages that are refused still", ge=0)]
    error: Annotated[str | None, Field(description="why it failed")]
