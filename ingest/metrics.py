"""Metrics of the worker: one catalogue. docs/operating.md has a paragraph for each."""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING, Final, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from ingest.records import WriteResult

_LATENCY_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The worker's metrics, in a registry of their own so that tests may make many."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.messages = Counter("thubon_ingest_messages", "Messages committed", registry=r)
        self.readings = Counter("thubon_ingest_readings", "Readings committed, by outcome", ["outcome"], registry=r)
        self.rejections = Counter("thubon_ingest_rejections", "Readings refused, by reason", ["reason"], registry=r)
        self.unkept = Counter(
            "thubon_ingest_sampled_readings",
            "Refused readings of floods, counted and without their bytes (unknown sources, undecodable bytes)",
            registry=r,
        )
        self.replayed_readings = Counter(
            "thubon_ingest_replayed_readings", "Readings that a replay took out of their refusal", registry=r
        )
        self.batches = Counter("thubon_ingest_batches", "Batches committed", registry=r)
        self.staged_rows = Counter(
            "thubon_ingest_staged_rows", "Rows that took the careful way because they might stand already", registry=r
        )
        self.write_seconds = Histogram(
            "thubon_ingest_write_seconds", "Validation to COMMIT of a batch", buckets=_LATENCY_BUCKETS_S, registry=r
        )
        self.acknowledge_seconds = Histogram(
            "thubon_ingest_acknowledge_seconds",
            "Receipt of a batch's oldest message to its acknowledgement",
            buckets=_LATENCY_BUCKETS_S,
            registry=r,
        )
        self.write_retries = Counter("thubon_ingest_write_retries", "Writes tried again, storage away", registry=r)
        self.waiting_messages = Gauge(
            "thubon_ingest_waiting_messages", "Messages received and not yet committed", registry=r
        )
        self.waiting_bytes = Gauge("thubon_ingest_waiting_bytes", "Their payload bytes", registry=r)
        self.connected = Gauge("thubon_ingest_connected", "1 while subscribed at the broker", registry=r)
        self.broker_dropped = Gauge(
            "thubon_broker_dropped_messages",
            "Messages the broker dropped at its own bounds, over its restarts; NaN where it does not say",
            registry=r,
        )
        self.broker_queued = Gauge(
            "thubon_broker_queued_messages",
            "Messages the broker holds for clients that are away or slow; NaN where it does not say",
            registry=r,
        )
        self.broker_dropped.set(math.nan)
        self.broker_queued.set(math.nan)
        self.storage_available = Gauge(
            "thubon_ingest_storage_available", "1 while the database takes batches", registry=r
        )
        self.disk_free_bytes = Gauge(
            "thubon_database_disk_free_bytes", "Free bytes under the database; NaN where unknown", registry=r
        )
        self.disk_low = Gauge(
            "thubon_ingest_disk_low", "1 while free space is below the reserve and nothing is acknowledged", registry=r
        )
        self.fold_seconds = Histogram(
            "thubon_ingest_fold_seconds", "One fold of latest and ledger", buckets=_LATENCY_BUCKETS_S, registry=r
        )
        self.registered_devices = Gauge("thubon_ingest_registered_devices", "Devices in the registry", registry=r)

    def wrote(self, result: WriteResult) -> None:
        """Count a committed batch."""
        self.messages.inc(result.messages)
        self.batches.inc()
        self.staged_rows.inc(result.staged_rows)
        self.unkept.inc(result.unkept)
        for outcome in ("stored", "duplicate", "conflict", "rejected", "missing"):
            self.readings.labels(outcome).inc(getattr(result, outcome))
        for reason, readings in result.rejections.items():
            self.rejections.labels(reason).inc(readings)


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Scrapes are no events."""


class Exposed(Protocol):
    """Metrics that can be served."""

    registry: CollectorRegistry


class MetricsServer:
    """Serves /metrics, /healthz and /readyz from a thread of its own.

    Args:
        host: address to listen on.
        port: 0 for any free one; `port` tells which.
        metrics: what /metrics shows.
        checks: answers name -> (whether it is well, what to know) for /readyz; called in the server's thread.
    """

    def __init__(
        self, *, host: str, port: int, metrics: Exposed, checks: Callable[[], Mapping[str, tuple[bool, str]]]
    ) -> None:
        self._metrics_app = make_wsgi_app(metrics.registry)
        self._checks = checks
        self._server: WSGIServer = make_server(host, port, self._app, handler_class=_QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self.port: int = self._server.server_port

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return self._metrics_app(environ, start_response)  # type: ignore[no-any-return]
        if path == "/healthz":
            return _answer(start_response, "200 OK", {"status": "ok"})
        if path == "/readyz":
            checks = self._checks()
            well = all(ok for ok, _ in checks.values())
            body = {
                "status": "ok" if well else "degraded",
                "checks": {name: {"ok": ok, "detail": detail} for name, (ok, detail) in checks.items()},
            }
            return _answer(start_response, "200 OK" if well else "503 Service Unavailable", body)
        return _answer(start_response, "404 Not Found", {"status": "not found"})


def _answer(start_response: StartResponse, status: str, body: object) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(body).encode()]
