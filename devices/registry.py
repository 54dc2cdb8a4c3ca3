"""The registry in the database: importing a file of devices, growing stored profiles, reading it back.

Steps (see `devices.steps`) work in the transaction of whoever drives them and leave commit or rollback to it. They
write only where something changes, so that repeating an import touches no row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from devices.differences import differences
from devices.models import Bilingual, Device, Site, Town, Ward
from devices.queries import load_query
from devices.refusal_texts import RefusalCode
from devices.registry_file import Fault
from devices.steps import Steps, ask, run
from devices.wording import worded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import psycopg

    from devices.models import DeviceProfile, ProfileDatastream
    from devices.registry_file import Entry, RegistryFile
    from devices.wording import Wording


class RegistryError(Exception):
    """The stored registry contradicts the catalogue; the catalogue must be mended before anything is written."""

    def __init__(self, wording: Wording) -> None:
        super().__init__(wording.en)
        self.wording = wording


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What `sync_profiles` did."""

    appended: int = 0  # datastreams
    updated: int = 0  # datastreams whose bounds, conversion, words or times changed


@dataclass(slots=True)
class ImportReport:
    """What an import did, or why it did nothing."""

    faults: list[Fault] = field(default_factory=list)  # by line; when there is one, nothing was written
    warnings: list[Fault] = field(default_factory=list)
    device_ids: list[str] = field(default_factory=list)  # of the file
    new_sites: int = 0
    changed_sites: int = 0
    unchanged_sites: int = 0
    new_devices: int = 0
    changed_devices: int = 0
    unchanged_devices: int = 0
    changes: list[Bilingual] = field(
        default_factory=list
    )  # a line for each changed attribute of a stored site or device
    datastreams: SyncReport = field(default_factory=SyncReport)
    devices_by_town: dict[str, int] = field(default_factory=dict)  # new and changed ones
    notes: list[dict[str, Any]] = field(default_factory=list)  # for the audit: what each of them was and became


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database holds of the things a file names, as far as who asks may see it."""

    towns: Mapping[str, Town]
    wards: Mapping[str, Ward]
    sites: Mapping[str, Site]
    devices: Mapping[str, Device]
    retired: frozenset[str]  # ids of `devices` out of service
    retired_sites: frozenset[str]
    taken: frozenset[tuple[str, str]]  # kind and id of what stands somewhere else
    town_by_device: Mapping[str, str]  # of stored devices and of those in the file
    profile_by_device: Mapping[str, str]  # of the same


def read_towns(connection: psycopg.Connection[Any]) -> dict[str, Town]:
    """The towns by id, in the order of the page."""
    return run(connection, towns_steps())


def towns_steps() -> Steps[dict[str, Town]]:
    """The towns by id, in the order of the page."""
    rows = yield from ask("select_towns")
    return {row["town_id"]: Town(name=Bilingual(vi=row.pop("name_vi"), en=row.pop("name_en")), **row) for row in rows}


def town_fault(town_id: str, towns: Mapping[str, Town]) -> Wording | None:
    """Why nothing can be put into a town; None: it can."""
    allowed = [known.town_id for known in towns.values() if not known.retired]
    if town_id in allowed:
        return None
    code = RefusalCode.TOWN_RETIRED if town_id in towns else RefusalCode.TOWN_UNKNOWN
    return worded(code, town=town_id, allowed=", ".join(allowed))


def wards_steps(town_id: str | None = None) -> Steps[dict[str, Ward]]:
    """The wards of all versions by id; of one town, where it is named."""
    rows = yield from ask("select_wards", town_id=town_id)
    return {row["ward_id"]: Ward(**row) for row in rows}


def import_devices(
    connection: psycopg.Connection[Any], file: RegistryFile, catalogue: Mapping[str, DeviceProfile]
) -> ImportReport:
    """Drive `import_steps` over a connection of a member of thubon_owner; blocks while another import runs."""
    return run(connection, import_steps(file, catalogue))


def import_steps(file: RegistryFile, catalogue: Mapping[str, DeviceProfile]) -> Steps[ImportReport]:
    """Bring the registry to what the file says: add devices and sites, change names and places, append datastreams.

    What the file does not name stays as it is. An empty `gateway`, `labels`, `ward`, `rated_power_w` or `fed_by` takes
    it away, an absent column leaves it; an empty or absent `commissioned` leaves the stored time, or is now for a new
    device.

    Args:
        file: as `read_registry_file` gives it; its faults are passed on.
        catalogue: device profiles by id.

    Returns:
        The report; where it has faults, nothing was written.

    Raises:
        RegistryError: stored datastreams contradict the catalogue.
    """
    yield from ask("lock_registry")
    report = ImportReport(faults=list(file.faults), device_ids=[entry.device.device_id for entry in file.entries])
    stored = yield from _read_stored(file.entries)
    for entry in file.entries:
        report.faults.extend(_faults(entry, stored))
        report.faults.extend(_cabinet_faults(entry, stored, catalogue))
        report.warnings.extend(_warnings(entry, stored))
    if report.faults:
        report.faults.sort()
        return report
    yield from _write_sites(file, stored, report)
    yield from _write_devices(file, stored, report)
    report.datastreams = yield from sync_steps(catalogue, [entry.device.device_id for entry in file.entries])
    return report


def sync_profiles(
    connection: psycopg.Connection[Any],
    catalogue: Mapping[str, DeviceProfile],
    device_ids: Iterable[str] | None = None,
) -> SyncReport:
    """Drive `sync_steps` over a connection of a member of thubon_owner."""
    return run(connection, sync_steps(catalogue, device_ids))


def sync_steps(catalogue: Mapping[str, DeviceProfile], device_ids: Iterable[str] | None = None) -> Steps[SyncReport]:
    """Append the datastreams that profiles gained, and bring stored bounds, conversions, words and times up to date.

    Args:
        catalogue: device profiles by id; devices of other profiles are left alone.
        device_ids: devices to look at; None for all.

    Raises:
        RegistryError: a stored slot speaks of another datastream than its profile, or of one the profile lost.
    """
    yield from ask("lock_registry")
    streams = [_datastream_row(profile, stream) for profile in catalogue.values() for stream in profile.datastreams]
    parameters = {
        "datastreams": Jsonb(streams),
        "profile_ids": list(catalogue),
        "device_ids": None if device_ids is None else sorted(device_ids),
    }
    rows = yield from ask("compare_datastreams", **parameters)
    counts = {row["kind"]: row["datastreams"] for row in rows}
    shown = [line for row in rows for line in row["shown"] or ()]
    if "contradicting" in counts:
        raise RegistryError(
            worded(RefusalCode.CATALOGUE_CONTRADICTED, datastreams=counts["contradicting"], shown="\n".join(shown))
        )
    if "missing" in counts:
        yield from ask("insert_datastreams", **parameters)
    if "changed" in counts:
        yield from ask("update_datastreams", **parameters)
    return SyncReport(appended=counts.get("missing", 0), updated=counts.get("changed", 0))


def export_rows(connection: psycopg.Connection[Any], town_id: str | None) -> Iterator[Sequence[Any]]:
    """The registry in the columns of an import file, by town and device; None for all towns."""
    with connection.cursor() as cursor:
        yield from cursor.stream(load_query("export_devices"), {"town_id": town_id})


def list_rows(connection: psycopg.Connection[Any], town_id: str | None) -> Iterator[Sequence[Any]]:
    """Device, town, domain, profile, site, name, number of datastreams, retired time; None for all towns."""
    with connection.cursor() as cursor:
        yield from cursor.stream(load_query("list_devices"), {"town_id": town_id})


def site_of(row: dict[str, Any]) -> Site:
    """A row of `select_sites`, but for `retired`."""
    return Site(**{**row, "labels": tuple(row["labels"]), "wards": tuple(row["wards"])})


def device_of(row: dict[str, Any]) -> Device:
    """A row of `select_devices`, but for `retired`."""
    return Device(profile_id=row.pop("profile"), **{**row, "labels": tuple(row["labels"])})


def _read_stored(entries: Sequence[Entry]) -> Steps[_Stored]:
    site_ids = sorted({entry.site.site_id for entry in entries})
    named = {entry.device.device_id: entry.device for entry in entries}
    links = {link for device in named.values() for link in (device.gateway_id, device.fed_by_id) if link}
    device_ids = sorted(named.keys() | links)
    site_rows = yield from ask("select_sites", site_ids=site_ids)
    device_rows = yield from ask("select_devices", device_ids=device_ids)
    taken = yield from ask("select_taken", device_ids=device_ids, site_ids=site_ids)
    retired_sites = frozenset(row["site_id"] for row in site_rows if row.pop("retired"))
    retired = frozenset(row["device_id"] for row in device_rows if row.pop("retired"))
    sites = {row["site_id"]: site_of(row) for row in site_rows}
    devices = {row["device_id"]: device_of(row) for row in device_rows}
    return _Stored(
        towns=(yield from towns_steps()),
        wards=(yield from wards_steps()),
        sites=sites,
        devices=devices,
        retired=retired,
        retired_sites=retired_sites,
        taken=frozenset((row["kind"], row["id"]) for row in taken)
        - {("device", device_id) for device_id in devices}
        - {("site", site_id) for site_id in sites},
        town_by_device={device_id: device.town_id for device_id, device in (devices | named).items()},
        profile_by_device={device_id: device.profile_id for device_id, device in (devices | named).items()},
    )


def _faults(entry: Entry, stored: _Stored) -> Iterator[Fault]:
    device, line = entry.device, entry.line
    if unusable := town_fault(device.town_id, stored.towns):
        yield Fault(line, "town", unusable)
    site = stored.sites.get(device.site_id)
    if site and site.town_id != device.town_id:
        elsewhere = worded(RefusalCode.SITE_IN_OTHER_TOWN, site=device.site_id, town=site.town_id)
        yield Fault(line, "site", elsewhere)
    if ("site", device.site_id) in stored.taken:
        yield Fault(line, "site", worded(RefusalCode.SITE_TAKEN, site=device.site_id))
    if device.site_id in stored.retired_sites:
        yield Fault(line, "site", worded(RefusalCode.SITE_RETIRED, site=device.site_id))
    for wrong in ward_faults(entry.site, stored.wards):
        yield Fault(line, "ward", wrong)
    yield from _device_faults(entry, stored)
    if device.gateway_id:
        town_id = stored.town_by_device.get(device.gateway_id)
        if town_id is None or device.gateway_id in stored.retired:
            yield Fault(line, "gateway", worded(RefusalCode.GATEWAY_UNKNOWN, gateway=device.gateway_id))
        elif town_id != device.town_id:
            names = {"gateway": device.gateway_id, "elsewhere": town_id, "town": device.town_id}
            yield Fault(line, "gateway", worded(RefusalCode.GATEWAY_IN_OTHER_TOWN, **names))


def _cabinet_faults(entry: Entry, stored: _Stored, catalogue: Mapping[str, DeviceProfile]) -> Iterator[Fault]:
    device, cabinet_id = entry.device, entry.device.fed_by_id
    if cabinet_id is None:
        return
    town_id = stored.town_by_device.get(cabinet_id)
    wrong: Wording | None
    if town_id is None:
        wrong = worded(RefusalCode.CABINET_UNKNOWN, cabinet=cabinet_id)
    elif cabinet_id in stored.retired:
        wrong = worded(RefusalCode.CABINET_RETIRED, cabinet=cabinet_id)
    elif town_id != device.town_id:
        names = {"cabinet": cabinet_id, "elsewhere": town_id, "town": device.town_id}
        wrong = worded(RefusalCode.CABINET_IN_OTHER_TOWN, **names)
    else:
        wrong = no_cabinet(cabinet_id, stored.profile_by_device[cabinet_id], catalogue)
    if wrong is not None:
        yield Fault(entry.line, "fed_by", wrong)


def no_cabinet(device_id: str, profile_id: str, catalogue: Mapping[str, DeviceProfile]) -> Wording | None:
    """Why a device feeds no other; None: it is a cabinet."""
    profile = catalogue.get(profile_id)
    if profile is not None and profile.is_cabinet:
        return None
    allowed = ", ".join(each.profile_id for each in catalogue.values() if each.is_cabinet)
    return worded(RefusalCode.NO_CABINET, device=device_id, profile=profile_id, allowed=allowed)


def _device_faults(entry: Entry, stored: _Stored) -> Iterator[Fault]:
    device, line = entry.device, entry.line
    known = stored.devices.get(device.device_id)
    if ("device", device.device_id) in stored.taken:
        yield Fault(line, "device", worded(RefusalCode.DEVICE_TAKEN, device=device.device_id))
    if known and known.town_id != device.town_id:
        elsewhere = worded(RefusalCode.DEVICE_IN_OTHER_TOWN, device=device.device_id, town=known.town_id)
        yield Fault(line, "device", elsewhere)
    if known and known.profile_id != device.profile_id:
        other = worded(RefusalCode.OTHER_PROFILE, device=device.device_id, profile=known.profile_id)
        yield Fault(line, "profile", other)
    if device.device_id in stored.retired:
        yield Fault(line, "device", worded(RefusalCode.DEVICE_RETIRED, device=device.device_id))


def ward_faults(site: Site, wards: Mapping[str, Ward]) -> Iterator[Wording]:
    """What is wrong with the wards declared for a site.

    Args:
        site: with `wards` as people declared them.
        wards: all wards by id.
    """
    declared = [wards[ward_id] for ward_id in site.wards if ward_id in wards]
    for ward_id in site.wards:
        if ward_id not in wards or wards[ward_id].town_id != site.town_id:
            allowed = ", ".join(ward.ward_id for ward in wards.values() if ward.town_id == site.town_id)
            yield worded(RefusalCode.NOT_A_WARD_HERE, ward=ward_id, town=site.town_id, allowed=allowed)
    for at, ward in enumerate(declared):
        for other in declared[at + 1 :]:
            if ward.overlaps(other):
                yield worded(RefusalCode.WARDS_OVERLAP, ward=ward.ward_id, other=other.ward_id)


def _warnings(entry: Entry, stored: _Stored) -> Iterator[Fault]:
    town, site = stored.towns.get(entry.site.town_id), entry.site
    if town and not town.contains(site.latitude, site.longitude):
        yield Fault(entry.line, "latitude", outside(town, site))


def outside(town: Town, site: Site) -> Wording:
    """What is said of a site outside its town's box."""
    return worded(
        RefusalCode.SITE_OUTSIDE_TOWN,
        latitude=site.latitude,
        longitude=site.longitude,
        town=town.name,
        south=town.south,
        north=town.north,
        west=town.west,
        east=town.east,
    )


def _write_sites(file: RegistryFile, stored: _Stored, report: ImportReport) -> Steps[None]:
    wanted = {entry.site.site_id: entry.site for entry in file.entries}
    changed = []
    for site_id, given in wanted.items():
        known = stored.sites.get(site_id)
        if known is None:
            report.new_sites += 1
            report.notes.append(_note("site", site_id, None, given))
            changed.append(given)
            continue
        site = replace(given, labels=known.labels, wards=given.wards if "ward" in file.columns else known.wards)
        if site != known:
            report.changed_sites += 1
            report.changes.extend(differences(known, site))
            report.notes.append(_note("site", site_id, known, site))
            changed.append(site)
        else:
            report.unchanged_sites += 1
    yield from write_sites(changed, stored.sites)


def write_sites(sites: Sequence[Site], known: Mapping[str, Site]) -> Steps[None]:
    """Store sites, new or changed, with their wards.

    Args:
        sites: what is to be.
        known: what is stored, by id.
    """
    if sites:
        yield from ask("upsert_sites", sites=Jsonb([asdict(site) for site in sites]))
    declared = [site for site in sites if site.wards != (known[site.site_id].wards if site.site_id in known else ())]
    if declared:
        yield from ask(
            "set_site_wards", sites=Jsonb([{"site_id": site.site_id, "wards": site.wards} for site in declared])
        )


def _write_devices(file: RegistryFile, stored: _Stored, report: ImportReport) -> Steps[None]:
    changed: list[Device] = []
    moved: list[Device] = []  # to another gateway or cabinet
    for entry in file.entries:
        known = stored.devices.get(entry.device.device_id)
        wanted = _with_stored(entry.device, known, file) if known else entry.device
        if known is None:
            report.new_devices += 1
        elif known == wanted:
            report.unchanged_devices += 1
            continue
        else:
            report.changed_devices += 1
            report.changes.extend(differences(known, wanted))
        report.notes.append(_note("device", wanted.device_id, known, wanted))
        report.devices_by_town[wanted.town_id] = report.devices_by_town.get(wanted.town_id, 0) + 1
        changed.append(wanted)
        before = (known.gateway_id, known.fed_by_id) if known else (None, None)
        if (wanted.gateway_id, wanted.fed_by_id) != before:
            moved.append(wanted)
    yield from write_devices(changed, moved)


def write_devices(changed: Sequence[Device], moved: Sequence[Device]) -> Steps[None]:
    """Store devices, new or changed.

    Args:
        changed: what is to be.
        moved: those of them whose gateway or cabinet changes.
    """
    if changed:
        yield from ask("upsert_devices", devices=Jsonb([_device_row(device) for device in changed]))
    if moved:
        yield from ask("update_links", devices=Jsonb([_device_row(device) for device in moved]))


def _with_stored(device: Device, known: Device, file: RegistryFile) -> Device:
    """The device as the file wants it, with what the file leaves open as it is stored."""
    return replace(
        device,
        gateway_id=device.gateway_id if "gateway" in file.columns else known.gateway_id,
        labels=device.labels if "labels" in file.columns else known.labels,
        rated_power_w=device.rated_power_w if "rated_power_w" in file.columns else known.rated_power_w,
        fed_by_id=device.fed_by_id if "fed_by" in file.columns else known.fed_by_id,
        commissioned_time=device.commissioned_time or known.commissioned_time,
    )


def _note(kind: str, subject: str, known: Site | Device | None, wanted: Site | Device) -> dict[str, Any]:
    """A change as the audit has it."""
    return {
        "action": f"{kind}.change" if known else f"{kind}.create",
        "town_id": wanted.town_id,
        "subject": subject,
        "before": _plain(known) if known else None,
        "after": _plain(wanted),
    }


def _plain(thing: Site | Device) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(thing).items()}


def _device_row(device: Device) -> dict[str, Any]:
    time = device.commissioned_time
    return asdict(device) | {"commissioned_time": time and time.isoformat()}


def _datastream_row(profile: DeviceProfile, stream: ProfileDatastream) -> dict[str, Any]:
    return {
        "profile_id": profile.profile_id,
        "slot": stream.slot,
        "name": stream.name,
        "property": stream.property_id,
        "unit": stream.unit,
        "factor": stream.factor,
        "addend": stream.addend,
        "lower_bound": stream.lower_bound,
        "upper_bound": stream.upper_bound,
        "words": dict(stream.words) or None,
        "interval_s": stream.interval_s,
        "period_s": stream.period_s,
        "stamp": stream.stamp,
    }
