"""A small registry written straight by SQL, for tests that want devices of a known shape."""

from __future__ import annotations

import psycopg

SLOTS = ("pm25", "pm10", "no2", "temperature", "humidity", "o3")


def register(
    url: str,
    *,
    devices: int = 3,
    town: str = "hoi-an",
    prefix: str = "dev",
    gateway: str | None = None,
    names: tuple[str, ...] = SLOTS,
    commissioned: str = "2020-01-01T00:00:00Z",
) -> list[str]:
    """Register `<prefix>-1` ... with one datastream a name, bounds -100 to 1000; returns the device ids."""
    ids = [f"{prefix}-{number}" for number in range(1, devices + 1)]
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into site (site_id, town_id, name, kind, latitude, longitude)"
            " values (%s, %s, 'Test', 'station', 15.88, 108.33) on conflict do nothing",
            [f"site-{town}", town],
        )
        connection.execute(
            "insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s,"
            " gateway_key, commissioned_time)"
            " select u, %(town)s, (select site_key from site where site_id = %(site)s), 'environment', 'air-station',"
            " u, 60, (select device_key from device where device_id = %(gateway)s), %(commissioned)s::timestamptz"
            " from unnest(%(ids)s::text[]) u",
            {"town": town, "site": f"site-{town}", "gateway": gateway, "ids": ids, "commissioned": commissioned},
        )
        connection.execute(
            "insert into datastream (datastream_id, device_key, slot, name, property, unit, lower_bound, upper_bound,"
            " interval_s, words)"
            " select d.device_id || ':' || n.name, d.device_key, n.slot, n.name, n.name, '1', -100, 1000, 60,"
            ' \'{"low": 1, "high": 2}\'::jsonb'
            " from device d, unnest(%(names)s::text[]) with ordinality n (name, slot) where d.device_id = any(%(ids)s)",
            {"names": list(names), "ids": ids},
        )
    return ids
