"""What an import changes is told in both languages."""

from dataclasses import fields, replace

import pytest

from devices.differences import ATTRIBUTE_NAMES, differences
from devices.models import Bilingual, Device, Site

SITE = Site("ha-pole", "hoi-an", "Bạch Đằng", "pole", 15.876, 108.328, ("old-town",), ())
DEVICE = Device("ha-1", "hoi-an", "ha-pole", "lighting", "lamp-controller", "Đèn 1", 300, None, None)


@pytest.mark.parametrize("attribute", [field.name for kind in (Site, Device) for field in fields(kind)])
def test_every_attribute_of_a_site_and_of_a_device_has_a_name(attribute: str) -> None:
    assert ATTRIBUTE_NAMES[attribute]


def test_a_line_for_each_attribute_that_differs_and_no_other() -> None:
    assert list(differences(DEVICE, replace(DEVICE, name="Đèn 2", gateway_id="ha-cabinet"))) == [
        Bilingual("thiết bị ha-1: tên gọi Đèn 1 -> Đèn 2", "device ha-1: name Đèn 1 -> Đèn 2"),
        Bilingual("thiết bị ha-1: gateway không có -> ha-cabinet", "device ha-1: gateway_id none -> ha-cabinet"),
    ]
    assert list(differences(SITE, replace(SITE, labels=()))) == [
        Bilingual("vị trí ha-pole: nhãn old-town -> không có", "site ha-pole: labels old-town -> none")
    ]
    assert list(differences(SITE, SITE)) == []
