"""What a run writes down: each message before it is sent, each acknowledgement when it came; read by `judge`.

A file of gzip members, each holding whole JSON lines: `zcat` shows it, and a sender that is killed loses the lines of
the last half second and no others. Lines are written before their message is sent, so that nothing is ever stored that
a whole journal does not know.
"""

from __future__ import annotations

import base64
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

VERSION: Final = 1
FLUSH_BYTES: Final = 262_144
FLUSH_S: Final = 0.5
_GZIP: Final = 31
"""zlib's window size for a gzip header and trailer."""
_READ_BYTES: Final = 1 << 20
FAILED_ACK: Final = 0x80
"""MQTT 5 reason codes from here on say that the broker did not take the message."""


class JournalError(ValueError):
    """The file is no journal, or one of another version."""


@dataclass(slots=True)
class Sent:
    """One message as it was handed to the broker, or as a fault ate it."""

    number: int  # within its journal, from 1, ascending with time
    sent_us: int  # Unix microseconds of the sender's clock
    topic: str
    payload: bytes
    qos: int  # 0, 1 or 2
    retain: bool
    device: str  # whose connection sent it
    faults: tuple[str, ...]  # done to the whole message
    device_faults: dict[str, tuple[str, ...]]  # done to single devices of a gateway's message
    lost: bool  # never handed to the broker
    expect: str | None  # what the sender says must become of each of its readings
    acknowledged_us: int | None = None
    refused_by_broker: bool = False


@dataclass(slots=True)
class Run:
    """A whole journal."""

    header: dict[str, Any]
    began_us: int  # Unix microseconds of the sender's clock
    messages: list[Sent] = field(default_factory=list)
    complete: bool = False  # the sender came to its end; otherwise its last half second may be missing


class Journal:
    """Appends to a journal; at most `FLUSH_BYTES` and `FLUSH_S` seconds of lines are held back."""

    def __init__(self, path: Path, *, header: Mapping[str, Any]) -> None:
        """Make a new journal.

        Args:
            path: file to make; by custom its name ends in `.jsonl.gz`.
            header: what identifies the run: scenario, seed ...; anything JSON can hold.

        Raises:
            FileExistsError: a journal is never written over.
            OSError: it cannot be made.
        """
        self._file = path.open("xb", buffering=0)
        self._lines: list[bytes] = []
        self._bytes = 0
        self._written = time.monotonic()
        self._number = 0
        self._acknowledged = 0
        self._put({"k": "run", "version": VERSION, "began_us": _now_us(), "header": dict(header)})
        self.flush()

    def sent(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        device: str,
        retain: bool = False,
        faults: Sequence[str] = (),
        device_faults: Mapping[str, Sequence[str]] | None = None,
        lost: bool = False,
        expect: str | None = None,
    ) -> int:
        """Note a message that is about to be published, or that is not because a fault ate it.

        Returns:
            Its number, for `acknowledged`.
        """
        self._number += 1
        line: dict[str, Any] = {"k": "sent", "n": self._number, "t": _now_us(), "topic": topic, "qos": qos, "d": device}
        try:
            line["p"] = payload.decode()
        except UnicodeDecodeError:
            line["b"] = base64.b64encode(payload).decode()
        if retain:
            line["retain"] = True
        if faults:
            line["f"] = list(faults)
        if device_faults:
            line["df"] = {name: list(of) for name, of in device_faults.items()}
        if lost:
            line["lost"] = True
        if expect is not None:
            line["expect"] = expect
        self._put(line)
        return self._number

    def acknowledged(self, number: int, *, reason: int = 0) -> None:
        """Note the PUBACK or PUBCOMP of a message; `reason` is the reason code MQTT 5 gives it."""
        self._acknowledged += 1
        line: dict[str, Any] = {"k": "ack", "n": number, "t": _now_us()}
        if reason:
            line["reason"] = reason
        self._put(line)

    def flush(self) -> None:
        """Write out what is held back; afterwards the end of this process does not lose it."""
        if self._lines:
            packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
            member = packer.compress(b"\n".join(self._lines) + b"\n") + packer.flush()
            self._lines.clear()
            self._bytes = 0
            while member:
                member = member[self._file.write(member) :]
        self._written = time.monotonic()

    def close(self) -> None:
        """End the journal in order; safe to call again."""
        if not self._file.closed:
            self._put({"k": "end", "t": _now_us(), "sent": self._number, "acknowledged": self._acknowledged})
            self.flush()
            self._file.close()

    def __enter__(self) -> Self:
        """The journal itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _put(self, line: Mapping[str, Any]) -> None:
        packed = msgspec.json.encode(line)
        self._lines.append(packed)
        self._bytes += len(packed) + 1
        if self._bytes >= FLUSH_BYTES or time.monotonic() - self._written >= FLUSH_S:
            self.flush()


def read_journal(path: Path) -> Run:
    """Read a journal whole, also one whose sender was killed.

    Raises:
        JournalError: it is no journal, or its version is not known; names file and line.
        OSError: it cannot be read.
    """
    run: Run | None = None
    by_number: dict[int, Sent] = {}
    for number, line in enumerate(_lines(path), 1):
        try:
            record = msgspec.json.decode(line)
            kind = record["k"]
            if run is None:
                if kind != "run" or record["version"] != VERSION:
                    raise JournalError(f"{path}:{number}: not the head of a journal of version {VERSION}")
                run = Run(record["header"], record["began_us"])
            elif kind == "sent":
                message = by_number[record["n"]] = _sent(record)
                run.messages.append(message)
            elif kind == "ack":
                message = by_number[record["n"]]
                message.acknowledged_us = record["t"]
                message.refused_by_broker = record.get("reason", 0) >= FAILED_ACK
            elif kind == "end":
                run.complete = True
            else:
                raise JournalError(f"{path}:{number}: record '{kind}'; allowed: sent, ack, end")
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise JournalError(f"{path}:{number}: not a record of a journal: {error!r}") from error
    if run is None:
        raise JournalError(f"{path}: holds nothing")
    return run


def _sent(record: Mapping[str, Any]) -> Sent:
    payload = record["p"].encode() if "p" in record else base64.b64decode(record["b"], validate=True)
    return Sent(
        number=record["n"],
        sent_us=record["t"],
        topic=record["topic"],
        payload=payload,
        qos=record["qos"],
        retain=record.get("retain", False),
        device=record["d"],
        faults=tuple(record.get("f", ())),
        device_faults={name: tuple(of) for name, of in record.get("df", {}).items()},
        lost=record.get("lost", False),
        expect=record.get("expect"),
    )


def _lines(path: Path) -> Iterator[bytes]:
    """The whole lines of all whole members; a member that breaks off at the end of the file is left out."""
    with path.open("rb") as file:
        unpacker, member, data = zlib.decompressobj(_GZIP), b"", file.read(_READ_BYTES)
        while data:
            try:
                member += unpacker.decompress(data)
            except zlib.error as error:
                raise JournalError(f"{path}: damaged, or no journal: {error}") from error
            data = unpacker.unused_data
            if unpacker.eof:
                yield from member.splitlines()
                unpacker, member = zlib.decompressobj(_GZIP), b""
            data = data or file.read(_READ_BYTES)


def _now_us() -> int:
    return time.time_ns() // 1_000
