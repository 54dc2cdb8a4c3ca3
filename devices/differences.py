"""What an import changes of a stored site or device, told in both languages."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from devices.models import Bilingual, Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from devices.models import Device

ATTRIBUTE_NAMES: Final[Mapping[str, str]] = {
    "site_id": "vị trí",
    "device_id": "mã thiết bị",
    "town_id": "đô thị",
    "name": "tên gọi",
    "kind": "loại vị trí",
    "latitude": "vĩ độ",
    "longitude": "kinh độ",
    "labels": "nhãn",
    "wards": "phường, xã",
    "domain": "lĩnh vực",
    "profile_id": "hồ sơ",
    "reporting_interval_s": "chu kỳ gửi (giây)",
    "gateway_id": "gateway",
    "commissioned_time": "đưa vào sử dụng từ",
    "rated_power_w": "công suất định mức (W)",
    "fed_by_id": "tủ cấp điện",
}
"""Attributes of sites and devices in Vietnamese; in English they are called as the record has them."""


def differences(known: Site | Device, wanted: Site | Device) -> Iterator[Bilingual]:
    """A line for each attribute that differs.

    Args:
        known: what is stored.
        wanted: what is to be, of the same site or device.
    """
    vi, en = (f"vị trí {known.site_id}", f"site {known.site_id}") if isinstance(known, Site) else (
        f"thiết bị {known.device_id}", f"device {known.device_id}",
    )  # fmt: skip
    for attribute in fields(known):
        before, after = getattr(known, attribute.name), getattr(wanted, attribute.name)
        if before != after:
            name = ATTRIBUTE_NAMES[attribute.name]
            yield Bilingual(
                vi=f"{vi}: {name} {_shown(before, 'không có')} -> {_shown(after, 'không có')}",
                en=f"{en}: {attribute.name} {_shown(before, 'none')} -> {_shown(after, 'none')}",
            )


def _shown(value: Any, nothing: str) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or nothing
    return nothing if value is None else str(value)
