"""What a run writes down comes back as it was written, also from a sender that was killed."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from simulators import journal as journals
from simulators.journal import Journal, JournalError, read_journal

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "thubon/v1/hoi-an/air-1/telemetry"


def test_messages_and_acknowledgements_come_back_as_written(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl.gz"
    with Journal(file, header={"scenario": "demo", "seed": 7}) as journal:
        first = journal.sent(TOPIC, b'{"pm25": 1}', qos=1, device="air-1")
        garbage = journal.sent(TOPIC, b"\xff\x00", qos=0, device="air-1", faults=("garbage",), retain=True)
        third = journal.sent(
            TOPIC, b"{}", qos=2, device="gw", lost=True, device_faults={"a": ("stuck",)}, expect="stored"
        )
        journal.acknowledged(first)
        journal.acknowledged(third, reason=0x87)

    run = read_journal(file)

    assert run.header == {"scenario": "demo", "seed": 7}
    assert run.complete
    one, two, three = run.messages
    assert (one.number, one.payload, one.qos, one.device, one.faults, one.lost) == (
        1,
        b'{"pm25": 1}',
        1,
        "air-1",
        (),
        False,
    )
    assert one.acknowledged_us is not None
    assert one.acknowledged_us >= one.sent_us
    assert not one.refused_by_broker
    assert (two.number, two.payload, two.retain, two.faults) == (garbage, b"\xff\x00", True, ("garbage",))
    assert two.acknowledged_us is None
    assert (three.lost, three.device_faults, three.expect, three.refused_by_broker) == (
        True,
        {"a": ("stuck",)},
        "stored",
        True,
    )


def test_what_a_killed_sender_flushed_is_read_and_a_broken_last_member_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl.gz"
    journal = Journal(file, header={})
    journal.sent(TOPIC, b"1", qos=1, device="air-1")
    journal.flush()
    whole = file.stat().st_size
    journal.sent(TOPIC, b"2", qos=1, device="air-1")
    journal.flush()
    file.write_bytes(file.read_bytes()[: whole + 9])

    run = read_journal(file)

    assert [message.payload for message in run.messages] == [b"1"]
    assert not run.complete
    journal.close()


def test_it_holds_back_no_more_than_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "FLUSH_BYTES", 1_000)
    monkeypatch.setattr(journals, "FLUSH_S", 1e9)
    file = tmp_path / "run.jsonl.gz"
    journal = Journal(file, header={})
    for _ in range(100):
        journal.sent(TOPIC, b"x" * 200, qos=1, device="air-1")

    assert len(read_journal(file).messages) >= 95
    journal.close()


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl.gz"
    Journal(file, header={}).close()
    with pytest.raises(FileExistsError):
        Journal(file, header={})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no gzip", "no journal"),
        (gzip.compress(b""), "holds nothing"),
        (gzip.compress(b'{"k":"run","version":9,"header":{}}\n'), ":1: not the head"),
        (
            gzip.compress(b'{"k":"run","version":1,"began_us":5,"header":{}}\n{"k":"ack","n":3,"t":1}\n'),
            ":2: not a record",
        ),
        (gzip.compress(b'{"k":"run","version":1,"began_us":5,"header":{}}\n{"k":"hm"}\n'), ":2: record 'hm'; allowed"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "run.jsonl.gz"
    file.write_bytes(content)
    with pytest.raises(JournalError, match=says):
        read_journal(file)
