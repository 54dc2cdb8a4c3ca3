"""Towns as people keep them: created, changed, retired; never deleted. Steps, see `devices.changes`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from devices.change import Change, ChangeError, check_texts, one, shown
from devices.models import IDENTIFIER_PATTERN
from devices.refusal_texts import RefusalCode
from devices.steps import Row, Steps, ask
from devices.wording import worded

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_POSITION: Final = 1_000
TOWN_FIELDS: Final = ("name_vi", "name_en", "latitude", "longitude", "west", "south", "east", "north", "position")


def town_record(town_id: str, version: int | None = None) -> Steps[Row]:
    """One town, locked, with how many sites and devices are in use there.

    Raises:
        ChangeError: there is none, or it has another version.
    """
    rows = yield from ask("town_record", town_id=town_id)
    return one(rows, "town", town_id, version)


def create_town(town_id: str, said: Mapping[str, Any]) -> Steps[Change]:
    """Add a town.

    Args:
        town_id: its id, for ever: it stands in topics.
        said: values of `TOWN_FIELDS`; degrees; `position` from 1, None: after all others.

    Raises:
        ChangeError: its id is taken, perhaps by a retired one, or a value cannot be.
    """
    yield from ask("lock_registry")
    if not re.fullmatch(IDENTIFIER_PATTERN, town_id):
        raise ChangeError("wrong", "id", worded(RefusalCode.NOT_AN_ID, given=town_id))
    _check(said)
    if (yield from ask("town_record", town_id=town_id)):
        raise ChangeError("conflict", "id", worded(RefusalCode.ID_TAKEN, id=town_id))
    yield from ask("insert_town", town_id=town_id, **said)
    after = yield from town_record(town_id)
    return Change("town.create", town_id, town_id, None, shown(after))


def change_town(town_id: str, changes: Mapping[str, Any], version: int | None) -> Steps[Change]:
    """Change a town's names, place or position on the page.

    Args:
        town_id: which.
        changes: new values of some of `TOWN_FIELDS`.
        version: the version they were made against; None: whatever it is.

    Raises:
        ChangeError: see there.
    """
    yield from ask("lock_registry")
    before = yield from town_record(town_id, version)
    known = {name: before[name] for name in TOWN_FIELDS}
    wanted = {**known, **changes}
    _check(wanted)
    if wanted == known:
        return Change("town.change", town_id, town_id, shown(before), shown(before))
    yield from ask("update_town", town_id=town_id, **wanted)
    after = yield from town_record(town_id)
    return Change("town.change", town_id, town_id, shown(before), shown(after))


def retire_town(town_id: str, version: int | None, *, retired: bool) -> Steps[Change]:
    """Take a town out of use once no site of it is in use, or bring it back. Its history stays.

    Raises:
        ChangeError: sites are in use there.
    """
    yield from ask("lock_registry")
    before = yield from town_record(town_id, version)
    action = "town.retire" if retired else "town.reinstate"
    if (before["retired_time"] is not None) == retired:
        return Change(action, town_id, town_id, shown(before), shown(before))
    if retired and before["sites"]:
        raise ChangeError("conflict", "town", worded(RefusalCode.TOWN_IN_USE, sites=before["sites"]))
    yield from ask("retire_town", town_id=town_id, retired=retired)
    after = yield from town_record(town_id)
    return Change(action, town_id, town_id, shown(before), shown(after))


def _check(said: Mapping[str, Any]) -> None:
    for name in ("name_vi", "name_en"):
        check_texts(said[name], ())
    west, south, east, north = (said[name] for name in ("west", "south", "east", "north"))
    latitude, longitude = said["latitude"], said["longitude"]
    if not all(math.isfinite(value) for value in (west, south, east, north, latitude, longitude)):
        raise ChangeError("wrong", "bbox", worded(RefusalCode.BOX_NOT_FINITE))
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):  # noqa: PLR2004 degrees
        raise ChangeError("wrong", "bbox", worded(RefusalCode.BOX_FORM))
    if not (west <= longitude <= east and south <= latitude <= north):
        raise ChangeError("wrong", "latitude", worded(RefusalCode.CENTRE_OUTSIDE))
    position = said["position"]
    if position is not None and not 1 <= position <= MAX_POSITION:
        raise ChangeError("wrong", "position", worded(RefusalCode.POSITION_RANGE, limit=MAX_POSITION))
