"""Devices that nobody registered and that send: which model they may be, letting them in, turning them away."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from devices.change import Change, ChangeError
from devices.changes import NewDevice, create_device
from devices.refusal_texts import RefusalCode
from devices.steps import Row, Steps, ask
from devices.wording import worded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from devices.models import DeviceProfile

_SHOWN_GUESSES: Final = 3
_DEPTH: Final = 4
_BUFFERED: Final = timedelta(days=7)
"""What a device may have observed before it reached us and sent afterwards."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A device profile that may be the one."""

    profile_id: str
    matching: tuple[str, ...]  # names that were sent and that the profile has
    unknown: tuple[str, ...]  # names that were sent and that it has not

    @property
    def share(self) -> float:
        """How many of the names sent the profile has, 0 to 1."""
        return len(self.matching) / (len(self.matching) + len(self.unknown))


def sent_names(sample: bytes | None, device_id: str) -> frozenset[str]:
    """The datastream names in a message, or in one device's part of a gateway's; none where it is cut or no JSON."""
    try:
        body = json.loads(sample or b"")
    except (ValueError, RecursionError):
        return frozenset()
    if isinstance(body, dict) and isinstance(body.get(device_id), list):
        body = body[device_id]
    return frozenset(_names(body, _DEPTH))


def guess_profiles(names: Iterable[str], catalogue: Mapping[str, DeviceProfile]) -> list[Guess]:
    """The profiles whose datastreams match best, best first; none where nothing matches.

    Among those that know as many of the names, the one of which least is missing comes first.
    """
    sent = frozenset(names)
    ranked: list[tuple[int, int, str, Guess]] = []
    for profile in catalogue.values():
        own = frozenset(stream.name for stream in profile.datastreams)
        matching = sent & own
        if matching:
            guess = Guess(profile.profile_id, tuple(sorted(matching)), tuple(sorted(sent - own)))
            ranked.append((-len(matching), len(own - sent), profile.profile_id, guess))
    return [guess for *_, guess in sorted(ranked, key=lambda each: each[:3])[:_SHOWN_GUESSES]]


def accept_knock(town_id: str, new: NewDevice, catalogue: Mapping[str, DeviceProfile]) -> Steps[Change]:
    """Register a device that knocked; what is kept of what it sent goes the way again, once.

    Args:
        town_id: where it knocked; its site must stand there.
        new: the device; without a commissioning time it counts from a week before its first message, without a gateway
            it stands behind the one that spoke for it.
        catalogue: device profiles by id.

    Raises:
        ChangeError: it did not knock, is registered meanwhile, or cannot be registered so.
    """
    yield from ask("lock_registry")
    knock = yield from _knock(new.device_id, town_id)
    if knock["reason"] == "wrong-town":
        raise ChangeError("conflict", "device", worded(RefusalCode.KNOCKER_REGISTERED_ELSEWHERE))
    if new.gateway_id is None:
        new = replace(new, gateway_id=knock["gateway_id"])
    if new.commissioned_time is None:
        new = replace(new, commissioned_time=knock["first_time"] - _BUFFERED)
    change = yield from create_device(new, catalogue)
    if change.town_id != town_id:
        elsewhere = worded(RefusalCode.SITE_NOT_WHERE_IT_KNOCKED, site=new.site_id, town=town_id)
        raise ChangeError("wrong", "site", elsewhere)
    yield from ask("delete_knock", device_id=new.device_id, town_id=town_id)
    yield from ask("replay_device_soon", device_id=new.device_id, reason=None)
    return Change("knock.accept", change.subject, change.town_id, _told(knock), change.after)


def refuse_knock(device_id: str, town_id: str, person: str, *, refused: bool) -> Steps[Change]:
    """Turn a device away, so that the list shows it no more; or hear of it again.

    Raises:
        ChangeError: it did not knock.
    """
    knock = yield from _knock(device_id, town_id)
    yield from ask("refuse_knock", device_id=device_id, town_id=town_id, person=person, refused=refused)
    after = {**_told(knock), "refused": refused}
    return Change("knock.refuse" if refused else "knock.forgive", device_id, town_id, _told(knock), after)


def _knock(device_id: str, town_id: str) -> Steps[Row]:
    rows = yield from ask("knock_record", device_id=device_id, town_id=town_id)
    if not rows:
        none = worded(RefusalCode.NO_SUCH_KNOCK, device=device_id, town=town_id)
        raise ChangeError("unknown", "device", none)
    return rows[0]


def _told(knock: Row) -> dict[str, Any]:
    return {
        "device_id": knock["device_id"],
        "first_time": knock["first_time"].isoformat(),
        "last_time": knock["last_time"].isoformat(),
        "readings": knock["readings"],
        "refused": knock["refused_time"] is not None,
    }


def _names(body: Any, depth: int) -> Iterable[str]:
    if depth == 0:
        return
    if isinstance(body, list):
        for item in body[:100]:
            yield from _names(item, depth - 1)
    elif isinstance(body, dict):
        values = body.get("values")
        if isinstance(values, dict):
            yield from values
        else:
            yield from (name for name, value in body.items() if not isinstance(value, dict | list))
