"""What it costs to shrink the window in which a killed Mosquitto loses what it had acknowledged.

`python -m tests.benchmarks.broker_saves`: for several settings of its saving, a queue for an absent worker is filled at
full speed for a dozen seconds, the broker is killed, started, and what it still holds is counted.
"""

from __future__ import annotations

import random
import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.containers import Server
from tests.fix_broker import answers

_USER, _PASSWORD = "thubon", "for-tests-only"
_PAYLOAD = b'{"ts":1763880000000,"values":{"pm25":31.2,"pm10":40.1,"no2":12.5}} '  # a number follows
_WINDOW = 2_000
_SETTINGS = {
    "every 60 s": "autosave_interval 60",
    "every 5 s": "autosave_interval 5",
    "every 1 s": "autosave_interval 1",
    "every 1,000 changes": "autosave_on_changes true\\nautosave_interval 1000",
    "every change": "autosave_on_changes true\\nautosave_interval 1",
}


def _connect(server: Server, client_id: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    client.username_pw_set(_USER, _PASSWORD)
    client.max_inflight_messages_set(_WINDOW)
    client.connect(server.host, server.port)
    client.loop_start()
    return client


def _leave(client: paho.Client) -> None:
    client.disconnect()
    client.loop_stop()


def _subscribe(server: Server) -> None:
    done = threading.Event()
    client = _connect(server, "worker")
    client.on_subscribe = lambda *_: done.set()
    client.subscribe("queue/#", 1)
    done.wait(10)
    _leave(client)
    server.execute("sh", "-c", "kill -USR1 1")  # saves the session
    time.sleep(1.0)


def _fill(server: Server, seconds: float) -> tuple[int, int, float]:
    """Sends until the broker is killed: messages sent, messages acknowledged, the broker's processor seconds."""
    window = threading.Semaphore(_WINDOW)
    acknowledged: list[float] = []

    def published(*_: object) -> None:
        acknowledged.append(time.monotonic())
        window.release()

    client = _connect(server, "devices")
    client.on_publish = published
    sent = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        window.acquire()
        client.publish(f"queue/{sent % 50}", _PAYLOAD + str(sent).encode(), 1)
        sent += 1
    ticks = server.execute("cat", "/proc/1/stat").split()
    server.kill()
    client.loop_stop()
    return sent, len(acknowledged), (int(ticks[13]) + int(ticks[14])) / 100


def _kept(server: Server) -> int:
    held: set[bytes] = set()
    client = _connect(server, "worker")
    client.on_message = lambda _client, _data, message: held.add(message.payload)
    before = -1
    while len(held) != before:
        before = len(held)
        time.sleep(2.0)
    _leave(client)
    return len(held)


def measure(lines: str, seconds: float) -> tuple[float, float, int]:
    """Messages a second, processor seconds of the broker a million messages, acknowledged messages lost."""
    configure = (
        f"sed /^autosave_interval/d /etc/mosquitto/mosquitto.conf >/tmp/m.conf; printf '{lines}\\n' >>/tmp/m.conf"
    )
    server = Server(
        "thubon-broker",
        1883,
        answers,
        environment={"THUBON_BROKER_USERS": f"{_USER}:{_PASSWORD}"},
        command=f'sh -c "{configure}; exec mosquitto -c /tmp/m.conf"',
    )
    try:
        _subscribe(server)
        sent, acknowledged, processor_s = _fill(server, seconds)
        server.start()
        return sent / seconds, 1e6 * processor_s / sent, max(0, acknowledged - _kept(server))
    finally:
        server.remove()


if __name__ == "__main__":
    print("saved                    messages/s   broker s/M   acknowledged and lost")
    for name, lines in _SETTINGS.items():
        rate, cost, lost = measure(lines, 12.0 + random.random())
        print(f"{name:24} {rate:10,.0f} {cost:12.1f} {lost:12,} ({lost / rate:.1f} s)", flush=True)
