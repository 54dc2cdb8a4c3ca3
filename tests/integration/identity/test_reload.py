"""The broker reads its files anew (SIGHUP): it takes a new certificate of its own, and nobody is disconnected."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from tests.fix_worker import wait_until
from tools.development_ca import make_server

if TYPE_CHECKING:
    from tests.integration.identity.conftest import City


def _shown_certificate(city: City) -> bytes:
    context = ssl.create_default_context(cafile=str(city.ca))
    with (
        socket.create_connection(("127.0.0.1", city.broker.port_of(8883)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        certificate = wrapped.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_a_reload_takes_the_new_certificate_and_ends_no_connection(city: City) -> None:
    device_id, other = city.device("reload"), city.device("reloaded")
    word, file = city.password(device_id), city.certificate(other)
    before = _shown_certificate(city)
    with (
        city.client(device_id, word, ca=city.ca) as by_password,
        city.by_certificate(file, other) as by_certificate,
        city.client("ingest", "for-tests-only", client_id="thubon-ingest-reload") as program,
    ):
        make_server(city.folder / "tls", ["localhost", "127.0.0.1"], 30)
        (city.folder / "tls" / "server.key").chmod(0o644)
        city.broker.execute("sh", "-c", "kill -HUP 1")
        wait_until(lambda: _shown_certificate(city) != before, what="the new certificate")
        for device, client in ((device_id, by_password), (other, by_certificate)):
            assert client.publish(f"thubon/v1/hoi-an/{device}/telemetry")
            assert not client.publish("thubon/v1/hoi-an/victim-1/telemetry")
            assert not client.ended.is_set()
        assert program.subscribe("thubon/v1/#")
        # Sessions are still known by their credential: one that is revoked ends.
        from_now = city.password(device_id, overlap=None)
        with city.connection as connection:
            connection.execute("update device_credential set revoked_time = now(), revoked_by = 'test'")
        assert by_password.ended.wait(2.0)
        assert by_certificate.ended.wait(2.0)
    assert city.client(device_id, from_now).refusal == "Not authorized"
