"""Every metric of the API, declared once; docs/operating.md has a paragraph for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric: its name with the unit, what it tells and what to change when it is bad."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    advice: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


REQUESTS: Final = MetricDefinition(
    "thubon_api_requests_total",
    "counter",
    "Requests answered, by route template, method and status.",
    "5xx: see the log and /readyz. 401: a token or login is wrong. 429: somebody guesses tokens.",
    labels=("route", "method", "status"),
)
REQUEST_SECONDS: Final = MetricDefinition(
    "thubon_api_request_seconds",
    "histogram",
    "Time from a request to the start of its answer, by route template.",
    "Slow statistics: ask for shorter spans or coarser windows. Slow everything: look at the database and the pool.",
    labels=("route",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
POOL_CONNECTIONS: Final = MetricDefinition(
    "thubon_api_pool_connections",
    "gauge",
    "Database connections of the API, by state (idle, busy).",
    "All busy for long: raise THUBON_HTTP_CONNECTIONS or look for slow queries.",
    labels=("state",),
)
POOL_WAITING: Final = MetricDefinition(
    "thubon_api_pool_waiting_requests",
    "gauge",
    "Requests that wait for a database connection.",
    "Above 0 for long: raise THUBON_HTTP_CONNECTIONS or look for slow queries.",
)
LIVE_CLIENTS: Final = MetricDefinition(
    "thubon_api_live_clients",
    "gauge",
    "Clients of /v1/live now.",
    "Near THUBON_HTTP_LIVE_CLIENTS further ones get 503: raise it or start a second API.",
)
LIVE_EVENTS: Final = MetricDefinition(
    "thubon_api_live_events_total",
    "counter",
    "Events handed to clients of /v1/live, by event (hello, change, reset).",
    "Many resets: clients read too slowly, or come back after their place was deleted.",
    labels=("event",),
)
LIVE_DELAY_SECONDS: Final = MetricDefinition(
    "thubon_api_live_delay_seconds",
    "histogram",
    "Time from the commit of a change to its handing to the clients of /v1/live.",
    "Above a second: a long transaction is open in the database, or the API lacks CPU.",
    buckets=(0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
LIVE_CONNECTED: Final = MetricDefinition(
    "thubon_api_live_connected",
    "gauge",
    "1 while the API listens to the database for changes, else 0.",
    "0: the database is away; the page shows old values until it is back.",
)
LOGIN_FAILURES: Final = MetricDefinition(
    "thubon_api_login_failures_total",
    "counter",
    "Logins with a wrong name or password.",
    "Many: somebody guesses; an address and an account wait after 10 a minute. The audit tells who and from where.",
)
REFUSED_ATTEMPTS: Final = MetricDefinition(
    "thubon_api_refused_attempts_total",
    "counter",
    "Attempts that were refused for want of a right: wrong tokens, keys and logins, roles and towns not granted.",
    "Many: read GET /v1/audit?outcome=refused.",
)
THROTTLED: Final = MetricDefinition(
    "thubon_api_throttled_requests_total",
    "counter",
    "Requests answered with 429 because their address asked too much.",
    "A program of yours: let it ask less, or raise THUBON_HTTP_REQUESTS_A_MINUTE. A proxy: set "
    "THUBON_HTTP_TRUSTED_PROXIES, else all its clients count as one.",
)
DISK_FREE: Final = MetricDefinition(
    "thubon_api_database_disk_free_bytes",
    "gauge",
    "Free space of the file system that holds the database; NaN where the server does not tell.",
    "Near THUBON_DISK_RESERVE_BYTES: add disk or shorten THUBON_RETENTION_DAYS.",
)

METRICS: Final[tuple[MetricDefinition, ...]] = (
    REQUESTS,
    REQUEST_SECONDS,
    POOL_CONNECTIONS,
    POOL_WAITING,
    LIVE_CLIENTS,
    LIVE_EVENTS,
    LIVE_DELAY_SECONDS,
    LIVE_CONNECTED,
    LOGIN_FAILURES,
    REFUSED_ATTEMPTS,
    THROTTLED,
    DISK_FREE,
)


class Metrics:
    """The metrics of one application; another one in the same process counts apart."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter(REQUESTS)
        self._request_seconds = self._histogram(REQUEST_SECONDS)
        self._pool_connections = self._gauge(POOL_CONNECTIONS)
        self._pool_waiting = self._gauge(POOL_WAITING)
        self._live_events = self._counter(LIVE_EVENTS)
        self.live_clients = self._gauge(LIVE_CLIENTS)
        self.live_delay_seconds = self._histogram(LIVE_DELAY_SECONDS)
        self.live_connected = self._gauge(LIVE_CONNECTED)
        self.login_failures = self._counter(LOGIN_FAILURES)
        self.refused_attempts = self._counter(REFUSED_ATTEMPTS)
        self.throttled = self._counter(THROTTLED)
        self.disk_free = self._gauge(DISK_FREE)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def count_live_event(self, event: Literal["hello", "change", "reset"]) -> None:
        """Count one event handed to one client."""
        self._live_events.labels(event).inc()

    def set_pool(self, *, size: int, idle: int, waiting: int) -> None:
        """Note how the pool stands."""
        self._pool_connections.labels("idle").set(idle)
        self._pool_connections.labels("busy").set(size - idle)
        self._pool_waiting.set(waiting)

    def exposition(self) -> bytes:
        """All metrics as Prometheus reads them."""
        return generate_latest(self._registry)

    def _counter(self, definition: MetricDefinition) -> Counter:
        return Counter(definition.name, definition.meaning, definition.labels, registry=self._registry)

    def _gauge(self, definition: MetricDefinition) -> Gauge:
        return Gauge(definition.name, definition.meaning, definition.labels, registry=self._registry)

    def _histogram(self, definition: MetricDefinition) -> Histogram:
        buckets: Sequence[float] = definition.buckets
        return Histogram(
            definition.name, definition.meaning, definition.labels, buckets=buckets, registry=self._registry
        )
