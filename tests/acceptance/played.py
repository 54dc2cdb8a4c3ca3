"""A small city played with faults, as a run plays it: every message in a journal before it goes out."""

from __future__ import annotations

import json
import math
import random
import time
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from simulators.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.fix_broker import Broker

HOUR_S = 3_600
STEP_S = 300
COMMISSIONED = "2024-01-01T00:00:00Z"
REGISTRY = "\n".join(
    [
        "device,town,site,site_name,site_kind,latitude,longitude,profile,name,gateway,commissioned",
        f"air-1,hoi-an,site-air,Quan trắc,station,15.88,108.33,air-station,Trạm 1,,{COMMISSIONED}",
        f"air-2,tam-ky,site-tk,Quan trắc,station,15.57,108.47,air-station,Trạm 2,,{COMMISSIONED}",
        f"air-3,hoi-an,site-air,Quan trắc,station,15.88,108.33,air-sensor,Cảm biến,,{COMMISSIONED}",
        f"cabinet-1,hoi-an,site-cab,Tủ điện,cabinet,15.88,108.33,lighting-cabinet,Tủ 1,,{COMMISSIONED}",
        f"cabinet-2,hoi-an,site-cab,Tủ điện,cabinet,15.88,108.33,lighting-cabinet,Tủ 2,,{COMMISSIONED}",
        *(
            f"lamp-{n},hoi-an,pole-{n},Cột {n},pole,15.88,108.33,lamp-controller,Đèn {n},cabinet-1,{COMMISSIONED}"
            for n in (1, 2, 3)
        ),
        "",
    ]
)


class Player:
    """Publishes and writes down."""

    def __init__(self, broker: Broker, journal: Journal) -> None:
        self._journal = journal
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(broker.username, broker.password)
        self._client.max_inflight_messages_set(200)
        self._open: dict[int, int] = {}
        self._client.on_publish = self._acknowledged
        self._client.connect(broker.host, broker.port)

    def send(self, device: str, topic: str, payload: bytes | object, *, qos: int = 1, **about: Any) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        number = self._journal.sent(topic, data, qos=qos, device=device, **about)
        if not about.get("lost"):
            info = self._client.publish(topic, data, qos, retain=about.get("retain", False))
            self._open[info.mid] = number if qos else 0

    def _acknowledged(self, _client: object, _data: object, mid: int, *_: object) -> None:
        if number := self._open.pop(mid, 0):
            self._journal.acknowledged(number)

    def close(self) -> None:
        deadline = time.monotonic() + 30
        while any(self._open.values()):
            self._client.loop(0.05)
            assert time.monotonic() < deadline, "the broker does not acknowledge"
        self._client.disconnect()


def air(time_s: int, chance: random.Random) -> dict[str, Any]:
    """What an air station measures."""
    day = math.sin(2 * math.pi * time_s / 86_400)
    return {
        "pm25": round(30 + 12 * day + chance.uniform(-3, 3), 1),
        "pm10": round(55 + 20 * day + chance.uniform(-4, 4), 1),
        "no2": round(40 + 9 * day + chance.uniform(-5, 5), 1),
        "o3": round(90 - 30 * day + chance.uniform(-5, 5), 1),
        "co": round(0.8 + chance.uniform(0, 0.2), 2),
        "humidity": None if chance.random() < 0.02 else round(80 - 8 * day + chance.random(), 1),
    }


def dust(time_s: int, chance: random.Random) -> dict[str, Any]:
    """What a low-cost sensor beside an air station measures."""
    return {name: value for name, value in air(time_s, chance).items() if name in {"pm25", "pm10"}}


def items(values: Any, times_s: Sequence[int], chance: random.Random) -> list[dict[str, Any]]:
    return [{"ts": time_s * 1_000, "values": values(time_s, chance)} for time_s in times_s]


def lamp(number: int) -> Any:
    """Lamp 3 says that it has failed."""

    def values(time_s: int, chance: random.Random) -> dict[str, Any]:
        dark = (time_s // HOUR_S + 7) % 24 not in range(6, 18)
        lit = dark and number != 3
        return {
            "level-commanded": 100 if dark else 0,
            "level": 100 if lit else 0,
            "power": round(64 + chance.uniform(-1, 1), 1) if lit else 0.0,
            "lamp-failure": "yes" if number == 3 else "no",
            "voltage": round(229 + chance.uniform(-2, 2), 1),
        }

    return values


def cabinet(time_s: int, chance: random.Random) -> dict[str, Any]:
    dark = (time_s // HOUR_S + 7) % 24 not in range(6, 18)
    return {f"voltage-l{phase}": round(230 + chance.uniform(-2, 2), 1) for phase in (1, 2, 3)} | {
        "circuit": "on" if dark else "off",
        "mode": "automatic",
    }


def open_cabinet(time_s: int, chance: random.Random) -> dict[str, Any]:
    """One beside the other, its door open."""
    return cabinet(time_s, chance) | {"door": "open"}


def play(broker: Broker, file: Path, *, now_s: int, hours: int) -> None:
    """Send `hours` of history up to now, with one of every fault."""
    chance = random.Random(7)
    last = now_s // STEP_S * STEP_S
    times = list(range(last - hours * HOUR_S, last + 1, STEP_S))
    # Up to this moment: near the end of three intervals a judge takes a cabinet for silent or not, and finds no fault.
    of_cabinets = list(range(now_s - 59 * STEP_S, now_s + 1, STEP_S))
    of_lamps = times[::-2][::-1]  # every other one, the last one too: these are many readings
    with Journal(file, header={"scenario": "acceptance", "seed": 7}) as journal:
        player = Player(broker, journal)
        for town, station in (("hoi-an", "air-1"), ("tam-ky", "air-2")):
            topic = f"thubon/v1/{town}/{station}/telemetry"
            history = items(air, times, chance)
            chunks = [history[at : at + 40] for at in range(0, len(history), 40)]
            lost, late, swapped = chunks.pop(2), chunks.pop(1), chunks.pop(-1)
            player.send(station, topic, lost, faults=("lost",), lost=True)
            player.send(station, topic, swapped[::-1], faults=("out-of-order",))
            for number, chunk in enumerate(chunks):
                player.send(station, topic, chunk)
                if number % 2:
                    player.send(station, topic, chunk, faults=("duplicated",))
            player.send(station, topic, late, faults=("late",))
        faulty(player, last)
        player.send("air-1", "thubon/v1/hoi-an/air-1/status", b"online", retain=True)
        for at in range(0, len(of_lamps), 24):
            part = {f"lamp-{n}": items(lamp(n), of_lamps[at : at + 24], chance) for n in (1, 2, 3)}
            stuck = {"lamp-2": ("stuck",)} if at == 24 else None
            player.send("cabinet-1", "thubon/v1/hoi-an/cabinet-1/gateway", part, device_faults=stuck, qos=2)
        own = items(cabinet, of_cabinets, chance)
        player.send("cabinet-1", "thubon/v1/hoi-an/cabinet-1/telemetry", own)
        player.send("cabinet-2", "thubon/v1/hoi-an/cabinet-2/telemetry", items(open_cabinet, of_cabinets, chance))
        player.send("air-3", "thubon/v1/hoi-an/air-3/telemetry", items(dust, times[-28 * 6 :: 2], chance))
        player.close()


def faulty(player: Player, last: int) -> None:
    """What has to be refused, is null, bears no time, or may get lost on the way."""
    topic = "thubon/v1/hoi-an/air-1/telemetry"
    at = last * 1_000 + 1_000

    def send(payload: object, fault: str, **about: Any) -> None:
        player.send("air-1", topic, payload, faults=(fault,), **about)

    send({"ts": at + 4 * 86_400_000, "values": {"pm25": 1, "no2": 2}}, "wrong-clock", expect="refused:clock-ahead")
    send({"ts": "2019-05-01T00:00:00Z", "values": {"pm25": 1}}, "wrong-clock", expect="refused:too-old")
    send({"ts": at // 1_000, "values": {"pm25": 1}}, "wrong-clock", expect="refused:timestamp-in-seconds")
    send(b'{"ts": \xff\x00', "garbage", expect="refused:not-utf8")
    send(b'{"ts": 12', "garbage", expect="refused:not-json")
    send({"ts": at, "values": {"pm25": 21, "no2": -40, "what": 3, "o3": None}}, "spiking")
    send({"ts": at, "values": {"pm25": 22}}, "repeated-otherwise", expect="refused:conflict")
    send({"ts": at + 1, "values": {"pm25": 23}, "quality": "01"}, "calibrating", expect="stored")
    send({"ts": at + 2, "values": {"pm25": 24}}, "quality-of-service-0", qos=0)
    send({"so2": 11.5}, "unstamped")
    player.send("air-9", "thubon/v1/hoi-an/air-9/telemetry", {"pm25": 1, "no2": 2}, faults=("stranger",))
