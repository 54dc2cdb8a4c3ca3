"""Rows for the API's tests, written as the database's owner: a few devices of the real catalogue and their history."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import nan
from typing import TYPE_CHECKING, Any

import psycopg

from devices.profiles import load_catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devices.models import DeviceProfile

PLACES = {"tam-ky": (15.57, 108.47), "hoi-an": (15.88, 108.33), "dien-ban": (15.89, 108.24)}


def now() -> datetime:
    return datetime.now(UTC)


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


@dataclass(repr=False)
class Seed:
    """Writes to one database; every method commits."""

    connection: psycopg.Connection
    _keys: dict[str, tuple[int, DeviceProfile]] = field(default_factory=dict)

    @classmethod
    def open(cls, url: str) -> Seed:
        return cls(psycopg.connect(url, autocommit=True))

    def device(
        self,
        device_id: str,
        profile_id: str,
        *,
        town: str = "hoi-an",
        place: tuple[float, float] | None = None,
        commissioned: datetime | None = None,
        retired: datetime | None = None,
    ) -> int:
        """Register a device of a catalogue profile at a site of its own."""
        profile = load_catalogue()[profile_id]
        latitude, longitude = place or PLACES[town]
        with self.connection.transaction():
            site = self._one(
                "insert into site (site_id, town_id, name, kind, latitude, longitude)"
                " values (%s, %s, %s, 'station', %s, %s) returning site_key",
                [f"site-{device_id}", town, f"Nơi {device_id}", latitude, longitude],
            )
            key: int = self._one(
                "insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s,"
                " commissioned_time, retired_time) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning device_key",
                [
                    device_id,
                    town,
                    site,
                    profile.domain,
                    profile_id,
                    f"Thiết bị {device_id}",
                    profile.reporting_interval_s,
                    commissioned or ago(days=30),
                    retired,
                ],
            )
            for stream in profile.datastreams:
                self.connection.execute(
                    "insert into datastream (datastream_id, device_key, slot, name, property, unit, factor, addend,"
                    " lower_bound, upper_bound, interval_s, period_s, stamp)"
                    " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    [
                        f"{device_id}:{stream.name}",
                        key,
                        stream.slot,
                        stream.name,
                        stream.property_id,
                        stream.unit,
                        stream.factor,
                        stream.addend,
                        stream.lower_bound,
                        stream.upper_bound,
                        stream.interval_s,
                        stream.period_s,
                        stream.stamp,
                    ],
                )
        self._keys[device_id] = (key, profile)
        return key

    def know(self, device_id: str, profile_id: str) -> None:
        """Learn of a device that somebody else registered, to write its observations."""
        key = self._one("select device_key from device where device_id = %s", [device_id])
        self._keys[device_id] = (key, load_catalogue()[profile_id])

    def observe(
        self,
        device_id: str,
        time: datetime,
        values: Mapping[str, float],
        *,
        quality: Mapping[str, int] | None = None,
        received: datetime | None = None,
        latest: bool = True,
    ) -> int:
        """Store what a device observed at one time, as ingest does, and tell the live listeners; answers the xid."""
        key, profile = self._keys[device_id]
        slots = len(profile.datastreams)
        by_slot, quality_by_slot = [nan] * slots, [0] * slots
        for name, value in values.items():
            stream = profile.datastream(name)
            assert stream is not None
            by_slot[stream.slot - 1] = value
            quality_by_slot[stream.slot - 1] = (quality or {}).get(name, 0)
        received = received or time + timedelta(milliseconds=400)
        with self.connection.transaction():
            self.connection.execute("select ensure_observation_partitions(%s, %s)", [time, time])
            self.connection.execute(
                "insert into observation_set values (%s, %s, %s, %s, %s)",
                [time, received, key, by_slot, quality_by_slot if quality else None],
            )
            if latest:
                self.connection.execute(_FOLD, {"key": key, "time": time, "received": received,
                                                "values": by_slot, "quality": quality_by_slot})  # fmt: skip
            return self.change([device_id]) if latest else 0

    def history(
        self, device_id: str, name: str, rows: Sequence[tuple[datetime, float, int]], *, received_after_s: float = 1.0
    ) -> None:
        """Store many observations of one datastream at once, without `latest` and live push."""
        key, profile = self._keys[device_id]
        stream = profile.datastream(name)
        assert stream is not None
        if rows:
            times = [time for time, _, _ in rows]
            self.connection.execute("select ensure_observation_partitions(%s, %s)", [min(times), max(times)])
        with self.connection.cursor().copy("copy observation_set from stdin") as copy:
            for time, value, quality in rows:
                by_slot, quality_by_slot = [nan] * stream.slot, [0] * stream.slot
                by_slot[-1], quality_by_slot[-1] = value, quality
                received = time + timedelta(seconds=received_after_s)
                copy.write_row([time, received, key, by_slot, quality_by_slot if quality else None])

    def status(self, device_id: str, word: str, since: datetime) -> None:
        """Note the last word of a device's status topic."""
        self.connection.execute(
            "insert into device_status values (%s, %s, %s)"
            " on conflict (device_key) do update set word = excluded.word, since = excluded.since",
            [self._keys[device_id][0], word, since],
        )

    def change(self, device_ids: Sequence[str]) -> int:
        """Tell the live listeners that devices changed."""
        with self.connection.transaction():
            xid: int = self._one(
                "insert into live_change (device_keys) values (%s) returning xid::text::bigint",
                [[self._keys[device_id][0] for device_id in device_ids]],
            )
            self.connection.execute("notify thubon_live")
        return xid

    def reject(
        self,
        source: str,
        payload: bytes,
        *,
        device_id: str | None = None,
        reason: str = "bad-payload",
        received: datetime | None = None,
        subjects: Any = None,
    ) -> None:
        """Store a rejection."""
        self.connection.execute(
            "insert into rejection (received_time, town_id, source, device_id, family, topic, reason, detail, readings,"
            " subjects, payload, payload_bytes) values (%s, 'hoi-an', %s, %s, 'thubon', %s, %s, %s, 1, %s, %s, %s)",
            [
                received or now(),
                source,
                device_id,
                f"thubon/v1/hoi-an/{source}/telemetry",
                reason,
                "what was wrong",
                json.dumps(subjects) if subjects is not None else None,
                payload,
                len(payload),
            ],
        )

    def execute(self, query: str, parameters: Sequence[Any] = ()) -> None:
        """Run any statement."""
        self.connection.execute(query.encode(), parameters)

    def _one(self, query: str, parameters: Sequence[Any]) -> Any:
        row = self.connection.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return row[0]


_FOLD = """
insert into latest values (%(key)s, %(time)s, %(received)s, %(values)s,
  (select array_agg(case when v = 'NaN' then '-infinity' else %(time)s::timestamptz end order by n)
   from unnest(%(values)s::float8[]) with ordinality u(v, n)), %(quality)s)
on conflict (device_key) do update set
  phenomenon_time = excluded.phenomenon_time, received_time = excluded.received_time,
  value_by_slot = (select array_agg(case when excluded.value_by_slot[n] = 'NaN' then latest.value_by_slot[n]
                                         else excluded.value_by_slot[n] end order by n)
                   from generate_subscripts(excluded.value_by_slot, 1) n),
  time_by_slot = (select array_agg(greatest(latest.time_by_slot[n], excluded.time_by_slot[n]) order by n)
                  from generate_subscripts(excluded.time_by_slot, 1) n),
  quality_by_slot = (select array_agg(case when excluded.value_by_slot[n] = 'NaN' then latest.quality_by_slot[n]
                                           else excluded.quality_by_slot[n] end order by n)
                     from generate_subscripts(excluded.value_by_slot, 1) n)
"""
