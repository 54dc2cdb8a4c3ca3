"""Cutting time into messages: every report once, in order, none too long."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.parcels import Parcel, batched, cut
from simulators.publisher import connections_of

if TYPE_CHECKING:
    from simulators.fleet import SimulatedDevice

START_S = 1_795_000_000


def _reports(parcel: Parcel, own_id: str) -> list[tuple[str, int]]:
    body = msgspec.json.decode(parcel.message.payload)
    if parcel.message.topic.endswith("/gateway"):
        return [(device_id, report["ts"]) for device_id, reports in body.items() for report in reports]
    return [(own_id, report["ts"]) for report in (body if isinstance(body, list) else [body])]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, 5_400), max_size=4),
    readings_per_message=st.integers(1, 400),
    with_carried=st.booleans(),
)
def test_every_report_is_sent_once_and_in_order_however_time_is_cut(
    fleet: tuple[SimulatedDevice, ...], cuts: list[int], readings_per_message: int, with_carried: bool
) -> None:
    device, carried = next((d, c) for d, c in connections_of(fleet) if bool(c) is with_carried)
    edges = [START_S, *(START_S + cut_s for cut_s in sorted(cuts)), START_S + 5_400]
    sent: list[tuple[str, int]] = []
    for after_s, until_s in itertools.pairwise(edges):
        parcels = cut(device, carried, after_s, until_s, readings_per_message)
        for index, parcel in enumerate(parcels):
            reports = _reports(parcel, device.device_id)
            assert parcel.reports == len(reports)
            assert parcel.message.readings <= readings_per_message or len(reports) == 1
            sent += reports
            later = [ts for follower in parcels[index + 1 :] for _, ts in _reports(follower, device.device_id)]
            assert all(ts > parcel.complete_until_s * 1_000 for ts in later)
            assert parcel.complete_until_s <= until_s
    expected = [
        (member.device_id, int(time_s * 1_000))
        for member in (device, *carried)
        for time_s in member.report_times(START_S, START_S + 5_400)
    ]
    assert Counter(sent) == Counter(expected)
    for member in (device, *carried):
        stamps = [ts for device_id, ts in sent if device_id == member.device_id]
        assert stamps == sorted(stamps)


def test_a_stretch_without_reports_makes_no_message(fleet: tuple[SimulatedDevice, ...]) -> None:
    assert cut(fleet[0], [], START_S, START_S, 100) == []


def test_batches_keep_order_and_size() -> None:
    assert list(batched(range(5), 2)) == [[0, 1], [2, 3], [4]]
