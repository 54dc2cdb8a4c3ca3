"""A publisher that costs next to nothing: messages are encoded before the run, acknowledgements are only counted.

`python -m tests.benchmarks.load PORT SHAPE MESSAGES DEVICES [USER PASSWORD]` prints when it is ready, starts at a line
on stdin, and prints how many messages were acknowledged and in how many seconds.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

import numpy as np

WINDOW = 15_000
DEVICES_A_GATEWAY = 8
NAMES = ("pm25", "pm10", "no2", "temperature", "humidity", "o3")
_TS_DIGITS = 13


def readings_a_message(shape: str) -> int:
    """Readings in one message of a shape: single, device or gateway."""
    return {"single": 1, "device": len(NAMES), "gateway": DEVICES_A_GATEWAY * len(NAMES)}[shape]


def encode(shape: str, messages: int, devices: int, *, start_ms: int, step_ms: int = 1) -> list[bytes]:
    """PUBLISH packets, in chunks of some hundred; message n speaks of device (or gateway) n modulo their number.

    Every device's times are distinct and grow by `step_ms` each time its turn comes.
    """
    sources = devices // DEVICES_A_GATEWAY if shape == "gateway" else devices
    values = {name: 20 + 1.5 * at for at, name in enumerate(NAMES)}  # all expected, so that none is flagged
    if shape == "single":
        values = {NAMES[0]: 31.2}
    templates = []
    for source in range(sources):
        item = {"ts": 0, "values": values}
        if shape == "gateway":
            topic = f"thubon/v1/hoi-an/gw-{source + 1}/gateway"
            first = source * DEVICES_A_GATEWAY
            body: object = {f"dev-{first + at + 1}": [item] for at in range(DEVICES_A_GATEWAY)}
        else:
            topic = f"thubon/v1/hoi-an/dev-{source + 1}/telemetry"
            body = item
        text = json.dumps(body, separators=(",", ":")).replace('"ts":0', '"ts":' + "0" * _TS_DIGITS)
        head = len(topic).to_bytes(2, "big") + topic.encode() + b"\x00\x00"
        payload = text.encode()
        length, size = len(head) + len(payload), b""
        while True:
            length, low = divmod(length, 128)
            size += bytes([low | (0x80 if length else 0)])
            if not length:
                break
        packet = b"\x32" + size + head + payload
        at_id = len(size) + 1 + len(head) - 2
        stamps = [at + 5 for at in range(len(packet)) if packet.startswith(b'"ts":', at)]
        templates.append((np.frombuffer(packet, dtype=np.uint8), at_id, stamps))
    chunks, chunk = [], []
    powers = 10 ** np.arange(_TS_DIGITS - 1, -1, -1)
    for number in range(messages):
        template, at_id, stamps = templates[number % sources]
        packet = template.copy()
        packet_id = number % 65_535 + 1
        packet[at_id], packet[at_id + 1] = packet_id >> 8, packet_id & 0xFF
        digits = ((start_ms + number // sources * step_ms) // powers % 10 + 48).astype(np.uint8)
        for at in stamps:
            packet[at : at + _TS_DIGITS] = digits
        chunk.append(packet)
        if len(chunk) == 250 or number == messages - 1:
            chunks.append(np.concatenate(chunk).tobytes())
            chunk = []
    return chunks


def publish(port: int, chunks: list[bytes], messages: int, login: tuple[str, str] | None = None) -> float:
    """Publish all chunks at QoS 1 with a window; returns the seconds until the last acknowledgement.

    With a login (user, password) as that device, else as nobody.
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
    sent = acknowledged_bytes = at = offset = 0
    started = time.perf_counter()
    while acknowledged_bytes < 4 * messages:
        may_send = at < len(chunks) and sent - acknowledged_bytes // 4 < WINDOW
        readable, writable, _ = select.select([connection], [connection] if may_send else [], [], 60)
        assert readable or writable, "nothing was acknowledged for a minute"
        if readable:
            data = connection.recv(1 << 20)
            assert data, "the broker closed the connection"
            acknowledged_bytes += len(data)
        if writable:
            offset += connection.send(memoryview(chunks[at])[offset:])
            if offset == len(chunks[at]):
                at, offset, sent = at + 1, 0, min(sent + 250, messages)
    return time.perf_counter() - started


if __name__ == "__main__":
    port_, shape_, messages_, devices_ = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    sources_ = devices_ // DEVICES_A_GATEWAY if shape_ == "gateway" else devices_
    # A second between two times of a device, the last of them about now.
    start_ = time.time_ns() // 1_000_000 - (messages_ // sources_ + 1) * 1_000
    packets = encode(shape_, messages_, devices_, start_ms=start_, step_ms=1_000)
    print("ready", flush=True)
    sys.stdin.readline()
    login_ = (sys.argv[5], sys.argv[6]) if len(sys.argv) > 5 else None
    print(messages_, publish(port_, packets, messages_, login_), flush=True)
