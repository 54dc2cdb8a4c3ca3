"""The commands that change the registry one by one, or look at it: each a function of a connection and its options."""

from __future__ import annotations

import getpass
import hashlib
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

from devices.changes import (
    NewDevice,
    change_device,
    change_site,
    create_device,
    create_site,
    move_device,
    retire_device,
    retire_site,
)
from devices.claims import claim
from devices.knocks import accept_knock, guess_profiles, refuse_knock, sent_names
from devices.label_sheet import label_sheet, labels_steps
from devices.models import Site
from devices.registry import towns_steps, wards_steps
from devices.sheets import cell_text
from devices.steps import Steps, ask, run
from devices.towns import TOWN_FIELDS, change_town, create_town, retire_town

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    import psycopg

    from devices.change import Change
    from devices.models import DeviceProfile
    from devices.registry import ImportReport, SyncReport

_LISTED: Final = 1_000
_GRACE_H: Final = 72
_FED_HELP: Final = "the cabinet of its town that feeds it; without it its gateway counts, where that is a cabinet"
_RATED_HELP: Final = "of a lamp at full light; absent: that of its profile, or learnt from its last days"
_SIDES: Final = ("west", "south", "east", "north")


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the command line."""
    _add_towns(commands)
    site = commands.add_parser("site", help="create a site, or change one: only what is named changes")
    site.add_argument("site")
    site.add_argument("--town", help="of a new site")
    site.add_argument("--name")
    site.add_argument("--kind", help="junction, pole, cabinet, station, gauge, bridge ...")
    site.add_argument("--latitude", type=float)
    site.add_argument("--longitude", type=float)
    site.add_argument("--label", action="append", dest="labels", help="all its labels; may be given several times")
    site.add_argument("--ward", action="append", dest="wards", help="its ward, by id; one of each version")
    site.add_argument("--retire", action="store_true", help="take it out of use")
    site.add_argument("--reinstate", action="store_true", help="bring it back")

    add = commands.add_parser("add", help="register one device")
    _device_options(add, needed=True)
    add.add_argument("--profile", required=True)
    change = commands.add_parser(
        "change", help="change name, labels, gateway or cabinet of a device: only what is named"
    )
    change.add_argument("device")
    change.add_argument("--name")
    change.add_argument("--gateway", help="empty: it speaks for itself")
    change.add_argument("--label", action="append", dest="labels", help="all its labels; may be given several times")
    change.add_argument("--rated-power", type=float, dest="rated_power_w", metavar="W", help=_RATED_HELP)
    change.add_argument("--fed-by", metavar="CABINET", help=f"{_FED_HELP}; empty: none")
    move = commands.add_parser("move", help="put a device on another site, perhaps in another town")
    move.add_argument("device")
    move.add_argument("--site", required=True)
    move.add_argument("--gateway", help="its gateway there; absent: it speaks for itself")
    move.add_argument("--grace-hours", type=float, default=_GRACE_H, help="how long topics of the old town are taken")
    for name, text in (("retire", "take a device out of service"), ("reinstate", "bring a retired device back")):
        commands.add_parser(name, help=text).add_argument("device")

    codes = commands.add_parser("labels", help="claim codes as a page of labels to print (HTML)")
    codes.add_argument("--town")
    codes.add_argument("--site")
    codes.add_argument("--device", action="append", dest="devices")
    codes.add_argument("--new-code", action="store_true", help="void the present codes of the devices named")
    codes.add_argument("--out", type=Path, required=True, metavar="FILE.html")
    commands.add_parser("claim", help="claim the device of a code").add_argument("code")

    knocks = commands.add_parser("knocks", help="devices that send and that nobody registered")
    knocks.add_argument("--town")
    knocks.add_argument("--refused", action="store_true", help="those that were turned away")
    accept = commands.add_parser("accept", help="register a device that knocked; what it sent goes the way again")
    _device_options(accept, needed=False)
    accept.add_argument("--town", required=True, help="where it knocked")
    accept.add_argument("--profile", help="absent: the one it most looks like")
    refuse = commands.add_parser("refuse", help="turn a device that knocked away")
    refuse.add_argument("device")
    refuse.add_argument("--town", required=True)
    refuse.add_argument("--forgive", action="store_true", help="hear of it again")

    wards = commands.add_parser("wards", help="wards and communes in their versions, one line each")
    wards.add_argument("--town")


def _add_towns(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    town = commands.add_parser("town", help="create a town, or change one: only what is named changes")
    town.add_argument("town")
    town.add_argument("--name-vi", help="in Vietnamese")
    town.add_argument("--name-en", help="in English")
    town.add_argument("--latitude", type=float, help="of the map's centre")
    town.add_argument("--longitude", type=float)
    town.add_argument("--bbox", type=_box, metavar="W,S,E,N", help="its area in degrees")
    town.add_argument("--position", type=int, help="its place on the page, from 1; absent: the last")
    town.add_argument("--retire", action="store_true", help="take it out of use")
    town.add_argument("--reinstate", action="store_true", help="bring it back")
    commands.add_parser("towns", help="the towns, one line each")


def _device_options(parser: argparse.ArgumentParser, *, needed: bool) -> None:
    parser.add_argument("device")
    parser.add_argument("--site", required=True)
    parser.add_argument("--name", required=needed, help="for people")
    parser.add_argument("--gateway")
    parser.add_argument("--label", action="append", dest="labels")
    parser.add_argument("--rated-power", type=float, dest="rated_power_w", metavar="W", help=_RATED_HELP)
    parser.add_argument("--fed-by", metavar="CABINET", help=_FED_HELP)
    parser.add_argument("--commissioned", type=_time, help="a time with offset; earlier readings are refused")


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time with offset is needed")
    return found


def _box(text: str) -> tuple[float, ...]:
    sides = tuple(float(part) for part in text.split(","))
    if len(sides) != len(_SIDES):
        raise ValueError("west,south,east,north are needed")
    return sides


def run_command(
    connection: psycopg.Connection[Any], options: argparse.Namespace, catalogue: Mapping[str, DeviceProfile]
) -> None:
    """Run one of these commands and commit.

    Raises:
        ChangeError: refused; nothing was changed.
    """
    _COMMANDS[options.command](connection, options, catalogue)


def actor() -> str:
    """Who runs a command, as the audit names them."""
    return f"cli:{getpass.getuser()}"


def _audit(
    connection: psycopg.Connection[Any],
    action: str,
    town: str | None,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    record = {"before": None if before is None else Jsonb(before), "after": None if after is None else Jsonb(after)}
    run(connection, ask("audit_note", actor=actor(), action=action, town_id=town, subject=subject, **record))


def audit_import(connection: psycopg.Connection[Any], report: ImportReport, content: bytes) -> None:
    """Leave an import in the audit of each town that it changed, and what each site and device was and became."""
    digest = hashlib.sha256(content).hexdigest()
    for town, devices in sorted(report.devices_by_town.items()):
        _audit(connection, "registry.import", town, "file", None, {"devices": devices, "sha256": digest})
    run(connection, ask("audit_notes", actor=actor(), notes=Jsonb(report.notes)))


def audit_sync(connection: psycopg.Connection[Any], report: SyncReport) -> None:
    """Leave in the audit what profiles that grew brought to the devices of all towns, if anything."""
    if report.appended or report.updated:
        after = {"appended": report.appended, "updated": report.updated}
        _audit(connection, "registry.sync", None, "datastreams", None, after)


def _changes(steps: Callable[[argparse.Namespace, Mapping[str, DeviceProfile]], Steps[Change]]) -> Any:
    def command(
        connection: psycopg.Connection[Any], options: argparse.Namespace, catalogue: Mapping[str, DeviceProfile]
    ) -> None:
        change = run(connection, steps(options, catalogue))
        if change.before != change.after:
            for town in dict.fromkeys((change.former_town_id, change.town_id)):
                if town is not None:
                    _audit(connection, change.action, town, change.subject, change.before, change.after)
        connection.commit()
        _tell(change)

    return command


def _tell(change: Change) -> None:
    for warning in change.warnings:
        sys.stderr.write(f"{change.subject}: {warning} (warning)\n")
    before, after = change.before, change.after
    if before == after:
        print(f"{change.subject}: nothing to change")
        return
    print(f"{change.action} {change.subject}")
    for name, value in after.items():
        if before is None or before.get(name) != value:
            print(f"  {name}: {_shown(before.get(name)) + ' -> ' if before else ''}{_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(value) or "none"
    return "none" if value is None else str(value)


def _site(options: argparse.Namespace, _: Mapping[str, DeviceProfile]) -> Steps[Change]:
    named: dict[str, Any] = {
        name: value
        for name in ("name", "kind", "latitude", "longitude", "labels", "wards")
        if (value := getattr(options, name)) is not None
    }
    if options.retire or options.reinstate:
        return (yield from retire_site(options.site, None, retired=options.retire))
    known = yield from ask("select_sites", site_ids=[options.site])
    if known:
        return (yield from change_site(options.site, named, None))
    missing = {"name", "kind", "latitude", "longitude"} - named.keys()
    if missing or not options.town:
        sys.stderr.write(f"a new site needs --town, {', '.join(f'--{name}' for name in sorted(missing))}\n")
        raise SystemExit(2)
    new = {**named, "labels": tuple(named.get("labels", ())), "wards": tuple(named.get("wards", ()))}
    return (yield from create_site(Site(site_id=options.site, town_id=options.town, **new)))


def _town(options: argparse.Namespace, _: Mapping[str, DeviceProfile]) -> Steps[Change]:
    if options.retire or options.reinstate:
        return (yield from retire_town(options.town, None, retired=options.retire))
    named = {name: value for name in TOWN_FIELDS if (value := getattr(options, name, None)) is not None}
    if options.bbox is not None:
        named |= dict(zip(_SIDES, options.bbox, strict=True))
    if options.town in (yield from towns_steps()):
        return (yield from change_town(options.town, named, None))
    missing = [name for name in TOWN_FIELDS if name not in {*named, *_SIDES, "position"}]
    missing += ["bbox"] if options.bbox is None else []
    if missing:
        wanted = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        sys.stderr.write(f"a new town needs {wanted}\n")
        raise SystemExit(2)
    return (yield from create_town(options.town, {"position": None, **named}))


def _new(options: argparse.Namespace, profile_id: str) -> NewDevice:
    return NewDevice(
        device_id=options.device,
        site_id=options.site,
        profile_id=profile_id,
        name=options.name or options.device,
        gateway_id=options.gateway or None,
        labels=tuple(options.labels or ()),
        commissioned_time=options.commissioned,
        rated_power_w=options.rated_power_w,
        fed_by_id=options.fed_by or None,
    )


def _add(options: argparse.Namespace, catalogue: Mapping[str, DeviceProfile]) -> Steps[Change]:
    return (yield from create_device(_new(options, options.profile), catalogue))


def _change(options: argparse.Namespace, catalogue: Mapping[str, DeviceProfile]) -> Steps[Change]:
    named: dict[str, Any] = {
        name: value for name in ("name", "labels", "rated_power_w") if (value := getattr(options, name)) is not None
    }
    if options.gateway is not None:
        named["gateway_id"] = options.gateway or None
    if options.fed_by is not None:
        named["fed_by_id"] = options.fed_by or None
    return (yield from change_device(options.device, named, None, catalogue))


def _move(options: argparse.Namespace, _: Mapping[str, DeviceProfile]) -> Steps[Change]:
    grace_s = options.grace_hours * 3600
    return (yield from move_device(options.device, options.site, options.gateway or None, None, grace_s=grace_s))


def _retire(options: argparse.Namespace, _: Mapping[str, DeviceProfile]) -> Steps[Change]:
    return (yield from retire_device(options.device, None, by=actor(), retired=options.command == "retire"))


def _accept(options: argparse.Namespace, catalogue: Mapping[str, DeviceProfile]) -> Steps[Change]:
    profile_id = options.profile
    if not profile_id:
        rows = yield from ask("knock_record", device_id=options.device, town_id=options.town)
        guesses = guess_profiles(sent_names(rows[0]["sample"], options.device), catalogue) if rows else []
        profile_id = guesses[0].profile_id if guesses else ""
    return (yield from accept_knock(options.town, _new(options, profile_id), catalogue))


def _refuse(options: argparse.Namespace, _: Mapping[str, DeviceProfile]) -> Steps[Change]:
    return (yield from refuse_knock(options.device, options.town, actor(), refused=not options.forgive))


def _labels(connection: psycopg.Connection[Any], options: argparse.Namespace, _: Mapping[str, DeviceProfile]) -> None:
    rows = run(connection, labels_steps(options.town, options.site, options.devices, new_code=options.new_code))
    options.out.write_text(label_sheet(rows), encoding="utf-8")
    connection.commit()
    print(f"{len(rows)} labels in {options.out}")


def _claim(connection: psycopg.Connection[Any], options: argparse.Namespace, _: Mapping[str, DeviceProfile]) -> None:
    claimed = run(connection, claim(options.code, actor()))
    _audit(connection, "device.claim", claimed.town_id, claimed.device_id, None, claimed.noted)
    connection.commit()
    print(f"{claimed.device_id} in {claimed.town_id} is claimed")
    if claimed.issued is not None:
        print(f"user name {claimed.issued.device_id}, password {claimed.issued.password} (shown this once)")


def _knocks(
    connection: psycopg.Connection[Any], options: argparse.Namespace, catalogue: Mapping[str, DeviceProfile]
) -> None:
    rows = run(connection, ask("list_knocks", town_id=options.town, refused=options.refused, limit=_LISTED))
    print("device\ttown\treason\tgateway\tfirst\tlast\tmessages\treadings\tlooks like")
    for row in rows:
        guesses = guess_profiles(sent_names(row["sample"], row["device_id"]), catalogue)
        names = ("device_id", "town_id", "reason", "gateway_id", "first_time", "last_time", "messages", "readings")
        cells = [cell_text(row[name]) for name in names]
        print("\t".join([*cells, guesses[0].profile_id if guesses else ""]))


def _towns(connection: psycopg.Connection[Any], _: argparse.Namespace, __: Mapping[str, DeviceProfile]) -> None:
    print("town\tname\tenglish\tlatitude\tlongitude\tbox\tretired")
    for town in run(connection, towns_steps()).values():
        box = ",".join(str(side) for side in (town.west, town.south, town.east, town.north))
        cells = (town.town_id, town.name.vi, town.name.en, town.latitude, town.longitude, box)
        print("\t".join([*(cell_text(cell) for cell in cells), "retired" if town.retired else ""]))


def _wards(connection: psycopg.Connection[Any], options: argparse.Namespace, _: Mapping[str, DeviceProfile]) -> None:
    print("ward\ttown\tname\tkind\tfrom\tto\tgrade\tsource\tsuccessor")
    for ward in run(connection, wards_steps(options.town)).values():
        cells = (ward.ward_id, ward.town_id, ward.name, ward.kind, ward.valid_from, ward.valid_to, ward.grade)
        print("\t".join(cell_text(cell) for cell in (*cells, ward.source, ward.successor_id)))


_COMMANDS: Final = {
    "town": _changes(_town),
    "towns": _towns,
    "site": _changes(_site),
    "add": _changes(_add),
    "change": _changes(_change),
    "move": _changes(_move),
    "retire": _changes(_retire),
    "reinstate": _changes(_retire),
    "accept": _changes(_accept),
    "refuse": _changes(_refuse),
    "labels": _labels,
    "claim": _claim,
    "knocks": _knocks,
    "wards": _wards,
}
COMMANDS: Final = frozenset(_COMMANDS)
"""Names of these commands."""
