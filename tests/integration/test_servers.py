"""The test servers keep what they promise to the other tests."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import aiomqtt
import psycopg
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Page

    from tests.fix_broker import Broker
    from tests.fix_database import Database
    from tests.fix_proxy import Proxy

pytest_plugins = ["pytester"]


def _one(url: str, query: str) -> object:
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_each_test_has_a_migrated_database_on_timescaledb(database: Database) -> None:
    assert _one(database.url, "select storage_edition()") in {"timescaledb-apache", "timescaledb-community"}
    assert _one(database.url, "select count(*) from town") == 3
    assert _one(database.url, "show server_encoding") == "UTF8"


def test_the_logins_of_a_clone_stand_in_their_roles_alone(ingest_database_url: str, read_database_url: str) -> None:
    for url, role in ((ingest_database_url, "thubon_ingest"), (read_database_url, "thubon_read")):
        assert _one(url, f"select pg_has_role(current_user, '{role}', 'member')") is True
        assert _one(url, "select rolsuper from pg_roles where rolname = current_user") is False
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _one(read_database_url, "with gone as (delete from latest returning 1) select count(*) from gone")


def test_a_plain_server_knows_no_timescaledb(plain_database_url: str) -> None:
    assert _one(plain_database_url, "select storage_edition()") == "postgresql"


def test_an_empty_database_is_empty(empty_database_url: str) -> None:
    assert _one(empty_database_url, "select to_regclass('town')") is None


def test_a_killed_database_comes_back_with_its_data_at_its_old_address(killable_database: Database) -> None:
    with psycopg.connect(killable_database.url) as connection:
        connection.execute("create table kept as select 7 as n")
    killable_database.server.kill()
    with pytest.raises(psycopg.OperationalError):
        _one(killable_database.url, "select 1")
    killable_database.server.start()
    assert _one(killable_database.url, "select n from kept") == 7


def _client(broker: Broker, client_id: str, **options: Any) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=client_id,
        username=broker.username,
        password=broker.password,
        protocol=aiomqtt.ProtocolVersion.V5,
        **options,
    )


async def test_a_broker_carries_a_message(broker: Broker, client_id_prefix: str) -> None:
    async with _client(broker, client_id_prefix + "a") as client, asyncio.timeout(10):
        await client.subscribe("thubon/v1/#", qos=1)
        await client.publish("thubon/v1/hoi-an/pole-1/telemetry", b"{}", qos=1)
        message = await anext(client.messages)
    assert (str(message.topic), message.payload) == ("thubon/v1/hoi-an/pole-1/telemetry", b"{}")


async def test_a_broker_lets_nobody_in_without_a_password(fresh_broker: Broker) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client(fresh_broker.host, fresh_broker.port):
            pass


async def test_a_restarted_broker_keeps_sessions_and_queued_messages(fresh_broker: Broker) -> None:
    lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    lasting.SessionExpiryInterval = 3600
    async with _client(fresh_broker, "keeper", clean_start=False, properties=lasting) as client:
        await client.subscribe("thubon/v1/#", qos=1)
    async with _client(fresh_broker, "sender") as client:
        for number in range(3000):
            await client.publish("thubon/v1/hoi-an/pole-1/telemetry", str(number), qos=1)
    fresh_broker.restart()
    received = []
    async with (
        _client(fresh_broker, "keeper", clean_start=False, properties=lasting) as client,
        asyncio.timeout(30),
    ):
        async for message in client.messages:
            received.append(int(message.payload))
            if len(received) == 3000:
                break
    assert received == list(range(3000))


def test_a_proxy_can_be_cut_slowed_deafened_and_restored(
    database: Database, make_proxy: Callable[[str], Proxy]
) -> None:
    proxy = make_proxy(database.url)
    assert _one(proxy.url, "select 1") == 1
    proxy.cut()
    with pytest.raises(psycopg.OperationalError):
        _one(proxy.url, "select 1")
    proxy.restore()
    with psycopg.connect(proxy.url) as connection:
        proxy.break_connections()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    proxy.deafen()
    with pytest.raises(psycopg.OperationalError, match="timeout"):
        psycopg.connect(proxy.url, connect_timeout=2)
    proxy.restore()
    assert _one(proxy.url, "select 1") == 1


def test_a_passing_test_that_leaves_a_task_or_a_process_fails(
    pytester: pytest.Pytester, pytestconfig: pytest.Config
) -> None:
    pytester.makeini(f"[pytest]\nasyncio_mode = auto\npythonpath = {pytestconfig.rootpath}")
    pytester.makeconftest("pytest_plugins = ['tests.fix_leaks']")
    pytester.makepyfile(f"""
        import asyncio, subprocess

        async def test_leaves_a_task():
            test_leaves_a_task.kept = asyncio.create_task(asyncio.sleep(3600), name="forgotten")

        def test_leaves_a_process():
            test_leaves_a_process.kept = subprocess.Popen([{sys.executable!r}, "-c", "import time; time.sleep(3600)"])

        async def test_leaves_nothing():
            await asyncio.create_task(asyncio.sleep(0))
            subprocess.run(["true"])
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(["*left asyncio tasks running: forgotten*", "*left processes behind: *sleep(3600)*"])


async def test_a_browser_reads_a_page(page: Page) -> None:
    await page.set_content("<h1>Hội An</h1>")
    assert await page.get_by_role("heading").inner_text() == "Hội An"
    assert await page.evaluate("navigator.language") == "vi-VN"
