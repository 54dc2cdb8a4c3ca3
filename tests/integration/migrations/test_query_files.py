"""Every named query is understood by the migrated database, under the role of the program that asks it."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import psycopg
import pytest

from sql import load_queries

if TYPE_CHECKING:
    from tests.fix_database import Database

_FILES = sorted(file.name.removesuffix(".sql") for file in (files("sql") / "queries").iterdir())
_OF_CHANGES = {"api_access", "api_audit", "api_credentials", "api_people", "api_replay"}
_PLACEHOLDER = re.compile(r"%\((?P<name>\w+)\)[sbt]")
_MAKES_TABLE = re.compile(r"^create (temporary|temp) table", re.MULTILINE)
_UTILITY = re.compile(r"^copy\b", re.MULTILINE)
_PLANNED = re.compile(r"^(select|with|insert|update|delete)\b", re.MULTILINE)


def _with_numbers(query: str) -> str:
    """`%(name)s` of psycopg as `$1` of the server; the same name is the same parameter."""
    numbers: dict[str, int] = {}
    text = _PLACEHOLDER.sub(lambda match: f"${numbers.setdefault(match['name'], len(numbers) + 1)}", query)
    return text.replace("%%", "%") if numbers else text


def _url_of_its_program(database: Database, file: str) -> str:
    program = "api_changes" if file in _OF_CHANGES else file.partition("_")[0]
    urls = {
        "aggregation": database.ingest_url,
        "api": database.read_url,
        "api_changes": database.api_url,
        "ingest": database.ingest_url,
        "judge": database.ingest_url,
        "load": database.ingest_url,
        "migrate": database.url,
    }
    assert program in urls, f"sql/queries/{file}.sql: say here which role asks its queries"
    return urls[program]


@pytest.mark.parametrize("file", _FILES)
def test_every_query_can_be_planned_by_the_role_that_asks_it(edition_database: Database, file: str) -> None:
    queries = load_queries(file)
    failures = []
    with psycopg.connect(_url_of_its_program(edition_database, file), autocommit=True) as connection:
        if file.startswith("api_"):
            connection.execute("set search_path = granted, public")
        for query in queries.values():
            if _MAKES_TABLE.search(query):
                connection.execute(query)
        for name, query in queries.items():
            if _UTILITY.search(query) or not _PLANNED.search(query):
                continue  # utility statements have no plan; the tests of their program run them
            try:
                # Plans with unknown parameters and checks the rights; runs nothing.
                connection.execute(f"explain (generic_plan) {_with_numbers(query)}".encode())
            except psycopg.Error as error:
                failures.append(f"{name}: {error}")
    assert failures == []
