"""Devices that shuffle their keys: what the worker remembers of them stays bounded, whatever waits to be written."""

from __future__ import annotations

from itertools import islice, permutations

import msgspec

from ingest.batch import Batcher, BatchLimits
from ingest.columns import Columns, Limits
from ingest.decode import Decoder
from ingest.records import Message
from ingest.registry import RegistrySnapshot, build_snapshot
from ingest.shapes import KEPT_SHAPES
from ingest.validate import TimeRules, validate

NAMES = ("a", "b", "c", "d", "e", "f", "g", "h")
A_BATCH = 500
MESSAGES = 3 * KEPT_SHAPES
START_MS = 1_763_900_000_000


def shuffler() -> RegistrySnapshot:
    """One device with a datastream of each name."""
    device = {
        "device_key": 1,
        "device_id": "dev-1",
        "town_id": "hoi-an",
        "gateway_id": None,
        "commissioned_us": 0,
        "retired": False,
        "former_towns": None,
    }
    streams = [
        {
            "device_key": 1,
            "slot": slot,
            "name": name,
            "lower_bound": -1e9,
            "upper_bound": 1e9,
            "factor": 1.0,
            "addend": 0.0,
            "words": None,
            "property": name,
            "profile": "test",
        }
        for slot, name in enumerate(NAMES, start=1)
    ]
    return build_snapshot(1, [device], streams)


def messages(slowly: range) -> list[Message]:
    """Each with its keys in another order; a value is 1,000 times its slot and the message's number."""
    made = []
    for number, names in enumerate(islice(permutations(NAMES), MESSAGES)):
        ts: int | str = START_MS + number
        body = {"ts": ts, "values": {name: 1_000.0 * NAMES.index(name) + number for name in names}}
        if number in slowly:
            body["further"] = 1
        made.append(Message("thubon/v1/hoi-an/dev-1/telemetry", msgspec.json.encode(body), START_MS * 1_000))
    return made


def check(columns: Columns) -> list[int]:
    """That each value stands under its name; the numbers of the messages."""
    checked = validate(columns, TimeRules(), subjects=5)
    numbers = []
    for block in checked.blocks:
        for time_us, row in zip(block.time_us.tolist(), block.value.tolist(), strict=True):
            number = time_us // 1_000 - START_MS
            assert row == [1_000.0 * slot + number for slot in range(len(NAMES))]
            numbers.append(number)
    return numbers


def test_shuffled_keys_are_forgotten_and_batches_in_flight_keep_theirs() -> None:
    snapshot = shuffler()
    decoder = Decoder(limits=Limits())
    limits = BatchLimits(messages=A_BATCH, readings=1_000_000, payload_bytes=1 << 24)
    batcher = Batcher(limits=limits, snapshot=snapshot)
    in_flight: Columns | None = None
    numbers, most = [], 0
    for message in messages(slowly=range(100, MESSAGES, 7)):
        decoder.decode([message], batcher.open)
        batcher.close_if_full()
        most = max(most, len(snapshot.layouts[0].shapes.columns))
        if in_flight is None:
            in_flight = batcher.take()  # as the writer holds it while the storage is away
    batcher.close()

    assert KEPT_SHAPES < most <= KEPT_SHAPES + A_BATCH
    assert in_flight is not None
    assert len(in_flight.shapes[0].columns) > KEPT_SHAPES
    assert in_flight.shapes[0] is not snapshot.layouts[0].shapes
    numbers += check(in_flight)
    while (columns := batcher.take()) is not None:
        numbers += check(columns)
    assert numbers == list(range(MESSAGES))


def test_names_that_nobody_registered_are_not_remembered() -> None:
    snapshot = shuffler()
    columns = Columns(snapshot)
    payloads = [f'{{"ts":{START_MS},"values":{{"x{number}":1}}}}'.encode() for number in range(50)]

    Decoder(limits=Limits()).decode(
        [Message("thubon/v1/hoi-an/dev-1/telemetry", payload, START_MS * 1_000) for payload in payloads], columns
    )

    assert len(columns.rejections) == 50
    assert not snapshot.layouts[0].shapes.columns
