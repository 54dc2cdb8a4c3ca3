"""What people change of the registry one by one: sites and devices, their moves and their end.

Steps, see `devices.steps`. Each answers the record before and after, for the audit and for who asked. Nothing that may
have data is ever deleted: what is no longer wanted is retired, and its id is never given again.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from devices.change import Change, ChangeError, check_texts, one, shown
from devices.identity.credentials import revoke
from devices.models import IDENTIFIER_PATTERN, MAX_RATED_POWER_W, Device, Site
from devices.refusal_texts import RefusalCode
from devices.registry import (
    no_cabinet,
    outside,
    sync_steps,
    town_fault,
    towns_steps,
    ward_faults,
    wards_steps,
    write_devices,
    write_sites,
)
from devices.registry_file import is_reserved
from devices.steps import Row, Steps, ask
from devices.wording import worded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from devices.models import DeviceProfile, Town
    from devices.wording import Wording

MAX_GRACE_S: Final = 90 * 86_400
_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN)
_SITE_FIELDS: Final = ("site_id", "town_id", "name", "kind", "latitude", "longitude", "labels", "wards")
_DEVICE_FIELDS: Final = (
    "device_id", "town_id", "site_id", "domain", "name", "reporting_interval_s", "gateway_id", "commissioned_time",
    "labels", "rated_power_w", "fed_by_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """What people say of a device to be registered."""

    device_id: str
    site_id: str
    profile_id: str
    name: str
    gateway_id: str | None = None
    labels: tuple[str, ...] = ()
    commissioned_time: datetime | None = None  # None: now
    rated_power_w: float | None = None  # of a lamp at full light; None: that of its profile, or learnt
    fed_by_id: str | None = None  # the cabinet that feeds it; None: its gateway where that is one, else not known


def create_site(site: Site) -> Steps[Change]:
    """Add a site.

    Raises:
        ChangeError: its id is taken, or a value cannot be.
    """
    yield from ask("lock_registry")
    towns = yield from towns_steps()
    if unusable := town_fault(site.town_id, towns):
        raise ChangeError("wrong", "town", unusable)
    yield from _check_site(site)
    taken = yield from ask("select_taken", device_ids=[], site_ids=[site.site_id])
    if taken:
        raise ChangeError("conflict", "id", worded(RefusalCode.SITE_TAKEN, site=site.site_id))
    yield from write_sites([site], {})
    after = yield from site_record(site.site_id)
    return Change("site.create", site.site_id, site.town_id, None, shown(after), _outside(towns[site.town_id], site))


def change_site(site_id: str, changes: Mapping[str, Any], version: int | None) -> Steps[Change]:
    """Change a site's name, kind, place, labels or wards; its town never changes.

    Args:
        site_id: which.
        changes: new values by field of `Site`.
        version: the version they were made against; None: whatever it is.

    Raises:
        ChangeError: see there.
    """
    yield from ask("lock_registry")
    before = yield from site_record(site_id, version)
    known = Site(**{name: _tupled(before[name]) for name in _SITE_FIELDS})
    wanted = replace(known, **{name: _tupled(value) for name, value in changes.items()})
    yield from _check_site(wanted)
    if wanted == known:
        return Change("site.change", site_id, known.town_id, shown(before), shown(before))
    yield from write_sites([wanted], {site_id: known})
    after = yield from site_record(site_id)
    towns = yield from towns_steps()
    return Change(
        "site.change", site_id, known.town_id, shown(before), shown(after), _outside(towns[known.town_id], wanted)
    )


def retire_site(site_id: str, version: int | None, *, retired: bool) -> Steps[Change]:
    """Take a site out of use once nothing stands there, or bring it back.

    Raises:
        ChangeError: devices in service stand there.
    """
    yield from ask("lock_registry")
    before = yield from site_record(site_id, version)
    action = "site.retire" if retired else "site.reinstate"
    if (before["retired_time"] is not None) == retired:
        return Change(action, site_id, before["town_id"], shown(before), shown(before))
    if retired and before["devices"]:
        raise ChangeError("conflict", "site", worded(RefusalCode.SITE_IN_USE, devices=before["devices"]))
    if not retired and (yield from towns_steps())[before["town_id"]].retired:
        raise ChangeError("conflict", "site", worded(RefusalCode.TOWN_OF_SITE_RETIRED, town=before["town_id"]))
    yield from ask("retire_site", site_id=site_id, retired=retired)
    after = yield from site_record(site_id)
    return Change(action, site_id, before["town_id"], shown(before), shown(after))


def create_device(new: NewDevice, catalogue: Mapping[str, DeviceProfile]) -> Steps[Change]:
    """Register a device with the datastreams of its profile.

    Raises:
        ChangeError: its id is taken, its site, profile, gateway or cabinet cannot be.
    """
    yield from ask("lock_registry")
    profile = catalogue.get(new.profile_id)
    if profile is None:
        allowed = ", ".join(catalogue)
        unknown = worded(RefusalCode.UNKNOWN_PROFILE, profile=new.profile_id, allowed=allowed)
        raise ChangeError("wrong", "profile", unknown)
    if not _IDENTIFIER.fullmatch(new.device_id):
        raise ChangeError("wrong", "id", worded(RefusalCode.NOT_AN_ID, given=new.device_id))
    if is_reserved(new.device_id):
        raise ChangeError("wrong", "id", worded(RefusalCode.RESERVED_ID, id=new.device_id))
    check_texts(new.name, new.labels)
    _check_power(new.rated_power_w)
    taken = yield from ask("select_taken", device_ids=[new.device_id], site_ids=[])
    if taken:
        raise ChangeError("conflict", "id", worded(RefusalCode.ID_TAKEN, id=new.device_id))
    site = yield from _usable_site(new.site_id)
    device = Device(
        device_id=new.device_id,
        town_id=site["town_id"],
        site_id=new.site_id,
        domain=profile.domain,
        profile_id=profile.profile_id,
        name=new.name,
        reporting_interval_s=profile.reporting_interval_s,
        gateway_id=new.gateway_id,
        commissioned_time=new.commissioned_time,
        labels=tuple(sorted(set(new.labels))),
        rated_power_w=new.rated_power_w,
        fed_by_id=new.fed_by_id,
    )
    yield from _check_gateway(device.device_id, device.town_id, new.gateway_id)
    yield from _check_cabinet(device, catalogue)
    yield from write_devices([device], [device] if device.gateway_id or device.fed_by_id else [])
    yield from sync_steps(catalogue, [device.device_id])
    after = yield from device_record(device.device_id)
    return Change("device.create", device.device_id, device.town_id, None, shown(after))


def change_device(
    device_id: str, changes: Mapping[str, Any], version: int | None, catalogue: Mapping[str, DeviceProfile]
) -> Steps[Change]:
    """Change a device's name, labels, gateway, commissioning, rated power or the cabinet that feeds it.

    Args:
        device_id: which.
        changes: new values by field of `Device`.
        version: the version they were made against; None: whatever it is.
        catalogue: device profiles by id; they tell which devices are cabinets.

    Raises:
        ChangeError: see there.
    """
    yield from ask("lock_registry")
    before = yield from device_record(device_id, version)
    known = Device(profile_id=before["profile"], **{name: _tupled(before[name]) for name in _DEVICE_FIELDS})
    wanted = replace(known, **{name: _tupled(value) for name, value in changes.items()})
    check_texts(wanted.name, wanted.labels)
    _check_power(wanted.rated_power_w)
    if wanted == known:
        return Change("device.change", device_id, known.town_id, shown(before), shown(before))
    if wanted.gateway_id != known.gateway_id:
        yield from _check_gateway(device_id, known.town_id, wanted.gateway_id)
    if wanted.fed_by_id != known.fed_by_id:
        yield from _check_cabinet(wanted, catalogue)
    if (wanted.gateway_id, wanted.fed_by_id) != (known.gateway_id, known.fed_by_id):
        yield from write_devices([], [wanted])
    if replace(wanted, gateway_id=known.gateway_id, fed_by_id=known.fed_by_id) != known:
        yield from ask(
            "change_device",
            device_id=device_id,
            new_name=wanted.name,
            labels=list(wanted.labels),
            commissioned_time=wanted.commissioned_time,
            rated_power_w=wanted.rated_power_w,
        )
    after = yield from device_record(device_id)
    return Change("device.change", device_id, known.town_id, shown(before), shown(after))


def move_device(
    device_id: str, site_id: str, gateway_id: str | None, version: int | None, *, grace_s: float
) -> Steps[Change]:
    """Put a device on another site; where that is in another town, its old topics are taken for a while longer.

    It keeps id, datastreams and history; who sees which part follows the town at that time. What was refused of it as
    of the wrong town goes the way again. Its cabinet feeds it no longer once it is in another town.

    Args:
        device_id: which.
        site_id: where to.
        gateway_id: its gateway from now on; None: it speaks for itself.
        version: the version the move was decided against; None: whatever it is.
        grace_s: how long topics of the old town are taken, 0 to `MAX_GRACE_S`.

    Raises:
        ChangeError: see there.
    """
    yield from ask("lock_registry")
    before = yield from device_record(device_id, version)
    if before["retired_time"] is not None:
        raise ChangeError("conflict", "device", worded(RefusalCode.DEVICE_OUT_OF_SERVICE))
    if not 0 <= grace_s <= MAX_GRACE_S:
        raise ChangeError("wrong", "grace_hours", worded(RefusalCode.GRACE_RANGE, limit=MAX_GRACE_S // 3600))
    site = yield from _usable_site(site_id)
    elsewhere = site["town_id"] != before["town_id"]
    if elsewhere and before["carries"]:
        raise ChangeError("conflict", "site", worded(RefusalCode.CARRIES_AND_MOVES, devices=before["carries"]))
    if elsewhere and before["feeds"]:
        raise ChangeError("conflict", "site", worded(RefusalCode.FEEDS_AND_MOVES, devices=before["feeds"]))
    yield from _check_gateway(device_id, site["town_id"], gateway_id)
    if (site_id, gateway_id) == (before["site_id"], before["gateway_id"]):
        return Change("device.move", device_id, before["town_id"], shown(before), shown(before))
    yield from ask("move_device", device_id=device_id, site_id=site_id, gateway_id=gateway_id)
    until = None
    if elsewhere:
        granted = yield from ask("grant_grace", device_id=device_id, grace_s=grace_s)
        until = granted[0]["accepted_until"] if granted else None
        yield from ask("delete_knock", device_id=device_id, town_id=site["town_id"])
        yield from ask("replay_device_soon", device_id=device_id, reason="wrong-town")
    after = yield from device_record(device_id)
    return Change(
        "device.move",
        device_id,
        site["town_id"],
        shown(before),
        shown({**after, "former_topics_until": until} if until else after),
        former_town_id=before["town_id"] if elsewhere else None,
    )


def retire_device(device_id: str, version: int | None, *, by: str, retired: bool) -> Steps[Change]:
    """Take a device out of service, or back into it where that was a mistake; its history stays, its credentials end.

    Args:
        device_id: which.
        version: the version that was decided against; None: whatever it is.
        by: who does it.
        retired: out of service, or back into it.

    Raises:
        ChangeError: devices in service stand behind it or are fed by it, or its site or its cabinet is retired.
    """
    yield from ask("lock_registry")
    before = yield from device_record(device_id, version)
    action = "device.retire" if retired else "device.reinstate"
    if (before["retired_time"] is not None) == retired:
        return Change(action, device_id, before["town_id"], shown(before), shown(before))
    if retired and before["carries"]:
        raise ChangeError("conflict", "device", worded(RefusalCode.CARRIES_AND_RETIRES, devices=before["carries"]))
    if retired and before["feeds"]:
        raise ChangeError("conflict", "device", worded(RefusalCode.FEEDS_AND_RETIRES, devices=before["feeds"]))
    if not retired:
        yield from _usable_site(before["site_id"])
        yield from _cabinet_there(before["fed_by_id"], before["town_id"])
    yield from ask("retire_device", device_id=device_id, retired=retired)
    if retired:
        yield from revoke(device_id, by=by)
    after = yield from device_record(device_id)
    return Change(action, device_id, before["town_id"], shown(before), shown(after))


def site_record(site_id: str, version: int | None = None) -> Steps[Row]:
    """One site, locked.

    Raises:
        ChangeError: there is none, or it has another version.
    """
    rows = yield from ask("site_record", site_id=site_id)
    return one(rows, "site", site_id, version)


def device_record(device_id: str, version: int | None = None) -> Steps[Row]:
    """One device, locked.

    Raises:
        ChangeError: there is none, or it has another version.
    """
    rows = yield from ask("device_record", device_id=device_id)
    return one(rows, "device", device_id, version)


def _usable_site(site_id: str) -> Steps[Row]:
    rows = yield from ask("site_record", site_id=site_id)
    if not rows:
        raise ChangeError("wrong", "site", worded(RefusalCode.SITE_UNKNOWN, site=site_id))
    if rows[0]["retired_time"] is not None:
        raise ChangeError("conflict", "site", worded(RefusalCode.SITE_RETIRED, site=site_id))
    return rows[0]


def _check_gateway(device_id: str, town_id: str, gateway_id: str | None) -> Steps[None]:
    if gateway_id is None:
        return
    seen = [device_id]
    at: str | None = gateway_id
    while at is not None:
        if at in seen:
            circle = worded(RefusalCode.GATEWAY_CIRCLE, device=device_id, way=" -> ".join([*seen, at]))
            raise ChangeError("conflict", "gateway", circle)
        seen.append(at)
        rows = yield from ask("select_devices", device_ids=[at])
        if at == gateway_id and (not rows or rows[0]["retired"]):
            raise ChangeError("wrong", "gateway", worded(RefusalCode.GATEWAY_NOT_IN_SERVICE, gateway=gateway_id))
        if at == gateway_id and rows[0]["town_id"] != town_id:
            there = rows[0]["town_id"]
            apart = worded(RefusalCode.GATEWAY_IN_OTHER_TOWN, gateway=gateway_id, elsewhere=there, town=town_id)
            raise ChangeError("conflict", "gateway", apart)
        at = rows[0]["gateway_id"] if rows else None


def _check_cabinet(device: Device, catalogue: Mapping[str, DeviceProfile]) -> Steps[None]:
    if device.fed_by_id == device.device_id:
        raise ChangeError("wrong", "fed_by", worded(RefusalCode.OWN_CABINET))
    row = yield from _cabinet_there(device.fed_by_id, device.town_id)
    if row is not None and (wrong := no_cabinet(row["device_id"], row["profile"], catalogue)):
        raise ChangeError("wrong", "fed_by", wrong)


def _cabinet_there(cabinet_id: str | None, town_id: str) -> Steps[Row | None]:
    if cabinet_id is None:
        return None
    rows = yield from ask("select_devices", device_ids=[cabinet_id])
    if not rows:
        raise ChangeError("wrong", "fed_by", worded(RefusalCode.CABINET_UNKNOWN, cabinet=cabinet_id))
    if rows[0]["retired"]:
        raise ChangeError("conflict", "fed_by", worded(RefusalCode.CABINET_RETIRED, cabinet=cabinet_id))
    if rows[0]["town_id"] != town_id:
        there = rows[0]["town_id"]
        apart = worded(RefusalCode.CABINET_IN_OTHER_TOWN, cabinet=cabinet_id, elsewhere=there, town=town_id)
        raise ChangeError("conflict", "fed_by", apart)
    return rows[0]


def _check_site(site: Site) -> Steps[None]:
    check_texts(site.name, site.labels)
    for field, text in (("id", site.site_id), ("kind", site.kind)):
        if not _IDENTIFIER.fullmatch(text):
            raise ChangeError("wrong", field, worded(RefusalCode.NOT_AN_ID, given=text))
    for field, value, limit in (("latitude", site.latitude, 90), ("longitude", site.longitude, 180)):
        if not math.isfinite(value) or abs(value) > limit:
            raise ChangeError("wrong", field, worded(RefusalCode.DEGREES_RANGE, limit=limit))
    wards = yield from wards_steps(site.town_id)
    for wrong in ward_faults(site, wards):
        raise ChangeError("wrong", "wards", wrong)


def _check_power(watts: float | None) -> None:
    if watts is not None and not 0 < watts <= MAX_RATED_POWER_W:
        raise ChangeError("wrong", "rated_power_w", worded(RefusalCode.RATED_POWER_RANGE, limit=int(MAX_RATED_POWER_W)))


def _outside(town: Town, site: Site) -> tuple[Wording, ...]:
    return () if town.contains(site.latitude, site.longitude) else (outside(town, site),)


def _tupled(value: Any) -> Any:
    return tuple(sorted(set(value))) if isinstance(value, list | tuple) else value
