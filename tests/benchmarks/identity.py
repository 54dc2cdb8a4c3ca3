"""Accounts of devices at the broker: how fast they come, what they cost others, how fast devices come back.

`python -m tests.benchmarks.identity` prints a line for each target of docs/measurements.md.
"""

from __future__ import annotations

import asyncio
import csv
import os
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from devices.identity.files import AccountsFile, read_state
from devices.identity.passwords import make_password
from devices.registry_file import COLUMNS
from tests.benchmarks import floors, machine
from tests.benchmarks.ingest_rate import register_fleet, running_worker, stored_by_worker
from tests.benchmarks.report import Line
from tools.development_ca import make_authority, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEVICES = 10_000
_RECONNECTING = 1_000
_ROUNDS = 3
_SHAPE = "device"
_RATE_MESSAGES = 8_000_000
_BROKER_LINES = """\
listener {port} 127.0.0.1
listener {tls_port} 127.0.0.1
certfile /own/tls/server.crt
keyfile /own/tls/server.key
"""
_ACCOUNT_LINES = """\
plugin /usr/lib/thubon/accounts.so
plugin_opt_accounts_file /own/accounts
plugin_opt_state_file /own/state/accounts.json
acl_file /own/acl
"""


class City:
    """A broker with accounts, a registry and the keeper between them."""

    def __init__(self, folder: Path, broker: machine.Container, tls_port: int, url: str) -> None:
        self.folder = folder
        self.broker = broker
        self.tls_port = tls_port
        self.url = url

    def environment(self) -> dict[str, str]:
        """Settings of the programs."""
        return {
            **os.environ,
            "THUBON_DATABASE_URL": self.url,
            "THUBON_BROKER_ACCOUNTS_FILE": str(self.folder / "accounts"),
            "THUBON_BROKER_STATE_FILE": str(self.folder / "state" / "accounts.json"),
            "THUBON_METRICS_PORT": "0",
        }

    def run(self, *arguments: str) -> None:
        """Run `python -m devices ...` to its end."""
        subprocess.run(
            [sys.executable, "-m", "devices", *arguments],
            env=self.environment(),
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def wait_until_in_force(self) -> None:
        """Until the broker confirmed every account."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            while True:
                noted = connection.execute("select agreed_time from broker_account_check").fetchone()
                if connection.execute("select exists (select from broker_account_pending)").fetchone() == (False,):
                    return
                # The cheap question until then: to compare all accounts takes the database longer than the pause.
                while connection.execute("select agreed_time from broker_account_check").fetchone() == noted:
                    time.sleep(0.05)

    @contextmanager
    def keeper(self) -> Iterator[None]:
        """`python -m devices broker keep` while the block runs."""
        process = subprocess.Popen(
            [sys.executable, "-m", "devices", "broker", "keep"], env=self.environment(), stderr=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def city(*, accounts: bool = True) -> Iterator[City]:
    """Servers of a benchmark; anonymous clients may do everything, so that the load generator needs no account."""
    with tempfile.TemporaryDirectory() as name, machine.database() as (_, url):
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "state").mkdir()
        (folder / "state").chmod(0o777)
        make_authority(folder / "tls")
        make_server(folder / "tls", ["127.0.0.1"], 30)
        (folder / "tls" / "server.key").chmod(0o644)
        (folder / "acl").write_text("topic readwrite #\n")
        tls_port = machine.free_port()
        lines = _BROKER_LINES + (_ACCOUNT_LINES if accounts else "")
        with machine.broker(folder, lines.replace("{tls_port}", str(tls_port))) as broker:
            yield City(folder, broker, tls_port, url)


def imported(folder: Path, prefix: str = "import") -> Path:
    """A registry file of 10,000 air stations."""
    file = folder / f"{prefix}.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        for number in range(1, _DEVICES + 1):
            writer.writerow(
                {
                    "device": f"{prefix}-{number}",
                    "town": "hoi-an",
                    "site": f"{prefix}-site-{number % 1_000}",
                    "site_name": f"Site {number % 1_000}",
                    "site_kind": "station",
                    "latitude": "15.88",
                    "longitude": "108.335",
                    "profile": "air-station",
                    "name": f"Station {number}",
                }
            )
    return file


def import_line(place: City) -> Line:
    """10,000 devices from a file to an account the broker confirmed."""
    file, out = imported(place.folder), place.folder / "credentials.csv"
    with place.keeper():
        time.sleep(2.0)
        started = time.perf_counter()
        place.run("import", str(file), "--credentials", str(out))
        written = time.perf_counter() - started
        place.wait_until_in_force()
        elapsed = time.perf_counter() - started
    text = f"import: {_DEVICES:,} devices in {written:.1f} s, their accounts in force after {elapsed:.1f} s (target 60)"
    return Line("identity", text, met=elapsed < 60)


async def _come_back(place: City, file: Path, *, tls: bool) -> tuple[int, float]:
    """Devices that connect at the same moment and publish: how many were served, and in how many seconds."""
    with file.open(encoding="utf-8") as rows:
        devices = [(row["username"], row["password"]) for row in islice(csv.DictReader(rows), _RECONNECTING)]
    context = None
    if tls:
        context = ssl.create_default_context(cafile=str(place.folder / "tls" / "ca.crt"))
    port = place.tls_port if tls else place.broker.port

    async def one(device_id: str, password: str) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            fields = (device_id.encode(), device_id.encode(), password.encode())
            body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + b"".join(len(each).to_bytes(2, "big") + each for each in fields)
            writer.write(b"\x10" + bytes([len(body)]) + body)
            connack = await reader.readexactly(4)
            topic = f"thubon/v1/hoi-an/{device_id}/status".encode()
            body = len(topic).to_bytes(2, "big") + topic + b"\x00\x01online"
            writer.write(b"\x32" + bytes([len(body)]) + body)
            return connack[3] == 0 and (await reader.readexactly(4))[0] == 0x40
        finally:
            writer.close()

    started = time.perf_counter()
    async with asyncio.timeout(120):
        served = await asyncio.gather(*(one(*each) for each in devices))
    return sum(served), time.perf_counter() - started


def reconnect_line(place: City) -> Line:
    """1,000 devices back at once."""
    texts, all_served = [], True
    for name, tls in (("without TLS", False), ("with TLS", True)):
        served, seconds = asyncio.run(_come_back(place, place.folder / "credentials.csv", tls=tls))
        texts.append(f"{served:,} {name} in {seconds:.2f} s")
        all_served &= served == _RECONNECTING
    return Line("identity", f"reconnect: {', '.join(texts)} (target {_RECONNECTING:,} served)", met=all_served)


def rate_lines(place: City) -> Iterator[Line | str]:
    """What ingest does while accounts of 10,000 devices come, beside what it does just before.

    First the accounts alone, of devices that are registered already: what a broker's way of keeping them costs. Then
    whole files, in which the devices, their sites and datastreams are new too.
    """
    register_fleet(place.url, 1_000)
    prefixes = [f"round-{number}" for number in range(_ROUNDS)]
    files = [imported(place.folder, prefix) for prefix in prefixes]
    for file in files:
        place.run("import", str(file))
    publisher = floors.start_load(place.broker.port, _SHAPE, _RATE_MESSAGES, 1_000)
    port = machine.free_port()

    def rate(work: Callable[[], None]) -> float:
        before, started = stored_by_worker(port), time.perf_counter()
        work()
        return (stored_by_worker(port) - before) / (time.perf_counter() - started)

    def issue(prefix: str) -> None:
        place.run("credentials", "issue", *(f"{prefix}-{number}" for number in range(1, _DEVICES + 1)))
        place.wait_until_in_force()

    def import_all() -> None:
        place.run("import", str(imported(place.folder, "whole")), "--credentials", str(place.folder / "whole-new.csv"))
        place.wait_until_in_force()

    with place.keeper(), running_worker(place.broker, place.url, port=port):
        floors.line_of(publisher)
        floors.go(publisher)
        time.sleep(3.0)
        rounds = [(rate(lambda: time.sleep(2.5)), rate(partial(issue, prefix))) for prefix in prefixes]
        whole = rate(lambda: time.sleep(2.5)), rate(import_all)
    running = publisher.poll() is None
    publisher.kill()
    publisher.wait()
    assert running, "the load ended before the measurement: raise _RATE_MESSAGES"
    quiet, busy = (sum(rates) / _ROUNDS for rates in zip(*rounds, strict=True))
    text = (
        f"ingest: {busy:,.0f} readings/s while {_DEVICES:,} accounts are imported,"
        f" {busy / quiet:.2f} of the {quiet:,.0f} otherwise (target 0.9)"
    )
    yield Line("identity", text, met=busy >= 0.9 * quiet)
    yield (
        f"identity ingest: {whole[1]:,.0f} readings/s while {_DEVICES:,} new devices with their datastreams and"
        f" accounts are imported, {whole[1] / whole[0]:.2f} of the {whole[0]:,.0f} otherwise"
    )


def message_line() -> Line:
    """What the accounts cost a device's message: the broker's processor time with 10,000 of them and without."""
    costs = []
    passwords = {f"dev-{number}": make_password() for number in range(1, _DEVICES + 1)}
    lines = [f"{name} hoi-an@0 p:{each.salt.hex()}:{each.digest.hex()}:0" for name, each in passwords.items()]
    for accounts in (False, True):
        with city(accounts=accounts) as place:
            token = AccountsFile(place.folder / "accounts").write(lines)
            while accounts and (
                (state := read_state(place.folder / "state" / "accounts.json")) is None or state.token != token
            ):
                time.sleep(0.05)
            before = place.broker.processor_s()
            rate = floors.null_rate(place.broker, "single", 400_000, 1, "--login", "dev-1", passwords["dev-1"].text)
            costs.append((1e6 * (place.broker.processor_s() - before) / 400_000, rate))
    (without, rate), (with_accounts, same) = costs
    text = (
        f"message: {with_accounts:.2f} us of the broker with accounts, {without:.2f} us without"
        f" ({same:,.0f} and {rate:,.0f} msg/s) (target 1.05x)"
    )
    return Line("identity", text, met=with_accounts <= 1.05 * without)


def main() -> None:
    """Measure all of it."""
    with city() as place:
        print(import_line(place), flush=True)
        print(reconnect_line(place), flush=True)
        for line in rate_lines(place):
            print(line, flush=True)
    print(message_line(), flush=True)


if __name__ == "__main__":
    main()
