"""The main job as its users meet it: from a sensor's message to the operator's screen, every part a real program."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.async_api import expect

from devices.reasons import Reason
from tests.faults.sender import stored_readings
from tests.fix_worker import WorkerProcess, wait_until
from tests.integration.api.conftest import client_of, make_settings, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.async_api import Page

    from tests.fix_broker import Broker
    from tests.fix_database import Database

TOWNS = ("tam-ky", "hoi-an", "dien-ban")
COMMISSIONED = "2026-01-01T00:00:00Z"


def import_air_stations(database: Database, folder: Path, count: int) -> list[tuple[str, str]]:
    """Register stations by the program an installer uses; returns (town, device id) of each."""
    stations = [(TOWNS[number % 3], f"air-{number + 1}") for number in range(count)]
    centre = {"tam-ky": (15.57, 108.47), "hoi-an": (15.88, 108.33), "dien-ban": (15.89, 108.25)}
    lines = ["device,town,site,site_name,site_kind,latitude,longitude,profile,name,gateway,commissioned"]
    for town, device in stations:
        latitude, longitude = centre[town]
        site = f"site-{town},Quan trắc,station,{latitude},{longitude}"
        lines.append(f"{device},{town},{site},air-station,Trạm {device},,{COMMISSIONED}")
    file = folder / "stations.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "devices", "import", str(file)],
        env={**os.environ, "THUBON_DATABASE_URL": database.url},
        check=True,
        capture_output=True,
    )
    return stations


class Devices:
    """A client that publishes for devices and waits for each acknowledgement."""

    def __init__(self, broker: Broker) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(broker.username, broker.password)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self._open: list[paho.MQTTMessageInfo] = []

    def send(self, topic: str, payload: bytes | object, *, retain: bool = False) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._open.append(self._client.publish(topic, data, 1, retain=retain))

    def close(self) -> None:
        for info in self._open:
            info.wait_for_publish(20)
        self._client.disconnect()
        self._client.loop_stop()


async def test_a_published_reading_is_in_the_api_and_on_the_page_within_two_seconds(
    worker: WorkerProcess, database: Database, broker: Broker, page: Page, tmp_path: Path
) -> None:
    (_, _), (town, device), *_ = import_air_stations(database, tmp_path, 3)
    await asyncio.to_thread(worker.start)
    settings = make_settings(database.read_url, open_viewer=True)
    async with serve(settings), client_of(settings) as client:
        await page.goto(f"http://127.0.0.1:{settings.http_port}/")
        row = page.locator(f"tr[data-device={device}]")
        await row.click()
        await expect(page.locator("#live")).to_have_attribute("data-state", "connected")

        await asyncio.to_thread(
            broker.server.execute,
            *("mosquitto_pub", "-h", "127.0.0.1", "-u", str(broker.username), "-P", str(broker.password), "-q", "1"),
            *("-t", f"thubon/v1/{town}/{device}/telemetry"),
            *("-m", json.dumps({"ts": time.time_ns() // 1_000_000, "values": {"pm25": 87.3}})),
        )
        sent = time.monotonic()
        value = page.locator(f'[data-datastream="{device}:pm25"]')
        await expect(value).to_have_attribute("data-value", "87.3", timeout=2_000)
        on_page = time.monotonic()
        latest = (await client.get(f"/v1/devices/{device}/latest")).json()["items"]

    assert [(item["name"], item["value"], item["unit"]) for item in latest] == [("pm25", 87.3, "ug/m3")]
    assert on_page - sent < 2.0


def test_a_thousand_readings_of_fifty_devices_over_three_towns_arrive_exactly(
    worker: WorkerProcess, database: Database, broker: Broker, tmp_path: Path
) -> None:
    stations = import_air_stations(database, tmp_path, 50)
    worker.start()
    start_ms = time.time_ns() // 1_000_000 - 600_000
    sent: dict[tuple[str, int, str], float] = {}
    devices = Devices(broker)
    for number in range(500):
        town, device = stations[number % len(stations)]
        ts = start_ms + number * 1_000
        values = {"pm25": number / 10, "no2": (number * 7 % 500) / 10}
        sent.update({(device, ts, name): value for name, value in values.items()})
        devices.send(f"thubon/v1/{town}/{device}/telemetry", {"ts": ts, "values": values})
    devices.close()
    wait_until(lambda: len(stored_readings(database.url)) >= 1_000, within_s=20, what="a thousand readings")

    assert stored_readings(database.url) == sent
    with psycopg.connect(database.url) as connection:
        towns = connection.execute("select town_id, sum(stored) from ledger group by 1 order by 1").fetchall()
    assert towns == [("dien-ban", 320), ("hoi-an", 340), ("tam-ky", 340)]


def test_each_kind_of_bad_payload_is_a_rejection_with_its_bytes_and_its_good_neighbours_arrive(
    worker: WorkerProcess,
    database: Database,
    broker: Broker,
    rows: Callable[..., list[tuple[object, ...]]],
    tmp_path: Path,
) -> None:
    import_air_stations(database, tmp_path, 3)
    worker.environment["THUBON_INGEST_PAYLOAD_BYTES"] = "8192"
    worker.environment["THUBON_INGEST_MESSAGE_READINGS"] = "100"
    now = time.time_ns() // 1_000_000
    topic = "thubon/v1/hoi-an/air-2/telemetry"
    # Only a message that waited at the broker for its subscriber comes with the retain flag.
    early = Devices(broker)
    early.send(topic, {"pm25": 1}, retain=True)
    early.close()
    worker.start()

    def beside(bad: dict[str, object]) -> list[dict[str, object]]:
        """A bad item between two good ones."""
        beside.count += 2  # type: ignore[attr-defined]
        good = [{"ts": now - 10 * beside.count - at, "values": {"o3": 40 + at}} for at in (1, 2)]  # type: ignore[attr-defined]
        return [good[0], bad, good[1]]

    beside.count = 0  # type: ignore[attr-defined]
    cases: list[tuple[Reason, str, object, bool]] = [
        (Reason.NOT_UTF8, topic, b'{"pm25": "\xff"}', False),
        (Reason.NOT_JSON, topic, b'{"pm25": 3,2}', False),
        (Reason.NOT_JSON, topic, b'{"pm25": NaN}', False),
        (Reason.WRONG_SHAPE, topic, beside({"ts": now, "pm25": 1}), False),
        (Reason.WRONG_SHAPE, topic, beside({"ts": now, "values": {"pm25": [1], "no2": 1}}), False),
        (Reason.TOO_LARGE, topic, b'{"pm25": ' + b" " * 9_000 + b"1}", False),
        (Reason.TOO_DEEP, topic, b"[" * 60 + b"]" * 60, False),
        (Reason.TOO_MANY_READINGS, topic, [{"ts": now - at, "values": {"pm25": 1}} for at in range(101)], False),
        (Reason.BAD_TOPIC, "thubon/v1/hoi-an/AIR_2/telemetry", {"pm25": 1}, False),
        (Reason.RETAINED_UNSTAMPED, topic, {"pm25": 1}, True),
        (Reason.UNKNOWN_DEVICE, "thubon/v1/hoi-an/air-99/telemetry", {"pm25": 1}, False),
        (Reason.UNKNOWN_DATASTREAM, topic, beside({"ts": now - 1, "values": {"pm2.5": 1, "no2": 2}}), False),
        (Reason.WRONG_TOWN, "thubon/v1/tam-ky/air-2/telemetry", {"pm25": 1}, False),
        (Reason.NOT_ITS_GATEWAY, "thubon/v1/hoi-an/air-2/gateway", {"air-1": [{"values": {"pm25": 1}}]}, False),
        (Reason.NOT_FINITE, topic, b'{"pm25": 1e999}', False),
        (Reason.OUT_OF_BOUNDS, topic, beside({"ts": now - 2, "values": {"pm25": -40, "no2": 3}}), False),
        (Reason.UNKNOWN_WORD, topic, beside({"ts": now - 3, "values": {"pm25": "31.2", "no2": 4}}), False),
        (Reason.BAD_QUALITY, topic, beside({"ts": now - 4, "values": {"pm25": 1}, "quality": "07"}), False),
        (Reason.BAD_TIMESTAMP, topic, beside({"ts": "23/11/2026 08:00", "values": {"pm25": 1}}), False),
        (Reason.TIMESTAMP_IN_SECONDS, topic, beside({"ts": now // 1000, "values": {"pm25": 1}}), False),
        (Reason.CLOCK_AHEAD, topic, beside({"ts": now + 86_400_000, "values": {"pm25": 1}}), False),
        (Reason.CLOCK_BEHIND, topic, beside({"ts": "2025-12-31T00:00:00Z", "values": {"pm25": 1}}), False),
        (Reason.TOO_OLD, topic, beside({"ts": "2019-01-01T00:00:00Z", "values": {"pm25": 1}}), False),
    ]  # fmt: skip
    devices = Devices(broker)
    devices.send(topic, {"ts": now - 5_000, "values": {"so2": 9}})
    for _, case_topic, payload, retain in cases:
        if not retain:
            devices.send(case_topic, payload)
    devices.send(topic, {"ts": now - 5_000, "values": {"so2": 10}})
    devices.close()
    wait_until(lambda: rows("select 1 from rejection where reason = 'conflict'"), what="the last rejection")

    refused = rows("select reason, payload from rejection")
    for reason, _, payload, _ in cases:
        sent = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        assert (reason.value, sent) in refused, reason
    assert {reason for reason, _ in refused} >= {case[0].value for case in cases} | {"conflict"}
    neighbours = rows("select count(*) from observation where property = 'o3'")
    assert neighbours == [(beside.count,)]  # type: ignore[attr-defined]
    assert len(rows("select 1 from observation where property = 'no2'")) == 4
    balance = rows("select sum(received), sum(stored + duplicate + conflict + rejected + missing) from ledger")
    assert balance[0][0] == balance[0][1]


def test_below_the_disk_reserve_nothing_is_acknowledged_and_afterwards_all_of_it_arrives(
    worker: WorkerProcess,
    database: Database,
    broker: Broker,
    tmp_path: Path,
    rows: Callable[..., list[tuple[object, ...]]],
) -> None:
    import_air_stations(database, tmp_path, 3)

    def free(answer: str) -> None:
        with psycopg.connect(database.url) as connection:
            connection.execute("alter function database_disk_free_bytes() rename to real_disk_free_bytes") if (
                connection.execute("select to_regproc('real_disk_free_bytes')").fetchone() == (None,)
            ) else None
            connection.execute(
                "create or replace function database_disk_free_bytes() returns bigint"
                f" language sql as 'select {answer}'"  # type: ignore[arg-type]
            )

    free("10")
    worker.environment["THUBON_DISK_RESERVE_BYTES"] = "1000"
    worker.begin()

    def subscribed_and_degraded() -> bool:
        match worker.readiness():
            case {"status": "degraded", "checks": {"broker": {"ok": bool(subscribed)}}}:
                return subscribed
        return False

    wait_until(subscribed_and_degraded, within_s=20, what="a worker that is subscribed and writes nothing")
    devices = Devices(broker)
    now = time.time_ns() // 1_000_000
    for number in range(50):
        devices.send("thubon/v1/hoi-an/air-2/telemetry", {"ts": now - number, "values": {"pm25": number}})
    devices.close()
    time.sleep(1.0)
    assert rows("select count(*) from observation_set") == [(0,)]
    assert worker.readiness()["checks"]["disk"]["ok"] is False  # type: ignore[index]

    free("1000000000000")
    wait_until(lambda: rows("select count(*) from observation_set") == [(50,)], within_s=20, what="what was held back")

    assert worker.readiness()["status"] == "ok"
    assert worker.stop() == 0


def test_a_stopped_worker_drains_and_acknowledges_what_it_stored(
    worker: WorkerProcess,
    database: Database,
    broker: Broker,
    tmp_path: Path,
    rows: Callable[..., list[tuple[object, ...]]],
) -> None:
    import_air_stations(database, tmp_path, 3)
    worker.start()
    devices = Devices(broker)
    now = time.time_ns() // 1_000_000
    for number in range(2_000):
        devices.send("thubon/v1/hoi-an/air-2/telemetry", {"ts": now - number, "values": {"pm25": number % 90}})
        if number == 1_000:
            assert worker.stop() == 0
    devices.close()
    worker.start()
    wait_until(lambda: rows("select count(*) from observation_set") == [(2_000,)], within_s=20, what="2,000 readings")

    assert rows("select sum(stored), sum(duplicate) from ledger") == [(2_000, 0)]


@pytest.mark.parametrize("setting", ["THUBON_BROKER_URL=http://x", "THUBON_INGEST_BATCH_MESSAGES=9000"])
def test_wrong_settings_stop_the_worker_and_are_named(setting: str) -> None:
    name, _, value = setting.partition("=")
    environment = {"THUBON_DATABASE_URL": "postgresql://x@127.0.0.1/x", "THUBON_BROKER_URL": "mqtt://127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-m", "ingest", "worker"],
        env={**os.environ, **environment, name: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 2
    assert name in done.stderr
