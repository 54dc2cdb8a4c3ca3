"""`make oracle`: plays a scenario through real servers, every part a program of its own, and judges what arrived.

Ends with the exit status of `simulators judge`: 0 all is as it should be, 1 it deviates.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fix_broker import start_broker
from tests.fix_database import start_database_server
from tests.fix_worker import WorkerProcess, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "a-token-for-the-oracle-on-loopback-alone"


@contextmanager
def program(*arguments: str, log: Path, **settings: str) -> Iterator[WorkerProcess]:
    """A program of ours that answers /readyz, ready."""
    process = WorkerProcess({**os.environ, **settings}, log, command=("-m", *arguments))
    process.start()
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def api(read_url: str, log: Path) -> Iterator[str]:
    """The API as a program; yields its address."""
    port = free_port()
    environment = {**os.environ, "THUBON_READ_DATABASE_URL": read_url, "THUBON_API_TOKEN": TOKEN}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], env={**environment, "THUBON_HTTP_PORT": str(port)}, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(f"{url}/healthz", process, log), within_s=30, what="the API")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def simulators(*arguments: str, **settings: str) -> int:
    """Run a command of the simulators; its exit status."""
    command = [sys.executable, "-m", "simulators", *arguments]
    return subprocess.run(command, env={**os.environ, **settings}, check=False).returncode


def play_and_judge(scenario: str, backfill: str, run: list[str], keep: Path | None) -> int:
    """Play, judge; the exit status of the judgement."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = start_database_server()
        stack.callback(server.close)
        broker = start_broker()
        stack.callback(broker.server.remove)
        database = server.clone()
        fleet, journal = folder / "fleet.csv", folder / "run.jsonl.gz"
        if status := simulators("fleet", "--scenario", scenario, "--out", str(fleet)):
            return status
        environment = {**os.environ, "THUBON_DATABASE_URL": database.owner_url}
        subprocess.run([sys.executable, "-m", "devices", "import", str(fleet)], env=environment, check=True)
        common = {"THUBON_DATABASE_URL": database.ingest_url, "THUBON_DISK_RESERVE_BYTES": "1000000"}
        stack.enter_context(
            program("ingest", "worker", log=folder / "worker.log", THUBON_BROKER_URL=broker.url, **common)
        )
        stack.enter_context(program("ingest", "aggregator", log=folder / "aggregator.log", **common))
        url = stack.enter_context(api(database.read_url, folder / "api.log"))
        began = time.monotonic()
        played = ["run", "--scenario", scenario, "--backfill", backfill, "--duration", "0s", "--journal", str(journal)]
        if status := simulators(*played, *run, THUBON_BROKER_URL=broker.url):
            return status
        sys.stdout.write(f"oracle: played {backfill} of {scenario} in {time.monotonic() - began:.0f} s\n")
        sys.stdout.flush()
        judged = ("judge", "--journal", str(journal), "--api", url, "--wait", "180")
        status = simulators(*judged, THUBON_DATABASE_URL=database.ingest_url, THUBON_API_TOKEN=TOKEN)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            for file in (journal, *folder.glob("*.log")):
                shutil.copy(file, keep / file.name)
        return status


def main() -> int:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(prog="make oracle", description=__doc__)
    parser.add_argument("--scenario", default="ordinary-day", help="name or .yaml file (ordinary-day)")
    parser.add_argument("--backfill", default="6h", help="how much of it, ending now (6h)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep journal and logs there")
    parser.add_argument("run", nargs="*", help="further arguments of `simulators run`, after --")
    arguments = parser.parse_args()
    return play_and_judge(arguments.scenario, arguments.backfill, arguments.run, arguments.keep)


if __name__ == "__main__":
    sys.exit(main())
