"""Valid payloads of the whole catalogue, damaged at random, through a real worker: refusals, but nothing else."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from devices.codecs.thubon_json import decode_gateway, decode_telemetry
from devices.profiles import load_catalogue
from devices.registry import import_devices
from devices.registry_file import read_registry_file
from tests.faults.mutations import damage
from tests.faults.sender import Sender, compare, wait_for_all
from tests.fix_worker import WorkerProcess, wait_until
from tests.fleet import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from devices.models import DeviceProfile
    from tests.fix_broker import Broker
    from tests.fix_database import Database

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1_800)]

_COLUMNS = "device,town,site,site_name,site_kind,latitude,longitude,profile,name,gateway,commissioned"


def import_catalogue(url: str) -> dict[str, DeviceProfile]:
    """A device of each profile, all behind one gateway, which is itself the first; answers profile by device id."""
    catalogue = load_catalogue()
    profile_of = {f"fuzz-{profile_id}": profile for profile_id, profile in catalogue.items()}
    gateway = next(iter(profile_of))
    lines = [
        f"{device},tam-ky,fuzz-site,Fuzz,station,15.57,108.47,{profile.profile_id},{device},"
        f"{gateway if device != gateway else ''},2020-01-01"
        for device, profile in profile_of.items()
    ]
    with psycopg.connect(url) as connection:
        report = import_devices(
            connection, read_registry_file("\n".join([_COLUMNS, *lines]).encode(), catalogue), catalogue
        )
    assert not report.faults
    return profile_of


class Payloads:
    """Makes valid payloads of a catalogue's devices, as (topic, payload)."""

    def __init__(self, profile_of: dict[str, DeviceProfile], chance: random.Random) -> None:
        self._profile_of = profile_of
        self._chance = chance
        self._gateway = next(iter(profile_of))
        self.carried = {
            device: {stream.name: stream for stream in profile.datastreams}
            for device, profile in profile_of.items()
            if device != self._gateway
        }

    def make(self) -> tuple[str, str, Any]:
        """Source, family and body of a message that is as the contract asks."""
        chance = self._chance
        if chance.random() < 0.25:
            devices = chance.sample([*self.carried], chance.randint(1, 3))
            return self._gateway, "gateway", {device: self._items(device, chance.randint(1, 3)) for device in devices}
        device = chance.choice([*self._profile_of])
        shape = chance.random()
        if shape < 0.2:
            return device, "telemetry", self._values(device)
        if shape < 0.4:
            return device, "telemetry", self._items(device, chance.randint(0, 4))
        return device, "telemetry", self._items(device, 1)[0]

    def reference(self, source: str, family: str, payload: bytes) -> int:
        """How many readings the contract's plain decoder counts in it."""
        if family == "gateway":
            return decode_gateway(payload, self.carried, registered=[*self._profile_of]).received
        streams = {stream.name: stream for stream in self._profile_of[source].datastreams}
        return decode_telemetry(payload, source, streams).received

    def _items(self, device: str, count: int) -> list[dict[str, Any]]:
        now_ms = time.time_ns() // 1_000_000
        items: list[dict[str, Any]] = []
        for _ in range(count):
            item: dict[str, Any] = {"ts": now_ms - self._chance.randrange(86_400_000), "values": self._values(device)}
            if self._chance.random() < 0.3:
                item["quality"] = self._chance.choice(["00", "01", "02"])
            items.append(item)
        return items

    def _values(self, device: str) -> dict[str, Any]:
        streams = self._profile_of[device].datastreams
        chosen = self._chance.sample(streams, self._chance.randint(1, len(streams)))
        return {stream.name: self._value(stream) for stream in chosen}

    def _value(self, stream: Any) -> Any:
        if stream.words and self._chance.random() < 0.5:
            return self._chance.choice([*stream.words])
        stored = self._chance.uniform(max(stream.lower_bound, -1e6), min(stream.upper_bound, 1e6))
        return round((stored - stream.addend) / stream.factor, 3)


def test_damaged_payloads_are_refused_and_spoil_no_neighbour(
    worker: WorkerProcess,
    database: Database,
    broker: Broker,
    prove: Callable[..., None],
    fault_count: int,
) -> None:
    """Every reading is accounted for as the reference decoder counts it, source by source."""
    mutations = 3_000 if fault_count == 1 else 5_000 * fault_count
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201  # pytest shows it beside a failure
    chance = random.Random(seed)
    payloads = Payloads(import_catalogue(database.url), chance)
    sender = Sender(broker, register(database.url, devices=20))
    worker.start()
    received: dict[tuple[str, str], int] = {}
    for number in range(mutations):
        source, family, body = payloads.make()
        payload = damage(json.dumps(body, ensure_ascii=chance.random() < 0.5).encode(), body, chance)
        key = (source, family)
        received[key] = received.get(key, 0) + payloads.reference(source, family, payload)
        sender.publish(f"thubon/v1/tam-ky/{source}/{family}", payload)
        if number % 10 == 0:
            sender.send(number // 10)  # a good neighbour
    sender.finish()
    wait_for_all(database.url, sender, only="dev-")

    def counted() -> dict[tuple[str, str], int]:
        with psycopg.connect(database.url) as connection:
            rows = connection.execute(
                "select source, family, sum(received)::int from ledger where source like 'fuzz-%' group by 1, 2"
            ).fetchall()
        return {(source, family): readings for source, family, readings in rows}

    wanted = {key: readings for key, readings in received.items() if readings}
    wait_until(lambda: sum(counted().values()) >= sum(wanted.values()), within_s=30, what="the last message")
    assert {key: readings for key, readings in counted().items() if readings} == wanted
    log = worker.log.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log
    prove(compare(database.url, sender, only="dev-"), fault="neighbours of damaged payloads", runs=mutations)
