"""Three living towns on this machine, from Python packages alone: `make demo`. Ctrl-C ends all of it.

PostgreSQL, broker, migrations, registry, ingest worker, aggregator, API and simulators run as parts of this program.
All listen on the loopback address. Exit status: 0 ended as asked, 1 a part failed, 2 wrong usage (nothing was started).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

try:
    from demo_servers import Postgres, broker_part, free_port, port_is_free, write_secret
    from supervision import Part, PartError, stop_all
except ImportError as missing:
    print(f"demo: {missing.name} is not installed; run `make setup` first", file=sys.stderr)
    sys.exit(2)

MARKER = "thubon-demo"
SECRET_NAMES = ("administrator", "registry", "ingest", "read", "api", "broker_ingest", "broker_simulators", "page")
DISK_RESERVE_BYTES = 256 * 1024 * 1024
MIN_FREE_BYTES = 1024 * 1024 * 1024
# A start that was broken off leaves devices at most two slices of the simulators' history apart.
EVEN_EDGE_S = 5 * 3_600.0
OVERLAP_S = 60.0
ENOUGH_ONLINE = 0.98
# So much of the history comes first, so that the towns live at once; what is older follows beside them.
RECENT_S = 3 * 3_600.0
HISTORY = "history"


class UsageError(Exception):
    """The demo cannot start like this; the text says what to do."""


class Stopped(Exception):  # noqa: N818 - not an error
    """Somebody asked the demo to end."""


def main(argv: list[str] | None = None) -> int:
    """Run the demo until it is asked to end."""
    arguments = _parser().parse_args(argv)
    began = time.monotonic()
    # Settings of another installation must not reach into this one.
    for name in [name for name in os.environ if name.startswith("THUBON_")]:
        del os.environ[name]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        folder = arguments.data_dir.resolve()
        with _claimed(folder):
            demo = Demo(arguments, folder)
            demo.check()
            return demo.run(began)
    except UsageError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except Stopped:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--http-port", type=_port, default=8000, help="page and API (8000)")
    parser.add_argument("--mqtt-port", type=_port, default=1883, help="broker; the port after it is taken too (1883)")
    parser.add_argument(
        "--data-dir", type=Path, default=Path(".demo"), help="where data, logs and passwords go (.demo)"
    )
    parser.add_argument("--scenario", default="demo", help="what the simulators play (demo)")
    parser.add_argument("--history-hours", type=float, default=56.0, help="history before the first start (56)")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65_534:  # noqa: PLR2004 - the port after it is taken too
        raise argparse.ArgumentTypeError(f"'{text}' is no port; 1 to 65534")
    return int(text)


def _stop(_number: int, _frame: FrameType | None) -> None:
    # Once is enough: what follows is bounded in time, and a second Ctrl-C must not break it off half way.
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise Stopped


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Make the data directory ours and nobody else's while we run.

    Raises:
        UsageError: it cannot be, or belongs to something else.
    """
    if folder in {Path("/"), Path.home(), ROOT}:
        raise UsageError(f"DATA_DIR={folder} is no place for a demo's data; give it a directory of its own")
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise UsageError(f"DATA_DIR={folder} holds something that is not a demo's; give an empty or new directory")
        (folder / MARKER).touch()
        (folder / "logs").mkdir(mode=0o700, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise UsageError(f"DATA_DIR={folder} cannot be used: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another demo runs on DATA_DIR={folder}; end it, or take another directory") from error
        yield


class Demo:
    """The parts, in the order in which readings pass them."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self._arguments = arguments
        self._folder = folder
        self._logs = folder / "logs"
        self._secrets = _passwords(folder / "passwords.json")
        self._postgres = Postgres(folder, self._logs, self._secrets["administrator"])
        self._parts: dict[str, Part] = {}
        self._metrics_port = free_port()
        self._older = folder / "older-history.json"  # what of it is still to be sent; it lies there until it is

    def check(self) -> None:
        """See that nothing stands in the way.

        Raises:
            UsageError: something does; nothing was started.
        """
        mqtt, http = self._arguments.mqtt_port, self._arguments.http_port
        if http in {mqtt, mqtt + 1}:
            raise UsageError(f"HTTP_PORT={http} and MQTT_PORT={mqtt} (and the port after it) must differ")
        for port, name in ((http, "HTTP_PORT"), (mqtt, "MQTT_PORT"), (mqtt + 1, "MQTT_PORT + 1")):
            if not port_is_free(port):
                other = "HTTP_PORT=8080" if name == "HTTP_PORT" else "MQTT_PORT=11883"
                raise UsageError(
                    f"port {port} ({name}) is in use by another program; choose another: make demo {other}"
                )
        made_by = self._postgres.made_by_another_version()
        if made_by:
            raise UsageError(f"{self._folder} was made by PostgreSQL {made_by}; remove it first: make clean")
        status = os.statvfs(self._folder)
        if status.f_bavail * status.f_frsize < MIN_FREE_BYTES:
            raise UsageError(f"less than {MIN_FREE_BYTES >> 20} MiB are free at {self._folder}")

    def run(self, began: float) -> int:
        """Start everything, say so, and watch over it.

        Returns:
            1 when a part failed. Being asked to end raises `Stopped`, after everything has ended.
        """
        try:
            self._start_servers()
            self._start_programs()
            self._start_devices(began)
            self._start_older_history()
            while True:
                self._watch(leaving_out=HISTORY)
                self._note_older_history()
                time.sleep(0.5)
        except PartError as error:
            print(f"\ndemo: {error}\ndemo: ending everything else", file=sys.stderr)
            return 1
        finally:
            self._end()

    def _start_servers(self) -> None:
        self._say("servers: PostgreSQL and broker")
        users = {"ingest": self._secrets["broker_ingest"], "simulators": self._secrets["broker_simulators"]}
        self._start(broker_part(self._folder, self._logs, self._arguments.mqtt_port, users))
        self._postgres.initialise()
        part = self._start(self._postgres.part())
        self._postgres.wait_until_ready(part, 60.0)
        self._postgres.make_database(self._secrets)

    def _start_programs(self) -> None:
        self._say("schema and registry")
        self._finish("migrations", ["sql.migrate", "up"], THUBON_DATABASE_URL=self._postgres.admin_url)
        fleet = self._folder / "fleet.csv"
        self._finish("fleet", ["simulators", "fleet", "--scenario", self._arguments.scenario, "--out", str(fleet)])
        registry_url = self._postgres.url("thubon_registry_login", self._secrets["registry"])
        self._finish("registry", ["devices", "import", str(fleet)], THUBON_DATABASE_URL=registry_url)
        self._say("ingest worker, aggregator and API")
        mqtt5_port = self._arguments.mqtt_port + 1
        worker = self._program(
            "ingest worker",
            ["ingest", "worker"],
            THUBON_DATABASE_URL=self._postgres.url("thubon_ingest_login", self._secrets["ingest"]),
            THUBON_BROKER_URL=f"mqtt://ingest:{self._secrets['broker_ingest']}@127.0.0.1:{mqtt5_port}",
            THUBON_METRICS_PORT=str(self._metrics_port),
            THUBON_DISK_RESERVE_BYTES=str(DISK_RESERVE_BYTES),
        )
        aggregator = self._program(
            "aggregator",
            ["ingest", "aggregator"],
            THUBON_DATABASE_URL=self._postgres.url("thubon_ingest_login", self._secrets["ingest"]),
            THUBON_METRICS_PORT="0",
        )
        api = self._program(
            "API",
            ["api"],
            THUBON_READ_DATABASE_URL=self._postgres.url("thubon_read_login", self._secrets["read"]),
            THUBON_DATABASE_URL=self._postgres.url("thubon_api_login", self._secrets["api"]),
            THUBON_HTTP_HOST="127.0.0.1",
            THUBON_HTTP_PORT=str(self._arguments.http_port),
            THUBON_OPEN_VIEWER="yes",
            THUBON_DISK_RESERVE_BYTES=str(DISK_RESERVE_BYTES),
        )
        self._make_administrator()
        self._start(worker)
        self._start(aggregator)
        self._start(api)
        self._wait_for(f"http://127.0.0.1:{self._metrics_port}/readyz", worker)
        self._wait_for(f"http://127.0.0.1:{self._arguments.http_port}/readyz", api)

    def _make_administrator(self) -> None:
        """Make the account `admin` of the page; at a later start give it its password back.

        Raises:
            PartError: that failed.
        """
        write_secret(self._folder / "admin_password", self._secrets["page"] + "\n")
        made = subprocess.run(
            [sys.executable, "-m", "api", "create-admin", "admin"],
            check=False,
            input=self._secrets["page"] + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                "THUBON_READ_DATABASE_URL": self._postgres.url("thubon_read_login", self._secrets["read"]),
                "THUBON_DATABASE_URL": self._postgres.url("thubon_api_login", self._secrets["api"]),
                "THUBON_SECRETS_DIR": str(self._folder / "no-secrets"),
            },
        )
        if made.returncode:
            raise PartError(f"no administrator was made: {made.stderr.strip()}")

    def _start_devices(self, began: float) -> None:
        history_s = self._missing_history_s()
        if history_s > RECENT_S and history_s == self._arguments.history_hours * 3_600.0:
            now_s = time.time()
            older = {"from": _moment(now_s - history_s), "until": _moment(now_s - RECENT_S + OVERLAP_S)}
            self._older.write_text(json.dumps(older), encoding="utf-8")
            history_s = RECENT_S
        self._say(f"page: {self._page} (answers now; {_hours(history_s)} of history follow)")
        simulators = self._start(self._simulators("simulators", "--backfill", f"{history_s:.0f}s"))
        self._wait_until_living(simulators)
        towns = self._get("/v1/towns")["items"]
        devices = sum(sum(town["devices"].values()) for town in towns)
        online = sum(town["devices"]["online"] for town in towns)
        names = ", ".join(town["name"]["vi"] for town in towns)
        self._say(f"{names}: {online} of {devices} devices online, after {time.monotonic() - began:.0f} s")
        self._say(f"page: {self._page}   broker: mqtt://127.0.0.1:{self._arguments.mqtt_port}   logs: {self._logs}")
        password = self._folder / "admin_password"
        self._say(f"to install devices and keep accounts log in as admin, password in {password}")
        self._say("Ctrl-C ends the demo")

    def _simulators(self, name: str, *arguments: str) -> Part:
        address = f"127.0.0.1:{self._arguments.mqtt_port}"
        return self._program(
            name,
            ["simulators", "run", "--scenario", self._arguments.scenario, *arguments],
            THUBON_BROKER_URL=f"mqtt://simulators:{self._secrets['broker_simulators']}@{address}",
        )

    def _start_older_history(self) -> None:
        """Send what is older than what the towns began with, also what an earlier start could not end."""
        if self._older.exists():
            older = json.loads(self._older.read_text(encoding="utf-8"))
            self._start(self._simulators(HISTORY, "--beside", "--from", older["from"], "--until", older["until"]))

    def _note_older_history(self) -> None:
        part = self._parts.get(HISTORY)
        if part is None or part.is_alive():
            return
        if part.process is None or part.process.returncode:
            part.check()
        del self._parts[HISTORY]
        self._older.unlink()
        self._say("the history before is stored as well")

    @property
    def _page(self) -> str:
        return f"http://127.0.0.1:{self._arguments.http_port}/"

    def _missing_history_s(self) -> float:
        """Seconds of history to send: all of it the first time, later what passed since the newest observations."""
        full_s = self._arguments.history_hours * 3_600.0
        now = datetime.now(UTC)
        ages = [
            (now - datetime.fromisoformat(device["phenomenon_time"])).total_seconds()
            for device in self._all_devices()
            if device["phenomenon_time"]
        ]
        if not ages:
            return full_s
        # A device that has been silent for longer does not make all others repeat themselves.
        age_s = max(age for age in ages if age <= min(ages) + EVEN_EDGE_S)
        return min(full_s, max(age_s, 0.0) + OVERLAP_S)

    def _all_devices(self) -> Iterator[dict[str, Any]]:
        path = "/v1/devices?limit=1000"
        while True:
            page = self._get(path)
            yield from page["items"]
            if page["next"] is None:
                return
            path = f"/v1/devices?limit=1000&cursor={page['next']}"

    def _wait_until_living(self, simulators: Part) -> None:
        """Wait until the devices are at the present and the API says so; shows how the history goes."""
        shown = ""
        deadline = time.monotonic() + 3_600.0
        while time.monotonic() < deadline:
            self._watch()
            log = _end_of(simulators.log)
            progress = log.rpartition("history:")[2].partition("\n")[0].rpartition("\r")[2].strip()
            if sys.stdout.isatty() and progress and progress != shown and "at the present" not in log:
                print(f"\r  history: {progress[:100]:<100}", end="", flush=True)
                shown = progress
            if "are at the present" in log and self._share_online() >= ENOUGH_ONLINE:
                if shown:
                    print()
                return
            time.sleep(0.5)
        raise PartError("the history was not stored within an hour")

    def _share_online(self) -> float:
        towns = self._get("/v1/towns")["items"]
        devices = sum(sum(town["devices"].values()) for town in towns)
        return sum(town["devices"]["online"] for town in towns) / max(devices, 1)

    def _program(self, name: str, argv: list[str], **settings: str) -> Part:
        log = self._logs / f"{name.lower().replace(' ', '-')}.log"
        environment = {**settings, "PYTHONUNBUFFERED": "1", "THUBON_SECRETS_DIR": str(self._folder / "no-secrets")}
        return Part(name, [sys.executable, "-m", *argv], log, environment)

    def _start(self, part: Part) -> Part:
        part.log.unlink(missing_ok=True)
        part.start()
        self._parts[part.name] = part
        return part

    def _finish(self, name: str, argv: list[str], **settings: str) -> None:
        """Run a program to its end."""
        part = self._start(self._program(name, argv, **settings))
        deadline = time.monotonic() + 120.0
        while part.is_alive():
            self._watch(leaving_out=name)
            if time.monotonic() > deadline:
                raise PartError(f"{name} took longer than 120 s; the end of {part.log}:\n{part.last_lines()}")
            time.sleep(0.02)
        del self._parts[name]
        if part.process is None or part.process.returncode:
            part.check()

    def _wait_for(self, url: str, part: Part) -> None:
        """Wait until a program says that it is ready."""
        deadline = time.monotonic() + 60.0
        while True:
            self._watch()
            try:
                with urlopen(url, timeout=5) as answer:
                    if answer.status == 200:  # noqa: PLR2004
                        return
            except (URLError, OSError) as error:
                if time.monotonic() > deadline:
                    raise PartError(
                        f"{part.name} was not ready within 60 s ({error}); the end of {part.log}:\n{part.last_lines()}"
                    ) from error
            time.sleep(0.05)

    def _get(self, path: str) -> Any:
        try:
            with urlopen(f"http://127.0.0.1:{self._arguments.http_port}{path}", timeout=15) as answer:
                return json.load(answer)
        except (URLError, OSError) as error:
            self._watch()
            raise PartError(f"API does not answer {path}: {error}") from error

    def _watch(self, leaving_out: str | None = None) -> None:
        for name, part in self._parts.items():
            part.bound_log()
            if name != leaving_out:
                part.check()

    def _end(self) -> None:
        """End everything, first who sends, last who stores."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stages = (
            (3.0, ("simulators", HISTORY, "API", "registry", "fleet", "migrations")),
            (3.0, ("ingest worker", "aggregator")),
        )
        last = (2.5, ("broker", "PostgreSQL"))
        killed = stop_all(
            [
                (seconds, [self._parts[name] for name in names if name in self._parts])
                for seconds, names in (*stages, last)
            ]
        )
        for name in killed:
            print(f"demo: {name} did not end in time and was killed", file=sys.stderr)
        self._say("everything has ended")

    @staticmethod
    def _say(text: str) -> None:
        print(f"demo: {text}", flush=True)


def _passwords(file: Path) -> dict[str, str]:
    """The passwords of this demo, each made once."""
    known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    passwords = {name: secrets.token_urlsafe(18) for name in SECRET_NAMES} | known
    if passwords != known:
        write_secret(file, json.dumps(passwords))
    return passwords


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4_096))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()


def _hours(seconds: float) -> str:
    return f"{seconds / 3_600.0:.1f} hours" if seconds >= 5_400.0 else f"{seconds / 60.0:.0f} minutes"  # noqa: PLR2004


if __name__ == "__main__":
    sys.exit(main())
