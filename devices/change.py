"""What every change of the registry answers or is refused with, and the checks that several share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devices.registry_file import MAX_NAME_CHARACTERS, wrong_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devices.steps import Row


class ChangeError(Exception):
    """A change is refused.

    Args:
        kind: `unknown`: there is no such thing; `conflict`: it stands against what is stored; `version`: it was changed
            meanwhile; `wrong`: the value itself cannot be.
        field: what it concerns.
        text: what is wrong and what is allowed.
    """

    def __init__(self, kind: str, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.kind = kind
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class Change:
    """What a change did; equal records: nothing was to be done."""

    action: str  # for the audit
    subject: str  # id of the site or device
    town_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    former_town_id: str | None = None  # of a move between towns


def one(rows: Sequence[Row], what: str, identifier: str, version: int | None) -> Row:
    """The one record that was asked for.

    Raises:
        ChangeError: there is none, or it has another version.
    """
    if not rows:
        raise ChangeError("unknown", what, f"there is no {what} '{identifier}'")
    if version is not None and rows[0]["version"] != version:
        text = f"'{identifier}' was changed since (version {rows[0]['version']}, not {version}); read it again"
        raise ChangeError("version", what, text)
    return rows[0]


def check_texts(name: str, labels: Sequence[str]) -> None:
    """Refuse a name or labels that cannot be.

    Raises:
        ChangeError: see there.
    """
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise ChangeError("wrong", "name", f"must be 1 to {MAX_NAME_CHARACTERS} characters that can be printed")
    for text in wrong_labels(labels):
        raise ChangeError("wrong", "labels", text)


def shown(record: Row) -> Row:
    """A record as the audit keeps it: without keys, times as text."""
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in record.items()
        if not name.endswith("_key")
    }
