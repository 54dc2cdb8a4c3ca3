"""The registry in the database: importing a file of devices, growing stored profiles, reading it back.

All functions work in the transaction of the connection they are given and leave commit or rollback to the caller.
They write only where something changes, so that repeating an import touches no row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from devices.models import Bilingual, Device, Site, Town
from devices.queries import load_query
from devices.registry_file import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import psycopg

    from devices.models import DeviceProfile, ProfileDatastream
    from devices.registry_file import Entry, RegistryFile

_SHOWN_CONTRADICTIONS = 20


class RegistryError(Exception):
    """The stored registry contradicts the catalogue; the catalogue must be mended before anything is written."""


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
    new_sites: int = 0
    changed_sites: int = 0
    new_devices: int = 0
    changed_devices: int = 0
    unchanged_devices: int = 0
    changes: list[str] = field(default_factory=list)  # a line for each changed attribute of a stored site or device
    datastreams: SyncReport = field(default_factory=SyncReport)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database holds of the things a file names."""

    towns: Mapping[str, Town]
    sites: Mapping[str, Site]
    devices: Mapping[str, Device]
    retired: frozenset[str]  # ids of `devices` out of service
    town_by_device: Mapping[str, str]  # of stored devices and of those in the file


def read_towns(connection: psycopg.Connection[Any]) -> dict[str, Town]:
    """The towns by id, in the order of the page."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load_query("select_towns")).fetchall()
    return {row["town_id"]: Town(name=Bilingual(vi=row.pop("name_vi"), en=row.pop("name_en")), **row) for row in rows}


def import_devices(
    connection: psycopg.Connection[Any], file: RegistryFile, catalogue: Mapping[str, DeviceProfile]
) -> ImportReport:
    """Bring the registry to what the file says: add devices and sites, change names and places, append datastreams.

    What the file does not name stays as it is. An empty `gateway` takes the gateway away, an absent column leaves it;
    an empty or absent `commissioned` leaves the stored time, or is now for a new device.

    Args:
        connection: of a member of thubon_owner; blocks while another import runs. The caller commits.
        file: as `read_registry_file` gives it; its faults are passed on.
        catalogue: device profiles by id.

    Returns:
        The report; where it has faults, nothing was written.

    Raises:
        RegistryError: stored datastreams contradict the catalogue.
    """
    connection.execute(load_query("lock_registry"))
    report = ImportReport(faults=list(file.faults))
    stored = _read_stored(connection, file.entries)
    for entry in file.entries:
        report.faults.extend(_faults(entry, stored))
        report.warnings.extend(_warnings(entry, stored))
    if report.faults:
        report.faults.sort()
        return report
    _write_sites(connection, file.entries, stored, report)
    _write_devices(connection, file, stored, report)
    report.datastreams = sync_profiles(connection, catalogue, [entry.device.device_id for entry in file.entries])
    return report


def sync_profiles(
    connection: psycopg.Connection[Any],
    catalogue: Mapping[str, DeviceProfile],
    device_ids: Iterable[str] | None = None,
) -> SyncReport:
    """Append the datastreams that profiles gained, and bring stored bounds, conversions, words and times up to date.

    Args:
        connection: of a member of thubon_owner. The caller commits.
        catalogue: device profiles by id; devices of other profiles are left alone.
        device_ids: devices to look at; None for all.

    Raises:
        RegistryError: a stored slot speaks of another datastream than its profile, or of one the profile lost.
    """
    connection.execute(load_query("lock_registry"))
    streams = [_datastream_row(profile, stream) for profile in catalogue.values() for stream in profile.datastreams]
    parameters = {
        "datastreams": Jsonb(streams),
        "profile_ids": list(catalogue),
        "device_ids": None if device_ids is None else sorted(device_ids),
    }
    counts = {"missing": 0, "changed": 0, "contradicting": 0}
    contradictions: list[str] = []
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(load_query("compare_datastreams"), parameters):
            counts[row["kind"]] += 1
            if row["kind"] == "contradicting" and len(contradictions) < _SHOWN_CONTRADICTIONS:
                given = f"'{row['given_name']}' with another property or unit" if row["given_name"] else "nothing"
                contradictions.append(
                    f"{row['device_id']} slot {row['slot']} holds '{row['stored_name']}', its profile has {given} there"
                )
    if counts["contradicting"]:
        raise RegistryError(
            f"{counts['contradicting']} stored datastreams contradict the catalogue; datastreams of a profile are"
            " append-only, never removed, moved, renamed or given another property or unit:\n"
            + "\n".join(contradictions)
        )
    if counts["missing"]:
        connection.execute(load_query("insert_datastreams"), parameters)
    if counts["changed"]:
        connection.execute(load_query("update_datastreams"), parameters)
    return SyncReport(appended=counts["missing"], updated=counts["changed"])


def export_rows(connection: psycopg.Connection[Any], town_id: str | None) -> Iterator[Sequence[Any]]:
    """The registry in the columns of an import file, by town and device; None for all towns."""
    with connection.cursor() as cursor:
        yield from cursor.stream(load_query("export_devices"), {"town_id": town_id})


def list_rows(connection: psycopg.Connection[Any], town_id: str | None) -> Iterator[Sequence[Any]]:
    """Device, town, domain, profile, site, name, number of datastreams, retired time; None for all towns."""
    with connection.cursor() as cursor:
        yield from cursor.stream(load_query("list_devices"), {"town_id": town_id})


def _read_stored(connection: psycopg.Connection[Any], entries: Sequence[Entry]) -> _Stored:
    site_ids = {entry.site.site_id for entry in entries}
    named = {entry.device.device_id: entry.device.town_id for entry in entries}
    gateways = {entry.device.gateway_id for entry in entries if entry.device.gateway_id}
    with connection.cursor(row_factory=class_row(Site)) as cursor:
        sites = cursor.execute(load_query("select_sites"), {"site_ids": sorted(site_ids)}).fetchall()
    with connection.cursor(row_factory=dict_row) as cursor:
        ids = sorted(named.keys() | gateways)
        rows = cursor.execute(load_query("select_devices"), {"device_ids": ids}).fetchall()
    retired = frozenset(row["device_id"] for row in rows if row.pop("retired"))
    devices = {row["device_id"]: Device(profile_id=row.pop("profile"), **row) for row in rows}
    return _Stored(
        towns=read_towns(connection),
        sites={site.site_id: site for site in sites},
        devices=devices,
        retired=retired,
        town_by_device={device_id: device.town_id for device_id, device in devices.items()} | named,
    )


def _faults(entry: Entry, stored: _Stored) -> Iterator[Fault]:
    device, line = entry.device, entry.line
    if device.town_id not in stored.towns:
        yield Fault(line, "town", f"'{device.town_id}' is not a town; allowed: {', '.join(stored.towns)}")
    site = stored.sites.get(device.site_id)
    if site and site.town_id != device.town_id:
        yield Fault(line, "site", f"'{device.site_id}' stands in town '{site.town_id}'; give the site another id")
    known = stored.devices.get(device.device_id)
    if known and known.town_id != device.town_id:
        text = f"'{device.device_id}' is registered in town '{known.town_id}'; an import moves no device between towns"
        yield Fault(line, "device", text)
    if known and known.profile_id != device.profile_id:
        text = f"'{device.device_id}' is registered as '{known.profile_id}'; other hardware needs another device id"
        yield Fault(line, "profile", text)
    if device.device_id in stored.retired:
        yield Fault(line, "device", f"'{device.device_id}' is retired, and ids are never reused; take another id")
    if device.gateway_id:
        town_id = stored.town_by_device.get(device.gateway_id)
        if town_id is None or device.gateway_id in stored.retired:
            text = f"'{device.gateway_id}' is neither registered nor in this file; add a row for it"
            yield Fault(line, "gateway", text)
        elif town_id != device.town_id:
            text = f"'{device.gateway_id}' is in town '{town_id}', the device in '{device.town_id}'"
            yield Fault(line, "gateway", text)


def _warnings(entry: Entry, stored: _Stored) -> Iterator[Fault]:
    town, site = stored.towns.get(entry.site.town_id), entry.site
    if town and not town.contains(site.latitude, site.longitude):
        where = f"{site.latitude}, {site.longitude} lies outside {town.name.en}"
        box = f"latitude {town.south} to {town.north}, longitude {town.west} to {town.east}"
        yield Fault(entry.line, "latitude", f"{where} ({box}); see whether the two are exchanged")


def _write_sites(
    connection: psycopg.Connection[Any], entries: Sequence[Entry], stored: _Stored, report: ImportReport
) -> None:
    wanted = {entry.site.site_id: entry.site for entry in entries}
    changed = [site for site in wanted.values() if stored.sites.get(site.site_id) != site]
    for site in changed:
        known = stored.sites.get(site.site_id)
        if known is None:
            report.new_sites += 1
        else:
            report.changed_sites += 1
            report.changes.extend(_differences(f"site {site.site_id}", known, site))
    if changed:
        connection.execute(load_query("upsert_sites"), {"sites": Jsonb([asdict(site) for site in changed])})


def _write_devices(
    connection: psycopg.Connection[Any], file: RegistryFile, stored: _Stored, report: ImportReport
) -> None:
    changed: list[Device] = []
    moved: list[Device] = []  # to another gateway
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
            report.changes.extend(_differences(f"device {known.device_id}", known, wanted))
        changed.append(wanted)
        if wanted.gateway_id != (known.gateway_id if known else None):
            moved.append(wanted)
    if changed:
        connection.execute(load_query("upsert_devices"), {"devices": Jsonb([_device_row(d) for d in changed])})
    if moved:
        connection.execute(load_query("update_gateways"), {"devices": Jsonb([_device_row(d) for d in moved])})


def _with_stored(device: Device, known: Device, file: RegistryFile) -> Device:
    """The device as the file wants it, with what the file leaves open as it is stored."""
    return replace(
        device,
        gateway_id=device.gateway_id if "gateway" in file.columns else known.gateway_id,
        commissioned_time=device.commissioned_time or known.commissioned_time,
    )


def _differences(what: str, known: Site | Device, wanted: Site | Device) -> Iterator[str]:
    for attribute in fields(known):
        before, after = getattr(known, attribute.name), getattr(wanted, attribute.name)
        if before != after:
            yield f"{what}: {attribute.name} {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


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
