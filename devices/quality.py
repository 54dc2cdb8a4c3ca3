"""Quality flags: the bits that stand beside a value, their words, and which of them leave it out of statistics.

The numbers are stored and therefore never change; a new flag takes the next free bit. Nothing is deleted for its flags.
"""

from __future__ import annotations

from enum import IntFlag
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from devices.models import QUALITY_CALIBRATING, QUALITY_FAULT, Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping


class Quality(IntFlag):
    """What may be said against a value; 0: nothing."""

    CALIBRATING = QUALITY_CALIBRATING  # the instrument says so
    FAULT = QUALITY_FAULT  # the instrument says so
    OUTSIDE_EXPECTED_RANGE = 4  # possible, but not what this place sees; a flood, or a wrong unit
    SPIKE = 8  # alone, far from what came just before
    STUCK = 16  # the same number for so long that the sensor, not the world, stands still
    FLAT_AT_BOUND = 32  # stuck at the end of the instrument's range
    CLOCK_SKEW = 64  # its time lies ahead of its receipt: the device's clock is fast


LEFT_OUT: Final = Quality.CALIBRATING | Quality.FAULT | Quality.SPIKE | Quality.STUCK | Quality.FLAT_AT_BOUND
"""Flags that leave a value out of statistics, indices and headlines: they tell about the instrument, not the world.

An unexpected value stays in (extremes are what a city asks about), and so does one whose clock is some minutes fast.
SQL has the same rule as `quality_admits(quality)`.
"""

FLAG_NAMES: Final[Mapping[Quality, Bilingual]] = MappingProxyType(
    {
        Quality.CALIBRATING: Bilingual(vi="hiệu chuẩn", en="calibrating"),
        Quality.FAULT: Bilingual(vi="thiết bị báo lỗi", en="fault reported by the device"),
        Quality.OUTSIDE_EXPECTED_RANGE: Bilingual(vi="ngoài khoảng thường gặp", en="outside the expected range"),
        Quality.SPIKE: Bilingual(vi="nhảy vọt", en="spike"),
        Quality.STUCK: Bilingual(vi="đứng yên", en="stuck"),
        Quality.FLAT_AT_BOUND: Bilingual(vi="kẹt ở ngưỡng đo", en="flat-lined at a bound"),
        Quality.CLOCK_SKEW: Bilingual(vi="đồng hồ sai", en="clock skew"),
    }
)


def flag_id(flag: Quality) -> str:
    """The flag's name in the API, such as `clock-skew`."""
    return (flag.name or "").lower().replace("_", "-")


@cache
def flags_of(quality: int) -> tuple[Quality, ...]:
    """The flags in a stored bit set, lowest first; bits that stand for nothing are passed over."""
    return tuple(flag for flag in FLAG_NAMES if quality & flag)


def admits(quality: int) -> bool:
    """Whether a value of this quality enters statistics."""
    return not quality & LEFT_OUT
