"""Reports of devices as the MQTT messages of the public contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from simulators.instruments import observe_rounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.fleet import SimulatedDevice
    from simulators.signals import FloatArray

Report = dict[str, Any]
"""`{"ts": <Unix milliseconds>, "values": {<datastream name>: <number, word or None>}}`."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published at once."""

    topic: str
    payload: bytes
    readings: int  # values it holds, null included
    retain: bool = False


def reports_of(device: SimulatedDevice, times_s: FloatArray) -> list[Report]:
    """What a device reports at these times, in their order, under the stamps it puts on them."""
    values_by_name = observe_rounded(device.instrument, times_s)
    columns = [_column(device, stream.name, values_by_name[stream.name]) for stream in device.profile.datastreams]
    names = [stream.name for stream in device.profile.datastreams]
    stamps = np.rint((times_s - device.stamp_lag_s) * 1_000.0).astype(np.int64).tolist()
    return [
        {"ts": stamp, "values": dict(zip(names, row, strict=True))}
        for stamp, row in zip(stamps, zip(*columns, strict=True), strict=True)
    ]


def report_of(device: SimulatedDevice, time_s: float, values: FloatArray) -> Report:
    """One report from values as `observe_rounded` gives them, shape (datastreams,)."""
    columns = (
        _column(device, stream.name, values[at : at + 1]) for at, stream in enumerate(device.profile.datastreams)
    )
    return {
        "ts": round((time_s - device.stamp_lag_s) * 1_000.0),
        "values": {stream.name: column[0] for stream, column in zip(device.profile.datastreams, columns, strict=True)},
    }


def _column(device: SimulatedDevice, name: str, values: FloatArray) -> list[float | int | str | None]:
    stream = device.profile.datastream(name)
    values = np.atleast_1d(values)
    missing = np.isnan(values)
    if stream is not None and stream.words:
        word_by_number = {number: word for word, number in stream.words.items()}
        column: list[Any] = [word_by_number[number] for number in values.tolist()]
    elif device.instrument.DECIMALS[name] == 0:
        column = np.where(missing, 0.0, values).astype(np.int64).tolist()
    else:
        column = values.tolist()
    if missing.any():
        column = [None if lost else value for value, lost in zip(column, missing.tolist(), strict=True)]
    return column


def telemetry(device: SimulatedDevice, reports: list[Report]) -> Message:
    """A device's own message: one report as an object, several as an array."""
    return Message(
        topic=f"thubon/v1/{device.town_id}/{device.device_id}/telemetry",
        payload=msgspec.json.encode(reports[0] if len(reports) == 1 else reports),
        readings=sum(len(report["values"]) for report in reports),
    )


def gateway(carrier: SimulatedDevice, reports_by_device: Mapping[str, list[Report]]) -> Message:
    """A gateway's message for the devices it carries."""
    return Message(
        topic=f"thubon/v1/{carrier.town_id}/{carrier.device_id}/gateway",
        payload=msgspec.json.encode(reports_by_device),
        readings=sum(len(report["values"]) for reports in reports_by_device.values() for report in reports),
    )


def status(device: SimulatedDevice, word: str) -> Message:
    """The retained word `online` or `offline` on the device's status topic."""
    return Message(f"thubon/v1/{device.town_id}/{device.device_id}/status", word.encode(), readings=0, retain=True)
