"""Databases on both editions of storage that run here, and a registry to fill them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.fix_database import Database


@dataclass(frozen=True, slots=True)
class Registry:
    """Puts sites, devices and datastreams into a database."""

    connection: psycopg.Connection  # as administrator, autocommit

    def add_device(self, device_id: str, *, slots: int = 2, town: str = "hoi-an", interval_s: int = 60) -> int:
        """A device with datastreams `s1`, `s2` ... in slots 1, 2 ...; answers its key."""
        row = self.connection.execute(
            """
            with place as (
              insert into site (site_id, town_id, name, kind, latitude, longitude)
              values (%(device)s, %(town)s, 'A place', 'pole', 15.88, 108.33) returning site_key
            )
            insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s)
            select %(device)s, %(town)s, site_key, 'environment', 'air-station', 'A device', %(interval_s)s from place
            returning device_key
            """,
            {"device": device_id, "town": town, "interval_s": interval_s},
        ).fetchone()
        assert row is not None
        self.add_datastreams(row[0], range(1, slots + 1))
        return int(row[0])

    def add_datastreams(self, device_key: int, slots: range) -> None:
        """Datastreams `s<slot>` for a device that stands already."""
        self.connection.execute(
            """
            insert into datastream (datastream_id, device_key, slot, name, property, unit, lower_bound, upper_bound,
                                    interval_s)
            select device_id || ':s' || slot, device_key, slot, 's' || slot, 'pm25', 'ug/m3', 0, 1000, 60
            from device, unnest(%(slots)s::smallint[]) slot where device_key = %(device_key)s
            """,
            {"device_key": device_key, "slots": list(slots)},
        )

    def observe(self, device_key: int, time: datetime, values: list[float], quality: list[int] | None = None) -> None:
        """One row of observations, received when it was observed."""
        self.connection.execute("select ensure_observation_partitions(%(time)s, %(time)s)", {"time": time})
        self.connection.execute(
            "insert into observation_set values (%s, %s, %s, %s, %s)", [time, time, device_key, values, quality]
        )


@pytest.fixture(params=["timescaledb", "postgresql"])
def edition(request: pytest.FixtureRequest) -> str:
    """Each test that asks for it runs on TimescaleDB and on plain PostgreSQL."""
    return cast("str", request.param)


@pytest.fixture
def edition_database(edition: str, request: pytest.FixtureRequest) -> Database:
    """This test's own migrated database."""
    name = "database" if edition == "timescaledb" else "plain_database"
    return cast("Database", request.getfixturevalue(name))


@pytest.fixture
def empty_url(edition: str, request: pytest.FixtureRequest) -> str:
    """A database without any schema."""
    name = "empty_database_url" if edition == "timescaledb" else "plain_empty_database_url"
    return cast("str", request.getfixturevalue(name))


@pytest.fixture
def admin(edition_database: Database) -> Iterator[psycopg.Connection]:
    """An autocommit connection to the migrated database as administrator."""
    with psycopg.connect(edition_database.url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def registry(admin: psycopg.Connection) -> Registry:
    """Puts devices into the migrated database."""
    return Registry(admin)
