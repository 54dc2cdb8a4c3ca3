"""A simulated day of three towns, written straight into the tables: what the operations views are measured on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg

from devices.profiles import load_catalogue
from ingest import copy_binary
from ingest.changes import changes_of
from ingest.records import Block
from sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from devices.models import DeviceProfile

TOWNS: Final = {"tam-ky": (15.57, 108.47), "hoi-an": (15.88, 108.33), "dien-ban": (15.89, 108.24)}
A_THOUSAND: Final = {
    "lighting-cabinet": 22,
    "lamp-controller": 870,
    "traffic-counter": 40,
    "air-station": 4,
    "air-sensor": 14,
    "noise-meter": 14,
    "river-gauge": 8,
    "rain-gauge": 12,
    "weather-station": 10,
    "flood-sensor": 6,
}
"""Of a thousand devices."""
_ROWS_A_BATCH: Final = 100_000


@dataclass(frozen=True, slots=True)
class Member:
    """A registered device."""

    device_id: str
    key: int
    town: str
    profile: DeviceProfile


def register_city(url: str, devices_a_town: int) -> list[Member]:
    """Register the fleet; a street cabinet is the gateway of the lamps behind it."""
    rows: list[dict[str, Any]] = []
    for town, (latitude, longitude) in TOWNS.items():
        random = np.random.default_rng(len(town))
        for profile_id, share in A_THOUSAND.items():
            for number in range(share * devices_a_town // 1000):
                cabinets = A_THOUSAND["lighting-cabinet"] * devices_a_town // 1000
                gateway = f"{town}-lighting-cabinet-{number % cabinets}" if profile_id == "lamp-controller" else None
                device = f"{town}-{profile_id}-{number}"
                # The stations that have alarm levels in the catalogue of stations.
                gauges = {"tam-ky": "tk-gauge-tam-ky", "hoi-an": "ha-gauge-hoi-an", "dien-ban": "db-gauge-cau-lau"}
                site = gauges[town] if profile_id == "river-gauge" and number == 0 else f"site-{device}"
                rows.append(
                    {
                        "device": device,
                        "site": site,
                        "town": town,
                        "profile": profile_id,
                        "gateway": gateway,
                        "latitude": latitude + float(random.uniform(-0.03, 0.03)),
                        "longitude": longitude + float(random.uniform(-0.03, 0.03)),
                    }
                )
    catalogue = load_catalogue()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["domain"] = [catalogue[row["profile"]].domain for row in rows]
    columns["interval"] = [catalogue[row["profile"]].reporting_interval_s for row in rows]
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into site (site_id, town_id, name, kind, latitude, longitude)"
            " select s, t, s, 'pole', la, lo from unnest(%(site)s::text[], %(town)s::text[], %(latitude)s::float8[],"
            " %(longitude)s::float8[]) u (s, t, la, lo)",
            columns,
        )
        connection.execute(
            "insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s,"
            " commissioned_time) select d, u.t, s.site_key, o, p, d, i, now() - interval '2 days'"
            " from unnest(%(device)s::text[], %(town)s::text[], %(site)s::text[], %(domain)s::text[],"
            " %(profile)s::text[], %(interval)s::integer[]) u (d, t, si, o, p, i) join site s on s.site_id = u.si",
            columns,
        )
        connection.execute(
            "update device d set gateway_key = g.device_key"
            " from unnest(%(device)s::text[], %(gateway)s::text[]) u (d, g)"
            " join device g on g.device_id = u.g where d.device_id = u.d",
            columns,
        )
        for profile in catalogue.values():
            for stream in profile.datastreams:
                connection.execute(
                    "insert into datastream (datastream_id, device_key, slot, name, property, unit, factor, addend,"
                    " lower_bound, upper_bound, interval_s, period_s, stamp)"
                    " select device_id || ':' || %(name)s, device_key, %(slot)s, %(name)s, %(property)s, %(unit)s,"
                    " %(factor)s, %(addend)s, %(low)s, %(high)s, %(interval)s, %(period)s, %(stamp)s"
                    " from device where profile = %(profile)s",
                    {
                        "name": stream.name,
                        "slot": stream.slot,
                        "property": stream.property_id,
                        "unit": stream.unit,
                        "factor": stream.factor,
                        "addend": stream.addend,
                        "low": stream.lower_bound,
                        "high": stream.upper_bound,
                        "interval": stream.interval_s,
                        "period": stream.period_s,
                        "stamp": stream.stamp,
                        "profile": profile.profile_id,
                    },
                )
        found = connection.execute("select device_id, device_key, town_id, profile from device order by device_key")
        return [Member(device, key, town, catalogue[profile]) for device, key, town, profile in found]


def values_of(profile: DeviceProfile, time_s: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Plausible values of one device, shape (t, slots)."""
    hour = (time_s / 3600 + 7) % 24
    night = (hour < 6) | (hour >= 18)
    rush = 0.3 + np.exp(-((hour - 7.5) ** 2) / 2) + np.exp(-((hour - 17.5) ** 2) / 2)
    columns = []
    for stream in profile.datastreams:
        noise = random.normal(0, 1, len(time_s))
        columns.append(
            _column(stream.property_id, night, rush, noise, time_s).clip(stream.lower_bound, stream.upper_bound)
        )
    return np.round(np.stack(columns, axis=-1), 2)


def _column(
    property_id: str, night: NDArray[np.bool_], rush: NDArray[np.float64], noise: NDArray[np.float64], time_s: Any
) -> NDArray[np.float64]:
    made: dict[str, Any] = {
        "commanded-light-level": np.where(night, 80.0, 0.0),
        "light-level": np.where(night, 80.0, 0.0),
        "active-power": np.where(night, 80.0 + noise, 0.5),
        "lamp-state": np.where(night, 1.0, 0.0),
        "active-energy": 500.0 + (time_s - time_s[0]) / 3600 * 0.04,
        "voltage": 229 + noise,
        "power-factor": np.full(len(noise), 0.95),
        "vehicle-count": np.floor(12 * rush + np.abs(noise)),
        "vehicle-speed": 38 - 10 * rush + noise,
        "detector-occupancy": 10 * rush,
        "pm25": 30 + 5 * noise,
        "pm10": 45 + 6 * noise,
        "no2": 22 + 3 * noise,
        "water-level": 1.05 + 0.1 * np.sin(time_s / 6000),
        "rainfall": np.maximum(0.0, noise - 1),
        "sound-level-equivalent": 62 + 5 * rush + noise,
        "wind-direction": (40 + 20 * noise) % 360,
        "circuit-state": np.where(night, 1.0, 0.0),
    }
    column: NDArray[np.float64] = np.asarray(made.get(property_id, 5 + noise), np.float64)
    return column


def write_day(url: str, members: list[Member], hours: float) -> int:
    """Write the observations of the last hours, the changes they name, and what was said last; answers how many."""
    now_s = time.time() // 60 * 60
    readings = 0
    with psycopg.connect(url, autocommit=True) as connection:
        for profile_id in sorted({member.profile.profile_id for member in members}):
            group = [member for member in members if member.profile.profile_id == profile_id]
            profile = group[0].profile
            times = np.arange(now_s - hours * 3600, now_s, profile.reporting_interval_s) + profile.reporting_interval_s
            for block, key in _blocks(profile, np.array([member.key for member in group]), times):
                with connection.transaction():
                    connection.execute(
                        "select ensure_observation_partitions(to_timestamp(%s), to_timestamp(%s))",
                        [times[0], times[-1]],
                    )
                    with connection.cursor().copy(load_queries("ingest")["copy_observations"]) as copy:
                        copy.write(b"".join((copy_binary.HEADER, copy_binary.encode(block, key), copy_binary.TRAILER)))
                    connection.execute(
                        "insert into window_change (changes) values (%s)", [changes_of(key, block.time_us)]
                    )
                readings += block.value.size
        connection.execute(
            "insert into latest select d.device_key, o.phenomenon_time, o.received_time, o.value_by_slot,"
            " array_fill(o.phenomenon_time, array[cardinality(o.value_by_slot)]),"
            " array_fill(0::smallint, array[cardinality(o.value_by_slot)]) from device d cross join lateral ("
            " select * from observation_set r where r.device_key = d.device_key"
            " order by phenomenon_time desc limit 1) o"
        )
        connection.execute("analyze")
    return readings


def _blocks(
    profile: DeviceProfile, keys: NDArray[np.int64], times: NDArray[np.float64]
) -> Iterator[tuple[Block, NDArray[np.int32]]]:
    random = np.random.default_rng(len(profile.profile_id))
    at_once = max(1, _ROWS_A_BATCH // len(times))
    for start in range(0, len(keys), at_once):
        part = keys[start : start + at_once]
        value = np.concatenate([values_of(profile, times, random) for _ in part])
        time_us = np.tile((times * 1e6).astype(np.int64), len(part))
        key = np.repeat(part, len(times)).astype(np.int32)
        zeros = np.zeros(len(key), np.int32)
        yield (
            Block(
                layout=0,
                message=zeros,
                device=key,
                time_us=time_us,
                received_us=time_us + 1_000_000,
                value=value,
                quality=np.zeros(value.shape, np.int16),
            ),
            key,
        )
