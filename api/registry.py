"""Reads devices, towns and what they said last, and puts them in the shapes of the contract."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from api.cache import Moment
from api.grants import everywhere, in_scope
from api.names import datastream_label, flags_shape, sent_unit
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from api.database import Database
    from api.schemas import ChangedDevice, Datastream, DeviceCore, DeviceCounts, Reported, Town, Value

MOMENT_S = 1.0
"""How long counts of devices are handed out to all who ask, seconds."""

_QUERIES = load_queries("api_devices")
_REPORTED = ("battery-level", "battery-voltage", "signal-strength")
Reports = dict[int, dict[str, "Reported"]]
"""Device key -> observed property -> what the device reports of itself."""
StatesByTown = dict[str, dict[str, "DeviceCounts"]]
"""Town -> domain -> devices by state."""


class Registry:
    """The registry and `latest`, read for the views and for live push."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._towns = Moment(self._read_towns, MOMENT_S)

    def forget_towns(self) -> None:
        """Read the towns anew for who asks next: somebody changed something."""
        self._towns.forget()

    async def towns(self, *, retired: bool = False) -> tuple[list[Town], StatesByTown]:
        """The towns of whoever is served now in their order, and their devices by domain and state; a second old.

        Args:
            retired: those out of use too.
        """
        towns, out_of_use, states = await self._towns.get()
        return [town for town in towns if in_scope(town["id"]) and (retired or town["id"] not in out_of_use)], states

    async def town(self, town_id: str) -> tuple[Town, dict[str, DeviceCounts]] | None:
        """One town and its devices by domain and state; None when there is none of this id."""
        towns, states = await self.towns(retired=True)
        town = next((town for town in towns if town["id"] == town_id), None)
        return (town, states.get(town_id, {})) if town else None

    async def latest(self, profile_by_key: Mapping[int, str]) -> dict[int, list[Value]]:
        """What each of some devices said last, in the order of the slots; devices that said nothing are left out.

        Args:
            profile_by_key: device key -> device profile.
        """
        rows = await self._database.rows(_QUERIES["latest_values"], {"device_keys": list(profile_by_key)})
        now = datetime.now(UTC)
        values: dict[int, list[Value]] = defaultdict(list)
        for row in rows:
            values[row["device_key"]].append(
                {
                    "datastream": row["datastream_id"],
                    "name": row["name"],
                    "property": row["property"],
                    "label": datastream_label(profile_by_key[row["device_key"]], row["name"], row["property"]),
                    "value": row["value"],
                    "unit": row["unit"],
                    "phenomenon_time": row["phenomenon_time"],
                    "quality": row["quality"],
                    "flags": flags_shape(row["quality"]),
                    "age_s": round((now - row["phenomenon_time"]).total_seconds(), 3),
                }
            )
        return values

    async def reports(self, device_keys: Sequence[int]) -> Reports:
        """What some devices report of themselves: charge, battery voltage, signal."""
        rows = await self._database.rows(
            _QUERIES["device_reports"], {"device_keys": list(device_keys), "properties": list(_REPORTED)}
        )
        reports: Reports = defaultdict(dict)
        for row in rows:
            report: Reported = {
                "datastream": row["datastream_id"],
                "value": row["value"],
                "unit": row["unit"],
                "phenomenon_time": row["phenomenon_time"],
            }
            reports[row["device_key"]].setdefault(row["property"], report)
        return reports

    async def changed_devices(self, device_keys: Sequence[int]) -> list[ChangedDevice]:
        """Some devices as a `change` event shows them, by id."""
        rows = await self._database.rows(_QUERIES["devices_by_key"], {"device_keys": list(device_keys)})
        latest = await self.latest({row["device_key"]: row["profile"] for row in rows})
        return [
            {
                "id": row["device_id"],
                "town": row["town_id"],
                "domain": row["domain"],
                "state": row["state"],
                "phenomenon_time": row["phenomenon_time"],
                "received_time": row["received_time"],
                "latest": latest.get(row["device_key"], []),
            }
            for row in rows
        ]

    async def _read_towns(self) -> tuple[list[Town], frozenset[str], StatesByTown]:
        with everywhere():
            towns = await self._database.rows(_QUERIES["town_list"])
            counts = await self._database.rows(_QUERIES["device_states"])
        states: StatesByTown = defaultdict(lambda: defaultdict(no_devices))
        for row in counts:
            states[row["town_id"]][row["domain"]][row["state"]] = row["devices"]
        listed: list[Town] = [
            {
                "id": row["town_id"],
                "name": {"vi": row["name_vi"], "en": row["name_en"]},
                "latitude": row["latitude"],
                "longitude": row["longitude"],
                "bbox": (row["west"], row["south"], row["east"], row["north"]),
                "devices": total(states[row["town_id"]].values()),
            }
            for row in towns
        ]
        return listed, frozenset(row["town_id"] for row in towns if row["retired"]), states


def no_devices() -> DeviceCounts:
    """No device in any state."""
    return {"online": 0, "stale": 0, "offline": 0, "never-seen": 0, "retired": 0}


def total(counts: Iterable[DeviceCounts]) -> DeviceCounts:
    """Devices by state over several groups."""
    summed = no_devices()
    for group in counts:
        for state in summed:
            summed[state] += group[state]
    return summed


def device_core(row: Mapping[str, Any], reports: Reports) -> DeviceCore:
    """A row of `device_page` or `device_detail` in the contract's shape.

    Args:
        row: of the statement.
        reports: what devices report of themselves, by key.
    """
    own = reports.get(row["device_key"], {})
    return {
        "id": row["device_id"],
        "name": row["name"],
        "town": row["town_id"],
        "domain": row["domain"],
        "profile": row["profile"],
        "site": {
            "id": row["site_id"],
            "name": row["site_name"],
            "kind": row["site_kind"],
            "latitude": row["latitude"],
            "longitude": row["longitude"],
        },
        "state": row["state"],
        "state_since": row["state_since"],
        "reporting_interval_s": row["reporting_interval_s"],
        "phenomenon_time": row["phenomenon_time"],
        "received_time": row["received_time"],
        "gateway": row["gateway_id"],
        "labels": row["labels"],
        "version": row["version"],
        "battery": own.get("battery-level") or own.get("battery-voltage"),
        "signal": own.get("signal-strength"),
    }


def datastream_shape(row: Mapping[str, Any], profile: str) -> Datastream:
    """A row of `device_datastreams` or `datastream` in the contract's shape."""
    return {
        "id": row["datastream_id"],
        "name": row["name"],
        "property": row["property"],
        "label": datastream_label(profile, row["name"], row["property"]),
        "unit": row["unit"],
        "unit_sent": sent_unit(profile, row["name"], row["property"], row["unit"]),
        "interval_s": row["interval_s"],
        "period_s": row["period_s"],
        "stamp": row["stamp"],
        "lower_bound": row["lower_bound"],
        "upper_bound": row["upper_bound"],
    }
