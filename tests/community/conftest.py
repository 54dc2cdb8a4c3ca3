"""The community suite: `make community` with THUBON_TEST_DATABASE_URL; no other run collects it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.fix_database import Database

collect_ignore_glob = [] if os.environ.get("THUBON_TEST_COMMUNITY") else ["test_*.py"]


@pytest.fixture
def community(database: Database) -> Database:
    """A migrated database of a server that has the columnstore; another edition fails the run."""
    with psycopg.connect(database.url) as connection:
        edition = connection.execute("select storage_edition()").fetchone()
    if edition != ("timescaledb-community",):
        pytest.fail(f"this suite needs TimescaleDB's community edition, the server is {edition}", pytrace=False)
    return database
