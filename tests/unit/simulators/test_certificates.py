"""Certificates of simulated devices: found by name, and refused in words that say which file."""

from __future__ import annotations

import shutil
import ssl
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from simulators.certificates import find_certificates
from simulators.link import Account, Link
from simulators.settings import Broker
from tools.development_ca import make_authority, make_device

if TYPE_CHECKING:
    from pathlib import Path

FLEET = ("lamp-1", "lamp-2", "gauge-1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_authority(tmp_path)
    for device_id in FLEET[:2]:
        make_device(tmp_path, device_id, 1)
    return tmp_path


def test_a_device_with_a_certificate_goes_to_its_port_without_an_account_and_others_as_before(folder: Path) -> None:
    certificates = find_certificates(folder, FLEET, 28_884, folder / "ca.crt")
    tls = ssl.create_default_context(cafile=folder / "ca.crt")
    accounts = {device_id: Account(device_id, "secret") for device_id in FLEET}
    link = Link(Broker(SecretStr("mqtts://127.0.0.1:28883")), tls, accounts=accounts, certificates=certificates)
    assert certificates.devices == {"lamp-1", "lamp-2"}
    assert link.account("lamp-1") == Account(None, None)
    assert link.account("gauge-1") == Account("gauge-1", "secret")
    assert link.door("lamp-1").port == 28_884
    assert link.door("lamp-1").tls is not tls
    assert (link.door("gauge-1").port, link.door("gauge-1").tls) == (28_883, tls)


def test_a_folder_without_certificates_of_the_fleet_or_with_one_without_its_key_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no certificate of a device of this fleet; wanted: <device>.crt"):
        find_certificates(folder, ["gauge-1"], 8884, None)
    (folder / "lamp-2.key").unlink()
    with pytest.raises(ValueError, match=r"lamp-2.crt has no key beside it; wanted: lamp-2.key"):
        find_certificates(folder, FLEET, 8884, None)


def test_a_certificate_with_the_key_of_another_says_which(folder: Path) -> None:
    certificates = find_certificates(folder, FLEET, 8884, folder / "ca.crt")
    shutil.copy(folder / "lamp-2.key", folder / "lamp-1.key")
    with pytest.raises(OSError, match=r"lamp-1.crt and lamp-1.key are no certificate with its key"):
        certificates.context("lamp-1")
    (folder / "lamp-1.key").unlink()
    with pytest.raises(OSError, match=r"lamp-1.crt or lamp-1.key: No such file"):
        certificates.context("lamp-1")
