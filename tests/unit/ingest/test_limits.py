"""The per-device limit against a slow reference, and what it leaves alone."""

from __future__ import annotations

from array import array
from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.reasons import Reason
from ingest.columns import Columns
from ingest.limits import DeviceLimit, DeviceMinutes
from ingest.records import Message
from ingest.registry import RegistrySnapshot, build_snapshot
from ingest.route import Route
from ingest.validate import Checked, TimeRules, validate

ANY_TIME = TimeRules(ahead_s=1e12, retention_s=1e12)
NAMES = ("a", "b", "c")
MINUTE_US = 60_000_000

Rows = list[tuple[int, int, int]]  # device index, minute, readings
"""One message a row."""


def snapshot(devices: int = 4) -> RegistrySnapshot:
    """Devices whose keys fall while their indices rise."""
    return build_snapshot(
        1,
        [
            {
                "device_key": 100 - index,
                "device_id": f"dev-{index}",
                "town_id": "hoi-an",
                "gateway_id": None,
                "commissioned_us": -(2**60),
                "retired": False,
                "former_towns": None,
            }
            for index in range(devices)
        ],
        [
            {
                "device_key": 100 - index,
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
            for index in range(devices)
            for slot, name in enumerate(NAMES, start=1)
        ],
    )


SNAPSHOT = snapshot()


def batch(rows: Rows) -> tuple[Columns, Checked]:
    columns = Columns(SNAPSHOT)
    for index, (device, minute, readings) in enumerate(rows):
        columns.messages.append(Message(f"thubon/v1/hoi-an/dev-{device}/telemetry", b"", minute * MINUTE_US))
        columns.routes.append(Route(family="telemetry", town_id="hoi-an", source=f"dev-{device}"))
        columns.received.append(readings)
        columns.missing.append(0)
        columns.row_message.append(index)
        columns.row_device.append(device)
        shape = columns.shapes_of(SNAPSHOT.devices[device].layout).place(NAMES[:readings])
        assert shape is not None
        columns.row_shape.append(shape)
        columns.row_quality.append(0)
        columns.row_time_us.append(minute * MINUTE_US + index)
        columns.flat.extend(array("d", [1.0] * readings))
    return columns, validate(columns, ANY_TIME, subjects=20)


class SlowMinutes:
    """What `DeviceMinutes` remembers, in plain dictionaries."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.young: dict[tuple[int, int], int] = {}
        self.old: dict[tuple[int, int], int] = {}

    def before(self, key: tuple[int, int]) -> int:
        return self.young.get(key, self.old.get(key, 0))


def slow(batches: list[Rows], limit: int, kept: int) -> list[list[bool]]:
    """Row by row: which of each batch's rows are taken."""
    minutes = SlowMinutes(kept)
    taken = []
    for rows in batches:
        count: dict[tuple[int, int], int] = defaultdict(int)
        before = {(device, minute): minutes.before((device, minute)) for device, minute, _ in rows}
        verdicts = []
        for device, minute, readings in rows:
            count[device, minute] += readings
            verdicts.append(before[device, minute] + count[device, minute] <= limit)
        for key, readings in count.items():
            minutes.young[key] = before[key] + readings
        if len(minutes.young) > kept:
            minutes.old, minutes.young = minutes.young, {}
        taken.append(verdicts)
    return taken


ROW = st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 2, 27_000_000, 29_000_000]), st.integers(1, 3))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(ROW, min_size=1, max_size=30), max_size=5), st.integers(1, 25), st.integers(1, 12))
def test_the_limit_takes_what_a_slow_reference_takes(batches: list[Rows], limit: int, kept: int) -> None:
    device_limit = DeviceLimit(limit, subjects=2, kept=kept)
    for rows, expected in zip(batches, slow(batches, limit, kept), strict=True):
        columns, checked = batch(rows)
        limited = device_limit.apply(columns, checked)
        taken = {int(message) for block in limited.blocks for message in block.message}
        assert taken == {index for index, good in enumerate(expected) if good}
        refused = {rejection.message: rejection for rejection in limited.rejections}
        assert {index: rejection.readings for index, rejection in refused.items()} == {
            index: rows[index][2] for index, good in enumerate(expected) if not good
        }
        assert all(rejection.reason is Reason.RATE_LIMITED for rejection in refused.values())
        assert limited.tally.rejected.tolist() == [
            0 if good else row[2] for row, good in zip(rows, expected, strict=True)
        ]


def test_a_back_fill_of_a_day_at_the_usual_rate_is_no_flood() -> None:
    device_limit = DeviceLimit(3, subjects=2)
    columns, checked = batch([(0, minute, 3) for minute in range(1440)])
    assert device_limit.apply(columns, checked).rejections == []


def test_one_flooding_device_leaves_the_others_alone() -> None:
    device_limit = DeviceLimit(6, subjects=2)
    columns, checked = batch([(0, 5, 3)] * 100 + [(1, 5, 3), (2, 5, 3)])
    limited = device_limit.apply(columns, checked)
    assert sum(len(block) for block in limited.blocks) == 4
    assert {rejection.device_id for rejection in limited.rejections} == {"dev-0"}
    assert sum(rejection.readings for rejection in limited.rejections) == 98 * 3


def test_memory_is_bounded_however_many_minutes_come() -> None:
    minutes = DeviceMinutes(kept=1_000)
    for start in range(0, 100_000, 500):
        minutes.add(np.arange(start, start + 500), np.ones(500, dtype=np.int64))
        assert len(minutes._young.key) + len(minutes._old.key) <= 2 * 1_500
