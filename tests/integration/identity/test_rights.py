"""What a device may do at the real broker, by password and by certificate, and what it may not."""

from __future__ import annotations

import socket
import ssl
import warnings
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.identity.client import Client
    from tests.integration.identity.conftest import City

_numbers = count(1)


@dataclass
class Entrance:
    """A device of Hoi An, and the way it comes in."""

    city: City
    device_id: str
    password: str | None = None
    certificate: Path | None = None

    def connect(self, client_id: str | None = None, **options: Any) -> Client:
        client_id = self.device_id if client_id is None else client_id
        if self.certificate is not None:
            return self.city.by_certificate(self.certificate, client_id, **options)
        return self.city.client(self.device_id, self.password, client_id=client_id, **options)


@pytest.fixture(params=["password", "certificate"])
def device(request: pytest.FixtureRequest, city: City) -> Entrance:
    """A device of its own for the test, in either way."""
    device_id = city.device(f"lac-{next(_numbers)}")
    if request.param == "password":
        return Entrance(city, device_id, password=city.password(device_id))
    return Entrance(city, device_id, certificate=city.certificate(device_id))


def test_a_device_speaks_under_its_own_topics_and_no_others(city: City, device: Entrance) -> None:
    own = device.device_id
    with city.reader("thubon/v1/#") as reader, device.connect() as client:
        for leaf in ("telemetry", "status", "gateway"):
            assert client.publish(f"thubon/v1/hoi-an/{own}/{leaf}", b"x")
            assert reader.hears() == (f"thubon/v1/hoi-an/{own}/{leaf}", b"x")
        for topic in (
            "thubon/v1/hoi-an/other-1/telemetry",
            "thubon/v1/hoi-an/other-1/status",
            f"thubon/v1/tam-ky/{own}/telemetry",
            f"thubon/v1/hoi-an/{own}/command",
            f"thubon/v1/hoi-an/{own}",
            f"thubon/v1/hoi-an/{own}/telemetry/more",
            f"thubon/v1/hoi-an/{own}0/telemetry",
            f"/thubon/v1/hoi-an/{own}/telemetry",
            "anything",
            "$SYS/broker/uptime",
            "$CONTROL/dynamic-security/v1",
        ):
            assert not client.publish(topic, b"x"), topic
        assert reader.hears(0.1) is None


def test_a_device_hears_its_own_commands_and_nothing_else(city: City, device: Entrance) -> None:
    own = device.device_id
    with device.connect() as client:
        assert client.subscribe(f"thubon/v1/hoi-an/{own}/command")
        for topic in (
            "#",
            "+/+/+/+/+",
            "thubon/v1/#",
            f"thubon/v1/+/{own}/telemetry",
            f"thubon/v1/+/{own}/command",
            "thubon/v1/hoi-an/+/command",
            "thubon/v1/hoi-an/other-1/telemetry",
            f"thubon/v1/hoi-an/{own}/#",
            f"thubon/v1/hoi-an/{own}/telemetry",
            f"$share/group/thubon/v1/hoi-an/{own}/telemetry",
            "$share/group/#",
            "$SYS/#",
            "$SYS/broker/clients/connected",
        ):
            assert not client.subscribe(topic), topic


def test_a_device_cannot_take_another_s_client_id(city: City, device: Entrance) -> None:
    own = device.device_id
    victim = city.device(f"victim-{next(_numbers)}")
    word = city.password(victim)
    with city.client(victim, word) as other, city.reader("thubon/v1/#") as reader:
        for client_id in (victim, "thubon-ingest-test", "ingest", "health", f"{own}0", f"x{own}", "", own.upper()):
            assert device.connect(client_id).refusal == "Not authorized", client_id
        assert other.publish(f"thubon/v1/hoi-an/{victim}/telemetry")
        assert reader.hears() is not None
    for client_id in (own, f"{own}:modem-2"):
        with device.connect(client_id):
            pass


def test_a_program_cannot_take_a_device_s_client_id_nor_another_program_s(city: City) -> None:
    for client_id in ("thubon-simulators-1", "thubon-ingestor", "lac-5", "simulators", ""):
        assert city.client("ingest", "for-tests-only", client_id=client_id).refusal == "Not authorized"
    with city.client("ingest", "for-tests-only", client_id="ingest") as client:
        assert not client.publish("thubon/v1/hoi-an/lac-5/telemetry")
    with city.client("simulators", "for-tests-only", client_id="thubon-simulators-1") as client:
        client.subscribe("thubon/v1/#")  # the broker says yes to programs and then hands them nothing
        assert client.publish("thubon/v1/hoi-an/lac-5/telemetry")
        assert client.hears(0.1) is None


def test_a_last_will_reaches_nobody_but_under_the_device_s_own_topic(city: City, device: Entrance) -> None:
    own = device.device_id
    with city.reader("thubon/v1/#") as reader:
        device.connect(will=("thubon/v1/hoi-an/other-1/status", b"offline")).cut()
        device.connect(will=(f"thubon/v1/hoi-an/{own}/status", b"offline")).cut()
        assert reader.hears() == (f"thubon/v1/hoi-an/{own}/status", b"offline")
        assert reader.hears(0.1) is None


def test_of_last_wills_beyond_a_device_s_rights_nothing_is_sent_nor_kept(city: City, device: Entrance) -> None:
    own = device.device_id
    beyond = ("thubon/v1/hoi-an/other-1/status", f"thubon/v1/tam-ky/{own}/status", f"thubon/v1/hoi-an/{own}/command",
              "$SYS/broker/uptime", "anything")  # fmt: skip
    with city.reader("#") as reader:
        kept_before = set(iter(lambda: reader.hears(0.3), None))  # by tests before this one
        for topic in beyond:
            device.connect(will=(topic, b"offline"), will_retain=True).cut()
        device.connect(will=(f"thubon/v1/hoi-an/{own}/status", b"last"), will_retain=True).cut()
        # The broker sends wills in the order in which connections broke, so this one came after all others.
        assert reader.hears() == (f"thubon/v1/hoi-an/{own}/status", b"last")
        assert reader.hears(0.1) is None
    with city.reader("thubon/v1/+/+/status") as later:
        kept = set(iter(lambda: later.hears(0.3), None))
    assert (f"thubon/v1/hoi-an/{own}/status", b"last") in kept
    assert not {topic for topic, _ in kept - kept_before} & set(beyond)


def test_nobody_gets_in_without_a_name_or_with_a_wrong_password(city: City) -> None:
    device_id = city.device("door")
    word = city.password(device_id)
    refused = [
        city.client(device_id, word[:-1]),
        city.client(device_id, ""),
        city.client(device_id, word + "x" * 300),
        city.client("nobody-9", word),
        city.client("nobody-9", None),
        city.client(device_id, word, client_id="x" * 1000),
        city.client("x" * 1000, word),
        city.client("reader", "for-tests-only", client_id="health"),
    ]
    # One answer to all of them, so that nobody learns which names there are.
    assert {each.refusal for each in refused} == {"Not authorized"}
    anonymous = city.client("", None, client_id="visitor")
    assert anonymous.refusal == "Not authorized"
    assert "refused wrong_secret: user 'door-1'" in city.broker.logs()
    assert word not in city.broker.logs()


def test_over_tls_a_password_works_as_well_and_the_old_versions_do_not(city: City) -> None:
    device_id = city.device("tls")
    with city.client(device_id, city.password(device_id), ca=city.ca) as client:
        assert client.publish(f"thubon/v1/hoi-an/{device_id}/telemetry")
    for port in (8883, 8884):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(("127.0.0.1", city.broker.port_of(port))) as plain,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            context.wrap_socket(plain)
