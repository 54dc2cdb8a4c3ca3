"""What a request about the account may say. See `api.dependencies`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import PAGE_LIMIT, Cursor, Identifier, Limit, RejectionsQuery, Time
from api.errors import bad_parameter
from api.invalid import InvalidCode, invalid_words
from devices.reasons import Reason

_LEDGER_SPAN = timedelta(days=1)

ReplayPath = Annotated[UUID, Path(description="`id` of a replay", examples=["0b9f4c1e-6d43-4c0e-9e5b-6f1c1b1f3a52"])]


class AllRejectionsQuery(RejectionsQuery):
    """Which rejections, by received time; newest first."""

    town: Identifier | None = Field(default=None, description="only this town, by registry or topic")
    device: Identifier | None = Field(default=None, description="only of or about this device")
    reason: Reason | None = Field(default=None, description="only of this reason")


class LedgerQuery(BaseModel):
    """Which entries, by hour of receipt."""

    model_config = ConfigDict(extra="forbid")

    town: Identifier | None = Field(default=None, description="only this town")
    source: Identifier | None = Field(default=None, description="only what this device or gateway sent")
    family: Identifier | None = Field(default=None, description="only this payload family", examples=["telemetry"])
    first: Time | None = Field(default=None, alias="from", description="inclusive; a day before `to` where left out")
    last: Time | None = Field(default=None, alias="to", description="exclusive; now where left out")
    limit: Limit = PAGE_LIMIT
    cursor: Cursor = None

    def span(self) -> tuple[datetime, datetime]:
        """The span asked for.

        Raises:
            Problem: 400, it ends before it begins.
        """
        last = self.last or datetime.now(UTC)
        first = self.first or last - _LEDGER_SPAN
        if first >= last:
            raise bad_parameter("to", invalid_words(InvalidCode.SPAN_ORDER))
        return first, last


class ReplayWish(BaseModel):
    """Which refusals to replay; nothing named: all that are kept."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason | None = Field(default=None, description="only of this reason", examples=["unknown-datastream"])
    device: Identifier | None = Field(default=None, description="only of or about this device")
    town: Identifier | None = Field(default=None, description="only this town, by registry or topic")
    first: Time | None = Field(default=None, alias="from", description="received at or after")
    last: Time | None = Field(default=None, alias="to", description="received before")

    def parameters(self) -> dict[str, Any]:
        """As the statement wants them.

        Raises:
            Problem: 400, the span ends before it begins.
        """
        if self.first is not None and self.last is not None and self.first >= self.last:
            raise bad_parameter("to", invalid_words(InvalidCode.SPAN_ORDER), where="body")
        return self.model_dump(mode="python")
