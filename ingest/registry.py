"""The registry as the worker holds it: a snapshot in arrays, made anew when the registry changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from devices.profiles import load_catalogue
from devices.quality_rules import QualityRules, rules_of
from ingest.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rules:
    """What is said against the values of a layout: arrays over slots, then over the slots that are `watched`."""

    expected_lower: NDArray[np.float64]  # shape (slots,)
    expected_upper: NDArray[np.float64]
    watched: NDArray[np.intp]  # slots judged against what stands before, shape (w,)
    lower: NDArray[np.float64]  # bounds of these, shape (w,)
    upper: NDArray[np.float64]
    spike: NDArray[np.float64]  # the least departure that may be a spike; infinity: none is
    stuck_us: NDArray[np.float64]  # how long the same number within the bounds may stand; infinity: for ever
    flat_us: NDArray[np.float64]  # the same at a bound
    signature: tuple[Any, ...]  # what is watched

    def of(self, watched: NDArray[np.intp]) -> Rules:
        """The rules of some of the watched slots, by their place among them; all expectations."""
        return replace(
            self,
            watched=self.watched[watched],
            lower=self.lower[watched],
            upper=self.upper[watched],
            spike=self.spike[watched],
            stuck_us=self.stuck_us[watched],
            flat_us=self.flat_us[watched],
            signature=tuple(self.signature[at] for at in watched.tolist()),
        )


@dataclass(slots=True)
class Layout:
    """The slots of all devices that have the same datastreams.

    `lower`, `upper`, `factor`, `addend`: float64 of shape (slots,); stored = sent * factor + addend. A slot that no
    datastream uses has no name and refuses nothing.
    """

    index: int
    slots: int
    column_of: Mapping[str, int]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    factor: NDArray[np.float64]
    addend: NDArray[np.float64]
    words: Sequence[Mapping[str, float] | None]
    names: Sequence[str]
    converting: NDArray[np.intp]  # columns whose factor or addend changes a value
    rules: Rules
    words_of: Mapping[str, Mapping[str, float]]  # of the datastreams that take words, by name
    shapes: Shapes

    def shapes_for_a_batch(self) -> Shapes:
        """What a new batch notes its shapes in: those met so far, or none again once there were too many.

        Batches that are collected or written keep the list that their rows point into.
        """
        if self.shapes.full:
            self.shapes = Shapes(self.column_of)
        return self.shapes


@dataclass(frozen=True, slots=True)
class RegisteredDevice:
    """A device as the worker needs it."""

    index: int  # in RegistrySnapshot.devices
    device_id: str
    town_id: str
    layout: Layout
    gateway_id: str | None
    retired: bool
    former_towns: Mapping[str, int]  # towns it moved from -> up to when their topics are taken, Unix microseconds


@dataclass(frozen=True, slots=True)
class RegistrySnapshot:
    """All devices at one version of the registry. Arrays are indexed by `RegisteredDevice.index`."""

    version: int
    devices: Sequence[RegisteredDevice]
    by_id: Mapping[str, RegisteredDevice]
    layouts: Sequence[Layout]
    layout_of: NDArray[np.int32]  # index into layouts
    device_key: NDArray[np.int32]
    commissioned_us: NDArray[np.int64]


def build_snapshot(
    version: int, device_rows: Sequence[Mapping[str, Any]], datastream_rows: Sequence[Mapping[str, Any]]
) -> RegistrySnapshot:
    """Arrange registry rows for look-up.

    Args:
        version: of the registry the rows were read at.
        device_rows: device_key, device_id, town_id, gateway_id, commissioned_us, retired, former_towns; in any order.
        datastream_rows: device_key, slot, name, lower_bound, upper_bound, factor, addend, words, property, profile;
            sorted by device_key and slot.
    """
    streams: dict[int, list[Mapping[str, Any]]] = {}
    for row in datastream_rows:
        streams.setdefault(row["device_key"], []).append(row)
    layouts: dict[tuple[Any, ...], Layout] = {}
    devices: list[RegisteredDevice] = []
    for row in device_rows:
        layout = _layout(streams.get(row["device_key"], ()), layouts)
        devices.append(
            RegisteredDevice(
                index=len(devices),
                device_id=row["device_id"],
                town_id=row["town_id"],
                layout=layout,
                gateway_id=row["gateway_id"],
                retired=row["retired"],
                former_towns=row["former_towns"] or {},
            )
        )
    return RegistrySnapshot(
        version=version,
        devices=devices,
        by_id={device.device_id: device for device in devices},
        layouts=list(layouts.values()),
        layout_of=np.array([device.layout.index for device in devices], dtype=np.int32),
        device_key=np.array([row["device_key"] for row in device_rows], dtype=np.int32),
        commissioned_us=np.array([row["commissioned_us"] for row in device_rows], dtype=np.int64),
    )


def _layout(rows: Sequence[Mapping[str, Any]], layouts: dict[tuple[Any, ...], Layout]) -> Layout:
    signature = tuple(
        (
            row["slot"],
            row["name"],
            row["lower_bound"],
            row["upper_bound"],
            row["factor"],
            row["addend"],
            tuple(sorted(row["words"].items())) if row["words"] else None,
            _rules_of(row["profile"], row["name"], row["property"]),
        )
        for row in rows
    )
    known = layouts.get(signature)
    if known is not None:
        return known
    slots = max((row["slot"] for row in rows), default=0)
    lower = np.full(slots, -np.inf)
    upper = np.full(slots, np.inf)
    factor = np.ones(slots)
    addend = np.zeros(slots)
    words: list[Mapping[str, float] | None] = [None] * slots
    names = [""] * slots
    for row in rows:
        column = row["slot"] - 1
        lower[column], upper[column] = row["lower_bound"], row["upper_bound"]
        factor[column], addend[column] = row["factor"], row["addend"]
        words[column] = row["words"]
        names[column] = row["name"]
    column_of = {name: column for column, name in enumerate(names) if name}
    layout = Layout(
        index=len(layouts),
        slots=slots,
        column_of=column_of,
        lower=lower,
        upper=upper,
        factor=factor,
        addend=addend,
        words=words,
        words_of={row["name"]: row["words"] for row in rows if row["words"]},
        names=names,
        converting=np.flatnonzero((factor != 1) | (addend != 0)),
        rules=_rules(rows, slots, names, lower, upper),
        shapes=Shapes(column_of),
    )
    layouts[signature] = layout
    return layout


@cache
def _rules_of(profile_id: str, name: str, property_id: str) -> QualityRules:
    """As the profile says, or the property where the catalogue does not know the profile."""
    profile = load_catalogue().get(profile_id)
    stream = profile.datastream(name) if profile else None
    return stream.rules if stream else rules_of(property_id)


def _rules(
    rows: Sequence[Mapping[str, Any]],
    slots: int,
    names: Sequence[str],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
) -> Rules:
    expected_lower, expected_upper = np.full(slots, -np.inf), np.full(slots, np.inf)
    spike, stuck_us, flat_us = np.full(slots, np.inf), np.full(slots, np.inf), np.full(slots, np.inf)
    for row in rows:
        column = row["slot"] - 1
        rules = _rules_of(row["profile"], row["name"], row["property"])
        expected_lower[column], expected_upper[column] = rules.expected_lower, rules.expected_upper
        spike[column] = np.inf if rules.spike is None else rules.spike
        stuck_us[column] = np.inf if rules.stuck_s is None else rules.stuck_s * 1e6
        flat_us[column] = np.inf if rules.flat_s is None else rules.flat_s * 1e6
    watched = np.flatnonzero(np.isfinite(spike) | np.isfinite(stuck_us) | np.isfinite(flat_us))
    return Rules(
        expected_lower=expected_lower,
        expected_upper=expected_upper,
        watched=watched,
        lower=lower[watched],
        upper=upper[watched],
        spike=spike[watched],
        stuck_us=stuck_us[watched],
        flat_us=flat_us[watched],
        signature=tuple((column, names[column]) for column in watched.tolist()),
    )
