"""Metrics of the keeper of the broker's accounts, and of certificates that end. docs/operating.md tells each."""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from devices.identity.certificates import CertificateError, read_ends
from devices.queries import load_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    import psycopg

    from devices.identity.accounts import BrokerState
    from devices.settings import BrokerSettings

_LOG: Final = logging.getLogger(__name__)
ENDING_S: Final = 30 * 86_400
"""A certificate that ends within this time is to be renewed now."""
_LOOK_S: Final = 60.0  # between looks at the certificates
_APPLY_BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class IdentityMetrics:
    """The keeper's metrics, in a registry of their own so that tests may make many."""

    def __init__(self, settings: BrokerSettings) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self._files = {"ca": settings.broker_ca_file, "server": settings.broker_certificate_file}
        self._looked_at = -math.inf
        self.pending = Gauge("thubon_identity_pending_accounts", "Accounts the broker does not hold yet", registry=r)
        self.agrees = Gauge("thubon_identity_agrees", "1 while registry and broker agree", registry=r)
        self.sessions = Gauge("thubon_identity_sessions", "Devices connected with an account of their own", registry=r)
        self.repairs = Counter("thubon_identity_repairs", "Accounts files written to mend a difference", registry=r)
        self.apply_seconds = Histogram(
            "thubon_identity_apply_seconds",
            "A change seen in the registry to the broker's word that it holds it",
            buckets=_APPLY_BUCKETS_S,
            registry=r,
        )
        self.refused = Gauge(
            "thubon_identity_refused", "What the broker refused devices since its start", ["reason"], registry=r
        )
        self.certificate_end = Gauge(
            "thubon_certificate_end_timestamp_seconds",
            "When the next certificate of this kind ends; NaN: none is known",
            ["kind"],
            registry=r,
        )
        self.certificates_ending = Gauge(
            "thubon_certificates_ending", "Certificates that end within 30 days or have ended", ["kind"], registry=r
        )
        self.sessions.set(math.nan)

    def repairing(self) -> None:
        """Count a repair that begins."""
        self.agrees.set(0)
        self.repairs.inc()

    def passed(self, pending: int, state: BrokerState | None) -> None:
        """Tell the outcome of a pass: accounts still pending, and the broker's word if it agrees."""
        self.pending.set(pending)
        self.agrees.set(state is not None)
        if state is not None:
            self.sessions.set(state.sessions)
            for reason, count in state.refused().items():
                self.refused.labels(reason).set(count)

    def look_at_certificates(self, connection: psycopg.Connection[Any]) -> None:
        """Read when certificates end, once a minute at most."""
        if time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        for kind, file in self._files.items():
            self._tell(kind, [] if file is None else _ends(file))
        self._tell("client", [row[0] for row in connection.execute(load_query("certificate_ends"))])

    def _tell(self, kind: str, ends: list[datetime]) -> None:
        self.certificate_end.labels(kind).set(min((end.timestamp() for end in ends), default=math.nan))
        due = time.time() + ENDING_S
        self.certificates_ending.labels(kind).set(sum(end.timestamp() <= due for end in ends))


def _ends(file: Path) -> list[datetime]:
    try:
        return read_ends(file.read_bytes())
    except (OSError, CertificateError) as error:
        _LOG.warning("Certificate %s cannot be read: %s", file, error)
        return []


@contextmanager
def serve(metrics: IdentityMetrics, settings: BrokerSettings) -> Iterator[int]:
    """Serve /metrics while the block runs; gives the port."""
    server, thread = start_http_server(settings.metrics_port, settings.metrics_host, metrics.registry)
    _LOG.info("Metrics at http://%s:%d/metrics", settings.metrics_host, server.server_port)
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
