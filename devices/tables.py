"""Reads the tables beside the formulas: dated rows with their source."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from devices.yaml_file import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.models import Domain

Shape = TypeVar("Shape")
Row = TypeVar("Row", bound="DatedEntry")


def _local_date(text: Any) -> Any:
    return date.fromisoformat(text) if isinstance(text, str) else text


LocalDate = Annotated[date, BeforeValidator(_local_date)]


class Entry(BaseModel):
    """A part of a table; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DatedEntry(Entry):
    """A row that is in force for some time, local dates of Asia/Ho_Chi_Minh."""

    first: LocalDate = Field(alias="from")  # inclusive
    until: LocalDate | None = None  # exclusive; None: still in force

    def holds_on(self, day: date) -> bool:
        """Whether it is in force on a local day."""
        return self.first <= day and (self.until is None or day < self.until)


def in_force(rows: Sequence[Row], day: date, what: str) -> Row:
    """The row that is in force on a local day.

    Raises:
        LookupError: there is none; `what` says of what.
    """
    found = next((row for row in rows if row.holds_on(day)), None)
    if found is None:
        raise LookupError(f"no {what} hold on {day}")
    return found


def read_table(domain: Domain, name: str, shape: type[Shape]) -> Shape:
    """Read a table of a domain's package.

    Raises:
        DataFileError: names file, line, key and what is allowed.
    """
    document = read_yaml(files(f"devices.{domain}") / name)
    try:
        return TypeAdapter(shape).validate_python(document.value)
    except ValidationError as error:
        raise document.validation_error(error) from error
