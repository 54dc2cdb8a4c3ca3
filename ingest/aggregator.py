"""The aggregator: keeps window statistics true, repairs them within a second or two, goes on after any interruption."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic import Field

from ingest.aggregation.keeper import Keeper
from ingest.errors import StorageAwayError
from ingest.metrics import MetricsServer
from ingest.settings import StorageSettings
from ingest.storage import connect, named_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG: Final = logging.getLogger(__name__)
_PAUSE_S: Final = 0.5  # between looks at what changed
_QUIET_S: Final = 1.0  # without any change, the system counts as quiet
_STANDBY_S: Final = 2.0  # between attempts to lead
_RETRY_S: Final = 2.0
_LATENCY_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class AggregatorSettings(StorageSettings):
    """What `python -m ingest aggregator` needs to know."""

    http_host: str = Field("127.0.0.1", alias="THUBON_METRICS_HOST")
    http_port: Annotated[int, Field(ge=0, le=65_535, alias="THUBON_METRICS_PORT")] = 9_109


class AggregatorMetrics:
    """The aggregator's metrics, in a registry of their own so that tests may make many."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.leads = Gauge("thubon_aggregator_leads", "1 while this aggregator is the one that works", registry=r)
        self.batches = Counter("thubon_aggregator_batches", "Batches whose changes were looked at", registry=r)
        self.tails = Gauge(
            "thubon_aggregator_tails",
            "Devices with observations that are read at query time, not folded yet",
            registry=r,
        )
        self.restarts = Counter("thubon_aggregator_restarts", "Steps that failed and were begun anew", registry=r)
        self.step_seconds = Histogram(
            "thubon_aggregator_step_seconds",
            "One transaction, by step",
            ["step"],
            buckets=_LATENCY_BUCKETS_S,
            registry=r,
        )


class Aggregator:
    """One aggregator. Any number may run: one leads, the others wait for its session to end."""

    def __init__(self, settings: AggregatorSettings) -> None:
        self._dsn = settings.database_url.get_secret_value()
        self._settings = settings
        self.metrics = AggregatorMetrics()
        self._stopping = threading.Event()
        self._trouble: str | None = "not connected yet"
        self._leads = False

    def stop(self) -> None:
        """Ask for the end; the step that is running ends first."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop`."""
        server = MetricsServer(
            host=self._settings.http_host, port=self._settings.http_port, metrics=self.metrics, checks=self.checks
        )
        server.start()
        _LOG.info("Metrics at http://%s:%d/metrics", self._settings.http_host, server.port)
        try:
            while not self._stopping.is_set():
                try:
                    self._work()
                except (StorageAwayError, psycopg.Error) as error:
                    # A conflict of transactions, a server that is away: the next keeper finds all as it was committed.
                    if self._trouble is None:
                        _LOG.warning("Begins anew: %s", " ".join(str(error).split()))
                    self._trouble = str(error)
                    self.metrics.restarts.inc()
                    self._stopping.wait(_RETRY_S)
        finally:
            server.stop()

    def checks(self) -> Mapping[str, tuple[bool, str]]:
        """What /readyz answers: name -> (whether it is well, what to know)."""
        role = "leads" if self._leads else "stands by, another leads"
        return {"storage": (self._trouble is None, self._trouble or role)}

    def _work(self) -> None:
        connection = connect(self._dsn, application="thubon aggregator")
        with connection, named_errors():
            self._trouble = None
            keeper = Keeper(connection)
            while not keeper.lead():
                if self._stopping.wait(_STANDBY_S):
                    return
            self._lead(True)
            try:
                keeper.recall()
                self._keep(keeper)
            finally:
                self._lead(False)

    def _lead(self, leads: bool) -> None:
        self._leads = leads
        self.metrics.leads.set(leads)

    def _keep(self, keeper: Keeper) -> None:
        changed = time.monotonic()
        while not self._stopping.is_set():
            batches = self._timed("take changes", keeper.take_changes)
            self.metrics.batches.inc(batches)
            if batches:
                changed = time.monotonic()
            quiet = time.monotonic() - changed > _QUIET_S
            # One block at a time, so that what came late does not wait for all that is due.
            worked = self._timed("fold", keeper.fold_due, quiet=quiet) or self._timed(
                "roll up", keeper.roll_due, quiet=quiet
            )
            self.metrics.tails.set(keeper.tail_count())
            if not worked:
                self._stopping.wait(_PAUSE_S)

    def _timed(self, step: str, work: Any, **arguments: bool) -> Any:
        started = time.perf_counter()
        done = work(**arguments)
        if done:
            self.metrics.step_seconds.labels(step).observe(time.perf_counter() - started)
        return done
