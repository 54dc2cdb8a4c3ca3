"""What every change of the registry answers or is refused with, and the checks that several share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from devices.refusal_texts import RefusalCode
from devices.registry_file import MAX_NAME_CHARACTERS, wrong_labels
from devices.wording import worded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devices.steps import Row
    from devices.wording import Wording

NO_SUCH: Final[Mapping[str, RefusalCode]] = {
    "town": RefusalCode.NO_SUCH_TOWN,
    "site": RefusalCode.NO_SUCH_SITE,
    "device": RefusalCode.NO_SUCH_DEVICE,
}


class ChangeError(Exception):
    """A change is refused.

    Args:
        kind: `unknown`: there is no such thing; `conflict`: it stands against what is stored; `version`: it was changed
            meanwhile; `wrong`: the value itself cannot be.
        field: what it concerns.
        wording: what is wrong and what is allowed.
    """

    def __init__(self, kind: str, field: str, wording: Wording) -> None:
        super().__init__(f"{field}: {wording.en}")
        self.kind = kind
        self.field = field
        self.wording = wording


@dataclass(frozen=True, slots=True)
class Change:
    """What a change did; equal records: nothing was to be done."""

    action: str  # for the audit
    subject: str  # id of the site or device
    town_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    warnings: tuple[Wording, ...] = ()
    former_town_id: str | None = None  # of a move between towns


def one(rows: Sequence[Row], what: str, identifier: str, version: int | None) -> Row:
    """The one record that was asked for.

    Raises:
        ChangeError: there is none, or it has another version.
    """
    if not rows:
        raise ChangeError("unknown", what, worded(NO_SUCH[what], id=identifier))
    if version is not None and rows[0]["version"] != version:
        stored = rows[0]["version"]
        changed = worded(RefusalCode.CHANGED_MEANWHILE, id=identifier, stored=stored, given=version)
        raise ChangeError("version", what, changed)
    return rows[0]


def check_texts(name: str, labels: Sequence[str]) -> None:
    """Refuse a name or labels that cannot be.

    Raises:
        ChangeError: see there.
    """
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise ChangeError("wrong", "name", worded(RefusalCode.NAME_FORM, limit=MAX_NAME_CHARACTERS))
    for wrong in wrong_labels(labels):
        raise ChangeError("wrong", "labels", wrong)


def shown(record: Row) -> Row:
    """A record as the audit keeps it: without keys, times as text."""
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in record.items()
        if not name.endswith("_key")
    }
