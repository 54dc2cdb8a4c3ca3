"""A publisher that costs next to nothing: one buffer of encoded messages, in which only digits change.

`python -m tests.benchmarks.load PORT SHAPE MESSAGES DEVICES [--rate MESSAGES_A_SECOND] [--login USER PASSWORD]` prints
when it is ready, starts at a line on stdin, and prints how many messages were acknowledged and in how many seconds.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = 15_000
DEVICES_A_GATEWAY = 8
NAMES = ("pm25", "pm10", "no2", "temperature", "humidity", "o3")
_TS_DIGITS = 13
_CHUNK = 250  # messages handed to the kernel at a time
_LAP = 1_000  # messages in the buffer, at least


def readings_a_message(shape: str) -> int:
    """Readings in one message of a shape: single, device or gateway."""
    return {"single": 1, "device": len(NAMES), "gateway": DEVICES_A_GATEWAY * len(NAMES)}[shape]


def _sources(shape: str, devices: int) -> int:
    return devices // DEVICES_A_GATEWAY if shape == "gateway" else devices


class Lap:
    """PUBLISH packets (MQTT 3.1.1) of some rounds, in a round one message of each source (device or gateway).

    Message n speaks of source n modulo their number. From round to round times grow by `step_ms` and the last digit
    of each value changes, so that all readings differ and no value stands still.
    """

    def __init__(self, shape: str, devices: int, *, start_ms: int, step_ms: int = 1_000) -> None:
        self._start_ms = start_ms
        self._step_ms = step_ms
        self._sources = _sources(shape, devices)
        self._rounds = -(-_LAP // self._sources)
        packets = [_packet(shape, source) for source in range(self._sources)]
        text = b"".join(packets)
        self._bytes = np.tile(np.frombuffer(text, dtype=np.uint8), (self._rounds, 1))
        ends = np.cumsum([len(packet) for packet in packets])
        self._ends = np.concatenate([ends + number * len(text) for number in range(self._rounds)])
        # The packet id stands between topic and payload, and no brace before the payload's first.
        braces = [packet.index(b"{") for packet in packets]
        self._ids = ends - [len(packet) for packet in packets] + braces - 2
        self._stamps = _all(text, b'"ts":') + 5
        self._values = _all(text, b".5") + 1
        self._digits = np.full((self._rounds, _TS_DIGITS), -1)

    @property
    def messages(self) -> int:
        """How many messages it holds."""
        return self._rounds * self._sources

    def chunks(self, messages: int) -> Iterator[tuple[memoryview, int]]:
        """Bytes to send and how many messages they end; each good until the next is asked for."""
        for first in range(0, messages, self.messages):
            self._write(first)
            buffer = memoryview(self._bytes.reshape(-1))
            count, at = min(self.messages, messages - first), 0
            for end in range(_CHUNK, count + _CHUNK, _CHUNK):
                last = min(end, count)
                until = int(self._ends[last - 1])
                yield buffer[at:until], last - (end - _CHUNK)
                at = until

    def _write(self, first: int) -> None:
        """Write times, values and packet ids of the lap that begins with message `first`."""
        number = first // self._sources + np.arange(self._rounds)
        powers = 10 ** np.arange(_TS_DIGITS - 1, -1, -1)
        digits = (self._start_ms + number * self._step_ms)[:, None] // powers % 10
        for place in np.flatnonzero((digits != self._digits).any(axis=0)).tolist():
            self._bytes[:, self._stamps + place] = 48 + digits[:, place, None]
        self._digits = digits
        self._bytes[:, self._values] = 48 + number[:, None] % 10
        packet_id = ((first + np.arange(self.messages)) % 65_535 + 1).reshape(self._rounds, self._sources)
        self._bytes[:, self._ids] = packet_id >> 8
        self._bytes[:, self._ids + 1] = packet_id & 0xFF


def _packet(shape: str, source: int) -> bytes:
    values = {name: 20.5 + 2 * at for at, name in enumerate(NAMES)}  # all expected, so that none is flagged
    if shape == "single":
        values = {NAMES[0]: 31.5}
    item = {"ts": 0, "values": values}
    if shape == "gateway":
        topic = f"thubon/v1/hoi-an/gw-{source + 1}/gateway"
        first = source * DEVICES_A_GATEWAY
        body: object = {f"dev-{first + at + 1}": [item] for at in range(DEVICES_A_GATEWAY)}
    else:
        topic = f"thubon/v1/hoi-an/dev-{source + 1}/telemetry"
        body = item
    text = json.dumps(body, separators=(",", ":")).replace('"ts":0', '"ts":' + "0" * _TS_DIGITS)
    # MQTT 3.1.1: topic, packet id, payload.
    rest = len(topic).to_bytes(2, "big") + topic.encode() + b"\x00\x00" + text.encode()
    length, size = len(rest), b""
    while True:
        length, low = divmod(length, 128)
        size += bytes([low | (0x80 if length else 0)])
        if not length:
            return b"\x32" + size + rest


def _all(text: bytes, part: bytes) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Where a part begins, each time it occurs."""
    found, at = [], text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)
    return np.array(found, dtype=np.intp)


def publish(port: int, lap: Lap, messages: int, *, login: tuple[str, str] | None = None, rate: float = 0.0) -> float:
    """Publish at QoS 1 with a window; returns the seconds until the last acknowledgement.

    With a login (user, password) as that device, else as nobody; at `rate` messages a second, or (0) as fast as the
    broker takes them.
    """
    connection = socket.create_connection(("127.0.0.1", port))
    fields = list(map(str.encode, (login[0], *login))) if login else [f"load-{port}-{time.time_ns()}".encode()]
    flags = b"\xc2" if login else b"\x02"
    body = b"\x00\x04MQTT\x04" + flags + b"\x00\x00"
    body += b"".join(len(each).to_bytes(2, "big") + each for each in fields)
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    connack = connection.recv(4)
    assert connack[0] == 0x20, connack
    assert connack[3] == 0, connack
    connection.setblocking(False)
    chunks = lap.chunks(messages)
    chunk, count = next(chunks, (None, 0))
    sent = acknowledged_bytes = 0
    started = time.perf_counter()
    while acknowledged_bytes < 4 * messages:
        may_send = chunk is not None and sent - acknowledged_bytes // 4 < WINDOW
        if may_send and rate and (ahead_s := sent / rate - (time.perf_counter() - started)) > 0:
            may_send = False
            time.sleep(min(ahead_s, 0.005))
        # While the rate holds us back there is nothing to wait for but acknowledgements that have come.
        wait_s = 0 if rate and not may_send else 60
        readable, writable, _ = select.select([connection], [connection] if may_send else [], [], wait_s)
        assert readable or writable or not wait_s, "nothing was acknowledged for a minute"
        if readable:
            data = connection.recv(1 << 20)
            assert data, "the broker closed the connection"
            acknowledged_bytes += len(data)
        if writable and chunk is not None:
            chunk = chunk[connection.send(chunk) :]
            if not chunk:
                sent += count
                chunk, count = next(chunks, (None, 0))
    return time.perf_counter() - started


def main() -> None:
    """Publish what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("shape", choices=["single", "device", "gateway"])
    parser.add_argument("messages", type=int)
    parser.add_argument("devices", type=int)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--login", nargs=2)
    arguments = parser.parse_args()
    # A second between two times of a device, the last of them about now.
    rounds = arguments.messages // _sources(arguments.shape, arguments.devices) + 1
    lap = Lap(arguments.shape, arguments.devices, start_ms=time.time_ns() // 1_000_000 - rounds * 1_000)
    print("ready", flush=True)
    sys.stdin.readline()
    login = tuple(arguments.login) if arguments.login else None
    seconds = publish(arguments.port, lap, arguments.messages, login=login, rate=arguments.rate)
    print(arguments.messages, seconds, flush=True)


if __name__ == "__main__":
    main()
