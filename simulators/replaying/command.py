"""`python -m simulators record` and `replay` on the command line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulators.journal import Journal
from simulators.link import tls_context
from simulators.replaying.record import RecordPlan, record
from simulators.replaying.recordings import ENDINGS, RecordingError, read_recording
from simulators.replaying.replay import moved, replay
from simulators.replaying.series import load_map, read_series
from simulators.settings import Broker, read_settings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from simulators.replaying.recordings import Recorded

RECORD: Final = "keep what a broker carries in a file"
REPLAY: Final = "play a recording, or a CSV series, to a broker"
_MAX_SHIFT_S: Final = 400 * 366 * 86_400.0
_UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_MAX_SPEED: Final = 1e6


def describe_record(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `record`, and `execute` to do it."""
    parser.add_argument("--broker", help="mqtt:// or mqtts:// URL; default: THUBON_BROKER_URL")
    parser.add_argument("--filter", action="append", metavar="TOPIC", help="topic filter; repeatable (thubon/#)")
    parser.add_argument("--out", type=Path, required=True, help=f"file to make, ending in {' or '.join(ENDINGS)}")
    parser.add_argument("--duration", type=_length, metavar="TIME", help="such as 90s or 2h; default: until Ctrl-C")
    parser.add_argument("--messages", type=_positive, default=100_000_000, metavar="N", help="end after so many")
    parser.add_argument("--payload-bytes", type=_positive, default=100 << 30, metavar="N", help="or so many bytes")
    parser.set_defaults(execute=_record)


def describe_replay(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `replay`, and `execute` to do it."""
    parser.add_argument("file", type=Path, help=f"a recording ({', '.join(ENDINGS)}), or a CSV file with --map")
    parser.add_argument("--map", type=Path, metavar="FILE", help="YAML that says what the columns of the CSV file are")
    parser.add_argument("--broker", help="mqtt:// or mqtts:// URL; default: THUBON_BROKER_URL")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="N", help="times as fast as recorded, or max (1)")
    times = parser.add_mutually_exclusive_group()
    times.add_argument("--shift", type=_shift, default=0.0, metavar="TIME", help="move times by this: 7d, -2h")
    times.add_argument("--to-now", action="store_true", help="shift so that the first message is of this moment")
    times.add_argument("--end-now", action="store_true", help="shift so that the last message is of this moment")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="write down what is sent, for `judge`")
    parser.set_defaults(execute=_replay)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1 on")
    return int(text)


def _shift(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * _UNITS_S[unit]
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"'{text}' is no length of time; write it like 90s, 30m, 24h, -7d") from None
    if not abs(seconds) <= _MAX_SHIFT_S:
        raise argparse.ArgumentTypeError(f"'{text}' is too far; at most {_MAX_SHIFT_S / 86_400:.0f}d")
    return seconds


def _length(text: str) -> float:
    seconds = _shift(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' must be more than nothing")
    return seconds


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed <= _MAX_SPEED:
        raise argparse.ArgumentTypeError(f"'{text}' is no speed; allowed: max, or a number above 0 up to 1000000")
    return speed


def _broker(arguments: argparse.Namespace) -> tuple[Broker, ssl.SSLContext | None]:
    if arguments.broker:
        os.environ["THUBON_BROKER_URL"] = arguments.broker
    settings = read_settings()
    broker = Broker(settings.broker_url)
    return broker, tls_context(broker, settings.broker_ca_file)


def _record(arguments: argparse.Namespace) -> int:
    plan = RecordPlan(
        filters=arguments.filter or ["thubon/#"],
        out=arguments.out,
        duration_s=arguments.duration,
        messages=arguments.messages,
        payload_bytes=arguments.payload_bytes,
    )
    messages, size = record(*_broker(arguments), plan)
    sys.stdout.write(f"recorded {messages} messages, {size} payload bytes in {arguments.out}\n")
    return 0


def _messages(arguments: argparse.Namespace) -> Iterator[Recorded]:
    if arguments.map is not None:
        return read_series(arguments.file, load_map(arguments.map))
    if arguments.file.name.endswith(".csv"):
        raise RecordingError(f"{arguments.file}: a CSV file needs --map FILE.yaml that says what its columns are")
    return read_recording(arguments.file)


def _replay(arguments: argparse.Namespace) -> int:
    broker, tls = _broker(arguments)
    messages = _messages(arguments)
    first = next(messages, None)
    if first is None:
        raise RecordingError(f"{arguments.file}: holds no message")
    messages = chain([first], messages)
    shift_us = round(arguments.shift * 1e6)
    if arguments.to_now:
        shift_us = time.time_ns() // 1_000 - first.received_us
    elif arguments.end_now:
        shift_us = time.time_ns() // 1_000 - max(message.received_us for message in _messages(arguments))
    with ExitStack() as stack:
        journal = None
        if arguments.journal:
            header = {"replay": str(arguments.file), "shift_us": shift_us}
            journal = stack.enter_context(Journal(arguments.journal, header=header))
        done = replay(broker, tls, moved(messages, shift_us), arguments.speed, journal)
    sys.stdout.write(f"sent {done.messages} messages, acknowledged {done.acknowledged}; sha256 {done.sha256}\n")
    return 0
