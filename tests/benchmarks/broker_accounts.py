"""What it costs Mosquitto to take the accounts of 10,000 devices, by the three ways there are.

`python -m tests.benchmarks.broker_accounts`: for the plugin of ours, for a password file with `pattern` rights that is
reloaded, and for the dynamic security plugin of Mosquitto: how long until all accounts are in force, how long one more
takes then, and the longest time a message of somebody else waited meanwhile. 1,000 devices are connected.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from docker.types import Mount
from paho.mqtt.enums import CallbackAPIVersion

from devices.identity.accounts import digest
from devices.identity.files import AccountsFile, read_state
from devices.identity.passwords import make_password
from tests.containers import Server
from tests.fix_broker import answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNTS = 10_000
CONNECTED = 1_000
_PROGRAM = ("ingest", "for-tests-only")
_PATIENCE_S = 30.0


class Probe:
    """Publishes and waits for the acknowledgement, over and over: its longest wait is the broker's longest pause."""

    def __init__(self, server: Server) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ingest:probe")
        self._client.username_pw_set(*_PROGRAM)
        self._client.connect(server.host, server.port)
        self._client.loop_start()
        self._stop = threading.Event()
        self.longest_s = 0.0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            started = time.perf_counter()
            self._client.publish("probe", b"x", 1).wait_for_publish(_PATIENCE_S)
            self.longest_s = max(self.longest_s, time.perf_counter() - started)
            time.sleep(0.002)

    def end(self) -> float:
        """The longest wait, in seconds."""
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()
        return self.longest_s


def open_connection(server: Server, device_id: str, password: str) -> socket.socket | None:
    """A device's MQTT 3.1.1 connection; None where it is refused."""
    connection = socket.create_connection((server.host, server.port), timeout=_PATIENCE_S)
    fields = b"".join(len(each).to_bytes(2, "big") + each for each in map(str.encode, (device_id, device_id, password)))
    body = b"\x00\x04MQTT\x04\xc2\x00\x00" + fields
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    answer = connection.recv(4)
    if len(answer) == 4 and answer[3] == 0:
        return connection
    connection.close()
    return None


def _in_force_s(server: Server, device_id: str, password: str, *, every_s: float = 0.02) -> float | None:
    """Seconds until the account lets its device in; None: it does not within the patience."""
    started = time.perf_counter()
    while time.perf_counter() - started < _PATIENCE_S:
        if (connection := open_connection(server, device_id, password)) is not None:
            connection.close()
            return time.perf_counter() - started
        time.sleep(every_s)
    return None


@contextmanager
def _measured(server: Server) -> Iterator[Callable[[], str]]:
    probe = Probe(server)
    started = time.perf_counter()
    try:
        yield lambda: f"{time.perf_counter() - started:6.2f} s"
    finally:
        print(f"    longest wait of another's message {1e3 * probe.end():,.0f} ms", flush=True)


def _report(server: Server, name: str, passwords: dict[str, str], put: Callable[[dict[str, str]], None]) -> None:
    """`put` brings accounts into the broker and returns when they are given."""
    print(f"{name}", flush=True)
    last = list(passwords)[-1]
    with _measured(server) as elapsed:
        put(passwords)
        found = _in_force_s(server, last, passwords[last])
        print(
            f"    {len(passwords):,} accounts in force after {elapsed() if found is not None else 'never'}", flush=True
        )
    some = [open_connection(server, each, passwords[each]) for each in list(passwords)[:CONNECTED]]
    more = {"one-more": secrets.token_urlsafe(20)}
    with _measured(server) as elapsed:
        put(more)
        _in_force_s(server, "one-more", more["one-more"], every_s=0.005)
        print(f"    one more, {sum(each is not None for each in some):,} connected: {elapsed()}", flush=True)
    for each in some:
        if each is not None:
            each.close()


def _server(folder: Path, extra: str, setup: str = ":") -> Server:
    """A broker with further lines of configuration, its folder /own."""
    folder.chmod(0o777)
    configuration = f"sed /persistence/d /etc/mosquitto/mosquitto.conf >/tmp/m.conf; printf '{extra}' >>/tmp/m.conf"
    return Server(
        "thubon-broker",
        1883,
        answers,
        environment={"THUBON_BROKER_USERS": ":".join(_PROGRAM)},
        command=f'sh -c "{setup}; {configuration}; exec mosquitto -c /tmp/m.conf"',
        mounts=[Mount("/own", str(folder), "bind")],
    )


def plugin(passwords: dict[str, str]) -> None:
    """images/broker/accounts.c."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        lines: list[str] = []
        file = AccountsFile(folder / "accounts")
        server = Server(
            "thubon-broker",
            1883,
            answers,
            environment={"THUBON_BROKER_USERS": ":".join(_PROGRAM), "THUBON_BROKER_ACCOUNTS": "/own/accounts"},
            mounts=[Mount("/own", str(folder), "bind"), Mount("/mosquitto/state", str(folder), "bind")],
        )

        def put(given: dict[str, str]) -> None:
            new = [_line(device_id, word) for device_id, word in given.items()]
            lines.extend(new)
            token = file.append([f"+ {line}" for line in new]) if len(lines) > len(new) else file.write(new)
            while (state := read_state(folder / "accounts.json")) is None or state.token != token:
                time.sleep(0.005)
            assert state.digest == digest(lines)

        try:
            _report(server, "plugin of ours, accounts file", passwords, put)
        finally:
            server.remove()


def _line(device_id: str, word: str) -> str:
    salt = secrets.token_bytes(16)
    return f"{device_id} hoi-an@0 p:{salt.hex()}:{hashlib.sha256(salt + word.encode()).hexdigest()}:0"


def password_file(passwords: dict[str, str], *, iterations: int) -> None:
    """Password file, `pattern` rights, SIGHUP."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "passwords").write_text(f"{_PROGRAM[0]}:{_hash(_PROGRAM[1], 101)}\n")
        (folder / "acl").write_text("user ingest\ntopic readwrite #\npattern write thubon/v1/+/%u/telemetry\n")
        for each in folder.iterdir():
            each.chmod(0o644)
        extra = "acl_file /own/acl\\n"
        # The entry point's own password file is left out: one broker reads one.
        listener = "/mosquitto/config/listener.conf"
        setup = f"sed -i /password_file/d {listener}; echo password_file /own/passwords >>{listener}"
        server = _server(folder, extra, setup)

        def put(given: dict[str, str]) -> None:
            text = "".join(f"{device_id}:{_hash(word, iterations)}\n" for device_id, word in given.items())
            with (folder / "passwords").open("a") as file:
                file.write(text)
            server.execute("sh", "-c", "kill -HUP 1")

        try:
            _report(server, f"password file, pattern rights, reload; {iterations} rounds of PBKDF2", passwords, put)
        finally:
            server.remove()


def _hash(word: str, iterations: int) -> str:
    salt = os.urandom(12)
    key = hashlib.pbkdf2_hmac("sha512", word.encode(), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def dynamic_security(passwords: dict[str, str]) -> None:
    """Mosquitto's own plugin, in batches of 100 over $CONTROL, without the role a device would need besides."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        setup = "rm /mosquitto/config/listener.conf; mosquitto_ctrl dynsec init /own/d.json ingest for-tests-only"
        extra = (
            "listener 1883\\nallow_anonymous false\\nplugin /usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so\\n"
            "plugin_opt_config_file /own/d.json\\n"
        )
        server = _server(folder, extra, setup)
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="control")
        client.username_pw_set(*_PROGRAM)
        answered, subscribed = threading.Semaphore(0), threading.Semaphore(0)
        client.on_message = lambda *_: answered.release()
        # At each connection: a change of a role disconnects who has it, us too.
        client.on_connect = lambda *_: client.subscribe("$CONTROL/dynamic-security/v1/response", 1)
        client.on_subscribe = lambda *_: subscribed.release()
        client.connect(server.host, server.port)
        client.loop_start()
        subscribed.acquire(timeout=_PATIENCE_S)
        grant = {
            "command": "addRoleACL",
            "rolename": "admin",
            "acltype": "publishClientSend",
            "topic": "probe",
            "allow": True,
        }
        batches = [
            [{"command": "createClient", "username": each, "password": word}] for each, word in passwords.items()
        ]
        try:
            print("dynamic security plugin, batches of 100 over $CONTROL", flush=True)
            client.publish("$CONTROL/dynamic-security/v1", json.dumps({"commands": [grant]}), 1)
            subscribed.acquire(timeout=_PATIENCE_S)
            with _measured(server) as elapsed:
                done = 0
                started = time.perf_counter()
                while done < len(batches) and time.perf_counter() - started < _PATIENCE_S:
                    batch = [command for each in batches[done : done + 100] for command in each]
                    client.publish("$CONTROL/dynamic-security/v1", json.dumps({"commands": batch}), 1)
                    if not answered.acquire(timeout=_PATIENCE_S):
                        break
                    done += 100
                    if done % 1_000 == 0:
                        print(f"    {done:,} of {len(batches):,} accounts after {elapsed()}", flush=True)
            bytes_ = (folder / "d.json").stat().st_size
            print(f"    the file is written anew at each account: {bytes_:,} bytes at {done:,}", flush=True)
        finally:
            client.disconnect()
            client.loop_stop()
            server.remove()


if __name__ == "__main__":
    passwords_ = {f"device-{number}": make_password().text for number in range(ACCOUNTS)}
    plugin(passwords_)
    password_file(passwords_, iterations=1)
    password_file(passwords_, iterations=101)
    dynamic_security(passwords_)
